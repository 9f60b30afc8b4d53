"""Runs a job: files in, files out, in bounded memory; after any interruption it can be resumed.

The job's tables (`job_tables.py`) are split into chunks, which an executor (`executor.py`) has the backend compute
(`backend.py`: an engine here, or actors on a cluster). Each chunk becomes a finished shard (`shards.py`) in the work
folder (`work_folder.py`); at the end the outputs are put together from the shards. docs/decisions/0008-jobs.md has the
reasons.

On a CPU the outputs are the same byte for byte, however often the job was stopped and whatever computed it: how a table
is split depends on its rows and characters alone, and each chunk is one call of an engine. This needs an engine built
with `repeatable=True`, because a result from another batch may differ in its last bit. On a GPU, batches depend on the
free memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from wenmo.errors import InputError
from wenmo.jobs.backend import Backend
from wenmo.jobs.executor import ChunkExecutor, JobProgress
from wenmo.jobs.job_tables import JobTable, OpenReader, open_tables, write_outputs
from wenmo.jobs.manifest import Manifest, fingerprint_file
from wenmo.jobs.options import RunOptions, RunSpec, check_options, encodings_per_row, models_of, settled
from wenmo.jobs.sources import FilePair, errors_file, find_files
from wenmo.jobs.summary import JobSummary, summarize
from wenmo.jobs.work_folder import clear, locked_work_folder, manifest_file
from wenmo.tables.readers import open_reader
from wenmo.tables.table import CHUNK_ROWS
from wenmo.types import TaskName

# A shard is what an interruption costs. Parameters times rows of 2**35 take some 10 s with a bundled model and a minute
# with a base one, on two cores. A shard is at most one window of the engine, and large enough for efficient batches.
_SHARD_WORK = 2**35
_FEWEST_ENCODINGS = 128


class Work:
    """What a job does with its tables: here, ask a task about each row. `vector_work.py` has other kinds."""

    further_suffixes: Sequence[str] = ()  # of a target, beside those of tables
    inputs: Sequence[Path] = ()  # files that the job reads besides

    def __init__(self, task: str, options: RunOptions, open_reader: OpenReader = open_reader) -> None:
        self.task = task
        self.options = options
        self.open_reader = open_reader

    def settle(self, models: Mapping[TaskName, str]) -> None:
        """Replace what the options leave to the models, see `settled`, by what these models make of it."""
        self.options = settled(self.task, self.options, models)

    def check(self) -> tuple[str, ...]:
        """The labels that will be dropped. Raises InputError for options that cannot be used."""
        return check_options(self.task, self.options)

    def models(self) -> tuple[TaskName, ...]:
        """The tasks whose models are run, the one with the most work first."""
        return models_of(self.task, self.options)

    def encodings_per_row(self) -> int:
        """How many inputs the first of `models` computes for each row."""
        return encodings_per_row(self.task, self.options)

    def open(self, pairs: Sequence[FilePair], folder: Path) -> tuple[list[JobTable], RunSpec]:
        """The tables, and what is done with their chunks. Raises InputError."""
        return open_tables(pairs, self.task, self.options, folder, self.open_reader)

    def prepare(self, spec: RunSpec, step: Step) -> RunSpec:
        """What comes before the chunks; returns `spec` with what that adds to it."""
        return spec

    def write(self, tables: Sequence[JobTable], spec: RunSpec, step: Step, errors_file: Path) -> None:
        """Write the outputs from the finished shards."""
        write_outputs(tables, errors_file)

    def summary(self, summary: JobSummary) -> JobSummary:
        """The summary, without what has no meaning for this kind of job."""
        return summary


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a kind of job needs for a step of its own: see `run_work`. `model` is the fingerprint of the models."""

    backend: Backend
    folder: Path
    model: Mapping[str, Any]
    rows_per_shard: int
    progress: Callable[[JobProgress], None] | None


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
    progress: Callable[[JobProgress], None] | None = None,
    open_reader: OpenReader = open_reader,
) -> JobSummary:
    """Run `task` on each row of `source`, and write the rows with their results to `target`; see `run_work`.

    `open_reader` opens the files: `open_isolated` for those of strangers.
    """
    return run_work(
        backend,
        Work(task, options, open_reader),
        source,
        target,
        resume=resume,
        restart=restart,
        shard_rows=shard_rows,
        progress=progress,
    )


