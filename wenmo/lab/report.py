"""A report for those who must be shown: one HTML file that needs nothing else, and the same figures as CSV.

Charts are SVG drawn here, so the file holds no script and weighs some tens of kB. Every text that goes in is escaped.
"""

from __future__ import annotations

import csv
import io
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from importlib.metadata import version

from wenmo.errors import Language
from wenmo.lab.accuracy import Accuracy, PrecisionAccuracy
from wenmo.lab.findings import CHECKPOINTING, LEFT, WAYS, checkpointing, compared, throughputs, waterfall
from wenmo.lab.fits import Fit
from wenmo.lab.presets import PADDED, Row
from wenmo.lab.report_text import TEXT
from wenmo.tables.cells import csv_cell

GIB = 2**30
# What the article says: GPU memory of one pair and of eight in GiB, pairs a second, F1; before and after.
ARTICLE = {"one": (1.2, 0.72), "eight": (3.5, 2.1), "speed": (23.0, 28.0), "f1": (0.892, 0.889)}
_PARTS = ("weights", "optimiser", "gradients", "activations", "workspace")


@dataclass(frozen=True, kw_only=True)
class Report:
    """What there is to tell. `accuracy`: labelled rows answered in each precision.

    `checks`: the same steps with a smaller model that was measured, where `rows` were only predicted.
    """

    rows: Sequence[Row]
    checks: Sequence[Row] = ()
    fits: Sequence[Fit] = ()
    accuracy: Accuracy | None = None
    machine: str
    day: date


def as_csv(rows: Sequence[Row], accuracy: Accuracy | None = None) -> str:
    """A line a step; bytes as integers. The columns are named for what they hold, in English.

    `accuracy` is told for each step of inference in a precision that was asked, on the labelled rows.
    """
    out = io.StringIO()
    columns = [
        "step",
        "configuration",
        "gpu_predicted_tensor_bytes",
        "gpu_predicted_allocated_bytes",
        "gpu_predicted_reserved_bytes",
        "gpu_predicted_total_bytes",
        "cpu_predicted_bytes",
        "cpu_measured_bytes",
        "prediction_error",
        "peak_over_floor",
        *(f"cpu_measured_{part}_bytes" for part in _PARTS),
        "cpu_measured_most_activations_bytes",
        "cpu_resident_bytes",
        "median_ms",
        "sequences_per_s",
        "labelled_model",
        "labelled_rows",
        "labelled_accuracy",
        "labelled_accuracy_low",
        "labelled_accuracy_high",
        "labelled_decisions_changed",
        "failed",
    ]
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        gpu = row.gpu.gpu if row.gpu is not None else None
        measured = row.measured
        writer.writerow(
            [
                csv_cell(row.step.key),
                csv_cell(row.step.configuration.name),
                *([row.gpu.peak.total, gpu.allocated, gpu.reserved, gpu.total] if row.gpu and gpu else [""] * 4),
                row.cpu.peak.total,
                "" if measured is None else measured.peak.total,
                "" if row.prediction_error is None else f"{row.prediction_error:.6f}",
                "" if row.over_floor is None else f"{row.over_floor:.6f}",
                *(["" if measured is None else getattr(measured.peak, part) for part in _PARTS]),
                "" if measured is None else measured.most_activations,
                "" if measured is None or measured.resident is None else measured.resident,
                "" if measured is None else f"{measured.median_ms:.2f}",
                "" if measured is None else f"{measured.sequences_per_s:.4f}",
                *_labelled_cells(row, accuracy),
                csv_cell(row.failed),
            ]
        )
    return out.getvalue()


def _labelled_cells(row: Row, accuracy: Accuracy | None) -> list[object]:
    """Six: whose answers (the row's own weights may be random), rows, accuracy, interval, decisions changed."""
    configuration = row.step.configuration
    found = None if accuracy is None else accuracy.of(configuration.precision)
    if accuracy is None or found is None or configuration.work != "inference":
        return [""] * 6
    figures = found.figures
    shares = [f"{share:.6f}" for share in (figures.accuracy, *figures.interval)]
    return [csv_cell(accuracy.model), figures.n, *shares, "" if found.changed is None else found.changed.decisions]


