"""Writes the rows of a reader, followed by further columns, as CSV, TSV, JSONL or Parquet.

A table is written in shards: `encode` makes them independently, in any order, and `join` puts them together. The file
depends on the rows and on where they are split into shards, not on when or where a shard was made.

- CSV: UTF-8 with BOM, lines end in CR LF, for spreadsheets; see `cells.py` for formulas.
- JSONL: strict JSON in UTF-8; lone surrogates stay as \\u escapes.
- Parquet: the columns of a Parquet source are copied with their types; those of other sources go through Python values.
  A shard is a stream in Arrow's IPC format, which keeps every type.
"""

from __future__ import annotations

import csv
import io
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from wenmo.tables.cells import as_text, csv_cell, json_line, runs_as_formula
from wenmo.tables.columns import ColumnType, arrow_schema, check_unique
from wenmo.tables.read_parquet import ArrowChunk
from wenmo.tables.table import DELIMITERS, Chunk, Row, TableReader, check_suffix

_GROUP_ROWS, _GROUP_BYTES = 50_000, 64 << 20  # a Parquet row group ends when it reaches either
_COPY_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """The bytes of a shard. `guarded_cells` of it would have run as formulas (`cells.runs_as_formula`)."""

    content: bytes
    guarded_cells: int = 0


class TableWriter(ABC):
    """Formats the columns of a reader, then the `extra` ones. Holds no state, so any thread may use it.

    `guarded_names` of the columns would have run as formulas in the header.
    """

    guarded_names = 0

    def __init__(self, path: Path, reader: TableReader, extra: Mapping[str, ColumnType]) -> None:
        self._reader = reader
        self._extra = dict(extra)
        check_unique(path, [as_text(name) or "" for name in (*reader.columns, *extra)])

    @abstractmethod
    def encode(self, chunk: Chunk, results: Sequence[Row]) -> Encoded:
        """A shard: each row of `chunk` with its result, which has the extra columns by name; a lacking one is None.

        A result may have further ones, which only JSONL holds, as its rows may differ.
        """

    @abstractmethod
    def join(self, shards: Iterable[Path], file: BinaryIO) -> None:
        """Write the whole table to `file`: the rows of all shards, in order."""


def writer_for(path: Path, reader: TableReader, extra: Mapping[str, ColumnType]) -> TableWriter:
    """The writer for `path`, by its suffix.

    `extra` maps the names of the columns that follow the reader's to their types ("text" takes any value, as JSON text
    where the format cannot nest). Raises InputError for a suffix that cannot be written, and for repeated names.
    """
    suffix = check_suffix(path)
    if suffix in DELIMITERS:
        return _CsvWriter(path, reader, extra, DELIMITERS[suffix])
    return _ParquetWriter(path, reader, extra) if suffix == ".parquet" else _JsonlWriter(path, reader, extra)


class _CsvWriter(TableWriter):
    def __init__(self, path: Path, reader: TableReader, extra: Mapping[str, ColumnType], delimiter: str) -> None:
        super().__init__(path, reader, extra)
        self._delimiter = delimiter
        self.guarded_names = sum(map(runs_as_formula, (*reader.columns, *extra)))

    def encode(self, chunk: Chunk, results: Sequence[Row]) -> Encoded:
        columns, extra = self._reader.columns, self._extra
        guarded = 0

        def cell(value: object) -> str:
            nonlocal guarded
            text = csv_cell(value)
            guarded += len(text) > 0 and text[0] == "'" and text != value
            return text

        content = self._lines(
            [cell(row.get(name)) for name in columns] + [cell(result.get(name)) for name in extra]
            for row, result in zip(chunk.rows(), results, strict=True)
        )
        return Encoded(content=content, guarded_cells=guarded)

    def join(self, shards: Iterable[Path], file: BinaryIO) -> None:
        header = [csv_cell(name) for name in (*self._reader.columns, *self._extra)]
        file.write(b"\xef\xbb\xbf" + self._lines([header]))
        _concatenate(shards, file)

    def _lines(self, records: Iterable[list[str]]) -> bytes:
        text = io.StringIO(newline="")
        # "\r\n" is the standard's line end; with "\n", csv would leave a lone "\r" within a cell unquoted.
        csv.writer(text, delimiter=self._delimiter, lineterminator="\r\n").writerows(records)
        return text.getvalue().encode("utf-8")


class _JsonlWriter(TableWriter):
    def encode(self, chunk: Chunk, results: Sequence[Row]) -> Encoded:
        content = b"".join(
            json_line(row | {name: result.get(name) for name in self._extra} | result)
            for row, result in zip(chunk.rows(), results, strict=True)
        )
        return Encoded(content=content)

    def join(self, shards: Iterable[Path], file: BinaryIO) -> None:
        _concatenate(shards, file)


class _ParquetWriter(TableWriter):
    def __init__(self, path: Path, reader: TableReader, extra: Mapping[str, ColumnType]) -> None:
        super().__init__(path, reader, extra)
        import pyarrow as pa

        self._reader_schema = reader.arrow_schema()
        self._extra_schema = arrow_schema(self._extra)
        self._schema = pa.schema([*self._reader_schema, *self._extra_schema], metadata=self._reader_schema.metadata)

    def encode(self, chunk: Chunk, results: Sequence[Row]) -> Encoded:
        import pyarrow as pa

        if isinstance(chunk, ArrowChunk):
            columns = chunk.batch.columns
        else:
            columns = _arrays(self._reader_schema, (chunk.values(name) for name in self._reader.columns))
        extra = _arrays(self._extra_schema, ([result.get(name) for result in results] for name in self._extra))
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, self._schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as stream:
            stream.write_batch(pa.RecordBatch.from_arrays([*columns, *extra], schema=self._schema))
        return Encoded(content=sink.getvalue())

    def join(self, shards: Iterable[Path], file: BinaryIO) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        waiting: list[Any] = []
        with pq.ParquetWriter(file, self._schema) as parquet:
            for shard in shards:
                with shard.open("rb") as source, pa.ipc.open_stream(source) as stream:
                    waiting.extend(stream)
                rows, size = sum(batch.num_rows for batch in waiting), sum(batch.nbytes for batch in waiting)
                if rows >= _GROUP_ROWS or size >= _GROUP_BYTES:
                    parquet.write_table(pa.Table.from_batches(waiting, self._schema))
                    waiting = []
            if waiting:
                parquet.write_table(pa.Table.from_batches(waiting, self._schema))


def _concatenate(shards: Iterable[Path], file: BinaryIO) -> None:
    for shard in shards:
        with shard.open("rb") as source:
            shutil.copyfileobj(source, file, _COPY_BYTES)


def _arrays(schema: Any, columns: Iterable[list[Any]]) -> list[Any]:
    """An Arrow array for each field of a schema made by `arrow_schema`, from the values of each column."""
    import pyarrow as pa

    return [
        pa.array(map(as_text, values) if field.type == pa.string() else values, type=field.type)
        for field, values in zip(schema, columns, strict=True)
    ]