def run_work(
    backend: Backend,
    work: Work,
    source: Path,
    target: Path,
    *,
    resume: bool = False,
    restart: bool = False,
    shard_rows: int | None = None,
    progress: Callable[[JobProgress], None] | None = None,
) -> JobSummary:
    """Do `work` on each row of `source`, and write the rows with their results to `target`.

    `source` is a file, a folder or a pattern such as `data/*.csv`; `target` is a file, or a folder if `source` may be
    several files (`sources.py`). Outputs appear when all of them are complete, and replace files of the same names.
    Rows without a result are listed in `target`.errors.jsonl, too. `progress` is called a few times a second, in this
    thread. An exception that it raises stops the job and comes out of this call; finished shards are kept, as they are
    when the process is interrupted or dies.

    An unfinished job for `target` is continued with `resume`, discarded with `restart`, and otherwise refused; without
    one, both start a new job. `shard_rows` is how many rows a shard has; None chooses it by the size of the model.

    Raises InputError for a file, a column or an option that cannot be used, for a job that differs from the one to be
    resumed, and for a full disk; and whatever the backend raises.
    """
    started = time.perf_counter()
    dropped_labels = work.check()
    work.settle(backend.model_names)
    pairs = find_files(source, target, further_suffixes=work.further_suffixes)
    with locked_work_folder(target) as folder:
        earlier = _earlier_manifest(folder, target, resume=resume, restart=restart)
        tables, spec = work.open(pairs, folder)
        parameters, model = backend.load(work.models())
        rows_per_shard = shard_rows or _rows_per_shard(parameters, work.encodings_per_row())
        manifest = Manifest.of(
            work.task,
            {**asdict(work.options), "shard_rows": rows_per_shard, "out": target.suffix.lower()},
            model,
            {pair.name: fingerprint_file(pair.source) for pair in pairs}
            | {f"+ {path.name}": fingerprint_file(path) for path in work.inputs},
        )
        if earlier is None:
            manifest.write(manifest_file(folder))
        else:
            earlier.check_same(manifest)
            if earlier.summary is not None and all(pair.target.exists() for pair in pairs):
                clear(folder)
                return JobSummary.from_json(earlier.summary)
        for table in tables:
            table.shards.load_finished()
        step = Step(backend=backend, folder=folder, model=model, rows_per_shard=rows_per_shard, progress=progress)
        spec = work.prepare(spec, step)
        executor = ChunkExecutor(backend, spec, tables, rows_per_shard)
        executor.run(progress)
        work.write(tables, spec, step, errors_file(target))
        summary = summarize(
            tables,
            resumed_rows=executor.resumed_rows,
            seconds=time.perf_counter() - started,
            column_prefix=spec.prefix,
            dropped_labels=dropped_labels,
            errors_file=errors_file(target),
            language=work.options.language,
        )
        summary = work.summary(summary)
        replace(manifest, summary=asdict(summary)).write(manifest_file(folder))
        clear(folder)
        return summary


def _earlier_manifest(folder: Path, target: Path, *, resume: bool, restart: bool) -> Manifest | None:
    """The manifest of the job to be resumed; None for a new job. Raises InputError where the caller must choose."""
    if restart:
        clear(folder)
    earlier = Manifest.read(manifest_file(folder))
    if earlier is None or resume:
        return earlier
    if earlier.summary is None:
        raise InputError(
            f"{folder} holds an unfinished job for {target.name}. Add --resume to go on with it, or --restart to "
            "begin anew.",
            f"{folder} 中有 {target.name} 尚未完成的任务。请加 --resume 继续，或加 --restart 重新开始。",
        )
    clear(folder)  # that job was finished, and died before it had cleared its folder
    return None


def _rows_per_shard(parameters: int, encodings_each: int) -> int:
    encodings = min(CHUNK_ROWS, max(_FEWEST_ENCODINGS, _SHARD_WORK // max(parameters, 1)))
    return max(1, encodings // encodings_each)
