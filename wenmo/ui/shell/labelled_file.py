"""A visitor's labelled file: the upload, its columns to be corrected, and what its labels were taken for."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from wenmo.errors import WenmoError
from wenmo.evaluation.labelled import Columns, LabelledRows, guess_columns, read_rows
from wenmo.tables.readers import open_reader
from wenmo.tables.table import READ_SUFFIXES
from wenmo.tasks.table import TASKS
from wenmo.types import TaskName
from wenmo.ui.shell import components
from wenmo.ui.text import say

MAX_UPLOAD_MB = 5


@dataclass(frozen=True, kw_only=True)
class File:
    """`suffix` tells the format, as in `.csv`."""

    content: bytes
    suffix: str


def upload(key: str) -> File | None:
    """The field for a file; None while there is none. `key` is the page's own, of all fields here."""
    uploaded = st.file_uploader(
        say("labelled.file"),
        type=[suffix.removeprefix(".") for suffix in READ_SUFFIXES],
        max_upload_size=MAX_UPLOAD_MB,
        help=say("labelled.file_help"),
        key=f"{key}_file",
    )
    return None if uploaded is None else File(content=uploaded.getvalue(), suffix=Path(uploaded.name).suffix)


def read(file: File, task: TaskName, *, key: str) -> LabelledRows | None:
    """Its rows, below the fields for its columns; None after showing why there are none."""
    with tempfile.TemporaryDirectory(prefix="wenmo-") as folder:
        path = Path(folder) / f"file{file.suffix}"
        path.write_bytes(file.content)
        try:
            rows = read_rows(path, task, _columns(open_reader(path).columns, task, key=key))
        except WenmoError as error:
            components.show_error(error)
            return None
    _meanings(rows)
    return rows


def _columns(names: tuple[str, ...], task: TaskName, *, key: str) -> Columns:
    """The guessed columns, each in a field of its own."""
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
                key=f"{key}_{role}_{'/'.join(names)}",  # another file, other columns
            )
    return Columns(**chosen)


def _meanings(rows: LabelledRows) -> None:
    """What each value of the label column was taken for."""
    components.table(
        {
            say("labelled.value"): list(rows.meanings),
            say("labelled.meaning"): [rows.names[index] for _, index in rows.meanings.values()],
            say("labelled.rows"): [number for number, _ in rows.meanings.values()],
        }
    )
    if rows.skipped or rows.repeated or rows.contradicting:
        st.caption(
            say("labelled.left_out", skipped=rows.skipped, repeated=rows.repeated, contradicting=rows.contradicting)
        )
