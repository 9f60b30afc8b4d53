"""Horizontal bars: of labels, counts, speeds, padding and memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from wenmo.ui.charts.figure import BARS_SHOWN, CINNABAR, GREEN, INK, PAPER, escape, name_rows, new_figure


def bars(scores: Mapping[str, float], *, threshold: float | None = None) -> go.Figure:
    """The first BARS_SHOWN of `scores` (label -> probability, best first), best on top; a line at the `threshold`."""
    figure = _bars(scores, {name: f"{value:.1%}" for name, value in scores.items()}, "%{customdata}: %{x:.4f}")
    if threshold is not None:
        figure.add_vline(x=threshold, line={"color": INK, "width": 1.5, "dash": "dash"})
    return figure


def count_bars(counts: Mapping[str, int]) -> go.Figure:
    """The first BARS_SHOWN of `counts` as shares of their sum, with the counts beside the bars."""
    total = max(1, sum(counts.values()))
    shares = {name: count / total for name, count in counts.items()}
    return _bars(shares, {name: f"{counts[name]:,} · {share:.1%}" for name, share in shares.items()}, "%{customdata}")


def _bars(values: Mapping[str, float], texts: Mapping[str, str], hover: str) -> go.Figure:
    names, lengths = list(values)[:BARS_SHOWN], list(values.values())[:BARS_SHOWN]
    longest = max((len(texts[name]) for name in names), default=0)
    trace = go.Bar(
        x=lengths,
        y=list(range(len(lengths))),  # positions, not names: two long labels may be the same once cut
        orientation="h",
        marker={"color": INK, "opacity": [0.35 + 0.65 * value for value in lengths], "cornerradius": 3},
        text=[texts[name] for name in names],
        textposition="outside",
        textfont={"color": INK},
        cliponaxis=False,
        customdata=[escape(name, width=80) for name in names],
        hovertemplate=f"{hover}<extra></extra>",
    )
    figure = new_figure(trace, height=32 + 38 * max(2, len(lengths)))
    figure.update_xaxes(range=[0, 1.12 if longest < 8 else 1.45], showticklabels=False)
    figure.update_yaxes(
        autorange="reversed",
        tickmode="array",
        tickvals=list(range(len(names))),
        ticktext=[escape(name) for name in names],
        tickfont={"size": 14, "color": INK},
    )
    return figure


def speeds(names: Sequence[str], per_s: Sequence[float], *, texts: Sequence[str], strong: Sequence[bool]) -> go.Figure:
    """Bars in the order given, with `texts` at their ends; those that are `strong` are denser."""
    trace = go.Bar(
        x=list(per_s),
        y=list(range(len(per_s))),
        orientation="h",
        marker={"color": INK, "opacity": [0.9 if each else 0.45 for each in strong], "cornerradius": 3},
        text=list(texts),
        textposition="outside",
        textfont={"color": INK},
        cliponaxis=False,
        hoverinfo="skip",
    )
    figure = new_figure(trace, height=24 + 34 * len(per_s))
    figure.update_xaxes(range=[0, 1.4 * max(per_s)], showticklabels=False)
    name_rows(figure, names)
    return figure


def padding(names: Sequence[str], real: Sequence[int], computed: Sequence[int]) -> go.Figure:
    """The tokens that are computed: those of texts in ink, padding in cinnabar with its share."""
    rows = list(range(len(names)))
    figure = new_figure(
        go.Bar(
            x=list(real),
            y=rows,
            orientation="h",
            marker={"color": INK, "opacity": 0.75},
            hovertemplate="%{x:,}<extra></extra>",
        ),
        height=24 + 34 * len(names),
    )
    figure.add_trace(
        go.Bar(
            x=[all_ - own for own, all_ in zip(real, computed, strict=True)],
            y=rows,
            orientation="h",
            marker={"color": CINNABAR, "opacity": 0.75},
            text=[f"{1 - own / all_:.0%}" for own, all_ in zip(real, computed, strict=True)],
            textposition="outside",
            textfont={"color": INK},
            cliponaxis=False,
            hovertemplate="%{x:,}<extra></extra>",
        )
    )
    figure.update_layout(barmode="stack")
    figure.update_xaxes(range=[0, 1.14 * max(computed)], showticklabels=False)
    name_rows(figure, names)
    return figure


def waterfall(
    bars: Sequence[tuple[str, float, float, str]], *, better: Sequence[bool], predicted: Sequence[bool]
) -> go.Figure:
    """Bars of (name, low, high, size in words), the first on top; `better` ones in green, `predicted` ones hatched."""
    colours = [GREEN if each else INK for each in better]
    most = max(high for _, _, high, _ in bars)
    trace = go.Bar(
        base=[low for _, low, _, _ in bars],
        x=[max(high - low, most / 300) for _, low, high, _ in bars],  # a bar of no length is drawn as a line
        y=list(range(len(bars))),
        orientation="h",
        marker={
            "color": colours,
            "cornerradius": 3,
            "line": {"color": colours, "width": 1.5},
            "pattern": {
                "shape": ["/" if each else "" for each in predicted],
                "fillmode": "overlay",
                "fgcolor": PAPER,
                "size": 7,
                "solidity": 0.4,
            },
        },
        hoverinfo="skip",
    )
    figure = new_figure(trace, height=24 + 46 * len(bars))
    for place, (name, _, _, size) in enumerate(bars):  # above the bar: a phone has no room beside it
        text = f"{escape(name, width=44)}  <b>{escape(size)}</b>"
        figure.add_annotation(x=0, y=place - 0.44, text=text, showarrow=False, xanchor="left", font={"color": INK})
    figure.update_layout(bargap=0.6)
    figure.update_xaxes(range=[0, most], showticklabels=False)
    figure.update_yaxes(range=[len(bars) - 0.6, -0.75], showticklabels=False)
    return figure
