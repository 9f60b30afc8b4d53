"""Jobs with sentence vectors: `embed` writes them, `match` finds the row of another file, `dedupe` near-duplicates.

Each is a kind of `Work`: it reads, splits, computes, resumes and writes as every job does (`job.py`).
"""

from __future__ import annotations

import io
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from wenmo.errors import InputError
from wenmo.jobs.atomic_write import atomic_write
from wenmo.jobs.chunk import read_inputs
from wenmo.jobs.executor import ChunkExecutor, JobProgress
from wenmo.jobs.job import Step, Work
from wenmo.jobs.job_tables import JobTable, size_and_time, write_errors
from wenmo.jobs.options import RunSpec
from wenmo.jobs.result_columns import error_row, free_prefix
from wenmo.jobs.shards import Shards
from wenmo.jobs.sources import FilePair
from wenmo.jobs.summary import JobSummary
from wenmo.jobs.vector_chunk import Corpus, VectorOptions
from wenmo.jobs.work_folder import shards_folder
from wenmo.search import Index
from wenmo.search.leaders import follow
from wenmo.tables.columns import ColumnType
from wenmo.tables.readers import open_reader
from wenmo.tables.table import Chunk, Row, TableReader
from wenmo.tables.writers import Encoded, TableWriter, writer_for
from wenmo.types import TaskName

NPY = ".npy"
DUPLICATE_THRESHOLD = 0.9
_COLUMNS_LISTED = 30  # in an error message


class NpyWriter(TableWriter):
    """Writes the vectors alone, as numpy's .npy: (rows, H) float32, NaN for a row without a vector."""

    def __init__(self, column: str) -> None:
        self._column = column

    def encode(self, chunk: Chunk, results: Sequence[Row]) -> Encoded:
        """A shard is an .npy file, too; it has no columns where no row has a vector."""
        vectors = [result.get(self._column) for result in results]
        width = max((len(vector) for vector in vectors if vector is not None), default=0)
        block = np.full((len(vectors), width), np.nan, dtype="<f4")
        for place, vector in enumerate(vectors):
            if vector is not None:
                block[place] = vector
        content = io.BytesIO()
        np.save(content, block)
        return Encoded(content=content.getvalue())

    def join(self, shards: Iterable[Path], file: BinaryIO) -> None:
        paths = list(shards)
        shapes = [_shape(path) for path in paths]
        rows, width = sum(shape[0] for shape in shapes), max((shape[1] for shape in shapes), default=0)
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (rows, width)})
        for path, shape in zip(paths, shapes, strict=True):
            file.write((np.load(path) if shape[1] else np.full((shape[0], width), np.nan, dtype="<f4")).tobytes())


def _shape(path: Path) -> tuple[int, ...]:
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        return tuple(np.lib.format.read_array_header_1_0(file)[0])


def _joined(table: JobTable, path: Path) -> np.ndarray:
    """The vectors (rows, H) of a table that an NpyWriter has written, joined in the file `path`, not in memory."""
    with atomic_write(path) as file:
        table.writer.join(table.shards.rows_files(), file)
    return np.load(path, mmap_mode="r" if np.prod(_shape(path)) else None)


class _VectorWork(Work, ABC):
    """What embedding, matching and removing near-duplicates have in common: one column of texts."""

    name = ""

    def settle(self, models: Mapping[TaskName, str]) -> None:
        """Nothing is left to the models."""

    options: VectorOptions

    def __init__(self, options: VectorOptions) -> None:
        super().__init__(self.name, options)

    def check(self) -> tuple[str, ...]:
        return ()

    def models(self) -> tuple[TaskName, ...]:
        return ("embedding",)

    def encodings_per_row(self) -> int:
        return 1

    def open(self, pairs: Sequence[FilePair], folder: Path) -> tuple[list[JobTable], RunSpec]:
        readers = [self._reader(pair.source) for pair in pairs]
        columns = [_text_column(reader, self.options.text, "--text") for reader in readers]
        taken = [name for reader in readers for name in reader.columns]
        prefix, types = self._result_columns(taken)
        tables = [
            JobTable(
                pair=pair,
                reader=reader,
                columns=(columns[number],),
                writer=self._writer(pair.target, reader, prefix, types),
                shards=Shards(shards_folder(folder, number)),
                size_and_time=size_and_time(pair.source),
            )
            for number, (pair, reader) in enumerate(zip(pairs, readers, strict=True))
        ]
        return tables, RunSpec(task=self.task, options=self.options, prefix=prefix)

    def _reader(self, path: Path) -> TableReader:
        return open_reader(path, self.options.reading)

    def _result_columns(self, taken: Sequence[str]) -> tuple[str, dict[str, ColumnType]]:
        types = self._types()
        prefix = free_prefix(list(types), taken)
        return prefix, {prefix + name: column_type for name, column_type in types.items()}

    @abstractmethod
    def _types(self) -> dict[str, ColumnType]:
        """The result columns."""

    def _writer(self, target: Path, reader: TableReader, prefix: str, types: Mapping[str, ColumnType]) -> TableWriter:
        return writer_for(target, reader, types)

    def summary(self, summary: JobSummary) -> JobSummary:
        return replace(summary, mean_confidence=None)


