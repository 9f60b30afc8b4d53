"""One sentence against many, ranked by the probability of the same meaning."""

from __future__ import annotations

import streamlit as st

from wenmo import Engine
from wenmo.engine import OnProgress
from wenmo.ui import charts
from wenmo.ui.shell import answers, components, examples, share
from wenmo.ui.shell.inputs import MAX_CANDIDATES, MAX_CHARACTERS, at_most
from wenmo.ui.similarity.examples import RANKINGS
from wenmo.ui.text import say

_FITTING = 0.5  # the least probability with which a candidate means the same rather than not


def show() -> None:
    """The form, and the candidates ranked by the cross-encoder, with their cosines."""
    share.restore("ranking")
    examples.buttons("ranking", RANKINGS)
    with st.form("ranking", border=False):
        query = st.text_input(
            say("similarity.query"), key="ranking_query", max_chars=MAX_CHARACTERS, persist_state="session"
        ).strip()
        candidates = components.text_lines(
            say("similarity.candidates"), key="ranking_candidates", limit=MAX_CANDIDATES, height=180
        )
        answers.submit("ranking", say("similarity.rank"))
    if not query or not candidates:
        st.caption(say("similarity.ranking_empty"))
        return

    def work(engine: Engine, progress: OnProgress) -> tuple[list[float], list[float], list[bool]]:
        pairs = [(query, candidate) for candidate in at_most(candidates, MAX_CANDIDATES)]
        # Two passes over the pairs share one progress bar.
        results = engine.similarity(pairs, progress=lambda done, of: progress(done, 2 * of))
        near = engine.cosine_similarity(pairs, progress=lambda done, of: progress(of + done, 2 * of)).tolist()
        return [result.similarity for result in results], near, [result.truncated for result in results]

    answer = answers.ask("ranking", (query, candidates), work)
    if answer is None:
        return
    scores, near, truncated = answer
    order = sorted(range(len(scores)), key=lambda index: -scores[index])
    _best(candidates[order[0]], scores[order[0]])
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


def _best(candidate: str, score: float) -> None:
    """The answer first: the best candidate, or that none means the same."""
    with st.container(border=True):
        if score >= _FITTING:
            st.caption(say("similarity.ranking_best"))
            components.answer(f"{charts.one_line(candidate, width=80)}  {score:.1%}", key="ranking")
        else:
            components.answer(say("similarity.ranking_none"), key="ranking")
            st.caption(say("similarity.ranking_nearest", score=f"{score:.1%}"))
