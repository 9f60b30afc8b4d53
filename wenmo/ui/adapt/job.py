"""The training run that a visitor looks at.

Runs belong to the process, not to the session (`wenmo.adapt.job`): the page does not wait for them, and their threads
do not call Streamlit. The address holds the run's id, so that a reload finds it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from wenmo.ui.shell.runtime import get_adapt_jobs
from wenmo.ui.text import say

if TYPE_CHECKING:
    from wenmo.adapt.job import AdaptJob

_JOB = "adapt_job"  # in the session: the id of the run that is looked at


def current() -> AdaptJob | None:
    """The run that this session began, or whose address was opened."""
    job_id = st.session_state.get(_JOB) or st.query_params.get("job")
    job = get_adapt_jobs().get(job_id) if job_id else None
    if job is None:
        forget()
        return None
    look_at(job)
    st.query_params["job"] = job.id
    return job


def look_at(job: AdaptJob) -> None:
    """Make it the current run of this session."""
    st.session_state[_JOB] = job.id


def forget() -> None:
    """Look at no run, so that the form comes back."""
    st.session_state.pop(_JOB, None)
    st.query_params.pop("job", None)


def others_run() -> bool:
    """Whether another visitor's run is going on; if so, its progress is shown."""
    job = get_adapt_jobs().running()
    if job is None:
        return False
    progress = job.status().progress
    done, of = (progress.step, progress.of) if progress else (0, 1)
    st.info(say("adapt.busy", percent=f"{done / of:.0%}"))
    return True
