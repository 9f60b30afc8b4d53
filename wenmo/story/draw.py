"""A step as HTML, for the page and for the one file that is handed on: the same markup and stylesheet for both.

Charts here are not Plotly's, as elsewhere on the pages: these must fill a screen with large type, and need no script in
the file. Every text is escaped; nothing but numbers goes into a style.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Literal

from wenmo.errors import Language
from wenmo.lab.document import Text, cell_in
from wenmo.lab.html import CHART_STYLE, chart, page, paragraph
from wenmo.paths import STATIC
from wenmo.story.steps import StoryStep

TITLE = Text("文墨共鸣 · 省下了什么", "Wenmo · what was saved")
NUMERALS = "壹贰叁肆伍陆"  # as seals have them
_SERIF = STATIC / "wenmo-serif.woff2"
_STEP_STYLE = Path(__file__).with_name("story.css")
# What holds the pages of the file; the app's theme brings its own, and the font.
_FILE_STYLE = """
@font-face { font-family: "Wenmo Serif"; font-weight: 600 700; src: url(data:font/woff2;base64,%s); }
html { scroll-snap-type: y proximity; }
body { max-width: none; padding: 0; }
.wm-story { min-height: 100vh; box-sizing: border-box; padding: 6vh 6vw; scroll-snap-align: start; break-after: page; }
@media print { .wm-story { min-height: 0; } }
"""


def section(step: StoryStep, *, number: int, language: Language, level: Literal[1, 2] = 1) -> str:
    """The step with that `number`, from 1; its title is a heading of `level`."""
    shown = "".join(
        f'<figure class="wm-chart"><figcaption>{escape(cell_in(each.title, language))}</figcaption>'
        f"{chart(each, language)}</figure>"
        for each in step.charts
    )
    numbers = "".join(
        f"<div><dt>{escape(cell_in(name, language))}</dt><dd>{escape(cell_in(value, language))}</dd></div>"
        for name, value in step.figures
    )
    figures = f'<dl class="wm-figures">{numbers}</dl>' if numbers else ""
    premise = "" if step.premise is None else paragraph(step.premise, language, kind="wm-premise")
    notes = "".join(paragraph(note, language) for note in step.notes)
    return (
        f'<section class="wm-story" id="{step.key}">'
        f'<div class="wm-head"><span class="wm-numeral" aria-hidden="true">{NUMERALS[number - 1]}</span>'
        f"<h{level}>{escape(step.title.in_(language))}</h{level}></div>"
        f"{premise}{paragraph(step.sentence, language, kind='wm-say')}{figures}{shown}"
        f'<div class="wm-notes">{notes}</div></section>'
    )


@cache
def style() -> str:
    """The stylesheet of steps."""
    return CHART_STYLE + _STEP_STYLE.read_text(encoding="utf-8")


def as_html(steps: Sequence[StoryStep], *, language: Language) -> str:
    """All steps in a file without a script, a screen each; printed, a sheet each."""
    body = "\n".join(
        section(step, number=number, language=language, level=2) for number, step in enumerate(steps, start=1)
    )
    return page(title=TITLE.in_(language), body=body, language=language, style=_file_style())


@cache
def _file_style() -> str:
    font = base64.b64encode(_SERIF.read_bytes()).decode("ascii")
    return _STEP_STYLE.read_text(encoding="utf-8") + _FILE_STYLE.replace("%s", font)
