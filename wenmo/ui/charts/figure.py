"""The base of all charts: an empty figure, the colours of the theme, labels made literal."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

BARS_SHOWN = 30  # bars in a chart; a table shows the rest
VALUES_SHOWN = 10  # rows or columns of a heat map, at most, whose cells have room for numbers
LABELS_SHOWN = 60  # rows or columns of a heat map, at most, that have labels of full size; more have small ones

# For st.plotly_chart(config=): of Plotly's toolbar the one button that saves the chart, as SVG.
CONFIG = {
    "displayModeBar": "hover",
    "modeBarButtons": [["toImage"]],
    "toImageButtonOptions": {"format": "svg", "filename": "wenmo-chart"},
    "displaylogo": False,
    "scrollZoom": False,
    "doubleClick": False,
}

# Streamlit replaces these by colours of the theme: five of chartCategoricalColors, by their number, and the background.
# What each of them means is in wenmo/ui/shell/theme.py.
INK, CINNABAR, GREEN, GREY, OCHRE, PAPER = "#000001", "#000002", "#000003", "#000006", "#000007", "#000038"
ON_THIN, ON_DENSE = "#000004", "#000005"  # text on a cell of a heat map
HALF, DIVERGED = 0.5, 2 / 3  # the density, and the size of a diverging value, from which a cell counts as dense
FROM_CINNABAR_TO_INK = [f"#{number:06d}" for number in range(21, 31)]  # chartDivergingColors
LINE_COLUMNS = 30  # width of a line of `ink_text`: fifteen Chinese characters, legible on a phone
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "#": "&#35;"})  # "#000001" is a colour above


def escape(text: str, *, width: int = 24) -> str:
    """`text` for a Plotly label: literal, on one line, without control characters, cut to `width` columns.

    A Chinese character is two columns wide.
    """
    return one_line(text, width=width).translate(_ENTITIES)


def one_line(text: str, *, width: int = 24) -> str:
    """`text` on one line, without control characters, cut to `width` columns; "␣" if nothing is left."""
    kept, columns = [], 0
    for character in " ".join(text[: 4 * width].split()):
        if unicodedata.category(character)[0] == "C":
            continue
        columns += columns_of(character)
        if columns > width:
            kept.append("…")
            break
        kept.append(character)
    return "".join(kept) or "␣"


def columns_of(text: str) -> int:
    """The width of `text`: a Chinese character takes two columns, an accent none."""
    return sum(
        0 if unicodedata.category(each)[0] in "CM" else 2 if unicodedata.east_asian_width(each) in "WF" else 1
        for each in text
    )


def new_figure(trace: go.Bar | go.Heatmap | go.Treemap, *, height: int) -> go.Figure:
    """A figure with `trace`, without margins, grid, legend and zoom."""
    axis = {"fixedrange": True, "showgrid": False, "zeroline": False, "ticks": "", "automargin": True}
    figure = go.Figure(trace)
    figure.update_layout(
        height=height,
        margin={"l": 0, "r": 8, "t": 8, "b": 8},
        showlegend=False,
        dragmode=False,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        xaxis=axis,
        yaxis=axis,
        bargap=0.42,
    )
    return figure


def text_on(density: float, *, dense: float = HALF) -> str:
    """The colour of text on a cell: the theme's colours have the same distance to black and to white at `dense`."""
    return ON_DENSE if density >= dense else ON_THIN


def name_rows(figure: go.Figure, names: Sequence[str]) -> None:
    """Write `names` beside the rows 0, 1, 2, …, the first on top."""
    figure.update_yaxes(
        autorange="reversed",
        tickmode="array",
        tickvals=list(range(len(names))),
        ticktext=[escape(name, width=30) for name in names],
        tickfont={"size": 14, "color": INK},
    )


def cell_numbers(
    values: np.ndarray,
    rows: Sequence[str | int],
    columns: Sequence[str | int],
    *,
    low: float = 0.0,
    texts: Sequence[str] | None = None,
) -> go.Scatter:
    """The numbers in the cells of a heat map (R, C), or `texts` (R * C): light on dense cells, dark on thin ones.

    Plotly's own choice of colours is too faint. `rows` and `columns` are positions on the axes; a value of `low` has no
    ink.
    """
    density = (values - low) / (1 - low)
    return go.Scatter(
        x=[column for _ in rows for column in columns],
        y=[row for row in rows for _ in columns],
        mode="text",
        text=texts or [f"{value:.2f}" for value in values.ravel()],
        textfont={"color": [text_on(value) for value in density.ravel()]},
        hoverinfo="skip",
    )
