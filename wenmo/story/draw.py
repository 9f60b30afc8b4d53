"""A step as HTML, for the page and for the one file that is handed on: the same markup and stylesheet for both.

Why not Plotly, as the charts elsewhere: these must fill a screen with large type, need no script in the file, and are
read by a screen reader as the list that they are. Every text is escaped; nothing but numbers goes into a style.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Literal

from wenmo.errors import Language
from wenmo.lab.report import page
from wenmo.paths import STATIC
from wenmo.story.steps import Line, Mark, Step
from wenmo.story.words import WORDS

_SERIF = STATIC / "wenmo-serif.woff2"
STYLE = Path(__file__).with_name("story.css")
NUMERALS = "壹贰叁肆伍陆"  # as seals have them

# What holds the pages of the file; the app's theme brings its own, and the font.
_FILE_STYLE = """
@font-face { font-family: "Wenmo Serif"; font-weight: 600 700; src: url(data:font/woff2;base64,%s); }
:root { color-scheme: light dark; }
html { scroll-snap-type: y proximity; }
body { max-width: none; padding: 0; }
.wm-story { min-height: 100vh; box-sizing: border-box; padding: 6vh 6vw; scroll-snap-align: start; break-after: page; }
@media print { .wm-story { min-height: 0; } }
"""


def section(step: Step, *, number: int, level: Literal[1, 2] = 1) -> str:
    """The step with that `number`, from 1; its title is a heading of `level`."""
    chart = ""
    if step.lines:
        rows = "".join(_row(line, step.scale) for line in step.lines)
        kind = " wm-pairs" if any(len(line.marks) > 1 for line in step.lines) else ""
        chart = f'<ul class="wm-rows{kind}" style="--rows:{len(step.lines)}">{rows}</ul>'
    notes = "".join(f"<p>{escape(note)}</p>" for note in step.notes)
    return (
        f'<section class="wm-story" id="{step.key}">'
        f'<div class="wm-head"><span class="wm-numeral" aria-hidden="true">{NUMERALS[number - 1]}</span>'
        f"<h{level}>{escape(step.title)}</h{level}></div>"
        f'<p class="wm-say">{escape(step.sentence)}</p>{chart}<div class="wm-notes">{notes}</div></section>'
    )


def as_html(steps: Sequence[Step], *, language: Language) -> str:
    """All steps in a file without a script, a screen each; printed, a sheet each."""
    body = "\n".join(section(step, number=number, level=2) for number, step in enumerate(steps, start=1))
    return page(title=WORDS[language]["title"], body=body, language=language, style=_style())


@cache
def _style() -> str:
    font = base64.b64encode(_SERIF.read_bytes()).decode("ascii")
    return STYLE.read_text(encoding="utf-8") + _FILE_STYLE.replace("%s", font)


def _row(line: Line, scale: tuple[float, float]) -> str:
    marks = "".join(_mark(mark, scale) for mark in line.marks)
    return f'<li><span class="wm-name">{escape(line.name)}</span><span class="wm-tracks">{marks}</span></li>'


def _mark(mark: Mark, scale: tuple[float, float]) -> str:
    place = mark.bar or mark.range or (mark.dot or scale[0],)  # a label stands at the end of what is widest
    drawn = "".join(
        f'<span class="{name}" style="{_span(found, scale)}"></span>'
        for name, found in (
            ("wm-bar", mark.bar),
            ("wm-range", mark.range),
            ("wm-dot", None if mark.dot is None else (mark.dot, mark.dot)),
        )
        if found is not None
    )
    at = _at(place[-1], scale)
    strong = " wm-strong" if mark.strong else ""
    label = f'<span class="wm-value" style="--at:{at:.4f}">{escape(mark.label)}</span>'
    return f'<span class="wm-track{strong}">{drawn}{label}</span>'


def _span(found: tuple[float, float], scale: tuple[float, float]) -> str:
    start, end = (_at(value, scale) for value in found)
    return f"--at:{start:.4f};--long:{end - start:.4f}"


def _at(value: float, scale: tuple[float, float]) -> float:
    """Where on the chart, 0 to 1."""
    low, high = scale
    return (value - low) / (high - low) if high > low else 0.0
