"""Adapting in the background: one run at a time in a thread of its own, watched and stopped from any other.

Whoever has a job's id may look at it and stop it: a visitor who reloads the page finds it again. Curves are bounded
however long the run; the texts are let go of when it ends.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from wenmo.errors import BusyError, WenmoError

if TYPE_CHECKING:  # brings torch and transformers, which a page should not wait for
    from wenmo.adapt.train import Adapted, AdaptProgress

State = Literal["running", "done", "failed", "stopped"]
_MOST_POINTS = 400  # of a curve; beyond, every other one is dropped
_KEPT = 8  # jobs: results of the last ones can be seen again

logger = logging.getLogger("wenmo")


class _StoppedError(Exception):
    """Raised within the run, to end it."""


@dataclass(kw_only=True)
class Curve:
    """Points (x, y) of a line that grows, at most _MOST_POINTS of them."""

    points: list[tuple[float, float]] = field(default_factory=list)
    _every: int = 1
    _seen: int = 0

    def add(self, x: float, y: float) -> None:
        if self._seen % self._every == 0:
            self.points.append((x, y))
        self._seen += 1
        if len(self.points) > _MOST_POINTS:
            self.points = self.points[::2]
            self._every *= 2


@dataclass(frozen=True, kw_only=True)
class View:
    """A job as it is now; a copy. `error` may be one that is no WenmoError: a bug, which stands in the log."""

    state: State
    progress: AdaptProgress | None
    loss: list[tuple[float, float]]
    dev_loss: list[tuple[float, float]]
    memory_mib: list[tuple[float, float]]
    seconds: float
    result: Adapted | None
    error: Exception | None


class AdaptJob:
    """One run. `work` is `adapt` with everything but its `progress`."""

    def __init__(self, work: Callable[[Callable[[AdaptProgress], None]], Adapted]) -> None:
        self.id = secrets.token_urlsafe(9)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._began = time.monotonic()
        self._ended: float | None = None
        self._state: State = "running"
        self._progress: AdaptProgress | None = None
        self._loss, self._dev_loss, self._memory = Curve(), Curve(), Curve()
        self._result: Adapted | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(work,), name="wenmo-adapt", daemon=True)
        self._thread.start()

    def view(self) -> View:
        with self._lock:
            return View(
                state=self._state,
                progress=self._progress,
                loss=list(self._loss.points),
                dev_loss=list(self._dev_loss.points),
                memory_mib=list(self._memory.points),
                seconds=(self._ended or time.monotonic()) - self._began,
                result=self._result,
                error=self._error,
            )

    def stop(self) -> None:
        """Ask it to end; nothing of it is kept."""
        self._stop.set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Whether it has ended, at the latest after `timeout_s`."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _hear(self, event: AdaptProgress) -> None:
        if self._stop.is_set():
            raise _StoppedError
        with self._lock:
            self._progress = event
            self._memory.add(time.monotonic() - self._began, event.memory_mib)
            if event.loss is not None:
                self._loss.add(event.step, event.loss)
            if event.dev_loss is not None:
                self._dev_loss.add(event.step, event.dev_loss)

    def _run(self, work: Callable[[Callable[[AdaptProgress], None]], Adapted]) -> None:
        state: State = "failed"
        result: Adapted | None = None
        failure: Exception | None = None
        try:
            result = work(self._hear)
            state = "done"
        except _StoppedError:
            state = "stopped"
        except WenmoError as error:
            failure = error
        except Exception as error:
            logger.exception("Adapting ended with an error that is none of wenmo's")
            failure = error
        with self._lock:
            self._ended = time.monotonic()
            self._state, self._result, self._error = state, result, failure


class AdaptJobs:
    """The jobs of a process: at most one runs, the last few that ended are kept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: OrderedDict[str, AdaptJob] = OrderedDict()

    def start(self, work: Callable[[Callable[[AdaptProgress], None]], Adapted]) -> AdaptJob:
        """Raises BusyError while another one runs."""
        with self._lock:
            if self._running() is not None:
                raise BusyError(
                    "Another visitor is training a model just now; one runs at a time. Try again when it has ended.",
                    "此刻另一位访客正在训练模型；同一时间只能进行一个。请待其结束后再试。",
                    retry_after_s=30.0,
                )
            job = AdaptJob(work)
            self._jobs[job.id] = job
            while len(self._jobs) > _KEPT:
                self._jobs.popitem(last=False)
            return job

    def get(self, job_id: str) -> AdaptJob | None:
        """The job with this id, or None where there is none (any more)."""
        return self._jobs.get(job_id)

    def running(self) -> AdaptJob | None:
        """The one that runs."""
        with self._lock:
            return self._running()

    def _running(self) -> AdaptJob | None:
        return next((job for job in self._jobs.values() if job.view().state == "running"), None)

    def close(self, timeout_s: float = 10.0) -> None:
        """Stop what runs, and wait for it a little."""
        job = self.running()
        if job is not None:
            job.stop()
            job.wait(timeout_s)
