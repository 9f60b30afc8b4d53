"""What findings look like before they are drawn: sections of sentences, charts and tables, in both languages.

The page draws a section with Streamlit and Plotly, `wenmo.lab.html` as HTML for the files and for the story. Texts are
plain: whoever draws them escapes them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from wenmo.errors import Language

_CORES = re.compile(r", (\d+) cores?$")
DASH = "–"  # a cell without a value
LANGUAGES: tuple[Language, ...] = ("zh", "en")  # in the order of Text's fields


class Text(NamedTuple):
    """One text in both languages."""

    zh: str
    en: str

    def in_(self, language: Language) -> str:
        return self.zh if language == "zh" else self.en


Cell = str | Text  # a plain string reads the same in both languages


def cell_in(cell: Cell, language: Language) -> str:
    """`cell` as the reader of `language` sees it."""
    return cell if isinstance(cell, str) else cell.in_(language)


def machine_in_words(machine: str) -> Text:
    """What `wenmo.telemetry.machine.machine` says, in both languages."""
    return Text(_CORES.sub(r"，\1 核", machine), machine)


def size(amount: float, *, of: float | None = None) -> str:
    """Bytes in MiB, or in GiB from 1 GiB on. `of` chooses the unit instead: the largest of figures shown together."""
    if not amount:
        return "0"
    return f"{amount / 2**30:.2f} GiB" if (of or amount) >= 2**30 else f"{amount / 2**20:.1f} MiB"


def saving(amount: float, *, of: float) -> str:
    """`size` with a sign: minus for what was saved, plus for what was added."""
    return f"{'−' if amount > 0 else '+' if amount else ''}{size(abs(amount), of=of)}"


@dataclass(frozen=True, kw_only=True)
class Mark:
    """What one row of a chart shows, in the chart's units: a bar, a range drawn as a thin line, a dot.

    `strong` marks what was saved, or what is better than before; `predicted` what was not measured.
    """

    label: Cell
    bar: tuple[float, float] | None = None
    range: tuple[float, float] | None = None
    dot: float | None = None
    strong: bool = False
    predicted: bool = False


@dataclass(frozen=True, kw_only=True)
class Line:
    """A named row of a chart."""

    name: Cell
    marks: tuple[Mark, ...]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Horizontal rows in one unit, on one `scale` from its left to its right end.

    `ticks`: places on the scale with their names.
    """

    lines: tuple[Line, ...]
    scale: tuple[float, float] = (0.0, 1.0)
    title: Cell = ""
    ticks: tuple[tuple[float, Cell], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Table:
    """`head` is None for a table of names and values. `files_only`: columns for which a page has no room."""

    head: tuple[Cell, ...] | None
    rows: tuple[tuple[Cell, ...], ...]
    files_only: frozenset[int] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Counts by two properties: `counts[row][column]`."""

    title: Cell
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Section:
    """One finding: its title, what it says, and below the figures what they were measured on.

    `headline`: the whole result in one sentence, above everything else. `figures`: numbers of different units, with
    their names, for which a chart would be wrong.
    """

    key: str
    title: Text
    headline: Text | None = None
    figures: tuple[tuple[Cell, Cell], ...] = ()
    sentences: tuple[Text, ...] = ()
    charts: tuple[Chart, ...] = ()
    table: Table | None = None
    grids: tuple[Grid, ...] = ()
    notes: tuple[Text, ...] = ()
