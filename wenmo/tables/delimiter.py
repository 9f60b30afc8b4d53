"""The separator of a CSV file, guessed from its first lines: a first choice that somebody looks at and corrects."""

from __future__ import annotations

import csv
from itertools import islice
from pathlib import Path

from wenmo.tables.encoding import detect_encoding
from wenmo.tables.table import DELIMITERS

SEPARATORS = (",", "\t", ";", "|")
_LINES, _LINE_CHARACTERS = 50, 1 << 16
_AGREEING = 0.8  # of the lines have as many cells as the first: texts may hold a separator, or run over a line


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
