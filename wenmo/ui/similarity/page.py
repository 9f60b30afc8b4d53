"""The modes of the similarity page: a pair, one against many, a matrix with its groups of near-duplicates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
import streamlit as st

from wenmo import Engine
from wenmo.engine import OnProgress
from wenmo.tasks.clusters import Clustering, cluster, near_duplicates
from wenmo.tasks.embedding import cosines
from wenmo.ui import charts
from wenmo.ui.shell import components, explain, share
from wenmo.ui.shell.examples import MATRICES, RANKINGS
from wenmo.ui.shell.inputs import MAX_CANDIDATES, MAX_CHARACTERS, MAX_CROSS_ENCODED, MAX_MATRIX, MEASURES, at_most
from wenmo.ui.text import say

Measure: TypeAlias = Literal["probability", "cosine"]
# Where the bundled models put sentences that say the same: a look at the examples of the page.
_ALIKE: dict[Measure, float] = {"probability": 0.6, "cosine": 0.9}


def pair() -> None:
    """Two sentences, and why."""
    compared = components.pair_form()
    if compared is not None:
        explain.similarity(compared)


def ranking() -> None:
    """One sentence against many, ranked by the cross-encoder, with the cosine beside it."""
    share.restore("ranking")
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

    def work(engine: Engine, progress: OnProgress) -> tuple[list[float], list[float], list[bool]]:
        pairs = [(query, candidate) for candidate in at_most(candidates, MAX_CANDIDATES)]
        # Two walks over the pairs, one bar.
        results = engine.similarity(pairs, progress=lambda done, of: progress(done, 2 * of))
        near = engine.cosine_similarity(pairs, progress=lambda done, of: progress(of + done, 2 * of)).tolist()
        return [result.similarity for result in results], near, [result.truncated for result in results]

    answer = components.ask("ranking", (query, candidates), work)
    if answer is None:
        return
    scores, near, truncated = answer
    order = sorted(range(len(scores)), key=lambda index: -scores[index])
    probability, cosine = say("similarity.probability"), say("similarity.cosine")
    columns: dict[str, list[object]] = {
        say("similarity.candidates"): [candidates[index] for index in order],
        probability: [scores[index] for index in order],
        cosine: [near[index] for index in order],
    }
    components.table(columns, bars=[probability], numbers=[cosine])
    components.truncation_note(truncated)
    components.download("ranking", columns)
    share.keep("ranking")


def matrix() -> None:
    """Every sentence against every other, like beside like, and which of them say the same."""
    share.restore("matrix")
    components.examples("matrix", MATRICES)
    with st.form("matrix", border=False):
        sentences = components.text_lines(
            say("similarity.sentences"), key="matrix_sentences", limit=MAX_MATRIX, height=220
        )
        chosen = st.selectbox(
            say("similarity.measure"),
            MEASURES,
            key="matrix_measure",
            format_func=lambda name: say(f"similarity.measure.{name}", limit=MAX_CROSS_ENCODED),
            help=say("similarity.measure_help"),
            persist_state="session",
        )
        components.submit("matrix", say("similarity.draw"))
    count = len(sentences)
    if count < 2:
        st.caption(say("similarity.matrix_empty"))
        return
    few = count <= MAX_CROSS_ENCODED
    measure: Measure = "probability" if chosen == "probability" or (chosen == "auto" and few) else "cosine"

    def work(engine: Engine, progress: OnProgress) -> tuple[np.ndarray, bool]:
        checked = at_most(sentences, MAX_MATRIX)
        if measure == "cosine":
            vectors = engine.embed(checked, progress=progress)
            return cosines(vectors, vectors).round(6), False  # of equal sentences exactly 1
        rows, columns = np.triu_indices(count)
        results = engine.similarity(
            [(checked[i], checked[j]) for i, j in zip(rows, columns, strict=True)], progress=progress
        )
        values = np.empty((count, count))
        values[rows, columns] = values[columns, rows] = [result.similarity for result in results]
        return values, any(result.truncated for result in results)

    answer = components.ask("matrix", (sentences, measure), work)
    if answer is None:
        return
    values, truncated = answer
    found = cluster(values)
    threshold = st.slider(
        say("similarity.threshold"),
        0.05,
        1.0,
        _ALIKE[measure],
        0.01,
        key=f"matrix_threshold_{measure}",
        help=say("similarity.threshold_help"),
        persist_state="session",
    )
    _map(sentences, values, found, measure, threshold)
    components.truncation_note([truncated])
    _groups(sentences, values, found, threshold)
    numbers = range(1, count + 1)
    everything: dict[str, Sequence[object]] = {
        say("similarity.number"): numbers,
        say("similarity.sentences"): sentences,
    }
    components.download(
        "matrix",
        everything | {str(number): values[:, number - 1].tolist() for number in numbers},
        label=say("similarity.download_matrix"),
    )
    share.keep("matrix")


def _map(sentences: list[str], values: np.ndarray, found: Clustering, measure: Measure, threshold: float) -> None:
    count, order = len(sentences), list(found.order)
    # The cosines of a model lie close together: from its lowest on.
    low = 0.0 if measure == "probability" else min(0.9, math.floor(10 * float(values.min())) / 10)
    figure = charts.ink_map(
        values[np.ix_(order, order)],
        rows=[f"{index + 1} {sentences[index]}" for index in order],
        columns=[sentences[index] for index in order],
        names=[str(index + 1) for index in order],
        low=low,
        percent=measure == "probability",
        outlined=found.runs(threshold),
    )
    st.plotly_chart(
        figure, config=charts.CONFIG, alt=say(f"similarity.matrix_alt.{measure}", count=count), key="matrix"
    )
    pairs = f"{count * (count + 1) // 2 if measure == 'probability' else count * (count - 1) // 2:,}"
    st.caption(say(f"similarity.matrix_note.{measure}", count=count, pairs=pairs))


def _groups(sentences: list[str], values: np.ndarray, found: Clustering, threshold: float) -> None:
    groups = near_duplicates(values, found, threshold)
    if not groups:
        st.caption(say("similarity.no_groups"))
        return
    members = [(number, group, member) for number, group in enumerate(groups, 1) for member in group.members]
    st.subheader(say("similarity.groups", groups=len(groups), sentences=len(members), of=len(sentences)), anchor=False)
    weakest = say("similarity.weakest")
    columns: dict[str, list[object]] = {
        say("similarity.group"): [number for number, _, _ in members],
        say("similarity.sentences"): [sentences[member] for _, _, member in members],
        say("similarity.number"): [member + 1 for _, _, member in members],
        weakest: [group.weakest for _, group, _ in members],
    }
    components.table(columns, numbers=[weakest])
    st.caption(say("similarity.groups_note"))
    components.download("groups", columns, label=say("similarity.download_groups"))
