"""Tables out: the rows of a reader with result columns behind them, as CSV, TSV, JSONL or Parquet by suffix.

- CSV: UTF-8 with BOM and lines that end in CR LF, for spreadsheets; see `cells.py` for formulas.
- JSONL: strict JSON in UTF-8; lone surrogates stay as \\u escapes.
- Parquet: the columns of a Parquet source pass untouched, with their types; elsewhere through Python values.
"""

from __future__ import annotations

import csv
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wenmo.errors import InputError
from wenmo.jobs.cells import as_json, as_text, csv_cell
from wenmo.jobs.readers import ArrowChunk, TableReader
from wenmo.jobs.tables import DELIMITERS, Chunk, Kind, Row, arrow_schema, check_suffix, refuse_repeated

_GROUP_ROWS, _GROUP_BYTES = 50_000, 64 << 20  # a Parquet row group is written when it reaches either
_LINE_ENDS = {0x85: r"\u0085", 0x2028: r"\u2028", 0x2029: r"\u2029"}  # some readers of lines end a line there


class TableWriter(ABC):
    """A table being written: the columns of a reader, then `extra` ones."""

    def __init__(self, path: Path, reader: TableReader, extra: Mapping[str, Kind]) -> None:
        self._path = path
        self._reader = reader
        self._extra = dict(extra)
        refuse_repeated(path, [as_text(name) or "" for name in (*reader.columns, *extra)])

    def write(self, chunk: Chunk, results: Sequence[Row]) -> None:
        """Append the rows of `chunk`, each with its result; a key that a result lacks is missing (None)."""
        with _writing(self._path):
            self._append(chunk, results)

    @abstractmethod
    def _append(self, chunk: Chunk, results: Sequence[Row]) -> None: ...

    @abstractmethod
    def close(self) -> None: ...


@contextmanager
def open_writer(path: Path, reader: TableReader, extra: Mapping[str, Kind]) -> Iterator[TableWriter]:
    """Write to `path` whole or not at all: a temporary file beside it takes its place when the block ends well.

    `extra` names the columns that follow the reader's, with their kinds ("text" takes any value, as JSON text where
    the format has no better). Raises InputError when the file cannot be written.
    """
    suffix = check_suffix(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder. Give the name of a file.", f"{path} 是目录。请给出文件名。")
    if not path.parent.is_dir():
        raise InputError(
            f"There is no folder {path.parent} to write {path.name} to. Create it first.",
            f"目录 {path.parent} 不存在，无法写入 {path.name}。请先创建该目录。",
        )
    target = path.resolve()  # through a symbolic link, so that the link stays one
    temporary = target.with_name(f".wenmo-{secrets.token_hex(8)}.part")
    try:
        with _writing(path):
            writer: TableWriter
            if suffix in DELIMITERS:
                writer = _CsvWriter(path, reader, extra, temporary=temporary, delimiter=DELIMITERS[suffix])
            elif suffix == ".parquet":
                writer = _ParquetWriter(path, reader, extra, temporary=temporary)
            else:
                writer = _JsonlWriter(path, reader, extra, temporary=temporary)
        try:
            yield writer
        finally:
            with _writing(path):
                writer.close()
        with _writing(path):
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"{path} could not be written: {reason}. Check the folder's permissions and free space.",
            f"无法写入 {path}：{reason}。请检查目录权限与剩余空间。",
        ) from error


class _CsvWriter(TableWriter):
    def __init__(
        self, path: Path, reader: TableReader, extra: Mapping[str, Kind], *, temporary: Path, delimiter: str
    ) -> None:
        super().__init__(path, reader, extra)
        self._file = temporary.open("x", encoding="utf-8-sig", newline="")
        # "\r\n" as the standard has it; with "\n", csv would leave a lone "\r" within a cell unquoted.
        self._csv = csv.writer(self._file, delimiter=delimiter, lineterminator="\r\n")
        self._csv.writerow([csv_cell(name) for name in (*reader.columns, *self._extra)])

    def _append(self, chunk: Chunk, results: Sequence[Row]) -> None:
        for row, result in zip(chunk.rows(), results, strict=True):
            cells = [csv_cell(row.get(name)) for name in self._reader.columns]
            self._csv.writerow(cells + [csv_cell(result.get(name)) for name in self._extra])

    def close(self) -> None:
        self._file.close()


class _JsonlWriter(TableWriter):
    def __init__(self, path: Path, reader: TableReader, extra: Mapping[str, Kind], *, temporary: Path) -> None:
        super().__init__(path, reader, extra)
        self._file = temporary.open("xb")

    def _append(self, chunk: Chunk, results: Sequence[Row]) -> None:
        for row, result in zip(chunk.rows(), results, strict=True):
            line = row | {name: result.get(name) for name in self._extra}
            try:
                encoded = as_json(line).translate(_LINE_ENDS).encode("utf-8")
            except UnicodeEncodeError:  # a lone surrogate: its escape is plain ASCII
                encoded = as_json(line, ensure_ascii=True).encode("ascii")
            self._file.write(encoded + b"\n")

    def close(self) -> None:
        self._file.close()


class _ParquetWriter(TableWriter):
    def __init__(self, path: Path, reader: TableReader, extra: Mapping[str, Kind], *, temporary: Path) -> None:
        super().__init__(path, reader, extra)
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._own = reader.arrow_schema()
        self._added = arrow_schema(self._extra)
        self._schema = pa.schema([*self._own, *self._added], metadata=self._own.metadata)
        self._parquet = pq.ParquetWriter(temporary, self._schema)
        self._waiting: list[Any] = []

    def _append(self, chunk: Chunk, results: Sequence[Row]) -> None:
        import pyarrow as pa

        if isinstance(chunk, ArrowChunk):
            own = chunk.batch.columns
        else:
            own = _arrays(self._own, (chunk.values(name) for name in self._reader.columns))
        added = _arrays(self._added, ([result.get(name) for result in results] for name in self._extra))
        self._waiting.append(pa.RecordBatch.from_arrays([*own, *added], schema=self._schema))
        rows = sum(batch.num_rows for batch in self._waiting)
        if rows >= _GROUP_ROWS or sum(batch.nbytes for batch in self._waiting) >= _GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._waiting:
            self._parquet.write_table(pa.Table.from_batches(self._waiting, self._schema))
            self._waiting = []

    def close(self) -> None:
        try:
            self._flush()
        finally:
            self._parquet.close()


def _arrays(schema: Any, columns: Iterable[list[Any]]) -> list[Any]:
    """An Arrow array for each field of a schema made by `arrow_schema`, from the values of each column."""
    import pyarrow as pa

    return [
        pa.array(map(as_text, values) if field.type == pa.string() else values, type=field.type)
        for field, values in zip(schema, columns, strict=True)
    ]
