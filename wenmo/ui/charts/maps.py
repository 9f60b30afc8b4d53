"""Maps of ink: a cell the darker the more it weighs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from wenmo.ui.charts.figure import CINNABAR, INK, LABELS_SHOWN, PAPER, VALUES_SHOWN, cell_numbers, escape, new_figure


def confusion(counts: np.ndarray, *, rows: Sequence[str], columns: Sequence[str]) -> go.Figure:
    """Heat map of counts (R, C): the density of a cell is its share of its row, the number in it is the count."""
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
    for axis, names in ((figure.update_xaxes, columns), (figure.update_yaxes, rows)):
        axis(
            tickmode="array",
            tickvals=list(range(len(names))),
            ticktext=[escape(name, width=12) for name in names],
            tickfont={"color": INK},
        )
    figure.update_xaxes(side="top", tickangle=0 if len(columns) <= 6 else -45)
    figure.update_yaxes(autorange="reversed")
    return figure


def _numbered(texts: Sequence[str]) -> list[str]:
    """Each text for the hover, with its place: no two are the same, as the categories of an axis must be."""
    return [f"{place} {escape(text, width=60)}" for place, text in enumerate(texts, 1)]


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
    """Heat map of (R, C) values from `low` to 1, the more the denser.

    `rows` (R) stand at the left, `names` (C) above, short; `columns` (C) are their whole texts, for the hover. Both are
    left out where there are more than LABELS_SHOWN. `percent` is how the scale is written. `outlined` are the
    (start, end) of squares on the diagonal that get a cinnabar line.
    """
    across, down = _numbered(columns), _numbered(rows)
    most = max(len(rows), len(columns))
    small, labelled = most <= VALUES_SHOWN, most <= LABELS_SHOWN
    trace = go.Heatmap(
        z=values,
        x=across,
        y=down,
        zmin=low,
        zmax=1.0,
        xgap=2 if labelled else 0,
        ygap=2 if labelled else 0,
        hovertemplate="%{y}<br>%{x}<br>%{z:.4f}<extra></extra>",
        showscale=not small,
        colorbar={
            "orientation": "h",
            "thickness": 8,
            "len": 0.5,
            "y": -0.02,
            "yanchor": "top",
            "tickformat": ".0%" if percent else ".2f",
            "tickfont": {"color": INK},
        },
    )
    figure = new_figure(trace, height=(40 if small else 90) + (len(rows) * (44 if small else 24) if labelled else 600))
    if small:
        figure.add_trace(cell_numbers(values, down, across, low=low))
    figure.update_layout(
        shapes=[
            {
                "type": "rect",  # a category's place on its axis is its number
                **{"x0": start - 0.5, "x1": end - 0.5, "y0": start - 0.5, "y1": end - 0.5},
                "line": {"color": CINNABAR, "width": 2},
            }
            for start, end in outlined
        ]
    )
    for axis, categories, shown in (
        (figure.update_xaxes, across, [escape(name, width=10) for name in names]),
        (figure.update_yaxes, down, [escape(row, width=22) for row in rows]),
    ):
        axis(
            type="category",
            showticklabels=labelled,
            tickmode="array",
            tickvals=categories,
            ticktext=shown,
            tickfont={"color": INK},
        )
    figure.update_xaxes(side="top")
    figure.update_yaxes(autorange="reversed")
    return figure


def alignment_map(cosines: np.ndarray, *, rows: Sequence[str], columns: Sequence[str]) -> go.Figure:
    """Cosines (R, C) of the parts of two sentences, the closer the denser; a dot where two are each other's closest."""
    hover = [[f"{escape(row)} – {escape(column)}" for column in columns] for row in rows]
    trace = go.Heatmap(
        z=cosines,
        x=list(range(len(columns))),
        y=list(range(len(rows))),
        zmin=min(0.9, float(cosines.min())),  # the cosines of a model lie close together: from its lowest on
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
            marker={"color": CINNABAR, "size": 9, "line": {"width": 1, "color": PAPER}},
            hoverinfo="skip",
        )
    )
    for axis, names in ((figure.update_xaxes, columns), (figure.update_yaxes, rows)):
        axis(
            tickmode="array",
            tickvals=list(range(len(names))),
            ticktext=[escape(name, width=8) for name in names],
            tickfont={"color": INK, "size": 14},
        )
    figure.update_xaxes(side="top", tickangle=0)
    figure.update_yaxes(autorange="reversed")
    return figure


def fit_map(batches: np.ndarray, *, rows: Sequence[str], columns: Sequence[str]) -> go.Figure:
    """Largest batches (R, C) of cards and lengths, the larger the denser, by its logarithm. 0 is a dot on the paper."""
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
            textfont={"color": [PAPER if each >= 0.45 * most else INK for each in density.ravel()]},
            hoverinfo="skip",
        )
    )
    for axis, names in ((figure.update_xaxes, columns), (figure.update_yaxes, rows)):
        axis(tickmode="array", tickvals=list(range(len(names))), ticktext=list(names), tickfont={"color": INK})
    figure.update_xaxes(side="top", tickangle=0)
    figure.update_yaxes(autorange="reversed")
    return figure