class EmbedWork(_VectorWork):
    """The vector of each text, of length 1: a column of a table, or for a target .npy nothing but the vectors."""

    name = "embed"
    further_suffixes = (NPY,)

    def _types(self) -> dict[str, ColumnType]:
        return {"embedding": "vector", "error": "text"}

    def _writer(self, target: Path, reader: TableReader, prefix: str, types: Mapping[str, ColumnType]) -> TableWriter:
        if target.suffix.lower() == NPY:
            return NpyWriter(f"{prefix}embedding")
        return writer_for(target, reader, types)


class DedupeWork(_VectorWork):
    """Each row with the number of the first row that it is near to, its own number for one that is kept.

    The vectors are computed in shards, which are kept. Comparing all of them comes last, in one go.
    """

    name = "dedupe"

    def __init__(self, options: VectorOptions) -> None:
        super().__init__(options)
        self._counts: Counter[str] = Counter()

    def check(self) -> tuple[str, ...]:
        threshold = self.options.threshold
        if threshold is not None and not 0 < threshold <= 1:
            raise _bad_threshold(threshold)
        return ()

    def open(self, pairs: Sequence[FilePair], folder: Path) -> tuple[list[JobTable], RunSpec]:
        if len(pairs) != 1 or pairs[0].source.is_dir():
            raise InputError(
                f"Near-duplicates are sought within one file, and these are {len(pairs)}. Join them first.",
                f"近似重复只在一个文件之内查找，现有 {len(pairs)} 个文件。请先合并。",
            )
        tables, spec = super().open(pairs, folder)
        self._output = tables[0].writer
        return [replace(tables[0], writer=NpyWriter(f"{spec.prefix}embedding"))], spec

    def _types(self) -> dict[str, ColumnType]:
        return {"group": "integer", "duplicate": "boolean", "cosine": "number", "error": "text"}

    def write(self, tables: Sequence[JobTable], spec: RunSpec, step: Step, errors_file: Path) -> None:
        (table,) = tables
        vectors = _joined(table, step.folder / "vectors.npy")
        total = len(vectors)
        filled = np.flatnonzero(~np.isnan(vectors[:, 0])) if vectors.size else np.empty(0, dtype=np.int64)

        def on_rows(_: int) -> None:
            if step.progress is not None:  # it may raise, to stop
                step.progress(JobProgress(rows=total, total_rows=total, rows_per_s=None, seconds_left=None))

        near, cosine = follow(vectors, _duplicate_threshold(self.options), order=filled, on_rows=on_rows)
        write_errors(tables, errors_file)
        errors = _errors(errors_file)
        shards = step.folder / "output"
        shards.mkdir(exist_ok=True)
        written: list[Path] = []
        row = 0
        for chunk in table.reader.chunks(step.rows_per_shard):
            results = []
            for at in range(row, row + len(chunk)):
                is_filled = bool(vectors.size) and not np.isnan(vectors[at, 0])
                if is_filled:
                    results.append(self._row(spec, at, int(near[at]), float(cosine[at])))
                else:
                    results.append(error_row(next(errors)["error"], spec.prefix))
            row += len(chunk)
            written.append(shards / f"{len(written):08}")
            with atomic_write(written[-1]) as file:
                file.write(self._output.encode(chunk, results).content)
        with atomic_write(table.pair.target) as file:
            self._output.join(written, file)

    def _row(self, spec: RunSpec, row: int, leader: int, cosine: float) -> Row:
        duplicate = leader != row
        self._counts["duplicate" if duplicate else "kept"] += 1
        found: Row = {"group": leader + 1, "duplicate": duplicate, "cosine": round(cosine, 6) if duplicate else None}
        return {spec.prefix + name: value for name, value in found.items()}

    def summary(self, summary: JobSummary) -> JobSummary:
        return replace(super().summary(summary), label_counts=dict(self._counts.most_common()))


