"""Background jobs on files that visitors of the Batch page upload. A job is forgotten an hour after its last view.

Whoever knows the id of a job, which cannot be guessed, may view, stop and delete it. So a visitor finds the job again
after reloading the page, and nobody finds another visitor's. Each job has a folder of its own in a temporary folder of
the process. The name of an uploaded file is displayed, and never used as a path.

One job runs at a time, since it uses the whole machine; the others queue. While others wait, a job that has run for
TURN_S gives way after its chunk and queues again. The work of a job is bounded, and so is the number of jobs of a
visitor, by whatever name the caller has for one.

Few jobs are kept: when a new one needs room, the one whose last view is longest ago is deleted, provided that this is
long ago and the job is neither queued nor running. A page that shows a job views it every few seconds, so a job that
runs for nobody ends after an hour, too.

Jobs survive a restart: each folder has a record of its job, and the next process takes over what a stopped or killed
one left. A job that was queued or running is then "interrupted", and goes on with its finished shards when it is begun
again. What has no valid record, or whose last view is too long ago, is deleted.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from filelock import FileLock, Timeout

from wenmo.errors import BusyError, InputError, Language, WenmoError
from wenmo.jobs.atomic_write import atomic_write
from wenmo.jobs.backend import EngineBackend
from wenmo.jobs.executor import JobPaused, JobProgress
from wenmo.jobs.export import export_results
from wenmo.jobs.job import run_job
from wenmo.jobs.options import RunOptions, check_options, encodings_per_row, models_of, settled
from wenmo.jobs.result_columns import result_columns
from wenmo.jobs.sources import errors_file, partial_folder
from wenmo.jobs.summary import JobSummary
from wenmo.tables.isolated import open_isolated
from wenmo.tables.table import READ_SUFFIXES, ReadOptions, Row, TableReader, check_suffix
from wenmo.types import TaskName

if TYPE_CHECKING:
    from wenmo.engine import Engine

JobState = Literal["received", "waiting", "running", "done", "stopped", "failed", "interrupted"]
EXPORTS = (".csv", ".xlsx", ".jsonl", ".parquet")

MAX_ROWS = 500_000  # of an uploaded file: some twenty minutes with a bundled model on two cores
MAX_INPUTS = 2_000_000  # of a model: rows times labels
PREVIEW_ROWS = 20
KEPT = 4  # jobs
KEPT_EACH = 2  # of a visitor
TURN_S = 30.0
KEPT_S = 3600.0  # after its last view a job is deleted
IDLE_S = 600.0  # after its last view a job may be deleted to make room for another
_SWEEP_S = 60.0
_PREFIX, _LOCK, _RECORD = "wenmo-jobs-", ".lock", "job.json"

logger = logging.getLogger("wenmo")


class _StoppedError(Exception):
    """Raised within a job to end it."""


@dataclass(frozen=True, kw_only=True)
class FileJobStatus:
    """A snapshot of a job.

    `task` and `options` are those of its last start, `labels` are the model's, in the order of its ids. `ahead` is how
    many jobs run before it. An `error` that is not a WenmoError is a bug, and in the log.
    """

    state: JobState = "received"
    task: TaskName | None = None
    options: RunOptions | None = None
    labels: tuple[str, ...] = ()
    model: str | None = None
    progress: JobProgress | None = None
    summary: JobSummary | None = None
    error: Exception | None = None
    ahead: int = 0


class FileJob:
    """An uploaded file and the job on it. Created by `FileJobs`; any thread may use it."""

    def __init__(self, name: str, folder: Path, visitor: str | None = None, *, job_id: str | None = None) -> None:
        self.id = job_id or secrets.token_urlsafe(16)
        self.name = name
        self.visitor = visitor
        self.folder = folder
        self.source = folder / f"input{check_suffix(Path(name), READ_SUFFIXES)}"
        self.target = folder / "output.parquet"
        self.errors = errors_file(self.target)
        self.received_bytes = 0
        self.viewed_s = time.monotonic()
        self._lock = threading.Lock()
        self._opening, self._exporting = threading.Lock(), threading.Lock()
        self._stop = threading.Event()
        self._interrupted = False  # stopped because the process ends, to be gone on with by the next one
        self._record = folder / _RECORD
        self._opened: tuple[ReadOptions, TableReader, list[Row]] | None = None
        self._engine: Engine | None = None
        self._turn_ends: Callable[[], bool] = lambda: False
        self._resumable: tuple[str, TaskName, RunOptions] | None = None  # model, task and options of the shards
        self._status = FileJobStatus()

    @classmethod
    def recorded(cls, folder: Path) -> FileJob:
        """The job that another process left in `folder`. Raises ValueError, KeyError, TypeError or OSError for none."""
        values = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        visitor = values["visitor"]
        job = cls(str(values["name"]), folder, None if visitor is None else str(visitor), job_id=str(values["id"]))
        job.received_bytes = job.source.stat().st_size
        if values["task"] is None:
            return job
        task, options, model = values["task"], RunOptions(**values["options"]), values["model"]
        check_options(task, options)
        job._resumable = None if model is None else (model, task, options)
        state, summary = values["state"], values["summary"]
        if state in ("waiting", "running"):
            state = "interrupted"
        if state == "done":
            summary = JobSummary.from_json(summary)
            if not job.target.is_file():
                raise ValueError("no result")
        labels = tuple(map(str, values["labels"]))
        job._update(state=state, task=task, options=options, model=model, labels=labels, summary=summary)
        return job

    def record(self, status: FileJobStatus | None = None) -> None:
        """Write down what another process needs to go on. A failure only costs the job its restart."""
        status = status or self.status()
        values = {
            "id": self.id,
            "name": self.name,
            "visitor": self.visitor,
            "state": status.state,
            "task": status.task,
            "options": None if status.options is None else asdict(status.options),
            "model": status.model,
            "labels": status.labels,
            "summary": None if status.summary is None else asdict(status.summary),
        }
        with contextlib.suppress(OSError, InputError), atomic_write(self._record) as file:
            file.write(json.dumps(values).encode())

    def viewed(self) -> None:
        """Note that somebody looks at the job."""
        self.viewed_s = time.monotonic()
        with contextlib.suppress(OSError):
            os.utime(self._record)

    def interrupt(self) -> None:
        """Stop the job so that another process can go on with it."""
        self._interrupted = True
        self._stop.set()

    def status(self) -> FileJobStatus:
        """How far the job is. `ahead` is only known to `FileJobs.status`."""
        with self._lock:
            return self._status

    def _update(self, **changes: Any) -> None:
        with self._lock:
            self._status = replace(self._status, **changes)

    def open(self, options: ReadOptions | None = None) -> tuple[TableReader, list[Row]]:
        """A reader of the file, and its first PREVIEW_ROWS rows. Kept for the next call with the same options.

        Raises InputError for a file that cannot be read, and for one without rows or with more than MAX_ROWS.
        """
        options = options or ReadOptions()
        with self._opening:
            if self._opened is None or self._opened[0] != options:
                try:
                    reader = open_isolated(self.source, options)
                    first = next(iter(reader.chunks(PREVIEW_ROWS)), None)
                except InputError as error:
                    raise self._named(error) from error
                if first is None or not reader.columns:
                    raise InputError(
                        f"{self.name} has no rows. Give a file with at least one row below its header.",
                        f"{self.name} 中没有数据行。请提供表头之下至少有一行的文件。",
                    )
                if reader.row_count > MAX_ROWS:
                    raise InputError(
                        f"{self.name} has {reader.row_count:,} rows; this page takes {MAX_ROWS:,}. Use `python -m "
                        "wenmo run` for larger files.",
                        f"{self.name} 有 {reader.row_count:,} 行，此页最多处理 {MAX_ROWS:,} 行。"
                        "更大的文件请用 `python -m wenmo run`。",
                    )
                self._opened = options, reader, first.rows()
            return self._opened[1], self._opened[2]

    def export(self, suffix: str, language: Language = "zh") -> Path:
        """The finished table in the format of `suffix`, one of EXPORTS; created at the first call.

        An Excel file has the words of `language`.

        Raises InputError where the job is not done, or the format cannot hold the table.
        """
        status = self.status()
        if status.state != "done" or status.options is None or suffix not in EXPORTS:
            raise InputError(f"There is no {suffix} of {self.name}.", f"没有 {self.name} 的 {suffix} 结果。")
        if suffix == ".parquet":
            return self.target
        path = self.folder / (f"export-{language}{suffix}" if suffix == ".xlsx" else f"export{suffix}")
        reader, _ = self.open(status.options.reading)
        with self._exporting:
            if not path.exists():
                _, extra = result_columns(status.options, reader.columns)
                export_results(reader, self.target, path, extra, language=language)
        return path

    def _begin(self, engine: Engine, task: TaskName, options: RunOptions) -> None:
        self._stop.clear()
        self._engine = engine
        self._update(state="waiting", task=task, options=options, progress=None, error=None, summary=None)
        self.record()

    def _run(self, turn_ends: Callable[[], bool]) -> bool:
        """Run the job in this thread until it is done, stopped or failed, or its turn ends: whether it did."""
        self._turn_ends = turn_ends
        engine, task, options = self._engine, self._status.task, self._status.options
        assert engine is not None and task is not None and options is not None
        state: JobState = "failed"
        summary: JobSummary | None = None
        failure: Exception | None = None
        try:
            self._check_stopped()
            self._update(state="running")
            info = engine.model_info(models_of(task, options)[0])
            self._update(labels=info.labels, model=info.name)
            self.record()
            resume = self._resumable == (info.name, task, options)  # the same job failed before: keep its shards
            self._resumable = (info.name, task, options)
            summary = run_job(
                EngineBackend(engine),
                task,
                self.source,
                self.target,
                options,
                resume=resume,
                restart=not resume,
                progress=self._on_progress,
                open_reader=open_isolated,
            )
            state = "done"
        except JobPaused:
            self._update(state="waiting")
            return True
        except _StoppedError:
            state = "interrupted" if self._interrupted else "stopped"
            if not self._interrupted:
                self._clear()
        except InputError as error:
            failure = self._named(error)
        except WenmoError as error:
            failure = error
        except Exception as error:
            logger.exception("A job of the page ended with an error that is none of wenmo's")
            failure = error
        self._end(state, summary, failure)
        return False

    def _end(self, state: JobState, summary: JobSummary | None = None, failure: Exception | None = None) -> None:
        self._engine = None
        changes: dict[str, Any] = {"state": state, "summary": summary, "error": failure}
        if self.folder.exists():
            self.record(replace(self.status(), **changes))
        self._update(**changes)  # last: whoever sees that it has ended may begin it again

    def _on_progress(self, progress: JobProgress) -> None:
        self._check_stopped()
        self._update(progress=progress)
        if self._turn_ends():
            raise JobPaused

    def _check_stopped(self) -> None:
        if self._stop.is_set():
            raise _StoppedError

    def _clear(self) -> None:
        """Delete what was computed."""
        self._resumable = None
        shutil.rmtree(partial_folder(self.target), ignore_errors=True)
        for path in (self.target, self.errors):
            path.unlink(missing_ok=True)

    def _named(self, error: InputError) -> InputError:
        """The error with the visitor's name of the file in place of its path on this machine."""

        return InputError(self.named(error.en), self.named(error.zh))

    def named(self, text: str) -> str:
        """A message with the visitor's name of the file in place of its path on this machine."""
        return text.replace(str(self.source), self.name).replace(self.source.name, self.name)


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
                    age_s = time.time() - (place / _RECORD).stat().st_mtime
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
                    f"您（或同一地址的访客）已有 {KEPT_EACH} 个文件。请在显示该文件处换一个文件，或稍候。",
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
            job._begin(engine, task, options)
            self._queue.append(job)
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="wenmo-jobs", daemon=True)
                self._worker.start()

    def stop(self, job: FileJob) -> None:
        """Stop a job: at once if it is queued, soon if it runs. Its results are deleted, the uploaded file is kept."""
        with self._lock:
            if job in self._queue:
                self._queue.remove(job)
                job._clear()
                job._end("stopped")
            else:
                job._stop.set()

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
            paused = job._run(self._turn())
            with self._lock:
                self._current = None
                if paused and job.id in self._jobs and not job._stop.is_set():
                    self._queue.append(job)
                elif paused and not job._interrupted:
                    job._clear()
                    job._end("stopped")
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
        job._stop.set()
        if job in self._queue:
            self._queue.remove(job)
        if job is not self._current:
            shutil.rmtree(job.folder, ignore_errors=True)

    def _sweep_regularly(self) -> None:
        while not self._closed.wait(_SWEEP_S):
            self.sweep()
