"""Loads models when the service starts, so that the first caller does not wait for them.

Meanwhile the service listens, and /health/ready says which models are missing. A model that cannot be loaded is tried
again later, when the hub may be back or the folder mounted.
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
_STOP_S = 5.0


class Preload:
    """Loads the models of `tasks` in a thread of its own.

    `missing` are the tasks whose models are not loaded yet, `error` is what failed at the last attempt. Any thread may
    read them.
    """

    def __init__(
        self, get_engine: Callable[[], Engine], tasks: Sequence[TaskName], *, retry_s: float = RETRY_S
    ) -> None:
        self._get_engine = get_engine
        self._tasks = tuple(tasks)
        self._retry_s = retry_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wenmo-preload", daemon=True)
        self.missing: tuple[TaskName, ...] = self._tasks
        self.error: Exception | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop after the model that is being loaded, which is waited for a while: it may wait for a hub itself.

        Does nothing if it was never started.
        """
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_S)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._attempt()
            if not self.missing or self._stop.wait(self._retry_s):
                return

    def _attempt(self) -> None:
        """Try to load each missing model."""
        error: Exception | None = None
        missing: list[TaskName] = []
        for position, task in enumerate(self.missing):
            if self._stop.is_set():
                missing += self.missing[position:]
                break
            try:
                self._get_engine().model_info(task)
            except Exception as failure:  # whatever it is, such as a lack of memory, it may pass
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
