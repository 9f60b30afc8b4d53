"""A chart of the last minutes that is drawn again every other second, as a plain picture: HTML without a script.

Why not Plotly, as the other charts: Streamlit 1.67 gives a Plotly chart a new identity with every change of its data,
so that the browser builds it anew beside the old one, and the page jumps. A Vega-Lite chart stays, but keeps some of
every drawing: some hundred MiB an hour. This picture costs the browser nothing that it does not give back.

Lines are SVG that stands in the stylesheet as a mask, because Streamlit takes SVG out of HTML; through a mask the
theme's own ink is seen. What is pointed at shows its text by the stylesheet alone. Every text is escaped.
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

_SIDE = 1000  # of the square that the lines are drawn in; the browser stretches it to the room there is
_STRIPS = 60  # upright strips that show the values below the pointer
_STEPS = (1, 2, 4, 6, 8, 10)  # tops of a scale, times a power of ten: halves of them are plain numbers, too


@dataclass(frozen=True, kw_only=True)
class Line:
    """A series over time: `seconds` before now (N,), at most 0, and `values` (N,), None where there is a gap."""

    name: str
    seconds: Sequence[float]
    values: Sequence[float | None]


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Something that happened, from and to these seconds before now."""

    begin: float
    end: float
    text: str


def draw(lines: Sequence[Line], marks: Sequence[Mark], *, unit: Unit, ticks: Mapping[float, str], alt: str) -> None:
    """At most three lines, and marks as upright lines whose head is as long as what they stand for took.

    `ticks` name evenly spaced places on the axis of time, in seconds before now, the farthest first and now last.
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
    """The end of a scale that holds `highest` > 0, a plain number."""
    power = 10.0 ** math.floor(math.log10(highest))
    return next(step * power for step in _STEPS if step * power >= highest)


def _stroke(place: int, data: str) -> str:
    """The line of that place as a picture in CSS; what it lets through is the colour of the text around it."""
    dashes = "5 4" if place == 2 else "none"
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_SIDE} {_SIDE}' preserveAspectRatio='none'>"
        f"<path d='{data}' fill='none' stroke='black' stroke-width='2' stroke-dasharray='{dashes}' "
        "vector-effect='non-scaling-stroke'/></svg>"
    )
    mask = escape(f'url("data:image/svg+xml,{quote(svg, safe=" =:/")}")')
    return f'<span class="wm-stroke wm-ink{place}" style="mask-image:{mask}"></span>'


def path(line: Line, window_s: float, top: float) -> str:
    """SVG's path data; a gap begins a new stroke."""
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
    left, width = 100 * (1 + mark.begin / window_s), 100 * (mark.end - mark.begin) / window_s
    style = f"left:{left:.2f}%;width:{width:.2f}%"
    side = " wm-left" if left > 50 else ""
    return f'<span class="wm-mark{side}" style="{style}" data-text="{escape(mark.text)}"></span>'


def _strips(lines: Sequence[Line], window_s: float, suffix: str) -> str:
    """Of each strip of time the highest value of each line, to be read by pointing at it."""
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
