"""The progress of a job while it waits or runs, and why it ended without a result."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from wenmo.errors import WenmoError
from wenmo.ui.batch.display import duration
from wenmo.ui.shell import components
from wenmo.ui.shell.runtime import get_file_jobs
from wenmo.ui.text import say

if TYPE_CHECKING:
    from wenmo.jobs.file_job import FileJob, FileJobStatus

_REDRAW_S = 1.0


@st.fragment(run_every=_REDRAW_S)
def show(job: FileJob) -> None:
    """The progress bar and the button to stop; the page is run again when the job has ended."""
    jobs = get_file_jobs()
    jobs.get(job.id)  # counts as a look at the job, so that it is kept
    view = jobs.status(job)
    if view.state not in ("waiting", "running"):
        st.rerun()
    progress = view.progress
    if view.state == "waiting" and view.ahead:
        st.progress(0.0, text=say("batch.waiting", ahead=view.ahead))
    elif progress is None:
        st.progress(0.0, text=say("batch.loading"))
    else:
        text = say("batch.progress", done=f"{progress.rows:,}", of=f"{progress.total_rows:,}")
        if progress.rows_per_s is not None and progress.seconds_left is not None:
            left = duration(progress.seconds_left)
            text += say("batch.speed", speed=f"{progress.rows_per_s:,.0f}", left=left)
        st.progress(min(1.0, progress.rows / max(1, progress.total_rows)), text=text)
    st.button(say("app.stop"), on_click=partial(_stop, job), key="batch_stop")
    st.caption(say("batch.may_leave"))


def _stop(job: FileJob) -> None:
    get_file_jobs().stop(job)


def why_not_done(view: FileJobStatus) -> None:
    """Why a job has no result; nothing for a job that was not begun."""
    if view.state == "interrupted":
        st.info(say("batch.interrupted"))
    elif view.state == "stopped":
        st.info(say("batch.stopped"))
    elif isinstance(view.error, WenmoError):
        components.show_error(view.error)
    elif view.error is not None:
        st.error(say("batch.broken"))
