"""The lists of the page: pasted, a text a line, or a column of a file, whose other columns go into the download."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from wenmo.errors import InputError, WenmoError
from wenmo.tables.cells import as_text, is_blank
from wenmo.tables.column_roles import guess_text_columns
from wenmo.tables.isolated import open_isolated
from wenmo.tables.table import READ_SUFFIXES, Row
from wenmo.ui.shell import components
from wenmo.ui.text import say

MAX_FILE_MB = 20
_MAX_TEXT = 5_000  # characters of a text, more than any model reads
_MAX_CHARACTERS = 8_000_000  # of a whole file
_QUESTIONS = ("问题", "标准问", "标准问题", "问句", "相似问", "question", "questions", "query", "faq")


@dataclass(frozen=True, kw_only=True)
class Listing:
    """`texts`, one a row, "" where a row has none; `columns` are the further ones of a file, with a value a row."""

    texts: tuple[str, ...]
    columns: Mapping[str, Sequence[object]]


def pasted(texts: Sequence[str]) -> Listing:
    return Listing(texts=tuple(texts), columns={})


def from_file(key: str, label: str, *, limit: int) -> Listing | None:
    """The field for a file and for its column; None while it is empty, and after showing why it cannot be read."""
    uploaded = st.file_uploader(
        label,
        type=[suffix.removeprefix(".") for suffix in READ_SUFFIXES],
        max_upload_size=MAX_FILE_MB,
        key=f"{key}_file",
    )
    if uploaded is None:
        return None
    kept = st.session_state.get(f"{key}_rows")
    try:
        if kept is None or kept[0] != uploaded.file_id:
            kept = (uploaded.file_id, *_read(uploaded.name, uploaded.getvalue(), limit))
            st.session_state[f"{key}_rows"] = kept
        _, columns, rows = kept
        guess = guess_column(columns, rows)
        column = st.selectbox(
            say("match.column"), columns, index=columns.index(guess), key=f"{key}_column_{hash(columns)}"
        )
        return _listing(columns, rows, column)
    except WenmoError as error:
        components.show_error(error)
        return None


def guess_column(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """The column with the questions by its name, else the one with the texts."""
    by_name = {name.strip().lower(): name for name in reversed(columns)}
    named = next((by_name[name] for name in _QUESTIONS if name in by_name), None)
    return named or guess_text_columns(columns, rows[:20]).text


def _read(name: str, data: bytes, limit: int) -> tuple[tuple[str, ...], list[Row]]:
    """The columns and the rows of a file. Raises InputError where there are none, or too many."""
    with tempfile.TemporaryDirectory(prefix="wenmo-") as folder:
        path = Path(folder) / f"upload{Path(name).suffix.lower()}"  # of the visitor's name only the suffix is used
        path.write_bytes(data)
        reader = open_isolated(path)
        if not reader.columns or not reader.row_count:
            raise InputError("The file has no rows.", "文件中没有数据行。")
        check_count(reader.row_count, limit)
        rows: list[Row] = []
        characters = 0
        for chunk in reader.chunks():
            rows += chunk.rows()
            characters += sum(len(value) for row in chunk.rows() for value in row.values() if isinstance(value, str))
            if characters > _MAX_CHARACTERS:
                raise InputError(
                    f"The file has more than {_MAX_CHARACTERS:,} characters. Use `wenmo run match` for it.",
                    f"文件超过 {_MAX_CHARACTERS:,} 个字符。请改用 `wenmo run match`。",
                )
        return reader.columns, rows


def check_count(count: int, limit: int) -> None:
    """Raises InputError for more than `limit` texts."""
    if count > limit:
        raise InputError(
            f"{count:,} texts are too many for this page, which takes {limit:,}. Use `wenmo run match` or `wenmo run "
            "dedupe`.",
            f"共 {count:,} 条，此页最多 {limit:,} 条。请改用 `wenmo run match` 或 `wenmo run dedupe`。",
        )


def _listing(columns: Sequence[str], rows: Sequence[Row], column: str) -> Listing:
    texts = [_text(row.get(column)) for row in rows]
    if all(map(is_blank, texts)):
        raise InputError(
            f"The column {column!r} holds no text. Choose another one.", f"“{column}”列中没有文本。请换一列。"
        )
    others = {name: [row.get(name) for row in rows] for name in columns if name != column}
    return Listing(texts=tuple(texts), columns=others)


def _text(value: Any) -> str:
    return (as_text(value) or "")[:_MAX_TEXT]
