"""The chart of live memory, redrawn every two seconds: HTML and CSS without a script.

Plotly, which draws the other charts, does not fit here: Streamlit 1.67 gives a Plotly chart a new identity with every
change of its data, so that the browser builds a second one beside the old one, and the page jumps. A Vega-Lite chart
stays in place, but the browser keeps memory of every drawing, some hundred MiB an hour. This chart leaks nothing.

Streamlit removes SVG from HTML, so that the lines are SVG in a CSS mask, which lets the theme's ink show through.
Tooltips are CSS, too. Every text is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal
from urllib.parse import quote

import streamlit as st

Unit = Literal["MiB", "%"]

_SIDE = 1000  # side of the square that the lines are drawn in, which the browser stretches
_STRIPS = 60  # vertical strips, each with a tooltip of its values
_STEPS = (1, 2, 4, 6, 8, 10)  # tops of a scale, times a power of ten; their halves are round numbers, too


@dataclass(frozen=True, kw_only=True)
class Line:
    """A series over time: `values` (N,), None for a gap, at `seconds` (N,), which are 0 now and negative before."""

    name: str
    seconds: Sequence[float]
    values: Sequence[float | None]


@dataclass(frozen=True, kw_only=True)
class Mark:
    """An event from `begin` to `end`, in seconds that are 0 now and negative before."""

    begin: float
    end: float
    text: str


def draw(lines: Sequence[Line], marks: Sequence[Mark], *, unit: Unit, ticks: Mapping[float, str], alt: str) -> None:
    """Draw at most three lines, and each mark as a vertical line whose head is as wide as the event was long.

    `ticks` maps evenly spaced times, from the start of the window to 0, to their labels.
    """
    st.html(picture(lines, marks, unit=unit, ticks=ticks, alt=alt))


def picture(lines: Sequence[Line], marks: Sequence[Mark], *, unit: Unit, ticks: Mapping[float, str], alt: str) -> str:
    """The chart as HTML."""
    window_s = -min(ticks)
    highest = max((value for line in lines for value in line.values if value is not None), default=0.0)
    top = scale_top(max(highest, 1.0 if unit == "MiB" else 100.0))
    suffix = " MiB" if unit == "MiB" else "%"
    legend = "".join(f'<span class="wm-ink{place}">{escape(line.name)}</span>' for place, line in enumerate(lines))
    strokes = "".join(_stroke(place, path(line, window_s, top)) for place, line in enumerate(lines))
    heads = "".join(_head(mark, window_s) for mark in marks)
    scale = "".join(f"<span>{value:,g}{suffix}</span>" for value in (top, top / 2, 0))
    return (
        f'<figure class="wm-timeline" role="img" aria-label="{escape(alt)}"><figcaption>{legend}</figcaption>'
        f'<div class="wm-plot {"wm-tall" if unit == "MiB" else "wm-low"}"><div class="wm-scale">{scale}</div>'
        f'<div class="wm-field">{strokes}'
        f"{_strips(lines, window_s, suffix)}{heads}</div></div>"
        f'<div class="wm-ticks">{"".join(f"<span>{escape(name)}</span>" for name in ticks.values())}</div></figure>'
    )


def scale_top(highest: float) -> float:
    """The top of a scale for values up to `highest` > 0: the next round number."""
    power = 10.0 ** math.floor(math.log10(highest))
    return next(step * power for step in _STEPS if step * power >= highest)


def _stroke(place: int, data: str) -> str:
    """A line as a CSS mask over the colour of the text; `place` selects the colour and the dashes."""
    dashes = "5 4" if place == 2 else "none"
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_SIDE} {_SIDE}' preserveAspectRatio='none'>"
        f"<path d='{data}' fill='none' stroke='black' stroke-width='2' stroke-dasharray='{dashes}' "
        "vector-effect='non-scaling-stroke'/></svg>"
    )
    mask = escape(f'url("data:image/svg+xml,{quote(svg, safe=" =:/")}")')
    return f'<span class="wm-stroke wm-ink{place}" style="mask-image:{mask}"></span>'


def path(line: Line, window_s: float, top: float) -> str:
    """The line as SVG path data, interrupted at gaps."""
    parts, pen_down = [], False
    for at, value in zip(line.seconds, line.values, strict=True):
        if value is None:
            pen_down = False
            continue
        x, y = _SIDE * (1 + at / window_s), _SIDE * (1 - value / top)
        parts.append(f"{'L' if pen_down else 'M'}{x:.0f} {y:.0f}")
        pen_down = True
    return "".join(parts)


def _head(mark: Mark, window_s: float) -> str:
    """A mark with its tooltip."""
    left, width = 100 * (1 + mark.begin / window_s), 100 * (mark.end - mark.begin) / window_s
    style = f"left:{left:.2f}%;width:{width:.2f}%"
    side = " wm-left" if left > 50 else ""
    return f'<span class="wm-mark{side}" style="{style}" data-text="{escape(mark.text)}"></span>'


def _strips(lines: Sequence[Line], window_s: float, suffix: str) -> str:
    """Vertical strips whose tooltips show the highest value of each line in that strip of time."""
    texts: list[list[str]] = [[] for _ in range(_STRIPS)]
    for line in lines:
        peaks: dict[int, float] = {}
        for at, value in zip(line.seconds, line.values, strict=True):
            place = min(_STRIPS - 1, int(_STRIPS * (1 + at / window_s)))
            if value is not None:
                peaks[place] = max(value, peaks.get(place, value))
        for place, value in peaks.items():
            texts[place].append(f"{line.name} {value:,.1f}{suffix}")
    return "".join(
        f'<span class="wm-strip{" wm-left" if 2 * place > _STRIPS else ""}" '
        f'style="left:{100 * place / _STRIPS:.2f}%" data-text="{escape(" · ".join(said))}"></span>'
        for place, said in enumerate(texts)
        if said
    )
