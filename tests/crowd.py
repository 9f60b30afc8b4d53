"""Calls of one moment: a leader that is being computed, and others that wait behind it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from tests.waiting import WAIT_S, until
from wenmo.inference.runtime import OnBatch
from wenmo.serving.scheduler import ScheduledRuntime
from wenmo.tokenizer import Encoding
from wenmo.types import Resolved, SchedulerLimits


class HeldRuntime:
    """The row of an input is its first id. The first forward waits for `hold`; then `fail` may raise."""

    def __init__(self, *, tokens: int = 100) -> None:
        self.hold, self.entered = threading.Event(), threading.Event()
        self.forwards: list[list[int]] = []
        self.fail: Callable[[list[int]], None] = lambda ids: None
        self._tokens = tokens

    def logits(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
        ids = [encoding.input_ids[0] for encoding in encodings]
        self.forwards.append(ids)
        self.entered.set()
        assert self.hold.wait(WAIT_S)
        self.fail(ids)
        if on_batch is not None:
            on_batch(len(encodings))
        return np.asarray(ids, dtype=np.float32)[:, None]

    def vectors(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
        return -self.logits(encodings, on_batch=on_batch)

    def batch_tokens(self) -> Resolved[int]:
        return Resolved(value=self._tokens, reason="a test", reason_zh="测试")


def encoding(number: int, length: int = 2) -> Encoding:
    return Encoding(input_ids=(number,) * length, segment_b=0, truncated=False)


class Crowd:
    """A leader that is being computed, and the calls that `wait` behind it."""

    def __init__(self, runtime: HeldRuntime, limits: SchedulerLimits | None = None) -> None:
        self.runtime, self.scheduled = runtime, ScheduledRuntime(runtime, limits)
        self._pool = ThreadPoolExecutor(64)
        self.leader = self._pool.submit(self.scheduled.logits, [encoding(1)])
        assert runtime.entered.wait(WAIT_S)

    def submit(self, *encodings: Encoding, kind: str = "logits", **more: Any) -> Any:
        return self._pool.submit(getattr(self.scheduled, kind), list(encodings), **more)

    def wait(self, *encodings: Encoding, **more: Any) -> Any:
        """Start a small call; returns when it waits in the queue or was rejected."""
        before = self.scheduled.statistics().waiting
        future = self.submit(*encodings, **more)
        until(lambda: self.scheduled.statistics().waiting != before or future.done(), every_s=0.001)
        return future

    def release(self) -> None:
        self.runtime.hold.set()
