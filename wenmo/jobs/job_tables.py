"""The tables of a job: opened before it starts, read in chunks, and put together from their shards at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wenmo.errors import InputError
from wenmo.jobs.atomic_write import atomic_write, explain_write_errors
from wenmo.jobs.options import RunOptions, RunSpec, input_columns
from wenmo.jobs.result_columns import result_columns
from wenmo.jobs.shards import Shards
from wenmo.jobs.sources import FilePair
from wenmo.jobs.work_folder import shards_folder
from wenmo.tables.table import Chunk, ReadOptions, Row, TableReader
from wenmo.tables.writers import TableWriter, writer_for
from wenmo.types import TaskName

OpenReader = Callable[[Path, ReadOptions | None], TableReader]


@dataclass(frozen=True, kw_only=True)
class JobTable:
    """A file of the job. `columns` hold the texts; `size_and_time` is the file's when it was opened."""

    pair: FilePair
    reader: TableReader
    columns: tuple[str, ...]
    writer: TableWriter
    shards: Shards
    size_and_time: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class TableChunk:
    """The chunk `number` of a table, of which `first_row` rows come before it."""

    table: JobTable
    number: int
    first_row: int
    chunk: Chunk


def open_tables(
    pairs: Sequence[FilePair],
    task: TaskName,
    options: RunOptions,
    folder: Path,
    open_reader: OpenReader,
) -> tuple[list[JobTable], RunSpec]:
    """Open all files of a job. The result columns have the same names in all of them.

    Raises InputError for a file that cannot be read or lacks a column, and for an output that cannot be written.
    """
    readers = [open_reader(pair.source, options.reading) for pair in pairs]
    columns = [input_columns(task, reader, options) for reader in readers]
    prefix, types = result_columns(options, [name for reader in readers for name in reader.columns])
    tables = [
        JobTable(
            pair=pair,
            reader=reader,
            columns=columns[number],
            writer=writer_for(pair.target, reader, types),
            shards=Shards(shards_folder(folder, number)),
            size_and_time=size_and_time(pair.source),
        )
        for number, (pair, reader) in enumerate(zip(pairs, readers, strict=True))
    ]
    return tables, RunSpec(task=task, options=options, prefix=prefix)


def unfinished_chunks(tables: Sequence[JobTable], rows: int) -> Iterator[TableChunk]:
    """The chunks, of `rows` rows at most, that have no finished shard.

    Raises InputError for a file that has changed since it was opened.
    """
    for table in tables:
        first_row = 0
        for number, chunk in enumerate(table.reader.chunks(rows)):
            if number not in table.shards.notes:
                yield TableChunk(table=table, number=number, first_row=first_row, chunk=chunk)
            first_row += len(chunk)
        if first_row != table.reader.row_count or size_and_time(table.pair.source) != table.size_and_time:
            raise InputError(
                f"{table.pair.source} changed while it was read. Run again with --restart when nothing writes to it.",
                f"读取期间 {table.pair.source} 发生了变化。请在没有程序写入它时加 --restart 重新运行。",
            )


def errors_file_entry(part: TableChunk, index: int, error: str) -> Row:
    """The row at `index` of a chunk, as OUT.errors.jsonl tells of it: where it is, what is wrong, what it holds."""
    bad_row = part.chunk.bad_rows.get(index)
    entry: Row = {"file": part.table.pair.name, "row": part.first_row + index + 1, "error": error}
    if bad_row is not None and bad_row.raw is not None:
        return entry | {"raw": bad_row.raw}
    return entry | {"data": part.chunk.row(index)}


def write_outputs(tables: Sequence[JobTable], errors_file: Path) -> None:
    """Write every output file from its shards, and all rows without a result to `errors_file` if there are any.

    Each output has as many rows as its input.
    """
    for table in tables:
        written = sum(note.rows for note in table.shards.notes.values())
        assert written == table.reader.row_count, f"{written} rows of {table.reader.row_count} in {table.pair.name}"
        with explain_write_errors(table.pair.target):
            table.pair.target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(table.pair.target) as file:
            table.writer.join(table.shards.rows_files(), file)
    write_errors(tables, errors_file)


def write_errors(tables: Sequence[JobTable], errors_file: Path) -> None:
    """Write all rows without a result to `errors_file`; there is none where each row has one."""
    if any(note.failed_rows for table in tables for note in table.shards.notes.values()):
        with atomic_write(errors_file) as file:
            for table in tables:
                table.shards.copy_errors(file)
    else:  # an earlier run with the same output may have left one
        with explain_write_errors(errors_file):
            errors_file.unlink(missing_ok=True)


def size_and_time(path: Path) -> tuple[int, int]:
    """By which a file that is written to while it is read is found out."""
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns
