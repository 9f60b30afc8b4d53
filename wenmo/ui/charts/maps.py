"""Heat maps: the larger a value, the denser the ink of its cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from wenmo.ui.charts.figure import (
    INK,
    LABELS_SHOWN,
    OCHRE,
    PAPER,
    VALUES_SHOWN,
    cell_numbers,
    escape,
    new_figure,
    text_on,
)


def confusion(counts: np.ndarray, *, rows: Sequence[str], columns: Sequence[str]) -> go.Figure:
    """Confusion matrix of `counts` (R, C): the number in a cell is its count, the density its share of the row."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    hover = [[f"{escape(row)} → {escape(column)}" for column in columns] for row in rows]
    trace = go.Heatmap(
        z=shares,
        x=list(range(len(columns))),
        y=list(range(len(rows))),
        zmin=0.0,
        zmax=1.0,
        xgap=2,
        ygap=2,
        customdata=hover,
        hovertemplate="%{customdata}: %{z:.1%}<extra></extra>",
        showscale=False,
    )
    figure = new_figure(trace, height=48 + 40 * len(rows))
    if max(counts.shape) <= VALUES_SHOWN:
        rows_at, columns_at = (range(size) for size in shares.shape)
        texts = [f"{count:,}" for count in counts.ravel()]
        figure.add_trace(cell_numbers(shares, rows_at, columns_at, texts=texts))
    _name_axes(figure, [escape(name, width=12) for name in rows], [escape(name, width=12) for name in columns])
    figure.update_xaxes(tickangle=0 if len(columns) <= 6 else -45)
    return figure


def ink_map(
    values: np.ndarray,
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    names: Sequence[str],
    low: float = 0.0,
    percent: bool = True,
    outlined: Sequence[tuple[int, int]] = (),
) -> go.Figure:
    """Heat map of `values` (R, C) from `low`, without ink, to 1.

    `rows` (R) are written beside the map, the short `names` (C) above it, unless there are more than LABELS_SHOWN;
    `columns` (C) are the whole texts for the tooltip. `percent` sets how the scale is written. `outlined` are squares
    on the diagonal, (start, end), that get an ochre frame.
    """
    across, down = _categories(columns), _categories(rows)
    most = max(len(rows), len(columns))
    small, large = most <= VALUES_SHOWN, most <= LABELS_SHOWN
    row_height = 44 if small else 24 if large else 13
    font = {"color": INK} if large else {"color": INK, "size": 9}
    trace = go.Heatmap(
        z=values,
        x=across,
        y=down,
        zmin=low,
        zmax=1.0,
        xgap=2 if large else 0,
        ygap=2 if large else 0,
        hovertemplate="%{y}<br>%{x}<br>%{z:.4f}<extra></extra>",
        showscale=not small,
        colorbar=_scale(".0%" if percent else ".2f"),
    )
    figure = new_figure(trace, height=(40 if small else 90) + len(rows) * row_height)
    if small:
        figure.add_trace(cell_numbers(values, down, across, low=low))
    figure.update_layout(shapes=[_frame(start, end) for start, end in outlined])
    every = 1 if large else 5  # a column is narrower than a number
    for axis, categories, shown in (
        (figure.update_xaxes, across[::every], [escape(name, width=10) for name in names[::every]]),
        (figure.update_yaxes, down, [escape(row, width=22) for row in rows]),
    ):
        axis(type="category", tickmode="array", tickvals=categories, ticktext=shown, tickfont=font)
    figure.update_xaxes(side="top")
    figure.update_yaxes(autorange="reversed")
    return figure


def _categories(texts: Sequence[str]) -> list[str]:
    """Each text with its number for the tooltip; the number makes equal texts different, as categories must be."""
    return [f"{number} {escape(text, width=60)}" for number, text in enumerate(texts, 1)]


def _scale(tickformat: str) -> dict[str, Any]:
    return {
        "orientation": "h",
        "thickness": 8,
        "len": 0.5,
        "y": -0.02,
        "yanchor": "top",
        "tickformat": tickformat,
        "tickfont": {"color": INK},
    }


def _frame(start: int, end: int) -> dict[str, Any]:
    """A square around the cells from `start` to before `end` on the diagonal; a cell's position is its number."""
    low, high = start - 0.5, end - 0.5
    return {"type": "rect", "x0": low, "x1": high, "y0": low, "y1": high, "line": {"color": OCHRE, "width": 3}}


def alignment_map(cosines: np.ndarray, *, rows: Sequence[str], columns: Sequence[str]) -> go.Figure:
    """Heat map of the cosines (R, C) between the parts of two sentences, with a dot where two are mutually closest."""
    hover = [[f"{escape(row)} – {escape(column)}" for column in columns] for row in rows]
    trace = go.Heatmap(
        z=cosines,
        x=list(range(len(columns))),
        y=list(range(len(rows))),
        zmin=min(0.9, float(cosines.min())),  # the cosines of a model lie close together
        zmax=1.0,
        xgap=2,
        ygap=2,
        customdata=hover,
        hovertemplate="%{customdata} %{z:.3f}<extra></extra>",
        showscale=False,
    )
    figure = new_figure(trace, height=48 + 32 * len(rows))
    mutual = (cosines == cosines.max(axis=1, keepdims=True)) & (cosines == cosines.max(axis=0, keepdims=True))
    at_rows, at_columns = np.nonzero(mutual)
    figure.add_trace(
        go.Scatter(
            x=at_columns,
            y=at_rows,
            mode="markers",
            marker={"color": OCHRE, "size": 9, "line": {"width": 1, "color": PAPER}},
            hoverinfo="skip",
        )
    )
    _name_axes(figure, [escape(name, width=8) for name in rows], [escape(name, width=8) for name in columns], size=14)
    figure.update_xaxes(tickangle=0)
    return figure


def fit_map(batches: np.ndarray, *, rows: Sequence[str], columns: Sequence[str]) -> go.Figure:
    """Heat map of the largest batch for each card (R) and length (C), on a logarithmic scale; 0 is written as a dot."""
    density = np.log2(1.0 + batches)
    most = float(density.max()) or 1.0
    trace = go.Heatmap(
        z=density,
        x=list(range(len(columns))),
        y=list(range(len(rows))),
        zmin=0.0,
        zmax=most,
        xgap=2,
        ygap=2,
        hoverinfo="skip",
        showscale=False,
    )
    figure = new_figure(trace, height=56 + 36 * len(rows))
    down, across = np.indices(batches.shape)
    figure.add_trace(
        go.Scatter(
            x=across.ravel(),
            y=down.ravel(),
            mode="text",
            text=[f"{batch:,}" if batch else "·" for batch in batches.ravel()],
            textfont={"color": [text_on(each / most) for each in density.ravel()]},
            hoverinfo="skip",
        )
    )
    _name_axes(figure, rows, columns)
    figure.update_xaxes(tickangle=0)
    return figure


def _name_axes(figure: go.Figure, rows: Sequence[str], columns: Sequence[str], *, size: int | None = None) -> None:
    """Write the names beside rows and above columns 0, 1, 2, …, the first row on top."""
    for axis, names in ((figure.update_xaxes, columns), (figure.update_yaxes, rows)):
        axis(
            tickmode="array",
            tickvals=list(range(len(names))),
            ticktext=list(names),
            tickfont={"color": INK} if size is None else {"color": INK, "size": size},
        )
    figure.update_xaxes(side="top")
    figure.update_yaxes(autorange="reversed")
