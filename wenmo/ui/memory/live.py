"""Memory as it goes, drawn again every other second without running its page again.

All sessions draw from the one sampler's ring, and a drawing has a bounded number of points: neither the server nor the
browser keeps more the longer a page stays open.
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

POINTS = 240  # of a line
MARKS = 40  # events drawn, the latest
_EVENTS_LISTED = 6
_REDRAW_S = 2.0  # often enough to watch, seldom enough to cost nothing
_FROZEN = "memory_frozen"  # where a paused session keeps what it shows

Value = Callable[[Sample], float | None]


def memory() -> None:
    """The live part of the memory page."""
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
    """The whole ring, as it is when the button is pressed."""
    table = columns(get_sampler().samples(), get_events().events())
    return csv_file(list(table), zip(*table.values(), strict=True))


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What is drawn: of the last `minutes`, up to the newest sample."""

    samples: Sequence[Sample]
    events: Sequence[Event]
    minutes: int
    gpus_found: Resolved[int]

    @property
    def now_s(self) -> float:
        return self.samples[-1].at_s


def _draw(minutes: int, paused: bool) -> None:
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
    seen = _Seen(
        samples=[sample for sample in samples if sample.at_s >= since_s],
        events=[event for event in events if event.until_s >= since_s and event.at_s <= now_s],
        minutes=minutes,
        gpus_found=gpus_found,
    )
    if paused:
        st.caption(say("memory.paused", time=datetime.fromtimestamp(now_s, UTC).strftime("%H\\:%M\\:%S")))
    _process(seen)
    for reading in samples[-1].gpus:
        _gpu(reading, seen)
    _gpu_note(seen)
    st.caption(say("memory.chart_note", seconds=max(60 * minutes / POINTS, 1 / sampler.hz), hz=sampler.hz))
    _list(seen)


def _process(seen: _Seen) -> None:
    st.subheader(say("memory.process"), anchor=False)
    latest = seen.samples[-1]
    with st.container(horizontal=True, gap="medium"):
        _metric("resident", _mib(latest.resident_mib), peak=max(sample.resident_mib for sample in seen.samples))
        _metric("weights", _mib(latest.weights_mib))
        _metric("cpu", _percent(latest.cpu_percent))
    name = say("memory.process")
    series: dict[str, Value] = {"resident": attrgetter("resident_mib"), "weights": attrgetter("weights_mib")}
    _chart(seen, name, "MiB", series)
    _chart(seen, name, "%", {"cpu": attrgetter("cpu_percent")})


def _gpu(latest: GpuReading, seen: _Seen) -> None:
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
    used = [mib for mib in map(of("used_mib"), seen.samples) if mib is not None]
    with st.container(horizontal=True, gap="medium"):
        _metric("used", shown, peak=max(used, default=None))
        _metric("utilization", _percent(latest.utilization_percent))
        if latest.reserved_mib is not None:
            _metric("reserved", _mib(latest.reserved_mib))
    series = {"used": of("used_mib"), "reserved": of("reserved_mib"), "allocated": of("allocated_mib")}
    _chart(seen, name, "MiB", series)
    _chart(seen, name, "%", {"utilization": of("utilization_percent")})


def _gpu_note(seen: _Seen) -> None:
    """Why there is no GPU, or nothing of one."""
    gpus, found = seen.samples[-1].gpus, seen.gpus_found
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


def _chart(seen: _Seen, name: str, unit: timeline.Unit, series: Mapping[str, Value]) -> None:
    """The lines of `series` that have a value at all; nothing where there is none."""
    window_s = 60.0 * seen.minutes
    times = [sample.at_s for sample in seen.samples]
    lines = []
    for label, value in series.items():
        kept, values = downsample(times, list(map(value, seen.samples)), interval_s=window_s / POINTS)
        if any(each is not None for each in values):
            seconds = [at - seen.now_s for at in kept]
            lines.append(timeline.Line(name=say(f"memory.{label}"), seconds=seconds, values=values))
    if not lines:
        return
    marks = [
        timeline.Mark(
            begin=max(event.at_s - seen.now_s, -window_s), end=min(event.until_s - seen.now_s, 0.0), text=_text(event)
        )
        for event in seen.events[-MARKS:]
    ]
    ticks = {
        -window_s: say("memory.minutes", count=f"−{seen.minutes}"),
        -window_s / 2: say("memory.minutes", count=f"−{seen.minutes / 2:g}"),
        0.0: say("memory.now"),
    }
    alt = say("memory.chart_alt", name=name, minutes=seen.minutes, unit=unit)
    timeline.draw(lines, marks, unit=unit, ticks=ticks, alt=alt)


def _list(seen: _Seen) -> None:
    """In words what the marks tell who points at them."""
    st.subheader(say("memory.events"), anchor=False)
    if not seen.events:
        st.caption(say("memory.no_events"))
    for event in reversed(seen.events[-_EVENTS_LISTED:]):
        ago = say("memory.ago", count=f"{max(0.0, seen.now_s - event.at_s):.0f}")
        st.text(f"{ago}  {_text(event)}")


def _text(event: Event) -> str:
    return event.text_zh if language() == "zh" else event.text


def _mib(value: float | None) -> str:
    return say("memory.unknown") if value is None else say("status.mib", value=f"{value:,.0f}")


def _percent(value: float | None) -> str:
    return say("memory.unknown") if value is None else f"{value:.0f}%"
