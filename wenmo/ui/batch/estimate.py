"""The estimate of a job's duration, from its first rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from wenmo.ui.batch.display import cell, duration
from wenmo.ui.batch.form import Wish
from wenmo.ui.shell import answers, components
from wenmo.ui.text import say

if TYPE_CHECKING:
    from wenmo import Engine
    from wenmo.engine import OnProgress
    from wenmo.jobs.estimate import Estimate
    from wenmo.jobs.file_job import FileJob

_ESTIMATED = "batch_estimated"  # in the session: the inputs whose estimate was asked for
_ANSWERS_SHOWN = 5


def show(job: FileJob, wish: Wish) -> None:
    """The button that runs the first rows; then the estimate, with some of their answers."""
    from wenmo.jobs.estimate import SAMPLE_ROWS, estimate

    inputs = (job.id, wish.task, wish.options)
    pressed = st.button(say("batch.estimate", rows=min(SAMPLE_ROWS, wish.reader.row_count)), key="batch_estimate")
    if pressed:
        st.session_state[_ESTIMATED] = inputs
    if st.session_state.get(_ESTIMATED) != inputs:
        return

    def work(engine: Engine, progress: OnProgress) -> Estimate | None:
        return estimate(engine, wish.task, wish.reader, wish.columns, wish.options, progress=progress)

    answer = answers.ask("batch_estimate", inputs, work)
    if answer is None:
        return
    with st.container(border=True):
        st.markdown(
            say(
                "batch.estimated",
                time=duration(answer.total_s),
                rows=f"{answer.rows:,}",
                speed=f"{answer.rows_per_s:,.0f}",
            )
        )
        if answer.cached:
            st.caption(say("batch.estimated_cached"))
        outcomes = answer.results.rows[:_ANSWERS_SHOWN]
        components.table(
            {
                say("batch.label"): [outcome.get("label", outcome.get("error")) for outcome in outcomes],
                say("batch.score"): [outcome.get("score", float("nan")) for outcome in outcomes],
                say("batch.text"): [
                    " / ".join(cell(text) or "" for text in texts) for texts in answer.texts[: len(outcomes)]
                ],
            },
            bars=[say("batch.score")],
        )