def as_html(report: Report, *, language: Language = "zh") -> str:
    """The whole file, in the reader's language."""
    t = TEXT[language]
    parts = [
        f"<h1>{escape(t['title'])}</h1>",
        f"<p class=lead>{escape(t['lead'])}</p>",
        _article(report, t),
        *(_waterfall(report.rows, group, t, language) for group in WAYS),
        _throughput(report.checks or report.rows, t),
        _accuracy(report.accuracy, t),
        _steps(report.rows, t, language),
        _steps(report.checks, t, language, title="checks") if report.checks else "",
        _split(report.checks or report.rows, t),
        _checkpointing(report.checks or report.rows, t),
        _fits(report.fits, t),
        _method(report, t),
    ]
    return page(title=t["title"], body="\n".join(filter(None, parts)), language=language)


def page(*, title: str, body: str, language: Language, style: str = "") -> str:
    """A file that needs nothing else: `body` is HTML, `style` CSS after the common one; both are the caller's own."""
    return _PAGE.format(language="zh-Hans" if language == "zh" else "en", title=escape(title), body=body, style=style)


def _article(report: Report, t: Mapping[str, str]) -> str:
    groups = [(group, compared(report.rows, group)) for group in ("one", "eight")]
    if any(found is None for _, found in groups):
        return ""
    lines = []
    for group, found in groups:
        assert found is not None
        said = ARTICLE[group]
        lines.append(
            [
                t[group],
                f"{said[0]:g} → {said[1]:g} GB (−{1 - said[1] / said[0]:.0%})",
                f"{_gib(found.before)} → {_gib(found.after)} GiB (−{found.saved:.1%})",
                f"{_gib(found.half_alone)} GiB (−{1 - found.half_alone / found.before:.2%})",
            ]
        )
    speed = next((each for each in throughputs(report.checks or report.rows) if each.group == "eight"), None)
    said = ARTICLE["speed"]
    ours = (
        t["unknown"]
        if speed is None
        else f"{speed.before.sequences_per_s:.2f} → {speed.after.sequences_per_s:.2f} "
        f"(×{speed.ratio:.1f}, {speed.before.configuration.model})"
    )
    lines.append([t["speed"], f"{said[0]:g} → {said[1]:g} (+{said[1] / said[0] - 1:.0%})", ours, ""])
    said, ours = ARTICLE["f1"], t["unknown"]
    half = None if report.accuracy is None else report.accuracy.of("fp16")
    if report.accuracy is not None and half is not None:
        before_half = report.accuracy.precisions[0].figures.accuracy
        ours = f"{before_half:.4f} → {half.figures.accuracy:.4f} ({t['accuracy']}, n = {half.figures.n:,})"
    lines.append(["F1", f"{said[0]:g} → {said[1]:g}", ours, ""])
    head = [t["what"], t["article_says"], t["ours"], t["half_alone"]]
    return f"<h2>{escape(t['article'])}</h2>{_table(head, lines)}<p>{escape(t['article_note'])}</p>"


def _waterfall(rows: Sequence[Row], group: str, t: Mapping[str, str], language: Language) -> str:
    found = waterfall(rows, group)
    if found is None:
        return ""
    bars: list[tuple[str, float, float, str, str]] = []
    for bar in found.bars:
        size = f"{_gib(bar.high)} GiB" if bar.saved is None else _saving(bar.saved)
        title = t[bar.title] if bar.title in (CHECKPOINTING, LEFT) else bar.title_in(language)
        bars.append((title, bar.low, bar.high, "ink" if bar.saved is None else "seal", size))
    title = t["waterfall"].format(what=t[group]) if found.of_gpu else t["waterfall_cpu"].format(what=t[group])
    return f"<h2>{escape(title)}</h2>{_bars(bars)}"


def _bars(bars: Sequence[tuple[str, float, float, str, str]]) -> str:
    """Horizontal bars (title, from, to, class, label) on one scale."""
    most = max(to for _, _, to, _, _ in bars)
    left, width, height = 260, 460, 34
    parts = []
    for index, (title, start, to, kind, label) in enumerate(bars):
        y = index * height
        x, length = left + width * start / most, width * (to - start) / most
        parts.append(
            f'<text x="{left - 10}" y="{y + 20}" text-anchor="end">{escape(title)}</text>'
            f'<rect class="{kind}" x="{x:.1f}" y="{y + 5}" width="{length:.1f}" height="22"/>'
            f'<text x="{x + length + 6:.1f}" y="{y + 20}">{escape(label)}</text>'
        )
    total = left + width + 110
    return f'<div class=wide><svg viewBox="0 0 {total} {len(bars) * height}" role="img">{"".join(parts)}</svg></div>'


