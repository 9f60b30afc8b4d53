"""Background jobs on files that visitors of the Batch page upload. A job is forgotten an hour after its last view.

Whoever knows the id of a job, which cannot be guessed, may view, stop and delete it. So a visitor finds the job again
after reloading the page, and nobody finds another visitor's. Each job has its folder in a temporary folder of the
process.

One job runs at a time, since it uses the whole machine; the others queue. While others wait, a job that has run for
TURN_S gives way after its chunk and queues again. The work of a job is bounded, and so is the number of jobs of a
visitor, by whatever name the caller has for one.

Few jobs are kept: when a new one needs room, the one whose last view is longest ago is deleted, provided that this is
long ago and the job is neither queued nor running. A page that shows a job views it every few seconds, so a job that
runs for nobody ends after an hour, too.

Jobs survive a restart: the next process takes over those that a stopped or killed one left. What has no valid record,
or whose last view is too long ago, is deleted.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from filelock import FileLock, Timeout

from wenmo.errors import BusyError, InputError, WenmoError
from wenmo.jobs.file_job import RECORD, FileJob, FileJobStatus
from wenmo.jobs.options import RunOptions, encodings_per_row, settled
from wenmo.tables.table import READ_SUFFIXES, check_suffix
from wenmo.types import TaskName

if TYPE_CHECKING:
    from wenmo.engine import Engine

MAX_INPUTS = 2_000_000  # of a model: rows times labels
KEPT = 4  # jobs
KEPT_EACH = 2  # of a visitor
TURN_S = 30.0
KEPT_S = 3600.0  # after its last view a job is deleted
IDLE_S = 600.0  # after its last view a job may be deleted to make room for another
_SWEEP_S = 60.0
_PREFIX, _LOCK = "wenmo-jobs-", ".lock"


def take_over(folder: Path, *, kept: int, kept_s: float) -> tuple[list[FileJob], list[FileLock]]:
    """The jobs that processes left in `folder` when they ended, with the locks of their places; the rest is deleted.

    These are the `kept` viewed last, of those viewed within `kept_s`. A place is taken over if nobody holds its lock
    and it is this user's own.
    """
    jobs: list[tuple[float, FileJob]] = []
    locks: list[FileLock] = []
    for root in folder.glob(f"{_PREFIX}*"):
        if root.is_symlink() or not (root / _LOCK).is_file() or not _is_own(root):
            continue
        lock = FileLock(root / _LOCK, timeout=0)
        # Held by a process that lives; an OSError for another user's, or one that was just deleted.
        with contextlib.suppress(OSError, Timeout):
            lock.acquire()
            locks.append(lock)
            for place in filter(Path.is_dir, root.iterdir()):
                with contextlib.suppress(OSError, ValueError, KeyError, TypeError, WenmoError):
                    age_s = time.time() - (place / RECORD).stat().st_mtime
                    if age_s <= kept_s:
                        job = FileJob.recorded(place)
                        job.viewed_s -= age_s
                        jobs.append((age_s, job))
    latest = [job for _, job in sorted(jobs, key=lambda each: each[0])[:kept]]
    places = {job.folder for job in latest}
    for lock in list(locks):
        root = Path(lock.lock_file).parent
        for place in filter(Path.is_dir, root.iterdir()):
            if place not in places:
                shutil.rmtree(place, ignore_errors=True)
        if not any(place.parent == root for place in places):
            lock.release()
            locks.remove(lock)
            shutil.rmtree(root, ignore_errors=True)
    return latest, locks


def _is_own(folder: Path) -> bool:
    """Whether this user made the folder: in a folder for all, such as /tmp, anybody may make one of that name."""
    return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()


class FileJobs:
    """The jobs of this process: at most `kept` at a time. KEPT_S and IDLE_S explain `kept_s` and `idle_s`."""

    def __init__(self, *, kept: int = KEPT, kept_s: float = KEPT_S, idle_s: float = IDLE_S) -> None:
        self._kept, self._kept_s, self._idle_s = kept, kept_s, idle_s
        left, locks = take_over(Path(tempfile.gettempdir()), kept=kept, kept_s=kept_s)
        self._root = Path(tempfile.mkdtemp(prefix=_PREFIX))  # readable only by the user of this process
        alive = FileLock(self._root / _LOCK, timeout=0)  # for as long as the process lives
        alive.acquire()
        self._locks = [alive, *locks]
        self._lock = threading.Lock()
        self._jobs: dict[str, FileJob] = {job.id: job for job in left}
        self._queue: deque[FileJob] = deque()
        self._current: FileJob | None = None
        self._worker: threading.Thread | None = None
        self._closed = threading.Event()
        threading.Thread(target=self._sweep_regularly, name="wenmo-job-sweeper", daemon=True).start()

    def receive(self, name: str, content: BinaryIO, visitor: str | None = None) -> FileJob:
        """Store an uploaded file, called `name`, of `visitor`, if that is known.

        Raises InputError for a suffix that cannot be read or a full disk, BusyError when there is no room for a job.
        """
        check_suffix(Path(name), READ_SUFFIXES)
        self.sweep()
        with self._lock:
            if visitor is not None and sum(job.visitor == visitor for job in self._jobs.values()) >= KEPT_EACH:
                raise BusyError(
                    f"{KEPT_EACH} files of yours, or of somebody at your address, are held already. Choose another "
                    "file where one of them is shown, or wait.",
                    f"你（或同一地址的访客）已有 {KEPT_EACH} 个文件。请在显示该文件处换一个文件，或稍候。",
                    retry_after_s=60.0,
                )
            if self._closed.is_set() or (len(self._jobs) >= self._kept and not self._make_room()):
                raise BusyError(
                    f"{self._kept} files are held for other visitors just now. Try again in some minutes, or use "
                    "`python -m wenmo run` on your machine.",
                    f"此刻已为其他访客保留了 {self._kept} 个文件。请几分钟后再试，或在自己的电脑上用 "
                    "`python -m wenmo run`。",
                    retry_after_s=60.0,
                )
            job = FileJob(name, Path(tempfile.mkdtemp(dir=self._root)), visitor)
            self._jobs[job.id] = job
        try:
            with job.source.open("wb") as file:
                shutil.copyfileobj(content, file)
                job.received_bytes = file.tell()
        except OSError as error:
            self.discard(job.id)
            raise InputError(
                f"{name} could not be kept: {error.strerror or error}. Free disk space on the server.",
                f"无法保存 {name}：{error.strerror or error}。请清理服务器的磁盘空间。",
            ) from error
        job.record()
        return job

    def get(self, job_id: str) -> FileJob | None:
        """The job with this id, None if there is none (any more). The call counts as a view of the job."""
        with self._lock:
            job = self._jobs.get(job_id)
            if job is not None:
                job.viewed()
            return job

    def status(self, job: FileJob) -> FileJobStatus:
        """As `job.status`, with its place in the queue."""
        with self._lock:
            queue = list(self._queue)
            ahead = queue.index(job) + (self._current is not None) if job in queue else 0
        return replace(job.status(), ahead=ahead)

    def begin(self, job: FileJob, engine: Engine, task: TaskName, options: RunOptions) -> None:
        """Queue a job to run `task` on its file. Does nothing for a job that is queued or running already.

        Raises InputError for a file that cannot be read, or with more than MAX_INPUTS inputs.
        """
        options = settled(task, options, engine.model_names)
        rows, each = job.open(options.reading)[0].row_count, encodings_per_row(task, options)
        if rows * each > MAX_INPUTS:
            raise InputError(
                f"{rows:,} rows with {each:,} labels each are {rows * each:,} inputs; this page takes {MAX_INPUTS:,}. "
                "Use fewer labels or rows, or `python -m wenmo run`.",
                f"{rows:,} 行、每行 {each:,} 个标签，共 {rows * each:,} 次计算，此页最多 {MAX_INPUTS:,} 次。"
                "请减少标签或行数，或使用 `python -m wenmo run`。",
            )
        with self._lock:
            if self._closed.is_set() or job is self._current or job in self._queue or job.id not in self._jobs:
                return
            job.begin(engine, task, options)
            self._queue.append(job)
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="wenmo-jobs", daemon=True)
                self._worker.start()

    def stop(self, job: FileJob) -> None:
        """Stop a job: at once if it is queued, soon if it runs. Its results are deleted, the uploaded file is kept."""
        with self._lock:
            if job in self._queue:
                self._queue.remove(job)
                job.clear()
                job.end("stopped")
            else:
                job.stop()

    def discard(self, job_id: str) -> None:
        """Forget a job and delete its files, at once, or as soon as it has stopped if it is running."""
        with self._lock:
            self._discard(job_id)

    def sweep(self) -> None:
        """Discard the jobs whose last view is too long ago, also those that are queued or running."""
        now = time.monotonic()
        with self._lock:
            for job in list(self._jobs.values()):
                if now - job.viewed_s > self._kept_s:
                    self._discard(job.id)

    def close(self, timeout_s: float = 10.0, *, keep: bool = False) -> None:
        """Stop all jobs and delete all files, or `keep` them for the next process. Waits for the running one."""
        if self._closed.is_set():
            return
        self._closed.set()
        with self._lock:
            for job in list(self._jobs.values()):
                if keep:
                    job.interrupt()
                else:
                    self._discard(job.id)
            self._queue.clear()
            kept, worker = {job.folder.parent for job in self._jobs.values()}, self._worker
        if worker is not None:
            worker.join(timeout_s)
        for lock in self._locks:
            lock.release()
            root = Path(lock.lock_file).parent
            if root not in kept:
                shutil.rmtree(root, ignore_errors=True)

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._queue:
                    self._worker = None
                    return
                job = self._current = self._queue.popleft()
            paused = job.run(self._turn())
            with self._lock:
                self._current = None
                if paused and job.id in self._jobs and not job.stopping:
                    self._queue.append(job)
                elif paused and not job.interrupted:
                    job.clear()
                    job.end("stopped")
                if job.id not in self._jobs:
                    shutil.rmtree(job.folder, ignore_errors=True)

    def _turn(self) -> Callable[[], bool]:
        """Tells whether the turn that begins now is over: others wait, and have waited long enough."""
        begun = time.monotonic()
        return lambda: bool(self._queue) and time.monotonic() - begun >= TURN_S

    def _is_busy(self, job: FileJob) -> bool:
        return job is self._current or job in self._queue

    def _make_room(self) -> bool:
        """Discard the idle job whose last view is longest ago; whether there was one. The lock must be held."""
        now = time.monotonic()
        idle = [job for job in self._jobs.values() if now - job.viewed_s > self._idle_s and not self._is_busy(job)]
        if idle:
            self._discard(min(idle, key=lambda job: job.viewed_s).id)
        return bool(idle)

    def _discard(self, job_id: str) -> None:
        job = self._jobs.pop(job_id, None)
        if job is None:
            return
        job.stop()
        if job in self._queue:
            self._queue.remove(job)
        if job is not self._current:
            shutil.rmtree(job.folder, ignore_errors=True)

    def _sweep_regularly(self) -> None:
        while not self._closed.wait(_SWEEP_S):
            self.sweep()
