"""What an engine does that shows in its memory: models that load and go, batches, a budget that changes.

`EventLog` keeps the latest of these, with their times and a text in each language, for the live graph. Engines write to
it, and any thread may read. Batches that follow one another are one event that grows, however many they are.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from wenmo.tasks.table import TASKS
from wenmo.types import Precision, Resolved, TaskName

if TYPE_CHECKING:
    pass

EventKind = Literal["engine", "load", "release", "batches", "budget"]

KEPT_EVENTS = 200
JOIN_S = 2.0  # batches of a task with no longer pause between them are one event


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened from `at_s` to `until_s`, in seconds since 1970; the same where it took no time."""

    kind: EventKind
    at_s: float
    until_s: float
    text: str
    text_zh: str


@dataclass(frozen=True, kw_only=True)
class _Batches:
    """The event of batches of a task that still grows."""

    number: int  # of the event
    at_s: float
    until_s: float
    batches: int
    items: int


class EventLog:
    """The latest KEPT_EVENTS. `now` is Unix time."""

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._events: OrderedDict[int, Event] = OrderedDict()
        self._next = 0
        self._growing: dict[TaskName, _Batches] = {}
        self._weights: list[float | None] = []  # MiB of each model that lies in the CPU's memory

    def events(self, *, since_s: float = 0.0) -> tuple[Event, ...]:
        """Those that had not ended at `since_s`, oldest first."""
        with self._lock:
            return tuple(event for event in self._events.values() if event.until_s >= since_s)

    def cpu_weights_mib(self) -> float | None:
        """Of all loaded models in the CPU's memory; None where one of them cannot tell its own."""
        with self._lock:
            return None if None in self._weights else sum(mib for mib in self._weights if mib is not None)

    def engine_started(self, device: Resolved[str], precision: Resolved[Precision]) -> None:
        """From here on models are loaded for `device` in `precision`."""
        self._add(
            "engine",
            f"engine: {device.value}, {precision.value}: {precision.reason}",
            f"引擎：{device.value}，{precision.value}：{precision.reason_zh}",
        )

    def model_loaded(self, name: str, *, weights_mib: float | None, seconds: float, on_cpu: bool) -> None:
        """A model's weights are in memory, `weights_mib` of them, after `seconds`."""
        size = "" if weights_mib is None else f"{weights_mib:,.1f} MiB, "
        size_zh = size.replace(", ", "，")
        with self._lock:
            if on_cpu:
                self._weights.append(weights_mib)
        self._add("load", f"loaded {name}: {size}{seconds:.1f} s", f"载入 {name}：{size_zh}{seconds:.1f} 秒")

    def model_released(self, name: str, *, weights_mib: float | None, on_cpu: bool) -> None:
        """The same model was let go."""
        with self._lock:
            if on_cpu:
                self._weights.remove(weights_mib)
        self._add("release", f"released {name}", f"释放 {name}")

    def budget_changed(self, task: TaskName, before: int, after: Resolved[int]) -> None:
        """Batches take another number of tokens now."""
        self._add(
            "budget",
            f"{task}: batches of {before:,} -> {after.value:,} tokens: {after.reason}",
            f"{TASKS[task].title_zh}：批次上限 {before:,} → {after.value:,} 词元：{after.reason_zh}",
        )

    def batch_computed(self, task: TaskName, items: int) -> None:
        """A batch that answered `items` inputs is done."""
        with self._lock:
            now = self._now()
            growing = self._growing.get(task)
            if growing is None or now - growing.until_s > JOIN_S or growing.number not in self._events:
                growing = _Batches(number=self._next, at_s=now, until_s=now, batches=0, items=0)
                self._next += 1
            growing = replace(growing, until_s=now, batches=growing.batches + 1, items=growing.items + items)
            self._growing[task] = growing
            self._put(
                growing.number,
                Event(
                    kind="batches",
                    at_s=growing.at_s,
                    until_s=now,
                    text=f"{task}: batches {growing.batches:,}, model inputs {growing.items:,}",
                    text_zh=f"{TASKS[task].title_zh}：{growing.batches:,} 批，共 {growing.items:,} 个模型输入",
                ),
            )

    def _add(self, kind: EventKind, text: str, text_zh: str) -> None:
        with self._lock:
            now = self._now()
            self._put(self._next, Event(kind=kind, at_s=now, until_s=now, text=text, text_zh=text_zh))
            self._next += 1

    def _put(self, number: int, event: Event) -> None:
        """In the place of the event of that number, or at the end. The lock must be held."""
        self._events[number] = event
        if len(self._events) > KEPT_EVENTS:
            self._events.popitem(last=False)
