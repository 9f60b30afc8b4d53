"""Loads models before anyone asks for them, so that the first caller does not wait: readiness depends on it.

The service listens meanwhile and says at /health/ready what is missing. A model that cannot be loaded is tried again:
the hub may be back, or the folder mounted.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wenmo.engine import Engine
    from wenmo.types import TaskName

log = logging.getLogger(__name__)

RETRY_S = 15.0


class Preload:
    """The models of `tasks`, loaded by a thread of its own from `start` on; any thread may read."""

    def __init__(
        self, get_engine: Callable[[], Engine], tasks: Sequence[TaskName], *, retry_s: float = RETRY_S
    ) -> None:
        self._get_engine = get_engine
        self._tasks = tuple(tasks)
        self._retry_s = retry_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wenmo-preload", daemon=True)
        self.missing: tuple[TaskName, ...] = self._tasks
        self.error: Exception | None = None  # of the last attempt

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Load no more, and wait for what is being loaded. Does nothing where it was never started."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._attempt()
            if not self.missing or self._stop.wait(self._retry_s):
                return

    def _attempt(self) -> None:
        """Load what is missing; what fails does not keep the others from being loaded."""
        error: Exception | None = None
        missing: list[TaskName] = []
        for position, task in enumerate(self.missing):
            if self._stop.is_set():
                missing += self.missing[position:]
                break
            try:
                self._get_engine().model_info(task)
            except Exception as failure:  # memory, say, which may be free again
                log.error(
                    "The model for %s cannot be loaded; next attempt in %g s",
                    task,
                    self._retry_s,
                    exc_info=failure,
                )
                error = failure
                missing.append(task)
        self.error = error
        self.missing = tuple(missing)