class MatchWork(_VectorWork):
    """Each row with the row of another file that says the same, all of its columns included.

    The vectors of the other file come first, in shards that are kept as well.
    """

    name = "match"

    def __init__(self, answers: Path, options: VectorOptions) -> None:
        super().__init__(options)
        self.inputs = (answers,)
        self._answers = answers

    def check(self) -> tuple[str, ...]:
        options = self.options
        for name, value, least in (("--top-k", options.top_k, 1), ("--rerank", options.rerank, 0)):
            if value < least:
                raise InputError(f"{name} is {value}; give {least} or more.", f"{name} 为 {value}，至少应为 {least}。")
        if options.threshold is not None and not 0 < options.threshold <= 1:
            raise _bad_threshold(options.threshold)
        return ()

    def models(self) -> tuple[TaskName, ...]:
        return ("similarity", "embedding") if self.options.rerank else ("embedding",)

    def encodings_per_row(self) -> int:
        return max(self.options.rerank, self.options.top_k) if self.options.rerank else 1

    def open(self, pairs: Sequence[FilePair], folder: Path) -> tuple[list[JobTable], RunSpec]:
        self._reader_of_answers = self._reader(self._answers)
        self._column = _text_column(self._reader_of_answers, self.options.answer_text, "--answer-text")
        return super().open(pairs, folder)

    def _types(self) -> dict[str, ColumnType]:
        types: dict[str, ColumnType] = {"matched": "boolean", "similarity": "number", "cosine": "number"}
        types["matched_row"] = "integer"
        if self.options.top_k > 1:
            types["alternatives"] = "text"
        return types | {"error": "text"}

    def _result_columns(self, taken: Sequence[str]) -> tuple[str, dict[str, ColumnType]]:
        prefix, types = super()._result_columns(taken)
        columns = self._reader_of_answers.columns
        with_match = [f"match_{name}" for name in columns]
        before = free_prefix(with_match, [*taken, *types])
        self._names = dict(zip(columns, (before + name for name in with_match), strict=True))
        known = _column_types(self._reader_of_answers)
        error = types.pop(f"{prefix}error")
        types |= {name: known.get(column, "text") for column, name in self._names.items()}
        return prefix, types | {f"{prefix}error": error}

    def prepare(self, spec: RunSpec, step: Step) -> RunSpec:
        table = JobTable(
            pair=FilePair(name=self._answers.name, source=self._answers, target=step.folder / "answers.npy"),
            reader=self._reader_of_answers,
            columns=(self._column,),
            writer=NpyWriter("embedding"),
            shards=Shards(step.folder / "answers"),
            size_and_time=size_and_time(self._answers),
        )
        table.shards.load_finished()
        embed = RunSpec(task=EmbedWork.name, options=self.options)
        ChunkExecutor(step.backend, embed, [table], step.rows_per_shard).run(step.progress)
        vectors = _joined(table, table.pair.target)
        rows = [row for chunk in table.reader.chunks() for row in chunk.rows()]
        inputs = [texts for chunk in table.reader.chunks() for texts in read_inputs(chunk, table.columns)]
        texts = ["" if isinstance(each, InputError) else each[0] for each in inputs]
        index = Index(model=step.model.get("embedding_digest", step.model["digest"]), hidden_size=vectors.shape[1])
        if vectors.size:  # else no answer has a text
            index.add(texts, np.nan_to_num(vectors))  # zeros for a row without a text are near to nothing
        return replace(spec, corpus=Corpus(index=index, rows=rows, names=self._names))


def _duplicate_threshold(options: VectorOptions) -> float:
    return DUPLICATE_THRESHOLD if options.threshold is None else options.threshold


def _bad_threshold(threshold: float) -> InputError:
    return InputError(
        f"--threshold is {threshold}; give a number above 0 and at most 1.",
        f"--threshold 为 {threshold}，应大于 0 且不超过 1。",
    )


def _text_column(reader: TableReader, column: str, option: str) -> str:
    """`column`; raises InputError when the table lacks it, unless the table is empty."""
    if column not in reader.columns and (reader.columns or reader.row_count):
        listed = ", ".join(map(repr, reader.columns[:_COLUMNS_LISTED])) or "none"
        raise InputError(
            f"{reader.path.name} has no column {column!r}. Its columns are: {listed}. Name the right one with "
            f"{option}.",
            f"{reader.path.name} 中没有列 {column!r}。现有的列：{listed}。请用 {option} 指定。",
        )
    return column


def _column_types(reader: TableReader) -> Mapping[str, ColumnType]:
    """The types of the columns of a table that another table can hold as they are; the others become text."""
    if reader.path.suffix.lower() != ".parquet":
        return reader.types
    import pyarrow as pa

    kinds: tuple[tuple[Any, ColumnType], ...] = (
        (pa.types.is_boolean, "boolean"),
        (pa.types.is_signed_integer, "integer"),
        (pa.types.is_floating, "number"),
    )
    return {
        field.name: column_type
        for field in reader.arrow_schema()
        for is_kind, column_type in kinds
        if is_kind(field.type)
    }


def _errors(errors_file: Path) -> Iterator[Row]:
    """The result of each row without a vector, in order."""
    if errors_file.exists():
        with errors_file.open(encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)
