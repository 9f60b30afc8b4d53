"""Distributions: histograms, and means over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import plotly.graph_objects as go

from wenmo.telemetry.statistics import HistogramCounts
from wenmo.ui.charts.figure import GREY, INK, escape, new_figure


def confidence_histogram(counts: Sequence[int]) -> go.Figure:
    """Histogram of scores in [0, 1], from `counts` of bins of equal width; empty bins at the beginning are left out."""
    width = 1 / len(counts)
    first = next((index for index, count in enumerate(counts) if count), 0)
    shown = list(counts)[first:]
    largest = max(max(shown), 1)
    trace = go.Bar(
        x=[width * (index + 0.5) for index in range(first, len(counts))],
        y=shown,
        width=0.84 * width,
        marker={"color": INK, "opacity": [0.35 + 0.65 * count / largest for count in shown], "cornerradius": 3},
        customdata=[f"{width * index:.0%}–{width * (index + 1):.0%}" for index in range(first, len(counts))],
        hovertemplate="%{customdata}: %{y:,}<extra></extra>",
    )
    figure = new_figure(trace, height=200)
    figure.update_layout(margin={"l": 16, "r": 24})  # room for half of the first and the last tick label
    start = width * first
    figure.update_xaxes(
        range=[start, 1], tickvals=[start, (start + 1) / 2, 1], tickformat=".3~p", tickfont={"color": INK}
    )
    figure.update_yaxes(showticklabels=False)
    return figure


def histogram(counts: HistogramCounts) -> go.Figure:
    """Histogram of whole numbers; empty buckets at the end are left out."""
    last = max((index for index, count in enumerate(counts.counts) if count), default=0)
    names, below = [], 0
    for bound in (*counts.bounds, None):
        names.append(f">{below}" if bound is None else str(bound) if bound == below + 1 else f"{below + 1}–{bound}")
        below = bound or below
    shown = list(counts.counts[: last + 1])
    largest = max(max(shown), 1)
    trace = go.Bar(
        x=list(range(len(shown))),
        y=shown,
        marker={"color": INK, "opacity": [0.35 + 0.65 * count / largest for count in shown], "cornerradius": 3},
        text=[f"{count:,}" if count else "" for count in shown],
        textposition="outside",
        textfont={"color": INK},
        cliponaxis=False,
        hoverinfo="skip",
    )
    figure = new_figure(trace, height=200)
    figure.update_layout(margin={"t": 24})
    figure.update_xaxes(
        type="linear",
        range=[-0.5, max(8, len(shown)) - 0.5],
        tickmode="array",
        tickvals=list(range(len(shown))),
        ticktext=names[: last + 1],
        tickfont={"color": INK},
    )
    figure.update_yaxes(range=[0, 1.05 * largest], showticklabels=False)
    return figure


def spreads(values: Mapping[str, Sequence[float]]) -> go.Figure:
    """Two histograms of probabilities side by side, in five bins: the first in ink, the second in grey.

    `values` maps two names, which must be the app's own, to probabilities. Heights are shares of each list, so that a
    longer list does not look like a better one.
    """
    figure = new_figure(go.Bar(), height=260)
    figure.data = ()
    edges = np.linspace(0.0, 1.0, 6)
    fifths = [f"{low:.0%}–{high:.0%}" for low, high in pairwise(edges)]
    highest = 0.0
    for (name, of), colour in zip(values.items(), (INK, GREY), strict=True):
        shares = np.histogram(of, edges)[0] / len(of)
        highest = max(highest, float(shares.max()))
        figure.add_trace(
            go.Bar(
                name=name,
                x=fifths,
                y=shares.tolist(),
                marker={"color": colour, "cornerradius": 3},
                text=[f"{share:.0%}" if share else "" for share in shares],
                textposition="outside",
                textfont={"color": INK},
                cliponaxis=False,
                hoverinfo="skip",
            )
        )
    figure.update_layout(
        showlegend=True,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "font": {"color": INK}},
    )
    figure.update_xaxes(type="category", tickfont={"color": INK})
    figure.update_yaxes(range=[0, 1.15 * highest], showticklabels=False)
    return figure


def means_over_time(means: Mapping[str, tuple[float, int]]) -> go.Figure:
    """A line of `means` (period -> mean in [0, 1], number of values) in their order; a larger point has more values."""
    names, values = list(means), [mean for mean, _ in means.values()]
    counts = [count for _, count in means.values()]
    most = max(counts, default=1)
    trace = go.Scatter(
        x=list(range(len(names))),
        y=values,
        mode="lines+markers",
        line={"color": INK, "width": 1.5},
        marker={"color": INK, "size": [6 + 8 * (count / most) ** 0.5 for count in counts]},
        customdata=[f"{escape(name)} ({count:,})" for name, count in zip(names, counts, strict=True)],
        hovertemplate="%{customdata}: %{y:.1%}<extra></extra>",
        cliponaxis=False,
    )
    figure = new_figure(trace, height=240)
    every = max(1, -(-len(names) // 6))  # a phone has room for about six
    figure.update_xaxes(
        tickmode="array",
        tickvals=list(range(0, len(names), every)),
        ticktext=[escape(name) for name in names[::every]],
        tickfont={"color": INK},
    )
    figure.update_yaxes(range=[0, 1.02], tickformat=".0%", tickvals=[0, 0.5, 1], tickfont={"color": INK}, showgrid=True)
    return figure
