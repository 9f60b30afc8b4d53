"""That a section of a report or a story says the same in Chinese and in English."""

from __future__ import annotations

import re

from wenmo.lab.document import Section, Table, Text


def check_languages(section: Section) -> None:
    """Each text is there in both languages, with the same numbers."""
    names = [cell for chart in section.charts for line in chart.lines for cell in (chart.title, line.name)]
    labels = [mark.label for chart in section.charts for line in chart.lines for mark in line.marks]
    table = section.table or Table(head=None, rows=())
    cells = [cell for row in (table.head or (), *table.rows) for cell in row]
    grids = [grid.title for grid in section.grids]
    figures = [cell for figure in section.figures for cell in figure]
    headline = () if section.headline is None else (section.headline,)
    ticks = [name for chart in section.charts for _, name in chart.ticks]
    for each in (
        section.title,
        *headline,
        *figures,
        *grids,
        *ticks,
        *section.sentences,
        *section.notes,
        *names,
        *labels,
        *cells,
    ):
        if isinstance(each, Text):
            assert each.zh.strip() and each.en.strip()
            zh, en = ({number.rstrip(",.") for number in re.findall(r"\d[\d,.]*", text)} for text in each)
            assert zh == en, each
