"""Sections as HTML in a file that needs nothing else: no script, no link, no picture. Every text is escaped.

Charts are lists of rows whose bars are styled boxes: a screen reader reads them, a phone and a printer show them, and
the file weighs some tens of kB where Plotly alone would weigh 4.5 MB.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from wenmo.errors import Language
from wenmo.lab.document import Cell, Chart, Grid, Line, Mark, Section, Table, cell_in

# Places on a chart are --at and --long, 0 to 1 of --wm-room, the share of the width that the longest label leaves. The
# class is doubled where a rule must win over Streamlit's own for lists.
CHART_STYLE = """
.wm-rows { --wm-better: light-dark(#2b6a6c, #74b3ae); --wm-room: 0.8;
  print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.wm-rows.wm-rows { margin: 0; padding: 0; list-style: none; }
.wm-rows.wm-rows > li { display: grid; grid-template-columns: minmax(9rem, 21%) 1fr; gap: 0 1.4rem; align-items: center;
  margin: 0; padding: 0; color: inherit; font-size: inherit; }
.wm-name { text-align: end; opacity: 0.8; text-wrap: balance; }
.wm-tracks { display: block; border-left: 1px solid color-mix(in srgb, currentColor 30%, transparent); }
.wm-track { position: relative; display: block; height: 2.2rem; }
:is(.wm-bar, .wm-range, .wm-dot) { position: absolute; left: calc(var(--at) * var(--wm-room) * 100%);
  width: calc(var(--long) * var(--wm-room) * 100%); }
.wm-bar { top: 12%; bottom: 12%; min-width: 2px; border-radius: 0 0.2rem 0.2rem 0;
  background: linear-gradient(90deg, currentColor, color-mix(in srgb, currentColor 78%, transparent)); }
.wm-range { top: 50%; height: 2px; margin-top: -1px; background: currentColor; }
.wm-bar + .wm-range { top: 97%; }
.wm-dot { top: 50%; width: 0.8em; height: 0.8em; margin: -0.4em; border-radius: 50%; background: currentColor; }
.wm-strong :is(.wm-bar, .wm-range, .wm-dot) { background: var(--wm-better); }
.wm-predicted .wm-bar { --wm-hatch: currentColor; border: 2px solid var(--wm-hatch); box-sizing: border-box;
  background: repeating-linear-gradient(135deg, color-mix(in srgb, var(--wm-hatch) 55%, transparent) 0 2px,
  transparent 2px 7px); }
.wm-predicted.wm-strong .wm-bar { --wm-hatch: var(--wm-better); }
.wm-axis { position: relative; display: block; height: 1.5em; opacity: 0.8; font-variant-numeric: tabular-nums; }
.wm-axis span { position: absolute; left: calc(var(--at) * var(--wm-room) * 100%); transform: translateX(-50%);
  padding-top: 0.35em; font-size: 0.8em; }
.wm-axis span::before { content: ""; position: absolute; left: 50%; top: 0; height: 0.35em;
  border-left: 1px solid currentColor; }
.wm-value { position: absolute; top: 50%; left: calc(var(--at) * var(--wm-room) * 100% + 0.7rem);
  transform: translateY(-50%); white-space: pre; font-weight: 700; font-variant-numeric: tabular-nums; }
@media (max-width: 48rem) {
  .wm-rows { --wm-room: 0.62; }
  .wm-rows.wm-rows > li { grid-template-columns: 1fr; }
  .wm-name { text-align: start; }
}
"""
_PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --paper: light-dark(#f7f3e9, #1b1a17); --ink: light-dark(#2b2b2b, #e6e0d2);
  --faint: light-dark(#6b665a, #aaa494); --line: light-dark(#d8d0bd, #3a372f); --seal: light-dark(#b03a2e, #d9685b); }}
body {{ margin: 0 auto; max-width: 60rem; padding: 2rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.6 "Noto Serif SC", "Source Han Serif SC", "Songti SC", Georgia, serif; }}
h1 {{ font-size: 1.7rem; border-bottom: 2px solid var(--seal); padding-bottom: .5rem; }}
h2 {{ font-size: 1.2rem; margin-top: 2.5rem; }}
h3 {{ font-size: 1rem; }}
.headline {{ font-size: 1.35rem; font-weight: 600; }}
.lead, .note {{ color: var(--faint); }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: .85rem; width: 100%; }}
th, td {{ border-bottom: 1px solid var(--line); padding: .35rem .6rem; text-align: left; vertical-align: top; }}
th {{ font-weight: 600; }}
td:first-child {{ min-width: 8rem; }}
td:not(:first-child) {{ white-space: nowrap; }}
@media print {{ body {{ background: #fff; color: #000; }} }}
{style}</style>
</head>
<body>
{body}
</body>
</html>
"""


def page(*, title: str, body: str, language: Language, style: str = "") -> str:
    """The whole file. `body` is HTML, `style` is CSS after the common one; both come from the program itself."""
    tag = "zh-Hans" if language == "zh" else "en"
    return _PAGE.format(language=tag, title=escape(title), body=body, style=CHART_STYLE + style)


def section(shown: Section, language: Language) -> str:
    """A heading with everything below it."""
    parts = [] if shown.headline is None else [paragraph(shown.headline, language, kind="headline")]
    parts.append(f"<h2>{_text(shown.title, language)}</h2>")
    parts += [paragraph(each, language) for each in shown.sentences]
    for each in shown.charts:
        parts += [f"<h3>{_text(each.title, language)}</h3>", chart(each, language)]
    parts += [] if shown.table is None else [table(shown.table, language)]
    for grid in shown.grids:
        parts += [f"<h3>{_text(grid.title, language)}</h3>", table(_counts(grid), language)]
    parts += [paragraph(each, language, kind="note") for each in shown.notes]
    return "\n".join(parts)


def paragraph(text: Cell, language: Language, *, kind: str = "") -> str:
    """`kind` is a class of the stylesheet."""
    opening = f'<p class="{kind}">' if kind else "<p>"
    return f"{opening}{_text(text, language)}</p>"


def chart(drawn: Chart, language: Language) -> str:
    """A list with a row for each line."""

    def row(line: Line) -> str:
        marks = "".join(_mark(mark, drawn.scale, language) for mark in line.marks)
        return (
            f'<li><span class="wm-name">{_text(line.name, language)}</span><span class="wm-tracks">{marks}</span></li>'
        )

    kind = " wm-pairs" if any(len(line.marks) > 1 for line in drawn.lines) else ""
    ticks = "".join(
        f'<span style="--at:{_at(value, drawn.scale):.4f}">{_text(name, language)}</span>'
        for value, name in drawn.ticks
    )
    axis = f'<li><span class="wm-name"></span><span class="wm-axis">{ticks}</span></li>' if ticks else ""
    return f'<ul class="wm-rows{kind}" style="--rows:{len(drawn.lines)}">{"".join(map(row, drawn.lines))}{axis}</ul>'


def table(shown: Table, language: Language) -> str:
    """The table, in a box that scrolls where it is too wide."""

    def row(cells: Sequence[Cell], tag: str) -> str:
        return f"<tr>{''.join(f'<{tag}>{_text(cell, language)}</{tag}>' for cell in cells)}</tr>"

    head = "" if shown.head is None else f"<thead>{row(shown.head, 'th')}</thead>"
    body = "".join(row(cells, "td") for cells in shown.rows)
    return f"<div class=wide><table>{head}<tbody>{body}</tbody></table></div>"


def _counts(grid: Grid) -> Table:
    rows = (
        (name, *(f"{count:,}" if count else "·" for count in counts))
        for name, counts in zip(grid.rows, grid.counts, strict=True)
    )
    return Table(head=("", *grid.columns), rows=tuple(rows))


def _mark(mark: Mark, scale: tuple[float, float], language: Language) -> str:
    place = mark.bar or mark.range or (mark.dot or scale[0],)  # the label stands at the end of what is widest
    dot = None if mark.dot is None else (mark.dot, mark.dot)
    drawn = "".join(
        f'<span class="{name}" style="{_span(found, scale)}"></span>'
        for name, found in (("wm-bar", mark.bar), ("wm-range", mark.range), ("wm-dot", dot))
        if found is not None
    )
    kinds = (" wm-strong" if mark.strong else "") + (" wm-predicted" if mark.predicted else "")
    label = f'<span class="wm-value" style="--at:{_at(place[-1], scale):.4f}">{_text(mark.label, language)}</span>'
    return f'<span class="wm-track{kinds}">{drawn}{label}</span>'


def _span(found: tuple[float, float], scale: tuple[float, float]) -> str:
    start, end = (_at(value, scale) for value in found)
    return f"--at:{start:.4f};--long:{end - start:.4f}"


def _at(value: float, scale: tuple[float, float]) -> float:
    """Where on the chart, 0 to 1."""
    low, high = scale
    return (value - low) / (high - low) if high > low else 0.0


def _text(cell: Cell, language: Language) -> str:
    return escape(cell_in(cell, language))
