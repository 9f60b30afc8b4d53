"""Live memory of the process and its GPUs, drawn every two seconds without running the whole page again.

All sessions draw from the ring of one sampler, and a drawing has a limited number of points, so that neither the server
nor the browser holds more the longer a page stays open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter

import streamlit as st

from wenmo.errors import WenmoError
from wenmo.telemetry.events import Event
from wenmo.telemetry.nvml import GpuReading
from wenmo.telemetry.sampler import Sample, columns, downsample
from wenmo.types import Resolved
from wenmo.ui.memory import timeline
from wenmo.ui.shell import components
from wenmo.ui.shell.inputs import csv_file
from wenmo.ui.shell.runtime import get_events, get_sampler
from wenmo.ui.text import language, say

POINTS = 240  # of a line, at most
MARKS = 40  # the latest events, at most, that are drawn
_EVENTS_LISTED = 6
_REDRAW_S = 2.0
_FROZEN = "memory_frozen"  # in the session: what is shown while it is paused

Value = Callable[[Sample], float | None]


def show() -> None:
    """The window of time, the switch to pause, the charts, and the download."""
    with st.container(horizontal=True, vertical_alignment="center"):
        names = {str(count): say("memory.minutes", count=count) for count in (1, 5, 10)}
        minutes = int(components.choice(say("memory.window"), names, key="minutes"))
        paused = st.toggle(say("memory.pause"), key="memory_pause")
    with st.container(key="live"):
        st.fragment(_draw, run_every=None if paused else _REDRAW_S)(minutes, paused)
    st.download_button(
        say("app.download"), _csv, file_name="wenmo-memory.csv", mime="text/csv", key="memory_csv", on_click="ignore"
    )


def _csv() -> bytes:
    """All samples and events, read when the button is pressed."""
    table = columns(get_sampler().samples(), get_events().events())
    return csv_file(list(table), zip(*table.values(), strict=True))


@dataclass(frozen=True, kw_only=True)
class _Window:
    """The samples and events of the last `minutes`, up to the newest sample."""

    samples: Sequence[Sample]
    events: Sequence[Event]
    minutes: int
    gpus_found: Resolved[int]

    @property
    def now_s(self) -> float:
        return self.samples[-1].at_s


def _draw(minutes: int, paused: bool) -> None:
    """Everything that changes: it is run again every _REDRAW_S."""
    try:
        sampler = get_sampler()
    except WenmoError as error:
        components.show_error(error)
        return
    fresh = (sampler.samples(), get_events().events(), sampler.gpu_count)
    if paused:
        fresh = st.session_state.setdefault(_FROZEN, fresh)
    else:
        st.session_state.pop(_FROZEN, None)
    samples, events, gpus_found = fresh
    if not samples:
        st.caption(say("memory.waiting"))
        return
    now_s, since_s = samples[-1].at_s, samples[-1].at_s - 60 * minutes
    window = _Window(
        samples=[sample for sample in samples if sample.at_s >= since_s],
        events=[event for event in events if event.until_s >= since_s and event.at_s <= now_s],
        minutes=minutes,
        gpus_found=gpus_found,
    )
    if paused:
        st.caption(say("memory.paused", time=datetime.fromtimestamp(now_s, UTC).strftime("%H\\:%M\\:%S")))
    _process(window)
    for reading in samples[-1].gpus:
        _gpu(reading, window)
    _gpu_note(window)
    st.caption(say("memory.chart_note", seconds=max(60 * minutes / POINTS, 1 / sampler.hz), hz=sampler.hz))
    _events(window)


def _process(window: _Window) -> None:
    """Memory and CPU of this process."""
    st.subheader(say("memory.process"), anchor=False)
    latest = window.samples[-1]
    with st.container(horizontal=True, gap="medium"):
        _metric("resident", _mib(latest.resident_mib), peak=max(sample.resident_mib for sample in window.samples))
        _metric("weights", _mib(latest.weights_mib))
        _metric("cpu", _percent(latest.cpu_percent))
    name = say("memory.process")
    series: dict[str, Value] = {"resident": attrgetter("resident_mib"), "weights": attrgetter("weights_mib")}
    _chart(window, name, "MiB", series)
    _chart(window, name, "%", {"cpu": attrgetter("cpu_percent")})


def _gpu(latest: GpuReading, window: _Window) -> None:
    """Memory and utilisation of one GPU."""
    index = latest.gpu.index

    def of(field: str) -> Value:
        def value(sample: Sample) -> float | None:
            return next((getattr(each, field) for each in sample.gpus if each.gpu.index == index), None)

        return value

    name = f"GPU {index}: {latest.gpu.name}"
    st.subheader(components.literal(name), anchor=False)
    shown = say("memory.unknown")
    if latest.used_mib is not None and latest.total_mib is not None:
        shown = say("status.of_mib", value=f"{latest.used_mib:,.0f}", total=f"{latest.total_mib:,.0f}")
    used = [mib for mib in map(of("used_mib"), window.samples) if mib is not None]
    with st.container(horizontal=True, gap="medium"):
        _metric("used", shown, peak=max(used, default=None))
        _metric("utilization", _percent(latest.utilization_percent))
        if latest.reserved_mib is not None:
            _metric("reserved", _mib(latest.reserved_mib))
    series = {"used": of("used_mib"), "reserved": of("reserved_mib"), "allocated": of("allocated_mib")}
    _chart(window, name, "MiB", series)
    _chart(window, name, "%", {"utilization": of("utilization_percent")})


def _gpu_note(window: _Window) -> None:
    """Why no GPU is shown, or why a GPU has no figures."""
    gpus, found = window.samples[-1].gpus, window.gpus_found
    reason = components.literal(found.reason_zh if language() == "zh" else found.reason)
    if not gpus:
        st.caption(say("memory.no_gpu", reason=reason))
    elif any(reading.used_mib is None for reading in gpus):
        st.caption(say("memory.gpu_trouble", reason=reason))


def _metric(name: str, value: str, *, peak: float | None = None) -> None:
    with st.container(gap=None, width="content"):
        st.metric(say(f"memory.{name}"), value, help=say(f"memory.{name}_help"))
        if peak is not None:
            st.caption(say("memory.peak", value=_mib(peak)))


def _chart(window: _Window, name: str, unit: timeline.Unit, series: Mapping[str, Value]) -> None:
    """A chart of those `series` that have a value in the window; nothing if none has."""
    span_s = 60.0 * window.minutes
    times = [sample.at_s for sample in window.samples]
    lines = []
    for label, value in series.items():
        kept, values = downsample(times, list(map(value, window.samples)), interval_s=span_s / POINTS)
        if any(each is not None for each in values):
            seconds = [at - window.now_s for at in kept]
            lines.append(timeline.Line(name=say(f"memory.{label}"), seconds=seconds, values=values))
    if not lines:
        return
    marks = [
        timeline.Mark(
            begin=max(event.at_s - window.now_s, -span_s), end=min(event.until_s - window.now_s, 0.0), text=_text(event)
        )
        for event in window.events[-MARKS:]
    ]
    ticks = {
        -span_s: say("memory.minutes", count=f"−{window.minutes}"),
        -span_s / 2: say("memory.minutes", count=f"−{window.minutes / 2:g}"),
        0.0: say("memory.now"),
    }
    alt = say("memory.chart_alt", name=name, minutes=window.minutes, unit=unit)
    timeline.draw(lines, marks, unit=unit, ticks=ticks, alt=alt)


def _events(window: _Window) -> None:
    """A list of the latest events, which the chart shows as marks with tooltips."""
    st.subheader(say("memory.events"), anchor=False)
    if not window.events:
        st.caption(say("memory.no_events"))
    for event in reversed(window.events[-_EVENTS_LISTED:]):
        ago = say("memory.ago", count=f"{max(0.0, window.now_s - event.at_s):.0f}")
        st.text(f"{ago}  {_text(event)}")


def _text(event: Event) -> str:
    return event.text_zh if language() == "zh" else event.text


def _mib(value: float | None) -> str:
    return say("memory.unknown") if value is None else say("status.mib", value=f"{value:,.0f}")


def _percent(value: float | None) -> str:
    return say("memory.unknown") if value is None else f"{value:.0f}%"
