"""Charts: one Plotly template for all, where the density of the ink is the weight of the thing.

Colours are left to Streamlit's theme (chartCategoricalColors, chartSequentialColors in config.toml), which the browser
puts in: a chart then follows the switch between light and dark without a rerun. Only the opacity of a bar is set here.

Plotly reads a little HTML (<b>, <br>, <a href>) in every text that it draws; `escape` makes what users typed literal.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np
import plotly.graph_objects as go

from wenmo.serving.statistics import HistogramCounts
from wenmo.types import Part

BARS_SHOWN = 30  # labels drawn; the rest stand in the table
VALUES_SHOWN = 10  # a side of a heat map up to which each cell has room for its number
LABELS_SHOWN = 60  # and up to which its rows have room for their texts

CONFIG = {"displayModeBar": False, "scrollZoom": False, "doubleClick": False}  # for st.plotly_chart(config=)

# Streamlit puts colours of the theme in the place of these: the first of chartCategoricalColors, and the ground.
_INK, _CINNABAR, _PAPER = "#000001", "#000002", "#000038"
_FROM_CINNABAR_TO_INK = [f"#{number:06d}" for number in range(21, 31)]  # chartDivergingColors
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
        columns += _columns(character)
        if columns > width:
            kept.append("…")
            break
        kept.append(character)
    return "".join(kept) or "␣"


def _columns(text: str) -> int:
    """How wide it is drawn: a Chinese character takes two columns, an accent none."""
    return sum(
        0 if unicodedata.category(each)[0] in "CM" else 2 if unicodedata.east_asian_width(each) in "WF" else 1
        for each in text
    )


def _figure(trace: go.Bar | go.Heatmap, *, height: int) -> go.Figure:
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


def bars(scores: Mapping[str, float], *, threshold: float | None = None) -> go.Figure:
    """Horizontal bars of the best BARS_SHOWN of `scores` (label -> probability, best first), best on top.

    A cinnabar line stands at the `threshold`.
    """
    figure = _bars(scores, {name: f"{value:.1%}" for name, value in scores.items()}, "%{customdata}: %{x:.4f}")
    if threshold is not None:
        figure.add_vline(x=threshold, line={"color": _CINNABAR, "width": 1.5})
    return figure


def count_bars(counts: Mapping[str, int]) -> go.Figure:
    """Horizontal bars of the first BARS_SHOWN of `counts` as shares of all of them, the numbers beside."""
    total = max(1, sum(counts.values()))
    shares = {name: count / total for name, count in counts.items()}
    return _bars(shares, {name: f"{counts[name]:,} · {share:.1%}" for name, share in shares.items()}, "%{customdata}")


def mean_bars(means: Mapping[str, tuple[float, int]]) -> go.Figure:
    """Horizontal bars of (a mean in [0, 1], over how many), BARS_SHOWN at most."""
    texts = {name: f"{mean:.1%} · {count:,}" for name, (mean, count) in means.items()}
    return _bars({name: mean for name, (mean, _) in means.items()}, texts, "%{customdata}: %{x:.4f}")


def _bars(values: Mapping[str, float], texts: Mapping[str, str], hover: str) -> go.Figure:
    names, lengths = list(values)[:BARS_SHOWN], list(values.values())[:BARS_SHOWN]
    longest = max((len(texts[name]) for name in names), default=0)
    trace = go.Bar(
        x=lengths,
        y=list(range(len(lengths))),  # places, not names: two long labels may look alike once cut
        orientation="h",
        marker={"color": _INK, "opacity": [0.35 + 0.65 * value for value in lengths], "cornerradius": 3},
        text=[texts[name] for name in names],
        textposition="outside",
        textfont={"color": _INK},
        cliponaxis=False,
        customdata=[escape(name, width=80) for name in names],
        hovertemplate=f"{hover}<extra></extra>",
    )
    figure = _figure(trace, height=32 + 38 * max(2, len(lengths)))
    figure.update_xaxes(range=[0, 1.12 if longest < 8 else 1.45], showticklabels=False)
    figure.update_yaxes(
        autorange="reversed",
        tickmode="array",
        tickvals=list(range(len(names))),
        ticktext=[escape(name) for name in names],
        tickfont={"size": 14, "color": _INK},
    )
    return figure


def means_over_time(means: Mapping[str, tuple[float, int]]) -> go.Figure:
    """A line of means in [0, 1] over periods in their order; the larger a point, the more there is in it."""
    names, values = list(means), [mean for mean, _ in means.values()]
    counts = [count for _, count in means.values()]
    most = max(counts, default=1)
    trace = go.Scatter(
        x=list(range(len(names))),
        y=values,
        mode="lines+markers",
        line={"color": _INK, "width": 1.5},
        marker={"color": _INK, "size": [6 + 8 * (count / most) ** 0.5 for count in counts]},
        customdata=[f"{escape(name)} ({count:,})" for name, count in zip(names, counts, strict=True)],
        hovertemplate="%{customdata}: %{y:.1%}<extra></extra>",
        cliponaxis=False,
    )
    figure = _figure(trace, height=240)
    every = max(1, -(-len(names) // 6))  # on a phone there is room for about six
    figure.update_xaxes(
        tickmode="array",
        tickvals=list(range(0, len(names), every)),
        ticktext=[escape(name) for name in names[::every]],
        tickfont={"color": _INK},
    )
    figure.update_yaxes(
        range=[0, 1.02], tickformat=".0%", tickvals=[0, 0.5, 1], tickfont={"color": _INK}, showgrid=True
    )
    return figure


def confidence_histogram(counts: Sequence[int]) -> go.Figure:
    """Columns of how many scores lie in each of equal parts of 0 to 1, from the first that is not empty."""
    width = 1 / len(counts)
    first = next((index for index, count in enumerate(counts) if count), 0)
    shown = list(counts)[first:]
    largest = max(max(shown), 1)
    trace = go.Bar(
        x=[width * (index + 0.5) for index in range(first, len(counts))],
        y=shown,
        width=0.84 * width,
        marker={"color": _INK, "opacity": [0.35 + 0.65 * count / largest for count in shown], "cornerradius": 3},
        customdata=[f"{width * index:.0%}–{width * (index + 1):.0%}" for index in range(first, len(counts))],
        hovertemplate="%{customdata}: %{y:,}<extra></extra>",
    )
    figure = _figure(trace, height=200)
    figure.update_layout(margin={"l": 16, "r": 24})  # room for half a name below the first and the last column
    start = width * first
    figure.update_xaxes(
        range=[start, 1], tickvals=[start, (start + 1) / 2, 1], tickformat=".3~p", tickfont={"color": _INK}
    )
    figure.update_yaxes(showticklabels=False)
    return figure


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
    figure = _figure(trace, height=48 + 40 * len(rows))
    if max(counts.shape) <= VALUES_SHOWN:
        rows_at, columns_at = (range(size) for size in shares.shape)
        texts = [f"{count:,}" for count in counts.ravel()]
        figure.add_trace(_cell_numbers(shares, rows_at, columns_at, texts=texts))
    for axis, names in ((figure.update_xaxes, columns), (figure.update_yaxes, rows)):
        axis(
            tickmode="array",
            tickvals=list(range(len(names))),
            ticktext=[escape(name, width=12) for name in names],
            tickfont={"color": _INK},
        )
    figure.update_xaxes(side="top", tickangle=0 if len(columns) <= 6 else -45)
    figure.update_yaxes(autorange="reversed")
    return figure


def histogram(counts: HistogramCounts) -> go.Figure:
    """Columns of how often there was a value in each bucket, up to the last that is not empty."""
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
        marker={"color": _INK, "opacity": [0.35 + 0.65 * count / largest for count in shown], "cornerradius": 3},
        text=[f"{count:,}" if count else "" for count in shown],
        textposition="outside",
        textfont={"color": _INK},
        cliponaxis=False,
        hoverinfo="skip",
    )
    figure = _figure(trace, height=200)
    figure.update_layout(margin={"t": 24})
    figure.update_xaxes(
        type="linear",
        range=[-0.5, max(8, len(shown)) - 0.5],
        tickmode="array",
        tickvals=list(range(len(shown))),
        ticktext=names[: last + 1],
        tickfont={"color": _INK},
    )
    figure.update_yaxes(range=[0, 1.05 * largest], showticklabels=False)
    return figure


def speeds(names: Sequence[str], per_s: Sequence[float], *, texts: Sequence[str], strong: Sequence[bool]) -> go.Figure:
    """Horizontal bars in the order given, with `texts` at their ends; the `strong` ones denser."""
    trace = go.Bar(
        x=list(per_s),
        y=list(range(len(per_s))),
        orientation="h",
        marker={"color": _INK, "opacity": [0.9 if each else 0.45 for each in strong], "cornerradius": 3},
        text=list(texts),
        textposition="outside",
        textfont={"color": _INK},
        cliponaxis=False,
        hoverinfo="skip",
    )
    figure = _figure(trace, height=24 + 34 * len(per_s))
    figure.update_xaxes(range=[0, 1.4 * max(per_s)], showticklabels=False)
    _name_rows(figure, names)
    return figure


def padding(names: Sequence[str], real: Sequence[int], computed: Sequence[int]) -> go.Figure:
    """Horizontal bars of the pieces that are computed: ink for those of texts, cinnabar for padding, with its share."""
    rows = list(range(len(names)))
    figure = _figure(
        go.Bar(
            x=list(real),
            y=rows,
            orientation="h",
            marker={"color": _INK, "opacity": 0.75},
            hovertemplate="%{x:,}<extra></extra>",
        ),
        height=24 + 34 * len(names),
    )
    figure.add_trace(
        go.Bar(
            x=[all_ - own for own, all_ in zip(real, computed, strict=True)],
            y=rows,
            orientation="h",
            marker={"color": _CINNABAR, "opacity": 0.75},
            text=[f"{1 - own / all_:.0%}" for own, all_ in zip(real, computed, strict=True)],
            textposition="outside",
            textfont={"color": _INK},
            cliponaxis=False,
            hovertemplate="%{x:,}<extra></extra>",
        )
    )
    figure.update_layout(barmode="stack")
    figure.update_xaxes(range=[0, 1.14 * max(computed)], showticklabels=False)
    _name_rows(figure, names)
    return figure


def _name_rows(figure: go.Figure, names: Sequence[str]) -> None:
    figure.update_yaxes(
        autorange="reversed",
        tickmode="array",
        tickvals=list(range(len(names))),
        ticktext=[escape(name, width=30) for name in names],
        tickfont={"size": 14, "color": _INK},
    )


def spreads(values: Mapping[str, Sequence[float]]) -> go.Figure:
    """How probabilities of two kinds are spread over fifths of the range: columns side by side, ink and cinnabar.

    `values` maps a name of the app's own to its probabilities; heights are shares of each kind, so that a longer list
    does not look like a better one.
    """
    figure = _figure(go.Bar(), height=260)
    figure.data = ()
    edges = np.linspace(0.0, 1.0, 6)
    fifths = [f"{low:.0%}–{high:.0%}" for low, high in pairwise(edges)]
    highest = 0.0
    for (name, of), colour in zip(values.items(), (_INK, _CINNABAR), strict=True):
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
                textfont={"color": _INK},
                cliponaxis=False,
                hoverinfo="skip",
            )
        )
    figure.update_layout(
        showlegend=True,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "font": {"color": _INK}},
    )
    figure.update_xaxes(type="category", tickfont={"color": _INK})
    figure.update_yaxes(range=[0, 1.15 * highest], showticklabels=False)
    return figure


def _cell_numbers(
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
        textfont={"color": [_PAPER if value >= 0.45 else _INK for value in density.ravel()]},
        hoverinfo="skip",
    )


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
            "tickfont": {"color": _INK},
        },
    )
    figure = _figure(trace, height=(40 if small else 90) + (len(rows) * (44 if small else 24) if labelled else 600))
    if small:
        figure.add_trace(_cell_numbers(values, down, across, low=low))
    figure.update_layout(
        shapes=[
            {
                "type": "rect",  # a category's place on its axis is its number
                **{"x0": start - 0.5, "x1": end - 0.5, "y0": start - 0.5, "y1": end - 0.5},
                "line": {"color": _CINNABAR, "width": 2},
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
            tickfont={"color": _INK},
        )
    figure.update_xaxes(side="top")
    figure.update_yaxes(autorange="reversed")
    return figure


def _lines(text: str, parts: Sequence[Part]) -> list[tuple[int, int, int, str, Part]]:
    """Where each part is drawn: row, first column, width, characters. What does not fit on a line is cut there."""
    placed: list[tuple[int, int, int, str, Part]] = []
    row = column = 0
    previous = 0
    for part in parts:
        if column and text[previous : part.start].strip() != text[previous : part.start]:
            column += 1
        previous = part.end
        rest = text[part.start : part.end]
        if 0 < LINE_COLUMNS - column < _columns(rest) <= LINE_COLUMNS // 2:
            row, column = row + 1, 0
        while rest:
            if column >= LINE_COLUMNS - 1:
                row, column = row + 1, 0
            fitting = 1
            while fitting < len(rest) and _columns(rest[: fitting + 1]) <= LINE_COLUMNS - column:
                fitting += 1
            width = max(1, _columns(rest[:fitting]))
            placed.append((row, column, width, rest[:fitting], part))
            column += width
            rest = rest[fitting:]
    return placed


def ink_text(
    text: str, parts: Sequence[Part], *, strongest: float, told: Callable[[float], str] = "{:+.3f}".format
) -> go.Figure:
    """A text whose parts lie on ink where their weight is positive, on cinnabar where it is negative.

    The more the denser; `strongest` is the weight, of either sign, that is densest. `told` writes it for the hover.
    """
    rows, lefts, widths, shown, of = zip(*_lines(text, parts), strict=True)
    scale = strongest or 1.0
    weights = [part.weight for part in of]
    trace = go.Bar(
        base=lefts,
        x=widths,
        y=rows,
        orientation="h",
        width=0.86,
        marker={
            "color": weights,
            "colorscale": _FROM_CINNABAR_TO_INK,
            "cmin": -scale,
            "cmax": scale,
            "cornerradius": 3,
            "line": {"width": 1, "color": _PAPER},
        },
        text=[escape(each) for each in shown],
        textposition="inside",
        insidetextanchor="middle",
        textangle=0,
        constraintext="none",
        insidetextfont={"size": 16, "color": [_PAPER if abs(weight) > 0.5 * scale else _INK for weight in weights]},
        customdata=[escape(text[part.start : part.end], width=60) for part in of],
        hovertemplate=[f"%{{customdata}} {told(weight)}<extra></extra>" for weight in weights],
    )
    count = rows[-1] + 1
    figure = _figure(trace, height=16 + 40 * count)
    figure.update_layout(barmode="overlay", margin={"l": 0, "r": 0, "t": 8, "b": 8})
    figure.update_xaxes(range=[0, LINE_COLUMNS], showticklabels=False)
    figure.update_yaxes(range=[count - 0.5, -0.5], showticklabels=False)
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
    figure = _figure(trace, height=48 + 32 * len(rows))
    mutual = (cosines == cosines.max(axis=1, keepdims=True)) & (cosines == cosines.max(axis=0, keepdims=True))
    at_rows, at_columns = np.nonzero(mutual)
    figure.add_trace(
        go.Scatter(
            x=at_columns,
            y=at_rows,
            mode="markers",
            marker={"color": _CINNABAR, "size": 9, "line": {"width": 1, "color": _PAPER}},
            hoverinfo="skip",
        )
    )
    for axis, names in ((figure.update_xaxes, columns), (figure.update_yaxes, rows)):
        axis(
            tickmode="array",
            tickvals=list(range(len(names))),
            ticktext=[escape(name, width=8) for name in names],
            tickfont={"color": _INK, "size": 14},
        )
    figure.update_xaxes(side="top", tickangle=0)
    figure.update_yaxes(autorange="reversed")
    return figure


def waterfall(bars: Sequence[tuple[str, float, float, str]], *, saved: Sequence[bool]) -> go.Figure:
    """Horizontal bars (name, from, to, what is written beside it), first on top; in cinnabar where `saved`."""
    most = max(high for _, _, high, _ in bars)
    trace = go.Bar(
        base=[low for _, low, _, _ in bars],
        x=[max(high - low, most / 300) for _, low, high, _ in bars],  # nothing saved is a line, not nothing drawn
        y=list(range(len(bars))),
        orientation="h",
        marker={"color": [_CINNABAR if each else _INK for each in saved], "cornerradius": 3},
        hoverinfo="skip",
    )
    figure = _figure(trace, height=24 + 46 * len(bars))
    for place, (name, _, _, size) in enumerate(bars):  # above its bar: on a phone there is no room beside it
        text = f"{escape(name, width=44)}  <b>{escape(size)}</b>"
        figure.add_annotation(x=0, y=place - 0.44, text=text, showarrow=False, xanchor="left", font={"color": _INK})
    figure.update_layout(bargap=0.6)
    figure.update_xaxes(range=[0, most], showticklabels=False)
    figure.update_yaxes(range=[len(bars) - 0.6, -0.75], showticklabels=False)
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
    figure = _figure(trace, height=56 + 36 * len(rows))
    down, across = np.indices(batches.shape)
    figure.add_trace(
        go.Scatter(
            x=across.ravel(),
            y=down.ravel(),
            mode="text",
            text=[f"{batch:,}" if batch else "·" for batch in batches.ravel()],
            textfont={"color": [_PAPER if each >= 0.45 * most else _INK for each in density.ravel()]},
            hoverinfo="skip",
        )
    )
    for axis, names in ((figure.update_xaxes, columns), (figure.update_yaxes, rows)):
        axis(tickmode="array", tickvals=list(range(len(names))), ticktext=list(names), tickfont={"color": _INK})
    figure.update_xaxes(side="top", tickangle=0)
    figure.update_yaxes(autorange="reversed")
    return figure
