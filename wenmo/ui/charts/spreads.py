"""Distributions: histograms, and shares of good, neutral and bad."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import plotly.graph_objects as go

from wenmo.telemetry.statistics import HistogramCounts
from wenmo.ui.charts.figure import CINNABAR, GREY, INK, ON_THIN, PAPER, escape, new_figure

_ROOM = 0.08  # the least share whose bar has room for its number


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


def shares(counts: Mapping[str, Sequence[int]], names: Sequence[str], *, over_time: bool) -> go.Figure:
    """Stacked bars of 100%: for each key of `counts` the shares of good, neutral and bad, whose `names` are the app's.

    Columns in the order of time, or rows with the first on top. Good is in ink, neutral in grey, bad in cinnabar.
    """
    keys, totals = list(counts), [max(1, sum(each)) for each in counts.values()]
    shown = [f"{escape(key, width=20)} ({sum(counts[key]):,})" for key in keys]
    places = list(range(len(keys)))
    figure = new_figure(go.Bar(), height=300 if over_time else 60 + 34 * len(keys))
    figure.data = ()
    for kind, (name, colour, inside) in enumerate(
        zip(names, (INK, GREY, CINNABAR), (PAPER, ON_THIN, PAPER), strict=True)
    ):
        values = [each[kind] / total for each, total in zip(counts.values(), totals, strict=True)]
        figure.add_trace(
            go.Bar(
                name=name,
                x=places if over_time else values,
                y=values if over_time else places,
                orientation="v" if over_time else "h",
                marker={"color": colour},
                text=[f"{value:.0%}" if value >= _ROOM else "" for value in values],
                textposition="inside",
                insidetextanchor="middle",
                textangle=0,
                insidetextfont={"color": inside},
                customdata=[
                    f"{key}: {name} {each[kind]:,} · {value:.1%}"
                    for key, each, value in zip(map(escape, keys), counts.values(), values, strict=True)
                ],
                hovertemplate="%{customdata}<extra></extra>",
            )
        )
    figure.update_layout(
        barmode="stack",
        bargap=0.25,
        showlegend=True,
        legend={
            "orientation": "h",
            "y": 1.02,
            "yanchor": "bottom",
            "x": 0,
            "traceorder": "normal",
            "font": {"color": INK},
        },
    )
    every = max(1, -(-len(keys) // 6)) if over_time else 1  # a phone has room for about six columns' names
    axes = {"tickmode": "array", "tickvals": places[::every], "ticktext": shown[::every], "tickfont": {"color": INK}}
    if over_time:
        figure.update_xaxes(**axes)
        figure.update_yaxes(range=[0, 1], tickformat=".0%", tickvals=[0, 0.5, 1], tickfont={"color": INK})
    else:
        figure.update_yaxes(autorange="reversed", **axes)
        figure.update_xaxes(range=[0, 1], showticklabels=False)
    return figure
