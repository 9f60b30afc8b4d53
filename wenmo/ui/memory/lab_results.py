"""What came of a run of the lab: waterfalls, the article's rows, every step, checkpointing, what fits, the report.

Accuracy and throughput are in lab_costs.py.
A figure is named for what it is, predicted for a GPU or measured on this CPU, and of which model. What was not measured
is a dash, with its reason below the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from wenmo.ui import charts
from wenmo.ui.memory import lab_costs
from wenmo.ui.shell import components
from wenmo.ui.text import language, say

if TYPE_CHECKING:
    from wenmo.lab.accuracy import Accuracy
    from wenmo.lab.configuration import Configuration
    from wenmo.lab.fits import Fit
    from wenmo.lab.presets import Row

DASH = "–"


@dataclass(frozen=True, kw_only=True)
class Found:
    """`checks`: the steps of `rows` with another model, measured; empty where `rows` were. `fits` is for `of`.

    `accuracy`: labelled rows in each precision of the steps; None where there were none.
    """

    rows: tuple[Row, ...]
    checks: tuple[Row, ...]
    fits: tuple[Fit, ...]
    of: Configuration
    accuracy: Accuracy | None = None

    @property
    def here(self) -> tuple[Row, ...]:
        """The rows whose figures of this machine are shown."""
        return self.checks or self.rows


def show(found: Found, *, card_gib: int | None) -> None:
    """All of it, one part below the other. `card_gib`: the card that the visitor asked about."""
    if any(row.step.configuration.random_weights for row in (*found.rows, *found.here)):
        st.caption(say("lab.random"))
    _waterfalls(found.rows)
    if card_gib is not None:
        _verdict(found, card_gib)
    lab_costs.throughput(found.here)
    if found.accuracy is not None:
        lab_costs.accuracy(found.accuracy)
    _article(found)
    _steps(found)
    _checkpointing(found.here)
    _fits(found)
    _downloads(found)


def _waterfalls(rows: Sequence[Row]) -> None:
    from wenmo.lab.findings import CHECKPOINTING, LEFT, WAYS, waterfall

    st.subheader(say("lab.waterfall"), anchor=False)
    drawn = {group: waterfall(rows, group) for group in WAYS}
    shown = {group: each for group, each in drawn.items() if each is not None}
    if not shown:
        st.caption(say("lab.same"))
        return
    for place, (group, found) in zip(st.columns(len(shown), gap="large"), shown.items(), strict=True):
        bars = []
        for bar in found.bars:
            title = say(f"lab.bar.{bar.title}") if bar.title in (CHECKPOINTING, LEFT) else bar.title_in(language())
            size = _size(bar.high - bar.low)
            if bar.saved:
                size = f"{'+' if bar.saved < 0 else '−'}{size}"
            bars.append((title, float(bar.low), float(bar.high), size))
        with place:
            model = rows[0].step.configuration.model
            st.markdown(f"**{say(f'lab.group.{group}')}**")
            figure = charts.waterfall(bars, saved=[bar.saved is not None for bar in found.bars])
            alt = say("lab.waterfall_alt", what=say(f"lab.group.{group}"))
            st.plotly_chart(figure, config=charts.CONFIG, key=f"lab_waterfall_{group}", alt=alt)
            st.caption(say("lab.of_gpu" if found.of_gpu else "lab.of_cpu", model=model))


def _verdict(found: Found, card_gib: int) -> None:
    """Whether the two configurations go on the card, and how far the second could go."""
    told = []
    for side, row in (("before", found.rows[0]), ("after", found.rows[-1])):
        if row.gpu is not None and row.gpu.gpu is not None:
            needs = row.gpu.gpu.total
            holds = "yes" if needs <= card_gib * 2**30 else "no"
            fits = say(f"lab.holds.{holds}")
            told.append(say("lab.verdict", side=say(f"lab.{side}"), needs=_gib(needs), gib=card_gib, fits=fits))
    length = found.of.width
    at = (card_gib, found.of.precision, length)
    batch = next((fit.batch for fit in found.fits if (fit.card_gib, fit.precision, fit.length) == at), None)
    if batch is not None:
        told.append(say("lab.largest", length=length, batch=f"{batch:,}"))
    st.markdown("  \n".join(told))


def _article(found: Found) -> None:
    """The article's rows beside ours; nothing for other presets."""
    from wenmo.lab.findings import compared
    from wenmo.lab.report import ARTICLE

    of = {group: compared(found.rows, group) for group in ("one", "eight")}
    if None in of.values():
        return
    lines: list[tuple[str, str, str, str]] = []
    for group, ours in of.items():
        assert ours is not None
        before, after = ARTICLE[group]
        lines.append(
            (
                say(f"lab.group.{group}"),
                f"{before:g} → {after:g} GB (−{1 - after / before:.0%})",
                f"{_gib(ours.before)} → {_gib(ours.after)} GiB (−{ours.saved:.0%})",
                f"{_gib(ours.half_alone)} GiB (−{1 - ours.half_alone / ours.before:.0%})",
            )
        )
    before, after = ARTICLE["speed"]
    lines.append((say("lab.speed"), f"{before:g} → {after:g} (+{after / before - 1:.0%})", _speed(found.here), DASH))
    before, after = ARTICLE["f1"]
    lines.append((say("lab.f1"), f"{before:g} → {after:g}", _half_accuracy(found.accuracy), DASH))
    st.subheader(say("lab.article"), anchor=False)
    heads = (say("lab.what"), say("lab.article_says"), say("lab.ours_gpu"), say("lab.half_alone"))
    components.table(dict(zip(heads, zip(*lines, strict=True), strict=True)))
    st.caption(say("lab.article_kinds", model=found.rows[0].step.configuration.model))


