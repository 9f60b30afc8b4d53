"""What the process that reads a stranger's file sends to the server: data alone, of which nothing can run.

Whatever takes that process over by way of its parser can send what it likes, so none of it is believed: numbers, names
and types are compared with what is known, and anything else is a MalformedError. A reader and results come as JSON.
Rows of Parquet come as an Arrow stream, whose schema the server writes itself; other rows as lines of JSON, which has
every value that those formats have: big integers, NaN and lone surrogates, too.
"""

from __future__ import annotations

import base64
import io
import json
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, TypeVar

from wenmo.errors import InputError
from wenmo.tables.columns import MOST_COLUMNS, ColumnType
from wenmo.tables.read_parquet import ArrowChunk, ParquetReader, decoded_bytes, is_binary
from wenmo.tables.table import BadRow, Chunk, Notice, Row, TableReader

MOST_BYTES = 160 << 20  # of a message, and of its rows once they are decoded: a chunk has some MiB, and one row more
T = TypeVar("T")


class MalformedError(Exception):
    """A message is none that wenmo sends."""


@dataclass(frozen=True, kw_only=True)
class KnownTable:
    """What a reader knows after its first pass, as far as the server needs it.

    `refused` maps the columns that no row can have a text in to the English and the Chinese text of the error.
    `schema` (base64) and `encoded` are a Parquet file's Arrow schema, and its columns of bytes that are texts.
    """

    columns: tuple[str, ...]
    types: dict[str, ColumnType]
    row_count: int
    notices: tuple[Notice, ...]
    encoding: str | None
    refused: dict[str, tuple[str, str]]
    schema: str | None
    encoded: tuple[str, ...]

    @classmethod
    def of(cls, reader: TableReader) -> KnownTable:
        refused = {}
        for column in reader.columns:
            try:
                reader.refuse_column(column)
            except InputError as error:
                refused[column] = (error.en, error.zh)
        parquet = reader if isinstance(reader, ParquetReader) else None
        return cls(
            columns=reader.columns,
            types=reader.types,
            row_count=reader.row_count,
            notices=reader.notices,
            encoding=getattr(reader, "encoding", None),
            refused=refused,
            schema=base64.b64encode(parquet.arrow_schema().serialize()).decode() if parquet else None,
            encoded=tuple(parquet.encoded) if parquet else (),
        )

    def check(self) -> None:
        """Raises MalformedError where the parts do not fit each other."""
        known = set(self.columns)
        _require(len(known) == len(self.columns) <= MOST_COLUMNS and self.row_count >= 0)
        _require(known.issuperset({*self.types, *self.refused, *self.encoded}))
        if self.schema is None:
            _require(not self.encoded)
        else:
            schema = self.arrow_schema()
            _require(tuple(schema.names) == self.columns)
            _require(all(is_binary(schema.field(name).type) for name in self.encoded))

    def arrow_schema(self) -> Any:
        import pyarrow as pa

        assert self.schema is not None
        try:
            return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(self.schema)))
        except (ValueError, pa.ArrowException, OSError) as error:
            raise MalformedError from error


def encode_result(value: object) -> bytes:
    """What `decode_result` decodes, of values that JSON has types for, tuples and dataclasses."""
    return _encode(value).encode("utf-8", "surrogatepass")


