"""Cancelling a call whose result nobody needs any more, for example because the client disconnected.

`current` is a context variable, which asyncio's and anyio's worker threads inherit, so the engine's methods need no
parameter for it. The scheduler reads it: a waiting call leaves the queue, and a long one stops after its current batch.
A call that already shares a batch is computed with it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Cancellation:
    """The cancellation of one call. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []
        self.cancelled = False

    def cancel(self) -> None:
        """Cancel the call for good; the callbacks run in this thread."""
        with self._lock:
            self.cancelled = True
            callbacks = list(self._callbacks)
        for callback in callbacks:
            callback()

    @contextmanager
    def calling(self, callback: Callable[[], None]) -> Iterator[None]:
        """Call `callback` when the call is cancelled within the block, or at once if it already was."""
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
