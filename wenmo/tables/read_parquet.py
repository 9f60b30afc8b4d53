"""Reads Parquet. Columns keep their Arrow types; values become Python objects only where they are asked for.

Pages are streamed rather than whole row groups. Where the cells of a row group are large, or may be, few rows are
decoded at a time: with dictionary encoding a file of kilobytes can repeat a huge text a million times.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from wenmo.errors import InputError
from wenmo.tables import table as tables
from wenmo.tables.columns import check_columns
from wenmo.tables.table import CHUNK_ROWS, Chunk, Notice, Row, TableReader, unreadable

_BATCH_BYTES = 64 << 20  # decoded at a time
_BATCH_ROWS = 1_024
_REPEATED_CELL_BYTES = 4 << 20  # a column of a row group that takes no more may repeat one cell of that size


class ParquetReader(TableReader):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(path) as file:
                self._schema = file.schema_arrow
                self.row_count = file.metadata.num_rows
        except (pa.ArrowException, OSError) as error:
            raise unreadable(path, error) from error
        self.columns = tuple(self._schema.names)
        check_columns(path, self.columns)
        binary = [field.name for field in self._schema if _is_binary(field.type)]
        self._bytes = tuple(name for name in binary if not self._is_text(name))
        self._encoded = frozenset(binary).difference(self._bytes)  # texts, though their type does not say so
        if self._encoded:
            listed = ", ".join(sorted(self._encoded))
            self.notices = (
                Notice(
                    en=f"{path.name} holds bytes in {listed}. All of them are UTF-8, so they were read as texts.",
                    zh=f"{path.name} 的 {listed} 列为二进制，其内容均为 UTF-8，已作为文本读取。",
                ),
            )

    def refuse_column(self, column: str) -> None:
        if column in self._bytes and self.row_count:
            raise InputError(
                f"The column {column!r} of {self.path.name} holds bytes that are no text in UTF-8, such as images or "
                "another encoding. Decode it where the file is written, or name another column.",
                f"{self.path.name} 的列 {column!r} 是二进制数据，且不是 UTF-8 文本（例如图片或其他编码）。"
                "请在写出文件时解码，或指定其他列。",
            )

    def _is_text(self, column: str) -> bool:
        """Whether all values of a column of bytes are UTF-8, and there is one. Reads the column until one is not."""
        import pyarrow as pa

        some = False
        for batch in self.batches([column]):
            for array in batch.columns:
                values = array.cast(pa.large_binary()) if not pa.types.is_dictionary(array.type) else array
                for value in values.to_pylist():
                    if value is None:
                        continue
                    some = True
                    try:
                        value.decode("utf-8")
                    except UnicodeDecodeError:
                        return False
        return some

    def arrow_schema(self) -> Any:
        return self._schema

    def chunks(self, rows: int = CHUNK_ROWS) -> Iterator[Chunk]:
        import pyarrow as pa

        waiting: list[Any] = []
        count = size = 0
        for batch in self.batches():
            while batch.num_rows:
                fits = min(batch.num_rows, rows - count)
                head = batch.slice(0, fits)
                batch = batch.slice(fits)
                waiting.append(head)
                count += fits
                size += head.nbytes
                if count >= rows or size >= tables.CHUNK_CHARACTERS:
                    yield ArrowChunk(pa.concat_batches(waiting), self._encoded)
                    waiting, count, size = [], 0, 0
        if waiting:
            yield ArrowChunk(pa.concat_batches(waiting), self._encoded)

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[Any]:
        """All rows in order, as `pyarrow.RecordBatch` objects of bounded size, with these columns alone (None: all).

        Raises InputError for a damaged file.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(self.path, pre_buffer=False, buffer_size=1 << 20) as file:
                for group in range(file.metadata.num_row_groups):
                    rows = _batch_rows(file.metadata.row_group(group))
                    batches = file.iter_batches(batch_size=rows, row_groups=[group], columns=columns)
                    while (batch := next(batches, None)) is not None:
                        yield batch
        except (pa.ArrowException, OSError) as error:
            raise unreadable(self.path, error) from error


def _is_binary(arrow_type: Any) -> bool:
    import pyarrow as pa

    of = pa.types
    inner = arrow_type.value_type if of.is_dictionary(arrow_type) else arrow_type
    return bool(of.is_binary(inner) or of.is_large_binary(inner) or of.is_binary_view(inner))


def _batch_rows(group: Any) -> int:
    """How many rows of a row group to decode at a time, so that they take about _BATCH_BYTES at most.

    The size of a cell is the average of its column, or the whole column's where one cell may be repeated.
    """
    largest = 1.0
    for position in range(group.num_columns):
        column = group.column(position)
        size = column.total_uncompressed_size
        may_repeat = size <= _REPEATED_CELL_BYTES and column.physical_type == "BYTE_ARRAY"
        largest = max(largest, size if may_repeat else size / max(group.num_rows, 1))
    return int(max(1, min(_BATCH_ROWS, _BATCH_BYTES // largest)))


class ArrowChunk(Chunk):
    """Rows as a `pyarrow.RecordBatch`, converted to Python values when they are asked for.

    `encoded` are columns of bytes that are texts in UTF-8.
    """

    def __init__(self, batch: Any, encoded: frozenset[str] = frozenset()) -> None:
        super().__init__([])
        self.batch = batch
        self._encoded = encoded

    def __len__(self) -> int:
        return int(self.batch.num_rows)

    def rows(self) -> list[Row]:
        names = self.batch.schema.names
        columns = [self.values(name) for name in names]
        return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]

    def row(self, index: int) -> Row:
        return ArrowChunk(self.batch.slice(index, 1), self._encoded).rows()[0]

    def values(self, column: str) -> list[Any]:
        import pyarrow as pa

        array = self.batch.column(column)
        try:
            values = list(array.to_pylist())
            return (
                [None if value is None else value.decode("utf-8") for value in values]
                if column in self._encoded
                else values
            )
        except UnicodeDecodeError:  # Arrow does not validate UTF-8
            if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
                raw = array.cast(pa.large_binary()).to_pylist()
                return [None if value is None else value.decode("utf-8", "replace") for value in raw]
        except (ValueError, OverflowError, LookupError):
            pass  # a time that Python cannot represent: before year 1, in nanoseconds, in an unknown zone
        return [_scalar(array, index) for index in range(len(array))]


def _scalar(array: Any, index: int) -> Any:
    """A value of `array` as a Python object, or as Arrow's text where Python has none for it."""
    try:
        return array[index].as_py()
    except (ValueError, OverflowError, LookupError):
        return str(array.slice(index, 1).to_string(skip_new_lines=True))[1:-1]  # without the [ ]
