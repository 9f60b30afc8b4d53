"""Events of an engine that explain its memory: models loaded and released, batches, changes of the budget.

`EventLog` keeps the latest ones, with their times and a text in each language, for the live graph. Thread-safe.
Consecutive batches of a task are one event, which grows.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from wenmo.tasks.table import TASKS
from wenmo.types import Precision, Resolved, TaskName

EventKind = Literal["engine", "load", "release", "batches", "budget"]

KEPT_EVENTS = 200
JOIN_S = 2.0  # a longer pause between two batches of a task begins a new event


@dataclass(frozen=True, kw_only=True)
class Event:
    """`at_s` and `until_s` are its start and end in Unix time, equal for an event without duration."""

    kind: EventKind
    at_s: float
    until_s: float
    text: str
    text_zh: str


@dataclass(frozen=True, kw_only=True)
class _Batches:
    """The batches of a task whose event still grows."""

    number: int  # the key of the event
    at_s: float
    until_s: float
    batches: int
    items: int


class EventLog:
    """The latest KEPT_EVENTS events. `now` returns Unix time."""

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._events: OrderedDict[int, Event] = OrderedDict()
        self._next = 0
        self._growing: dict[TaskName, _Batches] = {}
        self._weights: list[float | None] = []  # MiB of each loaded model in the CPU's memory

    def events(self, *, since_s: float = 0.0) -> tuple[Event, ...]:
        """Events that ended at `since_s` or later, oldest first."""
        with self._lock:
            return tuple(event for event in self._events.values() if event.until_s >= since_s)

    def cpu_weights_mib(self) -> float | None:
        """Weights of all loaded models in the CPU's memory; None if the size of one is not known."""
        with self._lock:
            return None if None in self._weights else sum(mib for mib in self._weights if mib is not None)

    def engine_started(self, device: Resolved[str], precision: Resolved[Any]) -> None:
        """An engine that loads models onto `device` in `precision` was created."""
        self._add(
            "engine",
            f"engine: {device.value}, {precision.value}: {precision.reason}",
            f"引擎：{device.value}，{precision.value}：{precision.reason_zh}",
        )

    def model_loaded(
        self, name: str, *, precision: Precision, weights_mib: float | None, seconds: float, on_cpu: bool
    ) -> None:
        """Loading a model in `precision` took `seconds`; its weights take `weights_mib`."""
        size = "" if weights_mib is None else f"{weights_mib:,.1f} MiB, "
        size_zh = size.replace(", ", "，")
        with self._lock:
            if on_cpu:
                self._weights.append(weights_mib)
        self._add(
            "load",
            f"loaded {name}: {precision}, {size}{seconds:.1f} s",
            f"载入 {name}：{precision}，{size_zh}{seconds:.1f} 秒",
        )

    def model_released(self, name: str, *, weights_mib: float | None, on_cpu: bool) -> None:
        """A model was released; `weights_mib` and `on_cpu` are those of `model_loaded`."""
        with self._lock:
            if on_cpu:
                self._weights.remove(weights_mib)
        self._add("release", f"released {name}", f"释放 {name}")

    def budget_changed(self, task: TaskName, before: int, after: Resolved[int]) -> None:
        """The budget of a batch changed from `before` to `after` tokens."""
        self._add(
            "budget",
            f"{task}: batches of {before:,} -> {after.value:,} tokens: {after.reason}",
            f"{TASKS[task].title_zh}：批次上限 {before:,} → {after.value:,} 词元：{after.reason_zh}",
        )

    def batch_computed(self, task: TaskName, items: int) -> None:
        """A batch of `items` inputs was computed."""
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
        """Add the event, or replace the one of the same number. The lock must be held."""
        self._events[number] = event
        if len(self._events) > KEPT_EVENTS:
            self._events.popitem(last=False)
