"""Computes the unfinished chunks of a job.

Threads take turns: while the backend computes the chunk of one, another reads, formats or writes its own. There are as
many threads as the backend wants chunks (two, for an engine), and as many chunks in memory.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass

from wenmo.jobs.backend import Backend
from wenmo.jobs.job_tables import JobTable, TableChunk, errors_file_entry, unfinished_chunks
from wenmo.jobs.options import RunSpec
from wenmo.telemetry.process import give_back_memory

_REPORT_S = 0.25


@dataclass(frozen=True, kw_only=True)
class JobProgress:
    """`rows` of `total_rows` are done, those of an earlier process included.

    `rows_per_s` and `seconds_left` are by the speed of this process, None until it has computed a row.
    """

    rows: int
    total_rows: int
    rows_per_s: float | None
    seconds_left: float | None


class JobPaused(Exception):  # noqa: N818 - no error
    """Raised by `progress` to end a run when the chunks in work are finished: a resume computes nothing twice."""


class _Stopped(Exception):  # noqa: N818 - no error
    """Ends the computing of a chunk when the job is stopped."""


class ChunkExecutor:
    """Computes what `tables` lack, in chunks of `rows` rows, and writes a shard for each. For one `run`."""

    def __init__(self, backend: Backend, spec: RunSpec, tables: Sequence[JobTable], rows: int) -> None:
        self._backend, self._spec = backend, spec
        self._total_rows = sum(table.reader.row_count for table in tables)
        self.resumed_rows = sum(note.rows for table in tables for note in table.shards.notes.values())
        self._finished_rows = self.resumed_rows
        self._chunks = unfinished_chunks(tables, rows)
        self._reading, self._counting = threading.Lock(), threading.Lock()
        self._rows_begun: dict[int, int] = {}  # by thread: how many rows of its chunk are done
        self._stopped, self._pausing = threading.Event(), threading.Event()
        self._started = time.perf_counter()

    def run(self, progress: Callable[[JobProgress], None] | None) -> None:
        """Return when all chunks are finished. `progress` is called in this thread; it may raise, to stop or pause."""
        threads = self._backend.concurrency
        with ThreadPoolExecutor(threads, thread_name_prefix="wenmo-job") as pool:
            pending = {pool.submit(self._compute_chunks) for _ in range(threads)}
            try:
                while pending:
                    done, pending = wait(pending, timeout=_REPORT_S, return_when=FIRST_EXCEPTION)
                    for future in done:
                        future.result()
                    try:
                        if progress is not None:
                            progress(self._progress())
                    except JobPaused:
                        self._pausing.set()
            except BaseException:
                self._stopped.set()
                raise
        if self._pausing.is_set() and self._finished_rows < self._total_rows:
            raise JobPaused

    def _compute_chunks(self) -> None:
        while not (self._stopped.is_set() or self._pausing.is_set()):
            with self._reading:
                part = next(self._chunks, None)
            if part is None:
                return
            try:
                self._compute(part)
            except _Stopped:
                return

    def _compute(self, part: TableChunk) -> None:
        results = self._backend.run_chunk(self._spec, part.chunk, part.table.columns, progress=self._on_batch)
        encoded = part.table.writer.encode(part.chunk, results.rows)
        part.table.shards.write(
            part.number,
            encoded.content,
            [errors_file_entry(part, index, error) for index, error in results.errors.items()],
            rows=len(part.chunk),
            label_counts=results.label_counts,
            score_sum=results.score_sum,
            guarded_cells=encoded.guarded_cells,
            unknown_rows=results.unknown_rows,
        )
        with self._counting:
            self._finished_rows += len(part.chunk)
            self._rows_begun.pop(threading.get_ident(), None)
        give_back_memory()

    def _on_batch(self, rows: int, total: int) -> None:
        if self._stopped.is_set():
            raise _Stopped
        with self._counting:
            self._rows_begun[threading.get_ident()] = rows

    def _progress(self) -> JobProgress:
        with self._counting:
            rows = self._finished_rows + sum(self._rows_begun.values())
        computed, seconds = rows - self.resumed_rows, time.perf_counter() - self._started
        rows_per_s = computed / seconds if computed else None
        return JobProgress(
            rows=rows,
            total_rows=self._total_rows,
            rows_per_s=rows_per_s,
            seconds_left=None if rows_per_s is None else (self._total_rows - rows) / rows_per_s,
        )
