"""Texts out of an uploaded file, within limits. Free of Streamlit."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from wenmo.errors import InputError
from wenmo.tables.cells import is_blank
from wenmo.tables.isolated import open_isolated
from wenmo.tables.table import READ_SUFFIXES

MAX_FILE_MB = 10
MAX_FILE_TEXTS = 4_096
_MAX_CHARACTERS = 4_000_000  # of all texts together
_MAX_TEXT = 5_000  # characters of a text, more than any model reads


def suffixes() -> list[str]:
    """The suffixes of files that can be read, without the dot."""
    return [suffix.removeprefix(".") for suffix in READ_SUFFIXES]


def columns_of(name: str, data: bytes) -> tuple[str, ...]:
    """The names of the file's columns, those that usually hold texts first. Raises InputError."""
    with tempfile.TemporaryDirectory() as folder:
        found = open_isolated(_written(Path(folder), name, data)).columns
    if not found:
        raise InputError(
            "The file has no columns. Give a table with a column of texts.",
            "文件中没有任何列。请给出含有文本列的表格。",
        )
    return tuple(sorted(found, key=lambda column: column.strip().lower() not in _USUAL))


def texts_of(name: str, data: bytes, column: str) -> list[str]:
    """The first MAX_FILE_TEXTS texts of `column` that are not blank. Raises InputError if there are none."""
    texts: list[str] = []
    characters = 0
    with tempfile.TemporaryDirectory() as folder:
        for chunk in open_isolated(_written(Path(folder), name, data)).chunks(columns=[column]):
            for value in chunk.values(column):
                if isinstance(value, str) and not is_blank(value):
                    texts.append(value[:_MAX_TEXT])
                    characters += len(texts[-1])
                if len(texts) == MAX_FILE_TEXTS or characters > _MAX_CHARACTERS:
                    return texts
    if not texts:
        raise InputError(
            f"The column {column!r} holds no text. Choose another one.", f"“{column}”列中没有文本。请换一列。"
        )
    return texts


_USUAL: Sequence[str] = ("text", "文本", "评论", "内容", "review", "comment", "content")


def _written(folder: Path, name: str, data: bytes) -> Path:
    """A file with `data`, because readers read from files. Of the visitor's `name` only the suffix is used."""
    path = folder / f"upload{Path(name).suffix.lower()}"
    path.write_bytes(data)
    return path
