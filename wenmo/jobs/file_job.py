"""A file that a visitor of the Batch page uploads, and the job on it.

Each job has a folder of its own. The name of an uploaded file is displayed, and never used as a path. The folder has a
record of its job, so that another process can take it over (`job_queue.py`): a job that was queued or running is then
"interrupted", and goes on with its finished shards when it is begun again.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from wenmo.errors import InputError, Language, WenmoError
from wenmo.jobs.atomic_write import atomic_write
from wenmo.jobs.backend import EngineBackend
from wenmo.jobs.executor import JobPaused, JobProgress
from wenmo.jobs.export import export_results
from wenmo.jobs.job import run_job
from wenmo.jobs.options import RunOptions, check_options, models_of
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
PREVIEW_ROWS = 20
RECORD = "job.json"

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
        self.interrupted = False  # stopped because the process ends, to be gone on with by the next one
        self._record = folder / RECORD
        self._opened: tuple[ReadOptions, TableReader, list[Row]] | None = None
        self._engine: Engine | None = None
        self._turn_ends: Callable[[], bool] = lambda: False
        self._resumable: tuple[str, TaskName, RunOptions] | None = None  # model, task and options of the shards
        self._status = FileJobStatus()

    @classmethod
    def recorded(cls, folder: Path) -> FileJob:
        """The job that another process left in `folder`. Raises ValueError, KeyError, TypeError or OSError for none."""
        values = json.loads((folder / RECORD).read_text(encoding="utf-8"))
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

    def stop(self) -> None:
        """End the job after its chunk, if it runs."""
        self._stop.set()

    def interrupt(self) -> None:
        """Stop the job so that another process can go on with it."""
        self.interrupted = True
        self.stop()

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

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
                export_results(reader, self.target, path, extra, task=status.task, language=language)
        return path

    def begin(self, engine: Engine, task: TaskName, options: RunOptions) -> None:
        """Note what is to be run, for whoever calls `run`."""
        self._stop.clear()
        self._engine = engine
        self._update(state="waiting", task=task, options=options, progress=None, error=None, summary=None)
        self.record()

    def run(self, turn_ends: Callable[[], bool]) -> bool:
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
            state = "interrupted" if self.interrupted else "stopped"
            if not self.interrupted:
                self.clear()
        except InputError as error:
            failure = self._named(error)
        except WenmoError as error:
            failure = error
        except Exception as error:
            logger.exception("A job of the page ended with an error that is none of wenmo's")
            failure = error
        self.end(state, summary, failure)
        return False

    def end(self, state: JobState, summary: JobSummary | None = None, failure: Exception | None = None) -> None:
        """Note how the job has ended."""
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
        if self.stopping:
            raise _StoppedError

    def clear(self) -> None:
        """Delete what was computed; the uploaded file stays."""
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
