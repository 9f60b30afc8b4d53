"""Lets whoever started a call give it up while a thread waits for its answer: the caller is gone.

`current` belongs to the context, so it passes through the engine, whose methods need not know of it, into the threads
that asyncio runs calls in. The scheduler listens: a call that waits leaves the queue, a long one stops after the batch
that is being computed. What is inside of a batch already is computed with it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Cancellation:
    """Of one call. Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []
        self.cancelled = False

    def cancel(self) -> None:
        """Give the call up, for good; the callbacks run in this thread."""
        with self._lock:
            self.cancelled = True
            callbacks = list(self._callbacks)
        for callback in callbacks:
            callback()

    @contextmanager
    def calling(self, callback: Callable[[], None]) -> Iterator[None]:
        """`callback` is called when the call is given up within the block, or was before."""
        with self._lock:
            self._callbacks.append(callback)
            cancelled = self.cancelled
        try:
            if cancelled:
                callback()
            yield
        finally:
            with self._lock:
                self._callbacks.remove(callback)


current: ContextVar[Cancellation | None] = ContextVar("wenmo_cancellation", default=None)
