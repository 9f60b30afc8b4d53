"""Groups of texts as tiles: the larger a group, the larger its tile and the denser its ink."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from wenmo.ui.charts.figure import PAPER, escape, new_figure, text_on

TILES_SHOWN = 30
_TEXTS_SHOWN = 8  # of a group in its tooltip
_HEIGHT = 420


def tiles(groups: Sequence[Sequence[str]], cosines: Sequence[Sequence[float]]) -> go.Figure:
    """The first TILES_SHOWN of `groups`, the largest first; each begins with the text that represents it.

    `cosines` are those of its texts to that text, for the tooltip.
    """
    shown = groups[:TILES_SHOWN]
    most = max((len(group) for group in shown), default=1)
    density = [0.04 + 0.78 * (len(group) - 1) / max(most - 1, 1) for group in shown]
    trace = go.Treemap(
        ids=[str(number) for number in range(len(shown))],
        labels=[escape(group[0], width=40) for group in shown],
        parents=[""] * len(shown),
        values=[len(group) for group in shown],
        text=[str(len(group)) for group in shown],
        customdata=[_lines(group, near) for group, near in zip(shown, cosines, strict=False)],
        texttemplate="%{label}<br>%{text}",
        hovertemplate="%{customdata}<extra></extra>",
        marker={
            "colors": density,
            "cmin": 0.0,
            "cmax": 1.0,
            "cornerradius": 2,
            "line": {"width": 2, "color": PAPER},
            "pad": {"t": 0, "l": 0, "r": 0, "b": 0},
        },
        root={"color": "rgba(0,0,0,0)"},
        textfont={"size": 14, "color": [text_on(value) for value in density]},
        tiling={"pad": 2},
        pathbar={"visible": False},
        textposition="middle center",
    )
    return new_figure(trace, height=_HEIGHT)


def _lines(group: Sequence[str], cosines: Sequence[float]) -> str:
    """The texts of a group for its tooltip, one a line, with their cosines."""
    lines = [
        f"{cosine:.3f} {escape(text, width=60)}"
        for text, cosine in list(zip(group, cosines, strict=True))[:_TEXTS_SHOWN]
    ]
    if len(group) > _TEXTS_SHOWN:
        lines.append(f"… {len(group) - _TEXTS_SHOWN:,}")
    return "<br>".join(lines)
