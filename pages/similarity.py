"""Similarity: a pair, one against many, or a matrix of sentences."""

from __future__ import annotations

import numpy as np
import streamlit as st

from wenmo import Engine
from wenmo.engine import Progress
from wenmo.ui import charts, components, explain
from wenmo.ui.examples import MATRICES, RANKINGS
from wenmo.ui.inputs import MAX_CANDIDATES, MAX_CHARACTERS, MAX_MATRIX, at_most
from wenmo.ui.text import say


def pair() -> None:
    """Two sentences, and why."""
    compared = components.pair_form()
    if compared is not None:
        explain.similarity(compared)


def ranking() -> None:
    """One sentence against many, ranked by the cross-encoder, with the cosine beside it."""
    components.examples("ranking", RANKINGS)
    with st.form("ranking", border=False):
        query = st.text_input(
            say("similarity.query"), key="ranking_query", max_chars=MAX_CHARACTERS, persist_state="session"
        ).strip()
        candidates = components.text_lines(
            say("similarity.candidates"), key="ranking_candidates", limit=MAX_CANDIDATES, height=180
        )
        components.submit("ranking", say("similarity.rank"))
    if not query or not candidates:
        st.caption(say("similarity.ranking_empty"))
        return

    def work(engine: Engine, progress: Progress) -> tuple[list[float], list[float], list[bool]]:
        pairs = [(query, candidate) for candidate in at_most(candidates, MAX_CANDIDATES)]
        # Two walks over the pairs, one bar.
        results = engine.similarity(pairs, progress=lambda done, of: progress(done, 2 * of))
        cosines = engine.cosine_similarity(pairs, progress=lambda done, of: progress(of + done, 2 * of)).tolist()
        return [result.similarity for result in results], cosines, [result.truncated for result in results]

    answer = components.ask("ranking", (query, candidates), work)
    if answer is None:
        return
    scores, cosines, truncated = answer
    order = sorted(range(len(scores)), key=lambda index: -scores[index])
    probability, cosine = say("similarity.probability"), say("similarity.cosine")
    columns: dict[str, list[object]] = {
        say("similarity.candidates"): [candidates[index] for index in order],
        probability: [scores[index] for index in order],
        cosine: [cosines[index] for index in order],
    }
    components.table(columns, bars=[probability], numbers=[cosine])
    components.truncation_note(truncated)
    components.download("ranking", columns)


def matrix() -> None:
    """Every sentence against every other, as an ink heat map."""
    components.examples("matrix", MATRICES)
    with st.form("matrix", border=False):
        sentences = components.text_lines(
            say("similarity.sentences"), key="matrix_sentences", limit=MAX_MATRIX, height=220
        )
        components.submit("matrix", say("similarity.draw"))
    count = len(sentences)
    if count < 2:
        st.caption(say("similarity.matrix_empty"))
        return

    def work(engine: Engine, progress: Progress) -> tuple[np.ndarray, bool]:
        at_most(sentences, MAX_MATRIX)
        rows, columns = np.triu_indices(count)
        pairs = [(sentences[i], sentences[j]) for i, j in zip(rows, columns, strict=True)]
        results = engine.similarity(pairs, progress=progress)
        values = np.empty((count, count))
        values[rows, columns] = values[columns, rows] = [result.similarity for result in results]
        return values, any(result.truncated for result in results)

    answer = components.ask("matrix", sentences, work)
    if answer is None:
        return
    numbers = [str(number) for number in range(1, count + 1)]
    figure = charts.ink_map(
        answer[0],
        rows=[f"{number} {sentence}" for number, sentence in zip(numbers, sentences, strict=True)],
        columns=sentences,
        names=numbers,
    )
    st.plotly_chart(figure, config=charts.CONFIG, alt=say("similarity.matrix_alt", count=count))
    st.caption(say("similarity.matrix_note"))
    components.truncation_note([answer[1]])


MODES = {"pair": pair, "ranking": ranking, "matrix": matrix}

components.heading("similarity")
mode = components.choice(say("similarity.mode"), {name: say(f"similarity.mode.{name}") for name in MODES}, key="mode")
MODES[mode]()
