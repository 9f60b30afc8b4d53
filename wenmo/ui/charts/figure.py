"""What all charts have in common: the empty figure, the theme's colours, texts made literal."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

BARS_SHOWN = 30  # labels drawn; the rest stand in the table
VALUES_SHOWN = 10  # a side of a heat map up to which each cell has room for its number
LABELS_SHOWN = 60  # and up to which its rows have room for their texts

CONFIG = {"displayModeBar": False, "scrollZoom": False, "doubleClick": False}  # for st.plotly_chart(config=)

# Streamlit puts colours of the theme in the place of these: the first of chartCategoricalColors, and the ground.
INK, CINNABAR, PAPER = "#000001", "#000002", "#000038"
FROM_CINNABAR_TO_INK = [f"#{number:06d}" for number in range(21, 31)]  # chartDivergingColors
LINE_COLUMNS = 30  # of a text drawn as ink: fifteen Chinese characters, legible on a phone
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "#": "&#35;"})  # "#000001" stands for a theme colour


def escape(text: str, *, width: int = 24) -> str:
    """`text` for a Plotly label: literal, on one line, without control characters, cut to `width` columns.

    A Chinese character is two columns wide.
    """
    return one_line(text, width=width).translate(_ENTITIES)


def one_line(text: str, *, width: int = 24) -> str:
    """`text` on one line, without control characters, cut to `width` columns; "␣" where nothing is left."""
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
    """How wide it is drawn: a Chinese character takes two columns, an accent none."""
    return sum(
        0 if unicodedata.category(each)[0] in "CM" else 2 if unicodedata.east_asian_width(each) in "WF" else 1
        for each in text
    )


def new_figure(trace: go.Bar | go.Heatmap, *, height: int) -> go.Figure:
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


def name_rows(figure: go.Figure, names: Sequence[str]) -> None:
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
    """The numbers of a heat map (R, C), or `texts` (R * C): paper on dense cells, ink on thin ones.

    Plotly's own choice is too faint. `rows` and `columns` are the places on the axes, `low` the value of the thinnest.
    """
    density = (values - low) / (1 - low)
    return go.Scatter(
        x=[column for _ in rows for column in columns],
        y=[row for row in rows for _ in columns],
        mode="text",
        text=texts or [f"{value:.2f}" for value in values.ravel()],
        textfont={"color": [PAPER if value >= 0.45 else INK for value in density.ravel()]},
        hoverinfo="skip",
    )
