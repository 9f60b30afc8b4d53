"""A visitor's labelled file: its upload, the choice of its columns, and the meaning of its labels."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import streamlit as st

from wenmo.errors import WenmoError
from wenmo.evaluation.labelled import Columns, LabelledRows, guess_columns, rows_of
from wenmo.tables.isolated import open_isolated
from wenmo.tables.table import READ_SUFFIXES, Notice, TableReader
from wenmo.tasks.table import TASKS
from wenmo.types import TaskName
from wenmo.ui.shell import components, file_format
from wenmo.ui.text import language, say, say_label

MAX_UPLOAD_MB = 5
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class File:
    """`suffix`, such as `.csv`, tells the format."""

    content: bytes
    suffix: str


def upload(key: str) -> File | None:
    """The field for a file; None while it is empty. `key` begins the keys of its widgets, different for each page."""
    uploaded = st.file_uploader(
        say("labelled.file"),
        type=[suffix.removeprefix(".") for suffix in READ_SUFFIXES],
        max_upload_size=MAX_UPLOAD_MB,
        help=say("labelled.file_help"),
        key=f"{key}_file",
    )
    return None if uploaded is None else File(content=uploaded.getvalue(), suffix=Path(uploaded.name).suffix)


def read(file: File, task: TaskName, *, key: str) -> LabelledRows | None:
    """The rows of the file, with fields to correct its columns; None after showing why it cannot be read."""
    with tempfile.TemporaryDirectory(prefix="wenmo-") as folder:
        path = Path(folder) / f"file{file.suffix}"
        path.write_bytes(file.content)
        try:
            content = zlib.crc32(file.content)
            reading = file_format.ask(path, key=f"{key}_{{}}_{content}")
            names, notices = _kept(f"{key}_table", (content, reading), lambda: _about(open_isolated(path, reading)))
            for notice in notices:
                st.caption(components.literal(notice.text(language()).replace(path.name, say("labelled.file"))))
            columns = _columns(names, task, key=key)
            rows = _kept(
                f"{key}_rows",
                (content, reading, task, columns),
                lambda: rows_of(open_isolated(path, reading), task, columns),
            )
        except WenmoError as error:
            components.show_error(error)
            return None
    _meanings(rows)
    return rows


def _kept(key: str, of: object, make: Callable[[], T]) -> T:
    """What `make` returned when it was called for `of`: reading takes a process of its own, which takes its time."""
    kept = st.session_state.get(key)
    if kept is None or kept[0] != of:
        kept = st.session_state[key] = of, make()
    made: T = kept[1]
    return made


def _about(reader: TableReader) -> tuple[tuple[str, ...], tuple[Notice, ...]]:
    return reader.columns, reader.notices


def _columns(names: tuple[str, ...], task: TaskName, *, key: str) -> Columns:
    """A field for each column that is needed, filled with a guess."""
    guessed = guess_columns(names, task)
    roles = ("text_a", "text_b", "label") if TASKS[task].inputs == "pair" else ("text", "label")
    chosen: dict[str, str] = {}
    for place, role in zip(st.columns(len(roles)), roles, strict=True):
        guess = getattr(guessed, role)
        with place:
            chosen[role] = st.selectbox(
                say(f"labelled.column.{role}"),
                names,
                index=names.index(guess) if guess in names else 0,
                key=f"{key}_{role}_{'/'.join(names)}",  # a file with other columns gets a new guess
            )
    return Columns(**chosen)


def _meanings(rows: LabelledRows) -> None:
    """A table of the values of the label column, with the label that each was read as."""
    components.table(
        {
            say("labelled.value"): list(rows.meanings),
            say("labelled.meaning"): [say_label(rows.task, rows.names[index]) for _, index in rows.meanings.values()],
            say("labelled.rows"): [number for number, _ in rows.meanings.values()],
        }
    )
    if rows.skipped or rows.repeated or rows.contradicting:
        st.caption(
            say("labelled.left_out", skipped=rows.skipped, repeated=rows.repeated, contradicting=rows.contradicting)
        )
