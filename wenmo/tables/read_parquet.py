"""Reads Parquet. Columns keep their Arrow types; values become Python objects only where they are asked for.

Pages are streamed rather than whole row groups. Few bytes may become many: a dictionary repeats a huge text a million
times, a run of lengths makes a list of a billion numbers. So where the cells of a row group are large, or may be, few
rows are decoded at a time, and texts with a large dictionary not before it is known how long they will be. A row of
more than ROW_BYTES is refused. What the file says of itself may be a lie, against which `isolated.py` has limits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from wenmo.errors import InputError
from wenmo.tables import table as tables
from wenmo.tables.columns import check_columns
from wenmo.tables.table import CHUNK_ROWS, ROW_BYTES, Chunk, Notice, Row, TableReader, row_too_large, unreadable

_BATCH_BYTES = 64 << 20  # decoded at a time
_REPEATED_BYTES = 16 << 20  # decoded at a time where a dictionary repeats long texts
_BATCH_ROWS = 1_024
_REPEATED_CELL_BYTES = 4 << 20  # a column of a row group that takes no more may repeat one cell of that size
_REPEATING = frozenset(["RLE_DICTIONARY", "PLAIN_DICTIONARY", "DELTA_BYTE_ARRAY"])  # and so may one that is encoded so


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
        binary = [field.name for field in self._schema if is_binary(field.type)]
        self._bytes = tuple(name for name in binary if not self._is_text(name))
        self.encoded = frozenset(binary).difference(self._bytes)  # texts, though their type does not say so
        if self.encoded:
            listed = ", ".join(sorted(self.encoded))
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

    def chunks(self, rows: int = CHUNK_ROWS, columns: Sequence[str] | None = None) -> Iterator[Chunk]:
        import pyarrow as pa

        width = len(self.columns if columns is None else columns)
        rows = max(1, min(rows, tables.CHUNK_CELLS // max(width, 1)))
        waiting: list[Any] = []
        count = size = 0
        for batch in self.batches(columns):
            while batch.num_rows:
                fits = min(batch.num_rows, rows - count)
                head = batch.slice(0, fits)
                batch = batch.slice(fits)
                waiting.append(head)
                count += fits
                size += max(head.nbytes, decoded_bytes(head))
                if count >= rows or size >= tables.CHUNK_CHARACTERS:
                    yield ArrowChunk(pa.concat_batches(waiting), self.encoded)
                    waiting, count, size = [], 0, 0
        if waiting:
            yield ArrowChunk(pa.concat_batches(waiting), self.encoded)

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[Any]:
        """All rows in order, as `pyarrow.RecordBatch` objects of bounded size, with these columns alone (None: all).

        Raises InputError for a damaged file.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            metadata = pq.read_metadata(self.path)
            groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
            plain = [field.name for field in self._schema if _is_flat_bytes(field.type)]
            large = _large_dictionaries(groups, plain)
            dictionaries = {*large, *(field.name for field in self._schema if pa.types.is_dictionary(field.type))}
            with pq.ParquetFile(self.path, read_dictionary=large, pre_buffer=False, buffer_size=1 << 20) as file:
                for group, described in enumerate(groups):
                    batches = file.iter_batches(
                        batch_size=self._batch_rows(described, metadata.schema, dictionaries),
                        row_groups=[group],
                        columns=columns,
                    )
                    while (batch := next(batches, None)) is not None:
                        for piece in self._pieces(batch):
                            yield self._decoded(piece, large)
        except (pa.ArrowException, OSError) as error:
            raise unreadable(self.path, error) from error

    def _batch_rows(self, group: Any, schema: Any, dictionaries: Collection[str]) -> int:
        """How many rows of a row group to decode at a time, so that they take about _BATCH_BYTES at most.

        The size of a cell is the average of its column, or the whole column's where one cell may be repeated. Columns
        that are read as `dictionaries` do not count: `_pieces` looks at them.
        """
        largest = 1.0
        for position in range(group.num_columns):
            column = group.column(position)
            size, rows = column.total_uncompressed_size, max(group.num_rows, 1)
            nested = schema.column(position).max_repetition_level > 0
            may_repeat = column.physical_type == "BYTE_ARRAY" and (
                size <= _REPEATED_CELL_BYTES or nested or not _REPEATING.isdisjoint(column.encodings)
            )
            if nested and column.num_values * 8 > ROW_BYTES * rows:
                raise row_too_large(self.path)
            if column.path_in_schema not in dictionaries:
                size = max(size, column.num_values * 8) if nested else size
                largest = max(largest, size if may_repeat else size / rows)
        return int(max(1, min(_BATCH_ROWS, _BATCH_BYTES // largest, tables.CHUNK_CELLS // max(group.num_columns, 1))))

    def _pieces(self, batch: Any) -> Iterator[Any]:
        """The rows of a batch in pieces of bounded size. Raises InputError for a row that is too large."""
        size = decoded_bytes(batch)
        most = ROW_BYTES if batch.num_rows == 1 else _REPEATED_BYTES if size > 2 * batch.nbytes else _BATCH_BYTES
        if size <= most:
            yield batch
        elif batch.num_rows == 1:
            raise row_too_large(self.path)
        else:
            half = batch.num_rows // 2
            yield from self._pieces(batch.slice(0, half))
            yield from self._pieces(batch.slice(half))

    def _decoded(self, batch: Any, names: Collection[str]) -> Any:
        """The batch with the types of the file in the columns `names`, which were read as dictionaries."""
        for name in names:
            if (position := batch.schema.get_field_index(name)) >= 0:
                field = self._schema.field(name)
                column = batch.column(position).dictionary_decode().cast(field.type)
                batch = batch.set_column(position, field, column)
        return batch


def is_binary(arrow_type: Any) -> bool:
    import pyarrow as pa

    of = pa.types
    inner = arrow_type.value_type if of.is_dictionary(arrow_type) else arrow_type
    return bool(of.is_binary(inner) or of.is_large_binary(inner) or of.is_binary_view(inner))


def _is_flat_bytes(arrow_type: Any) -> bool:
    """Whether values are texts or bytes, which Arrow can read as a dictionary."""
    import pyarrow as pa

    of = pa.types
    return bool(of.is_string(arrow_type) or of.is_large_string(arrow_type) or of.is_string_view(arrow_type)) or (
        not of.is_dictionary(arrow_type) and is_binary(arrow_type)
    )


def _large_dictionaries(groups: Sequence[Any], names: Collection[str]) -> list[str]:
    """The columns among `names` with a dictionary that may hold a huge cell; small ones are bounded by `_batch_rows`.

    Arrow cannot read a column as a dictionary where a part of it has the encoding DELTA_BYTE_ARRAY.
    """
    large: set[str] = set()
    other: set[str] = set()
    for group in groups:
        for column in (group.column(position) for position in range(group.num_columns)):
            if "DELTA_BYTE_ARRAY" in column.encodings:
                other.add(column.path_in_schema)
            elif column.total_uncompressed_size > _REPEATED_CELL_BYTES and not _REPEATING.isdisjoint(column.encodings):
                large.add(column.path_in_schema)
    return [name for name in names if name in large - other]


def decoded_bytes(batch: Any) -> int:
    """What the columns take; of a dictionary, as if each cell had a copy of its value."""
    import pyarrow as pa
    import pyarrow.compute as pc

    total = 0
    for column in batch.columns:
        size = column.nbytes
        if pa.types.is_dictionary(column.type) and column.dictionary.nbytes > 0:
            with suppress(pa.ArrowNotImplementedError):  # values without a length: numbers
                lengths = pc.binary_length(column.dictionary).cast(pa.int64())
                size = column.indices.nbytes + (pc.sum(lengths.take(column.indices)).as_py() or 0)
        total += size
    return int(total)


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

    def convert_nested(self) -> None:
        """Convert the columns of lists and objects, to see that they can be, and forget the values."""
        import pyarrow as pa

        for field in self.batch.schema:
            if pa.types.is_nested(field.type):
                self.values(field.name)

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
