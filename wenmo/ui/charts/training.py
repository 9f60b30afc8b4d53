"""Charts of a training run: curves that grow with it, and its accuracy before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from wenmo.ui.charts.figure import GREEN, GREY, INK

_GRID = "rgba(128,122,112,0.25)"
_INTERVAL = "rgba(128,122,112,1)"  # a grey that is seen on ink, on green and on the ground


def curves(series: Mapping[str, Sequence[tuple[float, float]]]) -> go.Figure:
    """One curve of (x, y) for each name, from 0 upwards; of two the first in grey, the second with its points."""
    figure = go.Figure()
    for place, (name, points) in enumerate(series.items()):
        figure.add_trace(
            go.Scatter(
                x=[x for x, _ in points],
                y=[y for _, y in points],
                name=name,
                mode="lines+markers" if place else "lines",
                line={"color": INK if place or len(series) == 1 else GREY, "width": 2 if place else 1.5},
                marker={"size": 6},
                hovertemplate="%{y:,.3~f}<extra>" + name + "</extra>",
            )
        )
    _style(figure, height=200)
    figure.update_layout(showlegend=len(series) > 1)
    figure.update_yaxes(rangemode="tozero")
    return figure


def intervals(shares: Mapping[str, tuple[float, tuple[float, float]]], *, better: bool) -> go.Figure:
    """A bar for each name: a share in [0, 1] with the interval (low, high) around it; the last in green if `better`."""
    names, values = list(shares), list(shares.values())
    colours = [INK] * (len(names) - 1) + [GREEN if better else INK]
    figure = go.Figure(
        go.Bar(
            x=[share for share, _ in values],
            y=names,
            orientation="h",
            marker={
                "color": colours,
                "cornerradius": 3,
            },
            error_x={
                "type": "data",
                "array": [high - share for share, (_, high) in values],
                "arrayminus": [share - low for share, (low, _) in values],
                "color": _INTERVAL,
                "thickness": 2,
                "width": 6,
            },
            hovertemplate="%{y}: %{x:.1%}<extra></extra>",
        )
    )
    _style(figure, height=60 + 44 * len(names))
    figure.update_layout(bargap=0.5, showlegend=False)
    figure.update_xaxes(range=[0, 1.02], tickformat=".0%", tickvals=[0, 0.25, 0.5, 0.75, 1])
    figure.update_yaxes(autorange="reversed", tickfont={"size": 14, "color": INK})
    return figure


def _style(figure: go.Figure, *, height: int) -> None:
    figure.update_layout(
        height=height,
        margin={"l": 0, "r": 8, "t": 8, "b": 8},
        dragmode=False,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"color": INK}},
        uirevision="same",  # a curve that was switched off in the legend stays off when the chart is drawn again
    )
    figure.update_xaxes(fixedrange=True, showgrid=False, zeroline=False, automargin=True, tickfont={"color": INK})
    figure.update_yaxes(
        fixedrange=True, zeroline=False, automargin=True, nticks=5, gridcolor=_GRID, tickfont={"color": INK}
    )