def _steps(rows: Sequence[Row], t: Mapping[str, str], language: Language, *, title: str = "steps") -> str:
    head = [
        t[name] for name in ("step", "configuration", "gpu_allocated", "gpu_total", "cpu_predicted", "cpu_measured")
    ] + [t[name] for name in ("error", "over_floor", "time")]
    lines = []
    for row in rows:
        gpu = row.gpu.gpu if row.gpu is not None else None
        measured = row.measured
        failed = (row.failed_zh if language == "zh" else row.failed) or "–"
        lines.append(
            [
                row.step.title_zh if language == "zh" else row.step.title,
                row.step.configuration.name,
                "–" if gpu is None else _gib(gpu.allocated),
                "–" if gpu is None else _gib(gpu.total),
                _gib(row.cpu.peak.total),
                failed if measured is None else _gib(measured.peak.total),
                "–" if row.prediction_error is None else f"{row.prediction_error:+.2%}",
                "–" if row.over_floor is None else f"{row.over_floor:+.1%}",
                "–" if measured is None else f"{measured.median_ms:,.0f} ms",
            ]
        )
    return f"<h2>{escape(t[title])}</h2>{_table(head, lines)}<p>{escape(t['steps_note'])}</p>"


def _split(rows: Sequence[Row], t: Mapping[str, str]) -> str:
    """What each measured peak was made of."""
    shown = [row for row in rows if row.measured is not None]
    if not shown:
        return ""
    lines = []
    for row in shown:
        assert row.measured is not None
        peak, overhead = row.measured.peak, row.measured.overhead
        sizes = [getattr(peak, part) for part in _PARTS]
        lines.append(
            [
                row.step.configuration.name,
                *(_mib(size) for size in sizes),
                _mib(row.measured.most_activations),
                "–" if overhead is None else _mib(overhead),
            ]
        )
    head = [t["configuration"], *(t[part] for part in _PARTS), t["most_activations"], t["overhead"]]
    return f"<h2>{escape(t['split'])}</h2>{_table(head, lines)}<p>{escape(t['split_note'])}</p>"


def _checkpointing(rows: Sequence[Row], t: Mapping[str, str]) -> str:
    found = checkpointing(rows)
    if found is None:
        return ""
    time = t["unknown"] if found.training_time is None else f"{found.training_time:+.0%}"
    inference = t["unknown"] if found.inference_saved is None else f"{found.inference_saved:.1%}"
    lines = [[t["inference"], inference, "–"], [t["training_step"], f"{found.training_saved:.1%}", time]]
    head = [t["work"], t["activations_saved"], t["time_added"]]
    note = t["checkpointing_note"].format(configuration=found.training.name)
    return f"<h2>{escape(t['checkpointing'])}</h2>{_table(head, lines)}<p>{escape(note)}</p>"


def _fits(fits: Sequence[Fit], t: Mapping[str, str]) -> str:
    if not fits:
        return ""
    cards = sorted({fit.card_gib for fit in fits})
    at = {(fit.precision, fit.length, fit.card_gib): fit.batch for fit in fits}
    lines = [
        [precision, str(length), *(f"{at[precision, length, card]:,}" for card in cards)]
        for precision, length in dict.fromkeys((fit.precision, fit.length) for fit in fits)
    ]
    head = [t["precision"], t["length"], *(f"{card} GB" for card in cards)]
    return f"<h2>{escape(t['fits'])}</h2>{_table(head, lines)}<p>{escape(t['fits_note'])}</p>"


def _throughput(rows: Sequence[Row], t: Mapping[str, str]) -> str:
    lines = [
        [
            t[found.group],
            f"{found.before.configuration.name}: {found.before.sequences_per_s:,.2f}",
            f"{found.after.configuration.name}: {found.after.sequences_per_s:,.2f}",
            f"×{found.ratio:.2f}",
        ]
        for found in throughputs(rows)
    ]
    if not lines:
        return ""
    head = [t["what"], t["speed_before"], t["speed_after"], t["ratio"]]
    return f"<h2>{escape(t['throughput'])}</h2>{_table(head, lines)}<p>{escape(t['throughput_note'])}</p>"


