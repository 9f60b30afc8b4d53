"""The parts of the Batch page up to the result: the file, what is asked of it, how long it will take, how far it is.

The job is the process's, not the session's (`wenmo.jobs.background`): nothing here waits for it, and its thread calls
nothing of Streamlit's. Its id stands in the address, so that a reload finds it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import streamlit as st

from wenmo.errors import WenmoError
from wenmo.paths import ASSETS
from wenmo.tasks.labels import MAX_LABELS
from wenmo.tasks.table import TASKS, row_tasks
from wenmo.tasks.zero_shot import SHORTLIST
from wenmo.ui.shell import components
from wenmo.ui.shell.inputs import MAX_CHARACTERS, check_labels
from wenmo.ui.shell.judging import judging
from wenmo.ui.shell.runtime import get_file_jobs, session_engine
from wenmo.ui.text import language, say

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

    from wenmo import Engine
    from wenmo.engine import OnProgress
    from wenmo.jobs.answer import RunOptions
    from wenmo.jobs.background import FileJob, View
    from wenmo.jobs.estimate import Estimate
    from wenmo.tables.table import Row, TableReader
    from wenmo.types import TaskName

SAMPLE = ASSETS / "samples" / "reviews.csv"
CELL_SHOWN = 300  # characters of a cell on the page; files have all of them
COLUMNS_SHOWN = 30

_JOB = "batch_job"  # in the session: the id of the job that is looked at
_ESTIMATED = "batch_estimated"  # in the session: what an estimate was asked for
_SAMPLE_SHOWN = 5
_REDRAW_S = 1.0
_SEPARATOR_NAMES = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar"}


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the form asks for; `columns` are those that the texts are in."""

    task: TaskName
    options: RunOptions
    columns: tuple[str, ...]
    reader: TableReader


def current_job() -> FileJob | None:
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


def _forget() -> None:
    st.session_state.pop(_JOB, None)
    st.query_params.pop("job", None)


def receive() -> None:
    """The field for a file, and the sample."""
    from wenmo.jobs.background import KEPT_S, MAX_ROWS
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


def _take(name: str, content: BinaryIO) -> None:
    try:
        job = get_file_jobs().receive(name, content)
    except WenmoError as error:
        components.show_error(error)
        return
    finally:
        _let_go(content)
    st.session_state[_JOB] = job.id
    st.rerun()


def _let_go(content: BinaryIO) -> None:
    """Streamlit keeps an uploaded file in memory until the visitor leaves; it is on disk by now."""
    from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    context, file_id = get_script_run_ctx(), getattr(content, "file_id", None)
    if context is not None and file_id and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        context.uploaded_file_mgr.remove_file(context.session_id, cast("UploadedFile", content).file_id)


