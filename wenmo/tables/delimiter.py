"""Finds the delimiter of a CSV file: what its first line `sep=;` says, else a guess from its first lines."""

from __future__ import annotations

import csv
import re
from itertools import islice
from pathlib import Path

from wenmo.tables.encoding import TextEncoding, find_encoding
from wenmo.tables.table import DELIMITERS

COMMON_DELIMITERS = (",", "\t", ";", "|")
_LINES, _LINE_CHARACTERS = 50, 1 << 16
_AGREEMENT = 0.8  # share of lines as wide as the first; not all: a text may hold a delimiter or a line break
_SEP_LINE = re.compile('\ufeff?"?sep=(?P<mark>[^\r\n])"?[,;\t|]*[\r\n]*', re.IGNORECASE)


def sep_line(first_line: str) -> str | None:
    """The delimiter that a first line such as `sep=;` names, by which Excel is told; None for any other line."""
    match = _SEP_LINE.fullmatch(first_line)
    return match["mark"] if match else None


def guess_delimiter(path: Path, encoding: TextEncoding | None = None) -> str:
    """The delimiter that a first line `sep=` names, or that splits most lines into equally many cells.

    That is the default of the file's suffix if it splits them at all, else the one that gives the most cells. Where
    none does, it is the default. `encoding` None means that it is found. Raises InputError for a file whose encoding
    cannot be found.
    """
    with (encoding or find_encoding(path)).open(path) as file:
        lines = [line for line in islice(iter(lambda: file.readline(_LINE_CHARACTERS), ""), _LINES) if line.strip()]
    named = sep_line(lines[0]) if lines else None
    if named is not None:
        return named
    default = DELIMITERS.get(path.suffix.lower(), ",")
    best, most_cells = default, 1
    for delimiter in (default, *COMMON_DELIMITERS):
        widths = [len(cells) for cells in _records(lines, delimiter)]
        if widths and widths[0] > most_cells and widths.count(widths[0]) >= _AGREEMENT * len(widths):
            best, most_cells = delimiter, widths[0]
            if delimiter == default:
                break
    return best


def _records(lines: list[str], delimiter: str) -> list[list[str]]:
    try:
        return [cells for cells in csv.reader(lines, delimiter=delimiter) if cells]
    except csv.Error:  # a cell longer than the parser takes: an open quote
        return []
