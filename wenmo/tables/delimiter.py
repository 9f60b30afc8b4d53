"""Guesses the delimiter of a CSV file from its first lines, as a default for a user to confirm or correct."""

from __future__ import annotations

import csv
from itertools import islice
from pathlib import Path

from wenmo.tables.encoding import detect_encoding
from wenmo.tables.table import DELIMITERS

COMMON_DELIMITERS = (",", "\t", ";", "|")
_LINES, _LINE_CHARACTERS = 50, 1 << 16
_AGREEMENT = 0.8  # share of lines as wide as the first; not all: a text may hold a delimiter or a line break


def guess_delimiter(path: Path, encoding: str | None = None) -> str:
    """The delimiter that splits most lines of a CSV or TSV file into equally many cells, and into the most cells.

    Where none does, the default of the file's suffix. `encoding` None means that it is detected. Raises InputError for
    a file whose encoding cannot be detected.
    """
    with path.open(encoding=encoding or detect_encoding(path), errors="replace", newline="") as file:
        lines = [line for line in islice(iter(lambda: file.readline(_LINE_CHARACTERS), ""), _LINES) if line.strip()]
    best, most_cells = DELIMITERS.get(path.suffix.lower(), ","), 1
    for delimiter in (best, *COMMON_DELIMITERS):
        widths = [len(cells) for cells in _records(lines, delimiter)]
        if widths and widths[0] > most_cells and widths.count(widths[0]) >= _AGREEMENT * len(widths):
            best, most_cells = delimiter, widths[0]
    return best


def _records(lines: list[str], delimiter: str) -> list[list[str]]:
    try:
        return [cells for cells in csv.reader(lines, delimiter=delimiter) if cells]
    except csv.Error:  # a cell longer than the parser takes: an open quote
        return []
