"""The form of the batch page: how the file is read, the task and its options, and the button to start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from wenmo.errors import WenmoError
from wenmo.tasks.labels import MAX_LABELS
from wenmo.tasks.table import TASKS, row_tasks
from wenmo.tasks.zero_shot import SHORTLIST
from wenmo.ui.batch.display import COLUMNS_SHOWN, cell
from wenmo.ui.shell import components, file_format, model_choice
from wenmo.ui.shell.inputs import MAX_CHARACTERS, check_labels
from wenmo.ui.shell.judging import judging
from wenmo.ui.shell.runtime import get_file_jobs, session_engine
from wenmo.ui.text import language, say

if TYPE_CHECKING:
    from wenmo.jobs.file_job import FileJob, FileJobStatus
    from wenmo.jobs.options import RunOptions
    from wenmo.tables.table import ReadOptions, Row, TableReader
    from wenmo.types import TaskName


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the form asks for; `columns` are those with the texts."""

    task: TaskName
    options: RunOptions
    columns: tuple[str, ...]
    reader: TableReader


def ask(job: FileJob) -> Wish | None:
    """The format of the file, its first rows, the task and its options; None after showing why a job cannot start."""
    reading = _format(job)
    try:
        reader, first = job.open(reading)
    except WenmoError as error:
        components.show_error(error)
        return None
    read_as = getattr(reader, "encoding", None)
    st.caption(
        say("batch.read", rows=f"{reader.row_count:,}", columns=len(reader.columns))
        + (say("batch.read_as", encoding=components.literal(read_as.removesuffix("-sig"))) if read_as else "")
    )
    for notice in reader.notices:
        st.caption(components.literal(job.named(notice.text(language()))))
    _preview(reader, first)
    names = {spec.name: say(f"app.{spec.name}") for spec in row_tasks()}
    task = components.choice(say("batch.task"), names, key="batch_task")
    if not model_choice.in_use(task):
        st.info(say("app.no_model", task=say(f"app.{task}")))
        return None
    return _options(task, reader, first, reading)


def _format(job: FileJob) -> ReadOptions:
    """Fields for what a file of this format does not say itself, filled with a guess."""
    return file_format.ask(job.source, key=f"batch_{{}}_{job.id}")


def _preview(reader: TableReader, first: Sequence[Row]) -> None:
    """A table of the first rows."""
    columns = reader.columns[:COLUMNS_SHOWN]
    st.dataframe(
        {name: [cell(row.get(name)) for row in first] for name in columns},
        hide_index=True,
        height=247,  # room for six rows; the table scrolls
        key="batch_preview",
    )
    st.caption(
        say("batch.preview", rows=len(first))
        + (say("batch.preview_columns", shown=len(columns)) if len(columns) < len(reader.columns) else "")
    )


def _options(task: TaskName, reader: TableReader, first: Sequence[Row], reading: ReadOptions) -> Wish | None:
    """The columns and, for zero-shot, the labels; None while labels are missing or wrong."""
    from wenmo.jobs.options import RunOptions, check_options
    from wenmo.tables.column_roles import guess_text_columns

    guess = guess_text_columns(reader.columns, first)
    roles = ("text_a", "text_b") if TASKS[task].inputs == "pair" else ("text",)
    chosen: dict[str, Any] = {}
    for place, role in zip(st.columns(len(roles)), roles, strict=True):
        chosen[role] = place.selectbox(
            say(f"batch.column.{role}"),
            reader.columns,
            index=reader.columns.index(getattr(guess, role)),
            key=f"batch_{role}_{hash(reader.columns)}",  # a file with other columns gets a new guess
        )
    asked: dict[str, Any] = {}
    if TASKS[task].takes_labels:
        asked = _zero_shot()
    options = RunOptions(**chosen, **asked, **asdict(reading), language=language())
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
    """The labels and how they are judged, as arguments of RunOptions."""
    labels = st.text_input(
        say("zero_shot.labels"),
        key="batch_labels",
        max_chars=MAX_CHARACTERS,
        placeholder=say("zero_shot.labels_placeholder"),
        help=say("zero_shot.labels_help", limit=MAX_LABELS),
        persist_state="session",
    )
    how = judging("batch")
    if how.method not in ("auto", "nli"):
        st.caption(say(f"zero_shot.method_note.{how.method}", shortlist=SHORTLIST))
    return {"labels": labels.strip(), **how._asdict()}


def start(job: FileJob, wish: Wish) -> None:
    """The button that starts the job."""
    if st.button(say("batch.start", rows=f"{wish.reader.row_count:,}"), type="primary", key="batch_start"):
        _begin(job, wish.task, wish.options)


def go_on(job: FileJob, view: FileJobStatus) -> None:
    """The button to go on with a job that a restart of the server has interrupted."""
    if view.state != "interrupted" or view.task is None or view.options is None:
        return
    if st.button(say("batch.go_on"), type="primary", key="batch_go_on"):
        _begin(job, view.task, view.options)


def _begin(job: FileJob, task: TaskName, options: RunOptions) -> None:
    try:
        with st.spinner(say("app.starting")):
            engine = session_engine()
    except WenmoError as error:
        components.show_error(error)
        return
    try:
        get_file_jobs().begin(job, engine, task, options)
    except WenmoError as error:
        components.show_error(error)
        return
    st.rerun()