def decode_result(content: bytes, of_type: Any) -> Any:
    """A value of that type, such as `tuple[str, ...]` or a dataclass of such. Raises MalformedError."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(of_type).validate_python(_decode(content))
    except ValidationError as error:
        raise MalformedError from error


def encode_error(error: InputError) -> bytes:
    return encode_result((error.en, error.zh))


def decode_error(content: bytes) -> InputError:
    return InputError(*decode_result(content, tuple[str, str]))


# --- rows of Parquet ---


def encode_batch(chunk: ArrowChunk, schema: Any, columns: Sequence[str] | None) -> bytes:
    """The rows as an Arrow stream without the schema at its beginning."""
    import pyarrow as pa

    schema = _only(schema, columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as stream:
        stream.write_batch(chunk.batch.select(schema.names))
    return bytes(memoryview(sink.getvalue())[schema.serialize().size :])


def decode_batch(content: bytes, known: KnownTable, schema: Any, columns: Sequence[str] | None) -> ArrowChunk:
    """The rows of these columns. Raises MalformedError for what `encode_batch` does not write."""
    import pyarrow as pa

    schema = _only(schema, columns)
    try:
        _check_stream(content)
        # Texts are read as bytes first: files may have some that are not UTF-8, which `ArrowChunk` deals with.
        _batch(content, pa.schema([field.with_type(_unchecked(field.type)) for field in schema])).validate(full=True)
        batch = _batch(content, schema)
        _require(decoded_bytes(batch) <= MOST_BYTES)
    except (pa.ArrowException, OSError, ValueError, LookupError, struct.error) as error:
        raise MalformedError from error
    return ArrowChunk(batch, frozenset(known.encoded).intersection(schema.names))


def _only(schema: Any, columns: Sequence[str] | None) -> Any:
    import pyarrow as pa

    wanted = set(schema.names if columns is None else columns)
    return pa.schema([field for field in schema if field.name in wanted], metadata=schema.metadata)


def _batch(content: bytes, schema: Any) -> Any:
    """The only record batch of a stream that lacks its schema."""
    import pyarrow as pa

    (batch,) = pa.ipc.open_stream(schema.serialize().to_pybytes() + content)
    return batch


def _unchecked(kind: Any) -> Any:
    """The type with the same layout that has bytes for texts."""
    import pyarrow as pa

    of = pa.types
    texts = ((of.is_string, pa.binary), (of.is_large_string, pa.large_binary), (of.is_string_view, pa.binary_view))
    for is_text, of_bytes in texts:
        if is_text(kind):
            return of_bytes()
    if isinstance(kind, pa.BaseExtensionType):
        return _unchecked(kind.storage_type)
    if of.is_dictionary(kind):
        return pa.dictionary(kind.index_type, _unchecked(kind.value_type), kind.ordered)
    if of.is_map(kind):
        return pa.map_(_unchecked(kind.key_type), _unchecked(kind.item_type))
    if of.is_struct(kind):
        return pa.struct([field.with_type(_unchecked(field.type)) for field in kind.fields])
    if of.is_fixed_size_list(kind):
        return pa.list_(_unchecked(kind.value_type), kind.list_size)
    lists = (
        (of.is_list, pa.list_),
        (of.is_large_list, pa.large_list),
        (of.is_list_view, pa.list_view),
        (of.is_large_list_view, pa.large_list_view),
    )
    return next((of_values(_unchecked(kind.value_type)) for is_list, of_values in lists if is_list(kind)), kind)


def _check_stream(content: bytes) -> None:
    """Raises MalformedError for anything but dictionaries and record batches as they are: packed, they may be huge."""
    import pyarrow as pa

    for message in pa.ipc.MessageReader.open_stream(content):
        _require(message.type in ("dictionary", "record batch"))
        _require(not _is_packed(message.metadata.to_pybytes(), dictionary=message.type == "dictionary"))


def _is_packed(metadata: bytes, *, dictionary: bool) -> bool:
    """Whether a message's table `RecordBatch` has the field `compression`, the fourth: Arrow tells it nowhere.

    The format is FlatBuffers': a table begins with how far before it the offsets of its fields stand.
    """

    def number(kind: str, at: int) -> int:
        return int(struct.unpack_from(f"<{kind}", metadata, at)[0])

    def field(table: int, index: int) -> int | None:
        offsets = table - number("i", table)
        place = 4 + 2 * index
        offset = number("H", offsets + place) if place < number("H", offsets) else 0
        return table + offset if offset else None

    def table_at(place: int | None) -> int:
        _require(place is not None)
        assert place is not None
        return place + number("I", place)

    header = table_at(field(table_at(0), 2))
    return field(table_at(field(header, 1)) if dictionary else header, 3) is not None


# --- rows of other formats ---


@dataclass(frozen=True, kw_only=True)
class _Head:
    """The first line of a message of rows. Each other one is a list of a number in `keys` and the values of a row.

    `keys` are the positions of a row's columns, `bad` and `missing` a chunk's: the place of each, and its error.
    """

    keys: list[tuple[int, ...]]
    bad: list[tuple[int, str, str, str | None]]
    missing: list[tuple[int, int, str, str]]


def encode_rows(chunk: Chunk, columns: Sequence[str]) -> bytes:
    """The rows as lines of JSON, one by one, so that little is held twice."""
    position = {name: index for index, name in enumerate(columns)}
    keys: dict[tuple[str, ...], int] = {}
    lines = [encode_result([keys.setdefault(tuple(row), len(keys)), *row.values()]) for row in chunk.rows()]
    head = _Head(
        keys=[tuple(position[name] for name in names) for names in keys],
        bad=[(index, bad.error.en, bad.error.zh, bad.raw) for index, bad in chunk.bad_rows.items()],
        missing=[(index, position[name], error.en, error.zh) for (index, name), error in chunk.missing.items()],
    )
    return b"\n".join([encode_result(head), *lines])


def decode_rows(content: bytes, known: KnownTable) -> Chunk:
    """Raises MalformedError for what `encode_rows` does not write."""
    lines = io.BytesIO(content)
    head: _Head = decode_result(lines.readline(), _Head)
    keys = [tuple(map(partial(_item, known.columns), positions)) for positions in head.keys]
    _require(all(len(set(names)) == len(names) for names in keys))
    rows: list[Row] = []
    for line in lines:
        values = _decode(line)
        _require(isinstance(values, list) and len(values) > 0 and type(values[0]) is int)
        names = _item(keys, values[0])
        _require(len(names) == len(values) - 1)
        rows.append(dict(zip(names, values[1:], strict=True)))
    _require(all(0 <= each[0] < len(rows) for each in (*head.bad, *head.missing)))
    bad_rows = {index: BadRow(error=InputError(en, zh), raw=raw) for index, en, zh, raw in head.bad}
    missing = {(index, _item(known.columns, at)): InputError(en, zh) for index, at, en, zh in head.missing}
    return Chunk(rows, bad_rows, missing)


def _item(items: Sequence[T], index: int) -> T:
    _require(0 <= index < len(items))
    return items[index]


def _require(holds: bool) -> None:
    if not holds:
        raise MalformedError


def _decode(content: bytes) -> Any:
    try:
        return json.loads(content.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise MalformedError from error


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=asdict).encode
