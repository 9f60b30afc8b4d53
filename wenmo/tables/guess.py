"""What a table's maker did not say, guessed from its first rows: the separator, and which column is what.

A guess is only ever a first choice that somebody looks at and corrects; nothing that runs unattended uses it.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from wenmo.tables.encoding import detect_encoding
from wenmo.tables.table import DELIMITERS, Row

SEPARATORS = (",", "\t", ";", "|")
_LINES, _LINE_CHARACTERS = 50, 1 << 16
_AGREEING = 0.8  # of the lines have as many cells as the first: texts may hold a separator, or run over a line

_TEXT_NAMES = (
    "text",
    "review",
    "content",
    "comment",
    "sentence",
    "评论",
    "内容",
    "文本",
    "评价",
    "正文",
    "句子",
    "留言",
)
_PAIR_NAMES = (
    ("text_a", "text_b"),
    ("sentence1", "sentence2"),
    ("text1", "text2"),
    ("question1", "question2"),
    ("query", "document"),
    ("句子1", "句子2"),
    ("文本1", "文本2"),
)


@dataclass(frozen=True, kw_only=True)
class ColumnGuess:
    """Names of columns; `text_b` differs from `text_a` where there are two columns at all."""

    text: str
    text_a: str
    text_b: str


def guess_delimiter(path: Path, encoding: str | None = None) -> str:
    """The separator of a CSV or TSV: the one that cuts most lines into equally many cells, and most of them.

    Its suffix's where none does. Raises InputError for a file whose encoding is not found (`encoding` None).
    """
    with path.open(encoding=encoding or detect_encoding(path), errors="replace", newline="") as file:
        lines = [line for line in islice(iter(lambda: file.readline(_LINE_CHARACTERS), ""), _LINES) if line.strip()]
    best, most = DELIMITERS.get(path.suffix.lower(), ","), 1
    for separator in (best, *SEPARATORS):
        widths = [len(cells) for cells in _records(lines, separator)]
        if widths and widths[0] > most and widths.count(widths[0]) >= _AGREEING * len(widths):
            best, most = separator, widths[0]
    return best


def _records(lines: list[str], separator: str) -> list[list[str]]:
    try:
        return [cells for cells in csv.reader(lines, delimiter=separator) if cells]
    except csv.Error:  # a cell beyond the limit of the parser: an open quote
        return []


def guess_columns(columns: Sequence[str], rows: Sequence[Row]) -> ColumnGuess:
    """By name, else the columns with the longest texts. Raises ValueError where there is no column."""
    if not columns:
        raise ValueError("a table without columns")
    by_name = {name.strip().lower(): name for name in columns}
    longest = sorted(columns, key=lambda name: -sum(len(v) for row in rows if isinstance(v := row.get(name), str)))
    text = next((by_name[name] for name in _TEXT_NAMES if name in by_name), longest[0])
    for first, second in _PAIR_NAMES:
        if first in by_name and second in by_name:
            return ColumnGuess(text=text, text_a=by_name[first], text_b=by_name[second])
    pair = [name for name in columns if name in longest[:2]]
    return ColumnGuess(text=text, text_a=pair[0], text_b=pair[-1])
