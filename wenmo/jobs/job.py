"""A job: files in, files out, in bounded memory, resumable after any death. `docs/decisions/0008-jobs.md` says why so.

    OUT.partial/manifest.json    what the job was begun with (`manifest.py`)
    OUT.partial/0000/            finished shards of the first file (`shards.py`)
    OUT.partial/lock             held by the one process that works on it; the system lets go of a dead one's

Threads take turns: while the backend (`backend.py`: an engine here, or actors on a cluster) answers one's chunk,
another reads, formats or writes. No more chunks are in memory than there are threads, two for an engine. At the end the
outputs are put together from the shards, and the folder is removed.

On a CPU the outputs are the same byte for byte however often the job was stopped and whoever computed them: chunks are
cut by rows and characters alone, and each is one call of an engine. That needs a `repeatable` engine, for a result from
another batch may differ in its last bit; and on a GPU the batches follow the memory that is free.
"""

from __future__ import annotations

import math
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from wenmo.errors import InputError
from wenmo.jobs.answer import RunOptions, check_options, encodings_a_row, input_columns, models_of, result_columns
from wenmo.jobs.backend import Backend, Question
from wenmo.jobs.manifest import Manifest, fingerprint_file
from wenmo.jobs.shards import Note, Shards
from wenmo.jobs.sources import FilePair, errors_file, find_files, partial_folder
from wenmo.tables.files import replacing, writing
from wenmo.tables.readers import open_reader
from wenmo.tables.table import CHUNK_ROWS, Chunk, Row, TableReader
from wenmo.tables.writers import TableFormat, table_format
from wenmo.telemetry.process import give_back_memory, peak_process_memory_mib
from wenmo.types import TaskName

_REPORT_S = 0.25
# A shard is what a death costs. 2**35 parameters times rows are some 10 s of the bundled models and a minute of a base
# model on two cores; a chunk is at most one window of the engine, and never so small that its batches suffer.
_SHARD_WORK = 2**35
_FEWEST_ENCODINGS = 128


@dataclass(frozen=True, kw_only=True)
class JobProgress:
    """`rows_per_s` is of this process, None until there is something to tell; so is `seconds_left`."""

    rows: int
    of_rows: int
    rows_per_s: float | None
    seconds_left: float | None


Progress = Callable[[JobProgress], None]


@dataclass(frozen=True, kw_only=True)
class FileSummary:
    source: str
    target: str
    rows: int
    failed_rows: int


@dataclass(frozen=True, kw_only=True)
class JobSummary:
    """What was done. `rows` went in and came out; `failed_rows` of them have an `error` and no result.

    `resumed_rows` were there from an earlier process. `seconds` are this process's, with the loading of the model, and
    `rows_per_s` is over the rows that it computed, None where it had none to. `label_counts` is most frequent first;
    `mean_confidence` is the mean `score`, None without any result. `column_prefix` is what the result columns' names
    begin with: "" unless a file had one of them. `dropped_labels` are those that were blank or given twice.
    `errors_file` tells the rows without a result; None where all have one. `peak_memory_mib` is the process's, None
    where the system does not tell.
    """

    rows: int
    failed_rows: int
    resumed_rows: int
    seconds: float
    rows_per_s: float | None
    peak_memory_mib: float | None
    mean_confidence: float | None
    label_counts: Mapping[str, int]
    column_prefix: str
    dropped_labels: tuple[str, ...]
    errors_file: str | None
    files: tuple[FileSummary, ...]


@dataclass(frozen=True, kw_only=True)
class _Table:
    """One file of the job, opened and checked."""

    pair: FilePair
    reader: TableReader
    inputs: tuple[str, ...]
    format: TableFormat
    shards: Shards
    stamp: tuple[int, int]  # its size and time when it was opened