def _speed(rows: Sequence[Row]) -> str:
    of = {row.step.key: row.measured for row in rows}
    before, after = of["eight-fp32"], of["eight-packed"]
    if before is None or after is None:
        return DASH
    ratio = after.sequences_per_s / before.sequences_per_s
    model = before.configuration.model
    return f"{before.sequences_per_s:.1f} → {after.sequences_per_s:.1f} (×{ratio:.1f}, {model})"


def _half_accuracy(found: Accuracy | None) -> str:
    """In fp32 and in fp16, which are the article's two."""
    before, after = (None, None) if found is None else (found.of("fp32"), found.of("fp16"))
    if before is None or after is None:
        return DASH
    return f"{before.figures.accuracy:.3f} → {after.figures.accuracy:.3f} (n = {before.figures.n:,})"


def _steps(found: Found) -> None:
    from wenmo.lab.throughput import machine

    names = ("configuration", "gpu_allocated", "gpu_total", "cpu_predicted", "cpu_measured", "error", "time")
    columns: dict[str, list[object]] = {say(f"lab.{name}"): [] for name in names}
    for row, here in zip(found.rows, found.here, strict=True):
        gpu = None if row.gpu is None else row.gpu.gpu
        error, measured = here.prediction_error, here.measured
        cells = (
            row.step.configuration.name,
            DASH if gpu is None else _size(gpu.allocated),
            DASH if gpu is None else _size(gpu.total),
            _size(here.cpu.peak.total),
            DASH if measured is None else _size(measured.peak.total),
            DASH if error is None else f"{error:+.2%}",
            DASH if measured is None else f"{measured.median_ms:,.0f}",
        )
        for column, cell in zip(columns.values(), cells, strict=True):
            column.append(cell)
    st.subheader(say("lab.steps"), anchor=False)
    components.table(columns)
    for note in _notes(found):
        st.caption(note)
    shown, checked = (_models(rows) for rows in (found.rows, found.here))
    st.caption(say("lab.steps_note", shown=shown, checked=checked, machine=components.literal(machine())))


def _notes(found: Found) -> list[str]:
    """How good the prediction was, and a reason for each dash."""
    errors = [row.prediction_error for row in found.here if row.prediction_error is not None]
    runs = [len(row.measured.seconds) for row in found.here if row.measured is not None]
    notes = []
    if errors:
        worst = f"{max(errors, key=abs):+.2%}"
        notes.append(say("lab.largest_error", count=len(errors), error=worst, runs=max(runs)))
    over = [row.over_floor for row in found.here if row.step.configuration.layout == "packed"]
    if (most := max((each for each in over if each is not None), default=None)) is not None:
        notes.append(say("lab.over_floor", share=f"{most:.1%}"))
    if any(row.gpu is None for row in found.rows):
        notes.append(say("lab.dash_int8"))
    failed = [row for row in found.here if row.failed is not None]
    for row in failed:
        reason = row.failed_zh if language() == "zh" else row.failed
        name = components.literal(row.step.configuration.name)
        notes.append(say("lab.dash_failed", name=name, reason=components.literal(reason or "")))
    if not errors and not failed:
        notes.append(say("lab.dash_predicted"))
    return notes


