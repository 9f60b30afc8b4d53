"""A runtime that records its batches in the event log."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from wenmo.telemetry.events import EventLog
from wenmo.types import Resolved, TaskName

if TYPE_CHECKING:
    import numpy as np

    from wenmo.inference.runtime import ModelRuntime, OnBatch
    from wenmo.tokenizer import Encoding


class ObservedRuntime:
    """`runtime`, with its batches and the changes of its budget recorded in `events`."""

    def __init__(self, runtime: ModelRuntime, task: TaskName, events: EventLog) -> None:
        self._runtime = runtime
        self._task: TaskName = task
        self._events = events
        self._lock = threading.Lock()
        self._budget = runtime.batch_tokens().value

    def logits(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
        return self._run(self._runtime.logits, encodings, on_batch)

    def vectors(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
        return self._run(self._runtime.vectors, encodings, on_batch)

    def states(self, encoding: Encoding) -> np.ndarray:
        return self._runtime.states(encoding)

    def batch_tokens(self) -> Resolved[int]:
        return self._runtime.batch_tokens()

    def _run(
        self, forward: Callable[..., np.ndarray], encodings: Sequence[Encoding], on_batch: OnBatch | None
    ) -> np.ndarray:
        def record(inputs: int) -> None:
            self._events.batch_computed(self._task, inputs)
            self._record_budget()
            if on_batch is not None:
                on_batch(inputs)

        try:
            return forward(encodings, on_batch=record)
        finally:
            self._record_budget()

    def _record_budget(self) -> None:
        now = self._runtime.batch_tokens()
        with self._lock:
            before, self._budget = self._budget, now.value
        if before != now.value:
            self._events.budget_changed(self._task, before, now)
