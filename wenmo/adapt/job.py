"""Runs `adapt` in a background thread, one run at a time, for pages that watch and stop it.

A job is known by its id, and whoever has the id may watch and stop it, so that a visitor who reloads the page finds it
again. A job keeps no texts once it has ended.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from wenmo.adapt.types import Adapted, AdaptProgress
from wenmo.errors import BusyError, WenmoError

State = Literal["running", "done", "failed", "stopped"]
Work = Callable[[Callable[[AdaptProgress], None]], Adapted]  # `adapt`, with all of its arguments but `progress`
_MAX_POINTS = 400  # of a curve
_KEPT = 8  # jobs whose results can still be seen

logger = logging.getLogger("wenmo")


class _StoppedError(Exception):
    """Raised within the run to end it."""


@dataclass(kw_only=True)
class Curve:
    """The points (x, y) of a growing line. Beyond _MAX_POINTS every other point is dropped."""

    points: list[tuple[float, float]] = field(default_factory=list)
    _every: int = 1  # so many points are added for one that is kept
    _added: int = 0

    def add(self, x: float, y: float) -> None:
        if self._added % self._every == 0:
            self.points.append((x, y))
        self._added += 1
        if len(self.points) > _MAX_POINTS:
            self.points = self.points[::2]
            self._every *= 2


@dataclass(frozen=True, kw_only=True)
class AdaptJobStatus:
    """A snapshot of a job.

    `loss` and `dev_loss` are curves over steps, `memory_mib` over seconds. An `error` that is not a WenmoError is a
    bug, and in the log.
    """

    state: State
    progress: AdaptProgress | None
    loss: list[tuple[float, float]]
    dev_loss: list[tuple[float, float]]
    memory_mib: list[tuple[float, float]]
    seconds: float
    result: Adapted | None
    error: Exception | None


class AdaptJob:
    """A run in a thread of its own, which starts at once. Any thread may use it."""

    def __init__(self, work: Work) -> None:
        self.id = secrets.token_urlsafe(9)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._started = time.monotonic()
        self._ended: float | None = None
        self._state: State = "running"
        self._progress: AdaptProgress | None = None
        self._loss, self._dev_loss, self._memory = Curve(), Curve(), Curve()
        self._result: Adapted | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(work,), name="wenmo-adapt", daemon=True)
        self._thread.start()

    def status(self) -> AdaptJobStatus:
        """The state of the job now."""
        with self._lock:
            return AdaptJobStatus(
                state=self._state,
                progress=self._progress,
                loss=list(self._loss.points),
                dev_loss=list(self._dev_loss.points),
                memory_mib=list(self._memory.points),
                seconds=(self._ended or time.monotonic()) - self._started,
                result=self._result,
                error=self._error,
            )

    def stop(self) -> None:
        """Request the end of the run, which then leaves nothing behind; returns at once."""
        self._stop.set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end of the run, at most `timeout_s` seconds; returns whether it has ended."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _on_progress(self, progress: AdaptProgress) -> None:
        if self._stop.is_set():
            raise _StoppedError
        with self._lock:
            self._progress = progress
            self._memory.add(time.monotonic() - self._started, progress.memory_mib)
            if progress.loss is not None:
                self._loss.add(progress.step, progress.loss)
            if progress.dev_loss is not None:
                self._dev_loss.add(progress.step, progress.dev_loss)

    def _run(self, work: Work) -> None:
        state: State = "failed"
        result: Adapted | None = None
        failure: Exception | None = None
        try:
            result = work(self._on_progress)
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
    """The jobs of a process: at most one runs, and the last _KEPT are kept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: OrderedDict[str, AdaptJob] = OrderedDict()

    def start(self, work: Work) -> AdaptJob:
        """Start a job. Raises BusyError while another one runs."""
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
        """The job with this id; None if there is none, or if it is no longer kept."""
        return self._jobs.get(job_id)

    def running(self) -> AdaptJob | None:
        """The job that runs, if one does."""
        with self._lock:
            return self._running()

    def _running(self) -> AdaptJob | None:
        return next((job for job in self._jobs.values() if job.status().state == "running"), None)

    def close(self, timeout_s: float = 10.0) -> None:
        """Stop the running job and wait for its end, at most `timeout_s` seconds."""
        job = self.running()
        if job is not None:
            job.stop()
            job.wait(timeout_s)