def run_job(
    backend: Backend,
    task: TaskName,
    source: Path,
    target: Path,
    options: RunOptions,
    *,
    resume: bool = False,
    restart: bool = False,
    shard_rows: int | None = None,
    progress: Progress | None = None,
) -> JobSummary:
    """Run `task` on each row of `source` and write the rows with their results to `target`.

    `source` is a file, a folder or a pattern such as `data/*.csv`; `target` a file, or a folder where there may be
    several (`sources.py`). Outputs appear when all are complete, and replace files of their names; rows without a
    result are in `target`.errors.jsonl as well. `progress` is called a few times a second, in this thread; an exception
    that it raises stops the job and comes out, and what is finished is kept, as it is after an interrupt or a death.

    Work that was left is gone on with (`resume`), thrown away (`restart`), or else refused; where there is none, both
    begin. `shard_rows` rows are finished at a time (chosen by the size of the model).

    Raises InputError for a file, column or option that cannot be worked with, for a job that differs from the one to be
    resumed, and for a disk that is full; and what the backend raises.
    """
    started = time.perf_counter()
    dropped_labels = check_options(task, options)
    pairs = find_files(source, target)
    with _workplace(target) as folder:
        manifest_file = folder / "manifest.json"
        if restart:
            _clear(folder)
        earlier = Manifest.read(manifest_file)
        if earlier is not None and earlier.summary is not None and not resume:  # it died while it tidied up
            _clear(folder)
            earlier = None
        if earlier is not None and not resume:
            raise InputError(
                f"{folder} holds an unfinished job for {target.name}. Add --resume to go on with it, or --restart to "
                "begin anew.",
                f"{folder} 中有 {target.name} 尚未完成的任务。请加 --resume 继续，或加 --restart 重新开始。",
            )
        readers = [open_reader(pair.source, encoding=options.encoding, delimiter=options.delimiter) for pair in pairs]
        inputs = [input_columns(task, reader, options) for reader in readers]
        prefix, kinds = result_columns(options, [name for reader in readers for name in reader.columns])
        tables = [
            _Table(
                pair=pair,
                reader=reader,
                inputs=columns,
                format=table_format(pair.target, reader, kinds),
                shards=Shards(folder / f"{number:04}"),
                stamp=_stamp(pair.source),
            )
            for number, (pair, reader, columns) in enumerate(zip(pairs, readers, inputs, strict=True))
        ]
        parameters, model = backend.load(models_of(task, options))
        rows_each = shard_rows or _shard_rows(parameters, encodings_a_row(task, options))
        manifest = Manifest.of(
            task,
            {**asdict(options), "shard_rows": rows_each, "out": target.suffix.lower()},
            model,
            {pair.name: fingerprint_file(pair.source) for pair in pairs},
        )
        if earlier is None:
            manifest.write(manifest_file)
        else:
            earlier.check_same(manifest)
        if earlier is not None and earlier.summary is not None and all(pair.target.exists() for pair in pairs):
            _clear(folder)
            return _summary_of(earlier.summary)
        notes = {table.pair.name: table.shards.finished() for table in tables}
        resumed_rows = sum(note.rows for done in notes.values() for note in done.values())
        work = _Work(backend, Question(task=task, options=options, prefix=prefix), rows_each, tables, notes)
        work.run(progress)
        _assemble(tables, notes, errors_file(target))
        everything = [note for table in tables for _, note in sorted(notes[table.pair.name].items())]
        rows = sum(note.rows for note in everything)
        seconds = time.perf_counter() - started
        summary = _summarize(everything)
        done = JobSummary(
            **summary,
            resumed_rows=resumed_rows,
            seconds=seconds,
            rows_per_s=(rows - resumed_rows) / seconds if rows > resumed_rows else None,
            peak_memory_mib=peak_process_memory_mib(),
            column_prefix=prefix,
            dropped_labels=dropped_labels,
            errors_file=str(errors_file(target)) if summary["failed_rows"] else None,
            files=tuple(
                FileSummary(
                    source=str(table.pair.source),
                    target=str(table.pair.target),
                    rows=sum(note.rows for note in notes[table.pair.name].values()),
                    failed_rows=sum(note.failed_rows for note in notes[table.pair.name].values()),
                )
                for table in tables
            ),
        )
        replace(manifest, summary=asdict(done)).write(manifest_file)
        _clear(folder)
        return done


class _Work:
    """The chunks that are not finished yet, each with a thread that sees it through."""

    def __init__(
        self,
        backend: Backend,
        question: Question,
        rows_each: int,
        tables: list[_Table],
        notes: dict[str, dict[int, Note]],
    ) -> None:
        self._backend, self._question = backend, question
        self._notes = notes
        self._of_rows = sum(table.reader.row_count for table in tables)
        self._finished_rows = sum(note.rows for done in notes.values() for note in done.values())
        self._resumed_rows = self._finished_rows
        self._chunks = _unfinished(tables, notes, rows_each)
        self._reading, self._counting = threading.Lock(), threading.Lock()
        self._begun: dict[int, int] = {}  # rows done of the chunk that a thread is at
        self._stopped = threading.Event()
        self._started = time.perf_counter()

    def run(self, progress: Progress | None) -> None:
        threads = self._backend.at_once
        with ThreadPoolExecutor(threads, thread_name_prefix="wenmo-job") as pool:
            pending = {pool.submit(self._take_turns) for _ in range(threads)}
            try:
                while pending:
                    done, pending = wait(pending, timeout=_REPORT_S, return_when=FIRST_EXCEPTION)
                    for future in done:
                        future.result()
                    if progress is not None:
                        progress(self._progress())
            except BaseException:
                self._stopped.set()
                raise

    def _take_turns(self) -> None:
        while not self._stopped.is_set():
            with self._reading:
                following = next(self._chunks, None)
            if following is None:
                return
            try:
                self._finish(*following)
            except _Stopped:
                return

    def _finish(self, table: _Table, number: int, first_row: int, chunk: Chunk) -> None:
        answered = self._backend.answer(self._question, chunk, table.inputs, progress=self._on_batch)
        errors = [_error_line(table, chunk, index, first_row, error) for index, error in answered.errors.items()]
        note = table.shards.write(
            number,
            table.format.encode(chunk, answered.outcomes),
            errors,
            rows=len(chunk),
            label_counts=answered.label_counts,
            score_sum=answered.score_sum,
        )
        with self._counting:
            self._notes[table.pair.name][number] = note
            self._finished_rows += note.rows
            self._begun.pop(threading.get_ident(), None)
        give_back_memory()

    def _on_batch(self, rows: int, of: int) -> None:
        if self._stopped.is_set():
            raise _Stopped
        with self._counting:
            self._begun[threading.get_ident()] = rows

    def _progress(self) -> JobProgress:
        with self._counting:
            rows = self._finished_rows + sum(self._begun.values())
        computed, seconds = rows - self._resumed_rows, time.perf_counter() - self._started
        rows_per_s = computed / seconds if computed else None
        return JobProgress(
            rows=rows,
            of_rows=self._of_rows,
            rows_per_s=rows_per_s,
            seconds_left=None if rows_per_s is None else (self._of_rows - rows) / rows_per_s,
        )