def _accuracy(found: Accuracy | None, t: Mapping[str, str]) -> str:
    if found is None:
        return ""
    head = [t[name] for name in ("precision", "correct", "accuracy_interval", "changed", "difference", "texts_per_s")]
    lines = [_accuracy_line(each, t) for each in found.precisions]
    note = t["accuracy_note"].format(model=found.model, task=t[found.task], rows=f"{found.n:,}")
    note += t["majority"].format(share=f"{found.majority:.1%}")
    stored = [each.precision for each in found.precisions if not each.native]
    note += t["stored"].format(precisions=", ".join(stored)) if stored else ""
    return f"<h2>{escape(t['accuracy_title'])}</h2>{_table(head, lines)}<p>{escape(note)}</p>"


def _accuracy_line(found: PrecisionAccuracy, t: Mapping[str, str]) -> list[str]:
    figures, changed = found.figures, found.changed
    low, high = figures.interval
    line = [found.precision, f"{figures.correct:,} / {figures.n:,}", f"{figures.accuracy:.2%} ({low:.2%} – {high:.2%})"]
    if changed is None:
        line += [t["baseline"], t["baseline"]]
    else:
        low, high = changed.difference.interval
        line.append(f"{changed.decisions:,} ({changed.decisions / figures.n:.2%})")
        line.append(f"{100 * changed.difference.change:+.2f} ({100 * low:+.2f} – {100 * high:+.2f})")
    return [*line, f"{found.texts_per_s:,.1f}"]


def _method(report: Report, t: Mapping[str, str]) -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "numpy"))
    random = any(row.step.configuration.random_weights for row in (*report.rows, *report.checks))
    facts = [
        [t["machine"], report.machine],
        [t["system"], f"{platform.system()} {platform.release()}, Python {sys.version.split()[0]}, {versions}"],
        [t["day"], report.day.isoformat()],
        [t["weights_from"], t["random"] if random else t["own"]],
    ]
    notes = "".join(f"<li>{escape(line)}</li>" for line in t["method_notes"].format(padded=PADDED).split("\n"))
    return f"<h2>{escape(t['method'])}</h2>{_table(None, facts)}<ul>{notes}</ul>"


def _table(head: Sequence[str] | None, lines: Sequence[Sequence[str]]) -> str:
    top = "" if head is None else f"<thead><tr>{''.join(f'<th>{escape(cell)}</th>' for cell in head)}</tr></thead>"
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in line)}</tr>" for line in lines)
    return f"<div class=wide><table>{top}<tbody>{body}</tbody></table></div>"


def _gib(size: float) -> str:
    return f"{size / GIB:.3f}"


def _saving(size: float) -> str:
    return f"{'−' if size > 0 else '+'}{_gib(abs(size))} GiB" if size else "0"


def _mib(size: float) -> str:
    return f"{size / 2**20:,.1f}"


_PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ --paper: #f7f3e9; --ink: #2b2b2b; --faint: #6b665a; --line: #d8d0bd; --seal: #b03a2e; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --paper: #1b1a17; --ink: #e6e0d2; --faint: #aaa494; --line: #3a372f; --seal: #d9685b; }}
}}
body {{ margin: 0 auto; max-width: 60rem; padding: 2rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.6 "Noto Serif SC", "Source Han Serif SC", "Songti SC", Georgia, serif; }}
h1 {{ font-size: 1.7rem; border-bottom: 2px solid var(--seal); padding-bottom: .5rem; }}
h2 {{ font-size: 1.2rem; margin-top: 2.5rem; }}
.lead, p, li {{ color: var(--faint); }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: .85rem; width: 100%; }}
th, td {{ border-bottom: 1px solid var(--line); padding: .35rem .6rem; text-align: left; vertical-align: top; }}
th {{ font-weight: 600; }}
td:not(:first-child) {{ white-space: nowrap; }}
svg {{ width: 100%; min-width: 38rem; height: auto; font: 13px sans-serif; fill: var(--ink); }}
rect.ink {{ fill: var(--ink); }} rect.seal {{ fill: var(--seal); }}
@media print {{ body {{ background: #fff; color: #000; }} }}
{style}</style>
</head>
<body>
{body}
</body>
</html>
"""
