"""Tables out: the rows of a reader with result columns behind them, as CSV, TSV, JSONL or Parquet by suffix.

A table is written in shards, each made alone and in any order (`encode`), and put together at the end (`join`): what
comes out depends on the rows and where they are cut, not on when or by whom a shard was made.

- CSV: UTF-8 with BOM and lines that end in CR LF, for spreadsheets; see `cells.py` for formulas.
- JSONL: strict JSON in UTF-8; lone surrogates stay as \\u escapes.
- Parquet: the columns of a Parquet source pass untouched, with their types; elsewhere through Python values. Its shards
  are streams of Arrow's IPC format, which keep every type.
"""

from __future__ import annotations

import csv
import io
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from wenmo.tables.cells import as_text, csv_cell, json_line
from wenmo.tables.read_parquet import ArrowChunk
from wenmo.tables.table import (
    DELIMITERS,
    Chunk,
    ColumnKind,
    Row,
    TableReader,
    arrow_schema,
    check_suffix,
    refuse_repeated,
)

_GROUP_ROWS, _GROUP_BYTES = 50_000, 64 << 20  # a Parquet row group is written when it reaches either
_COPY_BYTES = 1 << 20


class TableFormat(ABC):
    """How rows become a file: the columns of a reader, then `extra` ones. Keeps nothing: any thread may use it."""

    def __init__(self, path: Path, reader: TableReader, extra: Mapping[str, ColumnKind]) -> None:
        self._reader = reader
        self._extra = dict(extra)
        refuse_repeated(path, [as_text(name) or "" for name in (*reader.columns, *extra)])

    @abstractmethod
    def encode(self, chunk: Chunk, results: Sequence[Row]) -> bytes:
        """The rows of `chunk`, each with its result, as a shard; a key that a result lacks is missing (None)."""

    @abstractmethod
    def join(self, shards: Iterable[Path], file: BinaryIO) -> None:
        """Write the whole table of the shards' rows, in order."""


def table_format(path: Path, reader: TableReader, extra: Mapping[str, ColumnKind]) -> TableFormat:
    """How to write `path`, by its suffix.

    `extra` names the columns that follow the reader's, with their kinds ("text" takes any value, as JSON text where
    the format has no better). Raises InputError for a suffix that is not written and for columns of one name.
    """
    suffix = check_suffix(path)
    if suffix in DELIMITERS:
        return _CsvFormat(path, reader, extra, DELIMITERS[suffix])
    return _ParquetFormat(path, reader, extra) if suffix == ".parquet" else _JsonlFormat(path, reader, extra)


class _CsvFormat(TableFormat):
    def __init__(self, path: Path, reader: TableReader, extra: Mapping[str, ColumnKind], delimiter: str) -> None:
        super().__init__(path, reader, extra)
        self._delimiter = delimiter

    def encode(self, chunk: Chunk, results: Sequence[Row]) -> bytes:
        columns, extra = self._reader.columns, self._extra
        return self._lines(
            [csv_cell(row.get(name)) for name in columns] + [csv_cell(result.get(name)) for name in extra]
            for row, result in zip(chunk.rows(), results, strict=True)
        )

    def join(self, shards: Iterable[Path], file: BinaryIO) -> None:
        header = [csv_cell(name) for name in (*self._reader.columns, *self._extra)]
        file.write(b"\xef\xbb\xbf" + self._lines([header]))
        _concatenate(shards, file)

    def _lines(self, records: Iterable[list[str]]) -> bytes:
        text = io.StringIO(newline="")
        # "\r\n" as the standard has it; with "\n", csv would leave a lone "\r" within a cell unquoted.
        csv.writer(text, delimiter=self._delimiter, lineterminator="\r\n").writerows(records)
        return text.getvalue().encode("utf-8")


class _JsonlFormat(TableFormat):
    def encode(self, chunk: Chunk, results: Sequence[Row]) -> bytes:
        return b"".join(
            json_line(row | {name: result.get(name) for name in self._extra})
            for row, result in zip(chunk.rows(), results, strict=True)
        )

    def join(self, shards: Iterable[Path], file: BinaryIO) -> None:
        _concatenate(shards, file)


class _ParquetFormat(TableFormat):
    def __init__(self, path: Path, reader: TableReader, extra: Mapping[str, ColumnKind]) -> None:
        super().__init__(path, reader, extra)
        import pyarrow as pa

        self._own = reader.arrow_schema()
        self._added = arrow_schema(self._extra)
        self._schema = pa.schema([*self._own, *self._added], metadata=self._own.metadata)

    def encode(self, chunk: Chunk, results: Sequence[Row]) -> bytes:
        import pyarrow as pa

        if isinstance(chunk, ArrowChunk):
            own = chunk.batch.columns
        else:
            own = _arrays(self._own, (chunk.values(name) for name in self._reader.columns))
        added = _arrays(self._added, ([result.get(name) for result in results] for name in self._extra))
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, self._schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as stream:
            stream.write_batch(pa.RecordBatch.from_arrays([*own, *added], schema=self._schema))
        return sink.getvalue()

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