def file_line(job: FileJob) -> View:
    """Which file it is, with a button to take another one; the job as it is now."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(f"{job.name}  ·  {_size(job.received_bytes)}", width="content")
        st.button(say("batch.another"), key="batch_another", on_click=_discard, args=(job,), type="tertiary")
    return get_file_jobs().view(job)


def _size(count: int) -> str:
    return f"{count / 2**20:,.1f} MiB" if count >= 2**20 else f"{count / 2**10:,.1f} KiB"


def _discard(job: FileJob) -> None:
    get_file_jobs().discard(job.id)
    _forget()


def why_not_done(view: View) -> None:
    """After a job that was stopped or failed."""
    if view.state == "stopped":
        st.info(say("batch.stopped"))
    elif isinstance(view.error, WenmoError):
        components.show_error(view.error)
    elif view.error is not None:
        st.error(say("batch.broken"))


def settings(job: FileJob) -> Wish | None:
    """How the file is read, its first rows, and what is asked of it; None, after saying why, where it cannot be."""
    encoding, delimiter = _format(job)
    try:
        reader, first = job.open(encoding, delimiter)
    except WenmoError as error:
        components.show_error(error)
        return None
    read_as = getattr(reader, "encoding", None)
    st.caption(
        say("batch.read", rows=f"{reader.row_count:,}", columns=len(reader.columns))
        + (say("batch.read_as", encoding=components.literal(read_as.removesuffix("-sig"))) if read_as else "")
    )
    _preview(reader, first)
    names = {spec.name: say(f"app.{spec.name}") for spec in row_tasks()}
    task = components.choice(say("batch.task"), names, key="batch_task")
    return _options(task, reader, first, encoding, delimiter)


def _format(job: FileJob) -> tuple[str | None, str | None]:
    """Encoding and separator of a CSV, guessed and to be corrected; of other files neither."""
    from wenmo.tables.delimiter import SEPARATORS, guess_delimiter
    from wenmo.tables.encoding import ENCODINGS
    from wenmo.tables.table import DELIMITERS

    default = DELIMITERS.get(job.source.suffix)
    if default is None:
        return None, None
    key = f"batch_delimiter_{job.id}"
    if key not in st.session_state:
        try:
            guess = guess_delimiter(job.source)
        except WenmoError:  # said when the file is opened
            guess = default
        st.session_state[key] = guess
    with st.expander(say("batch.format")):
        left, right = st.columns(2)
        encoding = left.selectbox(
            say("batch.encoding"),
            (None, *ENCODINGS),
            format_func=lambda name: say("batch.encoding.auto") if name is None else name,
            key=f"batch_encoding_{job.id}",
        )
        delimiter = right.selectbox(
            say("batch.delimiter"),
            SEPARATORS,
            format_func=lambda mark: say(f"batch.delimiter.{_SEPARATOR_NAMES[mark]}"),
            key=key,
        )
    return encoding, delimiter


def shown(value: object) -> str | None:
    """A cell for the screen."""
    from wenmo.tables.cells import as_text

    text = as_text(value)
    return text if text is None or len(text) <= CELL_SHOWN else text[:CELL_SHOWN] + "…"


def _preview(reader: TableReader, first: Sequence[Row]) -> None:
    columns = reader.columns[:COLUMNS_SHOWN]
    st.dataframe(
        {name: [shown(row.get(name)) for row in first] for name in columns},
        hide_index=True,
        height=247,  # six rows; the others scroll
        key="batch_preview",
    )
    st.caption(
        say("batch.preview", rows=len(first))
        + (say("batch.preview_columns", shown=len(columns)) if len(columns) < len(reader.columns) else "")
    )


def _options(
    task: TaskName, reader: TableReader, first: Sequence[Row], encoding: str | None, delimiter: str | None
) -> Wish | None:
    from wenmo.jobs.answer import RunOptions, check_options
    from wenmo.tables.columns import guess_columns

    guess = guess_columns(reader.columns, first)
    roles = ("text_a", "text_b") if TASKS[task].inputs == "pair" else ("text",)
    chosen: dict[str, Any] = {}
    for place, role in zip(st.columns(len(roles)), roles, strict=True):
        chosen[role] = place.selectbox(
            say(f"batch.column.{role}"),
            reader.columns,
            index=reader.columns.index(getattr(guess, role)),
            key=f"batch_{role}_{hash(reader.columns)}",  # other columns, another guess
        )
    asked: dict[str, Any] = {}
    if TASKS[task].takes_labels:
        asked = _zero_shot()
    options = RunOptions(**chosen, **asked, language=language(), encoding=encoding, delimiter=delimiter)
    if TASKS[task].takes_labels:
        if not options.labels:
            st.caption(say("batch.no_labels"))
            return None
        try:
            check_labels(options.labels, texts=1, method=options.method)
            check_options(task, options)
        except WenmoError as error:
            components.show_error(error)
            return None
    return Wish(task=task, options=options, columns=tuple(chosen.values()), reader=reader)


def _zero_shot() -> dict[str, Any]:
    labels = st.text_input(
        say("zero_shot.labels"),
        key="batch_labels",
        max_chars=MAX_CHARACTERS,
        placeholder=say("zero_shot.labels_placeholder"),
        help=say("zero_shot.labels_help", limit=MAX_LABELS),
        persist_state="session",
    )
    how = judging("batch")
    if how.method != "nli":
        st.caption(say(f"zero_shot.method_note.{how.method}", shortlist=SHORTLIST))
    return {"labels": labels.strip(), **how._asdict()}


def estimate(job: FileJob, wish: Wish) -> None:
    """How long it will take, by its first rows, if the visitor asks."""
    from wenmo.jobs.estimate import SAMPLE_ROWS
    from wenmo.jobs.estimate import estimate as measure

    inputs = (job.id, wish.task, wish.options)
    pressed = st.button(say("batch.estimate", rows=min(SAMPLE_ROWS, wish.reader.row_count)), key="batch_estimate")
    if pressed:
        st.session_state[_ESTIMATED] = inputs
    if st.session_state.get(_ESTIMATED) != inputs:
        return

    def work(engine: Engine, progress: OnProgress) -> Estimate | None:
        return measure(engine, wish.task, wish.reader, wish.columns, wish.options, progress=progress)

    answer = components.ask("batch_estimate", inputs, work)
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
        outcomes = answer.answered.outcomes[:_SAMPLE_SHOWN]
        components.table(
            {
                say("batch.label"): [outcome.get("label", outcome.get("error")) for outcome in outcomes],
                say("batch.score"): [outcome.get("score", float("nan")) for outcome in outcomes],
                say("batch.text"): [
                    " / ".join(shown(text) or "" for text in texts) for texts in answer.texts[: len(outcomes)]
                ],
            },
            bars=[say("batch.score")],
        )


def start(job: FileJob, wish: Wish) -> None:
    """The button that begins the job."""
    if not st.button(say("batch.start", rows=f"{wish.reader.row_count:,}"), type="primary", key="batch_start"):
        return
    try:
        with st.spinner(say("app.starting")):
            engine = session_engine()
    except WenmoError as error:
        components.show_error(error)
        return
    get_file_jobs().begin(job, engine, wish.task, wish.options)
    st.rerun()


@st.fragment(run_every=_REDRAW_S)
def live(job: FileJob) -> None:
    """How far it is, until it is done."""
    jobs = get_file_jobs()
    jobs.get(job.id)  # looked at: it keeps its place
    view = jobs.view(job)
    if view.state not in ("waiting", "running"):
        st.rerun()
    progress = view.progress
    if view.state == "waiting" and view.ahead:
        st.progress(0.0, text=say("batch.waiting", ahead=view.ahead))
    elif progress is None:
        st.progress(0.0, text=say("batch.loading"))
    else:
        text = say("batch.progress", done=f"{progress.rows:,}", of=f"{progress.of_rows:,}")
        if progress.rows_per_s is not None and progress.seconds_left is not None:
            left = duration(progress.seconds_left)
            text += say("batch.speed", speed=f"{progress.rows_per_s:,.0f}", left=left)
        st.progress(min(1.0, progress.rows / max(1, progress.of_rows)), text=text)
    st.button(say("app.stop"), on_click=partial(_stop, job), key="batch_stop")
    st.caption(say("batch.may_leave"))


def _stop(job: FileJob) -> None:
    get_file_jobs().stop(job)


def duration(seconds: float) -> str:
    """Seconds below two minutes, then minutes, then hours and minutes."""
    if seconds < 120:
        return say("batch.seconds", seconds=max(1, round(seconds)))
    minutes = round(seconds / 60)
    if minutes < 120:
        return say("batch.minutes", minutes=minutes)
    return say("batch.hours", hours=minutes // 60, minutes=minutes % 60)
