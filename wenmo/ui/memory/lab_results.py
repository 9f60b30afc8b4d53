"""What a run of the lab found, on the page: the sections of wenmo/lab/sections.py, and the report to take away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from wenmo.ui import charts
from wenmo.ui.shell import components
from wenmo.ui.text import language, say

if TYPE_CHECKING:
    from wenmo.lab.document import Cell, Chart, Section, Table
    from wenmo.lab.findings import Findings


def show(found: Findings) -> None:
    """All of it, one section below the other."""
    from wenmo.lab.sections import sections

    for section in sections(found):
        if section.headline is not None:
            st.header(_literal(section.headline), anchor=False)
        st.subheader(_literal(section.title), anchor=False)
        if section.sentences:
            st.markdown("  \n".join(map(_literal, section.sentences)))
        _figures(section)
        if section.table is not None:
            _table(section.table)
        for note in section.notes:
            st.caption(_literal(note))
    _downloads(found)
    if found.sides is not None:
        st.page_link("pages/story.py", label=say("lab.to_story"))


def _figures(section: Section) -> None:
    """Charts share the width; grids have half of it at most."""
    drawn = [(_literal(chart.title), _bars(chart)) for chart in section.charts]
    places = len(drawn)
    if section.grids:
        places = max(2, len(section.grids))
        for grid in section.grids:
            figure = charts.fit_map(np.array(grid.counts), rows=grid.rows, columns=grid.columns)
            drawn.append((_literal(grid.title), figure))
    if not drawn:
        return
    for number, (place, (name, figure)) in enumerate(zip(st.columns(places, gap="large"), drawn, strict=False)):
        with place:
            st.markdown(f"**{name}**")
            alt = f"{section.title.in_(language())}: {name}"
            st.plotly_chart(figure, config=charts.CONFIG, key=f"lab_{section.key}_{number}", alt=alt)


def _bars(chart: Chart) -> Any:
    marks = [(line.name, mark) for line in chart.lines for mark in line.marks]
    bars = [(_shown(name), *(mark.bar or (0.0, 0.0)), _shown(mark.label)) for name, mark in marks]
    return charts.waterfall(
        bars, better=[mark.strong for _, mark in marks], predicted=[mark.predicted for _, mark in marks]
    )


def _table(table: Table) -> None:
    columns = enumerate(zip(table.head or (), *table.rows, strict=True))
    shown = [[_shown(cell) for cell in cells] for number, cells in columns if number not in table.files_only]
    components.table({name: cells for name, *cells in shown})


def _downloads(found: Findings) -> None:
    from wenmo.lab.report import as_csv, as_html

    with st.container(horizontal=True):
        st.download_button(
            say("lab.report"),
            as_html(found, language=language()).encode(),
            file_name="wenmo-memory-report.html",
            mime="text/html",
            key="lab_html",
            on_click="ignore",
        )
        st.download_button(
            say("app.download"),
            as_csv(found).encode("utf-8-sig"),
            file_name="wenmo-memory-report.csv",
            mime="text/csv",
            key="lab_csv",
            on_click="ignore",
        )


def _shown(cell: Cell) -> str:
    from wenmo.lab.document import cell_in

    return cell_in(cell, language())


def _literal(cell: Cell) -> str:
    """For a place that reads Markdown."""
    return components.literal(_shown(cell))
