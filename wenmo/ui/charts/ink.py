"""A text whose parts are the darker, the larger their weights are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import plotly.graph_objects as go

from wenmo.types import Part
from wenmo.ui.charts.figure import (
    DIVERGED,
    FROM_CINNABAR_TO_INK,
    LINE_COLUMNS,
    PAPER,
    columns_of,
    escape,
    new_figure,
    text_on,
)


def _lines(text: str, parts: Sequence[Part]) -> list[tuple[int, int, int, str, Part]]:
    """The pieces to draw: (row, first column, width, characters, part). A part that does not fit on a line is split."""
    placed: list[tuple[int, int, int, str, Part]] = []
    row = column = 0
    previous = 0
    for part in parts:
        if column and text[previous : part.start].strip() != text[previous : part.start]:
            column += 1
        previous = part.end
        rest = text[part.start : part.end]
        if 0 < LINE_COLUMNS - column < columns_of(rest) <= LINE_COLUMNS // 2:
            row, column = row + 1, 0
        while rest:
            if column >= LINE_COLUMNS - 1:
                row, column = row + 1, 0
            fitting = 1
            while fitting < len(rest) and columns_of(rest[: fitting + 1]) <= LINE_COLUMNS - column:
                fitting += 1
            width = max(1, columns_of(rest[:fitting]))
            placed.append((row, column, width, rest[:fitting], part))
            column += width
            rest = rest[fitting:]
    return placed


def ink_text(
    text: str, parts: Sequence[Part], *, strongest: float, in_words: Callable[[float], str] = "{:+.3f}".format
) -> go.Figure:
    """`text` with its parts on ink where their weights are positive, on cinnabar where they are negative.

    The ink is densest at the weights `strongest` and -`strongest`. `in_words` writes a weight for the tooltip.
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
            "colorscale": FROM_CINNABAR_TO_INK,
            "cmin": -scale,
            "cmax": scale,
            "cornerradius": 3,
            "line": {"width": 1, "color": PAPER},
        },
        text=[escape(each) for each in shown],
        textposition="inside",
        insidetextanchor="middle",
        textangle=0,
        constraintext="none",
        insidetextfont={"size": 16, "color": [text_on(abs(weight) / scale, dense=DIVERGED) for weight in weights]},
        customdata=[escape(text[part.start : part.end], width=60) for part in of],
        hovertemplate=[f"%{{customdata}} {in_words(weight)}<extra></extra>" for weight in weights],
    )
    count = rows[-1] + 1
    figure = new_figure(trace, height=16 + 40 * count)
    figure.update_layout(barmode="overlay", margin={"l": 0, "r": 0, "t": 8, "b": 8})
    figure.update_xaxes(range=[0, LINE_COLUMNS], showticklabels=False)
    figure.update_yaxes(range=[count - 0.5, -0.5], showticklabels=False)
    return figure
