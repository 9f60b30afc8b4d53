"""The job that a visitor looks at: received with a file, found again by its address, discarded.

Jobs belong to the process, not to the session (`wenmo.jobs.job_queue`): the page does not wait for them, and their
threads do not call Streamlit. The address holds the job's id, so that a reload finds it again.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, BinaryIO, cast

import streamlit as st

from wenmo.errors import WenmoError
from wenmo.paths import ASSETS
from wenmo.ui.shell import components
from wenmo.ui.shell.runtime import get_file_jobs
from wenmo.ui.text import say

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

    from wenmo.jobs.file_job import FileJob, FileJobStatus

SAMPLE = ASSETS / "samples" / "reviews.csv"
_JOB = "batch_job"  # in the session: the id of the job that is looked at


def current() -> FileJob | None:
    """The job that this session began, or whose address was opened."""
    job_id = st.session_state.get(_JOB) or st.query_params.get("job")
    if not job_id:
        return None
    job = get_file_jobs().get(job_id)
    if job is None:
        st.info(say("batch.gone"))
        _forget()
        return None
    st.session_state[_JOB] = st.query_params["job"] = job.id
    return job


def receive() -> None:
    """The field for a file, and the sample; a file that comes in becomes the current job."""
    from wenmo.jobs.file_job import MAX_ROWS
    from wenmo.jobs.job_queue import KEPT_S
    from wenmo.tables.table import READ_SUFFIXES

    uploaded = st.file_uploader(
        say("batch.file"),
        type=[suffix.removeprefix(".") for suffix in READ_SUFFIXES],
        help=say("batch.file_help"),
        key="batch_file",
    )
    with st.container(key="batch_examples", horizontal=True, gap="small", vertical_alignment="center"):
        st.caption(say("app.examples"), width="content")
        sample = st.button(say("batch.sample"), key="batch_sample", type="tertiary")
    st.caption(say("batch.limits", mib=st.get_option("server.maxUploadSize"), rows=f"{MAX_ROWS:,}"))
    st.caption(say("batch.kept", minutes=f"{KEPT_S / 60:.0f}"))
    if sample:
        with SAMPLE.open("rb") as file:
            _take(SAMPLE.name, file)
    elif uploaded is not None:
        _take(uploaded.name, uploaded)


def header(job: FileJob) -> FileJobStatus:
    """The name of the file, with a button to discard it; returns the state of the job."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(f"{job.name}  ·  {_size(job.received_bytes)}", width="content")
        st.button(say("batch.another"), key="batch_another", on_click=_discard, args=(job,), type="tertiary")
    return get_file_jobs().status(job)


def _take(name: str, content: BinaryIO) -> None:
    try:
        job = get_file_jobs().receive(name, content, _visitor())
    except WenmoError as error:
        components.show_error(error)
        return
    finally:
        _release(content)
    st.session_state[_JOB] = job.id
    st.rerun()


def _visitor() -> str | None:
    """Where the visitor comes from: the address, of IPv6 the network; None where it is not known."""
    address = st.context.ip_address
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return None
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else address


def _release(content: BinaryIO) -> None:
    """Free the memory of an uploaded file, which is on disk by now; Streamlit keeps it until the visitor leaves."""
    from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    context, file_id = get_script_run_ctx(), getattr(content, "file_id", None)
    if context is not None and file_id and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        context.uploaded_file_mgr.remove_file(context.session_id, cast("UploadedFile", content).file_id)


def _size(count: int) -> str:
    return f"{count / 2**20:,.1f} MiB" if count >= 2**20 else f"{count / 2**10:,.1f} KiB"


def _discard(job: FileJob) -> None:
    get_file_jobs().discard(job.id)
    _forget()


def _forget() -> None:
    st.session_state.pop(_JOB, None)
    st.query_params.pop("job", None)