class _Stopped(Exception):  # noqa: N818 - no error
    """Ends a chunk that nobody waits for."""


def _unfinished(
    tables: list[_Table], notes: Mapping[str, Mapping[int, Note]], rows_each: int
) -> Iterator[tuple[_Table, int, int, Chunk]]:
    """Each chunk that has no note, with its table, its number there, and how many rows are before it."""
    for table in tables:
        finished = set(notes[table.pair.name])
        rows = 0
        for number, chunk in enumerate(table.reader.chunks(rows_each)):
            if number not in finished:
                yield table, number, rows, chunk
            rows += len(chunk)
        if rows != table.reader.row_count or _stamp(table.pair.source) != table.stamp:
            raise InputError(
                f"{table.pair.source} changed while it was read. Run again with --restart when nothing writes to it.",
                f"读取期间 {table.pair.source} 发生了变化。请在没有程序写入它时加 --restart 重新运行。",
            )


def _error_line(table: _Table, chunk: Chunk, index: int, first_row: int, error: str) -> Row:
    fault = chunk.faults.get(index)
    line: Row = {"file": table.pair.name, "row": first_row + index + 1, "error": error}
    if fault is not None and fault.raw is not None:
        return line | {"raw": fault.raw}
    return line | {"data": chunk.row(index)}


def _assemble(tables: list[_Table], notes: Mapping[str, Mapping[int, Note]], errors: Path) -> None:
    numbers = {table.pair.name: sorted(notes[table.pair.name]) for table in tables}
    for table in tables:
        with writing(table.pair.target):
            table.pair.target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(table.pair.target) as file:
            table.format.join(table.shards.rows_files(numbers[table.pair.name]), file)
    if any(note.failed_rows for done in notes.values() for note in done.values()):
        with replacing(errors) as file:
            for table in tables:
                table.shards.copy_errors(numbers[table.pair.name], file)
    else:  # those of an earlier run over the same output
        with writing(errors):
            errors.unlink(missing_ok=True)


def _summarize(notes: list[Note]) -> dict[str, Any]:
    rows, failed_rows = sum(note.rows for note in notes), sum(note.failed_rows for note in notes)
    label_counts: Counter[str] = Counter()
    for note in notes:
        label_counts.update(note.label_counts)
    answered = rows - failed_rows
    return {
        "rows": rows,
        "failed_rows": failed_rows,
        "label_counts": dict(label_counts.most_common()),
        "mean_confidence": math.fsum(note.score_sum for note in notes) / answered if answered else None,
    }


def _summary_of(stored: dict[str, Any]) -> JobSummary:
    files = tuple(FileSummary(**file) for file in stored["files"])
    return JobSummary(**{**stored, "files": files, "dropped_labels": tuple(stored["dropped_labels"])})


def _shard_rows(parameters: int, encodings_each: int) -> int:
    encodings = min(CHUNK_ROWS, max(_FEWEST_ENCODINGS, _SHARD_WORK // max(parameters, 1)))
    return max(1, encodings // encodings_each)


def _stamp(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


@contextmanager
def _workplace(target: Path) -> Iterator[Path]:
    """The folder of shards, held by this process alone; removed again when the job did not come to be."""
    from filelock import FileLock, Timeout

    folder = partial_folder(target)
    with writing(folder):
        folder.mkdir(exist_ok=True)
    lock = FileLock(folder / "lock", timeout=0)
    with writing(folder):
        try:
            lock.acquire()
        except Timeout:
            raise InputError(
                f"Another process is working on {target}. Wait for it, or choose another output.",
                f"另一个进程正在处理 {target}。请等待其完成，或换一个输出位置。",
            ) from None
    try:
        yield folder
    finally:
        if not (folder / "manifest.json").exists():
            with suppress(OSError, InputError):
                _clear(folder)
                (folder / "lock").unlink()
                folder.rmdir()
        lock.release()


def _clear(folder: Path) -> None:
    """Everything but the lock, the manifest last."""
    with writing(folder):
        for path in folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
        for path in folder.iterdir():
            if path.name != "lock":
                path.unlink()