def _models(rows: Sequence[Row]) -> str:
    return ", ".join(dict.fromkeys(components.literal(row.step.configuration.model) for row in rows))


def _checkpointing(rows: Sequence[Row]) -> None:
    """Off and on, in inference and in a training step; nothing for presets that do not have the four."""
    from wenmo.lab.findings import checkpointing

    of = {row.step.key: row for row in rows}
    keys = (("inference", "eight-fp16", "eight-checkpointing"), ("training_step", "training", "training-checkpointing"))
    found = checkpointing(rows)
    if found is None or found.inference_saved is None:
        return
    columns: dict[str, list[object]] = {
        say(f"lab.{name}"): [] for name in ("work", "checkpointing", "activations", "peak", "time")
    }
    shown = [(work, which, of[key]) for work, off, on in keys for which, key in (("off", off), ("on", on))]
    for work, which, row in shown:
        figures = row.measured or row.cpu
        cells = (
            say(f"lab.work.{work}"),
            say(f"lab.{which}"),
            _size(figures.most_activations),
            _size(figures.peak.total),
            DASH if row.measured is None else f"{row.measured.median_ms:,.0f}",
        )
        for column, cell in zip(columns.values(), cells, strict=True):
            column.append(cell)
    st.subheader(say("lab.truth"), anchor=False)
    time = DASH if found.training_time is None else f"{found.training_time:+.0%}"
    inference, training = f"{found.inference_saved:.1%}", f"{found.training_saved:.1%}"
    st.markdown(say("lab.truth_result", inference=inference, training=training, time=time))
    components.table(columns)
    measured = all(row.measured is not None for _, _, row in shown)
    how = say(f"lab.how.{'measured' if measured else 'predicted'}")
    st.caption(say("lab.truth_note", model=_models([row for _, _, row in shown]), how=how))


def _fits(found: Found) -> None:
    st.subheader(say("lab.fits"), anchor=False)
    if not found.fits:
        st.caption(say("lab.no_fits"))
        return
    precisions, lengths, cards = (
        list(dict.fromkeys(getattr(fit, name) for fit in found.fits)) for name in ("precision", "length", "card_gib")
    )
    of = {(fit.precision, fit.card_gib, fit.length): fit.batch for fit in found.fits}
    for place, precision in zip(st.columns(max(2, len(precisions)), gap="large"), precisions, strict=False):
        batches = np.array([[of[precision, card, length] for length in lengths] for card in cards])
        figure = charts.fit_map(batches, rows=[f"{card} GB" for card in cards], columns=[str(each) for each in lengths])
        with place:
            st.markdown(f"**{precision}**")
            alt = say("lab.fits_alt", precision=precision)
            st.plotly_chart(figure, config=charts.CONFIG, key=f"lab_fits_{precision}", alt=alt)
    parts = [found.of.model, say(f"lab.work.{found.of.work}")]
    parts.append(say("lab.layout.packed" if found.of.layout == "packed" else "lab.layout.longest"))
    parts += [say("lab.checkpointing")] if found.of.checkpointing else []
    st.caption(say("lab.fits_note", configuration=components.literal(", ".join(parts))))


def _downloads(found: Found) -> None:
    with st.container(horizontal=True):
        st.download_button(
            say("lab.report"),
            _html(found),
            file_name="wenmo-memory-report.html",
            mime="text/html",
            key="lab_html",
            on_click="ignore",
        )
        st.download_button(
            say("app.download"),
            _csv(found),
            file_name="wenmo-memory-report.csv",
            mime="text/csv",
            key="lab_csv",
            on_click="ignore",
        )


def _html(found: Found) -> bytes:
    from datetime import date

    from wenmo.lab.report import Report, as_html
    from wenmo.lab.throughput import machine

    report = Report(
        rows=found.rows,
        checks=found.checks,
        fits=found.fits,
        accuracy=found.accuracy,
        machine=machine(),
        day=date.today(),
    )
    return as_html(report, language=language()).encode()


def _csv(found: Found) -> bytes:
    from wenmo.lab.report import as_csv

    return as_csv([*found.rows, *found.checks], found.accuracy).encode("utf-8-sig")


def _size(size: float) -> str:
    if not size:
        return "0"
    return f"{size / 2**30:.2f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"


def _gib(size: float) -> str:
    return f"{size / 2**30:.2f}"
