"""What a process that reads a stranger's file sends arrives as it was, and nothing else is taken for it."""

from __future__ import annotations

import base64
import datetime
import decimal
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wenmo.errors import InputError
from wenmo.tables import isolated
from wenmo.tables.isolated import open_isolated
from wenmo.tables.messages import (
    KnownTable,
    MalformedError,
    decode_batch,
    decode_error,
    decode_result,
    decode_rows,
    encode_batch,
    encode_error,
    encode_result,
    encode_rows,
)
from wenmo.tables.read_parquet import ArrowChunk
from wenmo.tables.readers import open_reader
from wenmo.tables.table import BadRow, Chunk, TableReader

NOT_UTF8 = [b"\xff\xfe", b"ok"]


def _known(columns: Sequence[str] = ("a", "b"), schema: pa.Schema | None = None, **changes: Any) -> KnownTable:
    known = KnownTable(
        columns=tuple(columns if schema is None else schema.names),
        types={},
        row_count=3,
        notices=(),
        encoding=None,
        refused={},
        schema=None if schema is None else base64.b64encode(schema.serialize()).decode(),
        encoded=(),
    )
    return replace(known, **changes)


# --- rows as JSON ---


def test_rows_arrive_as_they_were() -> None:
    values = ["好\n\u2028\0", "\ud83d\ude00", "\ud800", 10**40, -0.0, 1e300, float("nan"), -float("inf"), True, None]
    rows = [
        *({"a": value, "b": [value, {"b": value}]} for value in values),
        {"b": 1, "a": 2},
        {"b": "alone"},
        {},
    ]
    bad = BadRow(error=InputError("bad", "坏"), raw="{")
    sent = Chunk(rows, {len(rows) - 1: bad}, {(0, "b"): InputError("#N/A", "无")})
    got = decode_rows(encode_rows(sent, ("a", "b")), _known())
    assert repr(got.rows()) == repr(rows)  # repr tells the order of keys, -0.0 and NaN
    assert [type(each) for each in got.values("a")] == [type(each) for each in sent.values("a")]
    ((place, error),), ((index, kept),) = got.missing.items(), got.bad_rows.items()
    assert (place, error.en, error.zh) == ((0, "b"), "#N/A", "无")
    assert (index, kept.raw, kept.error.en, kept.error.zh) == (len(rows) - 1, "{", "bad", "坏")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x05.",
        b"[]",
        b'{"keys": [[0, 1]], "bad": []}',
        b'{"keys": [[2]], "bad": [], "missing": []}',
        b'{"keys": [[-1]], "bad": [], "missing": []}',
        b'{"keys": [[1, 1]], "bad": [], "missing": []}',
        b'{"keys": [["a"]], "bad": [], "missing": []}',
        b'{"keys": [], "bad": [[0, "", "", null]], "missing": []}',
        b'{"keys": [[0]], "bad": [[1, "", "", null]], "missing": []}\n[0, 1]',
        b'{"keys": [[0]], "bad": [[0, "", 1, null]], "missing": []}\n[0, 1]',
        b'{"keys": [[0]], "bad": [], "missing": [[0, 2, "", ""]]}\n[0, 1]',
        *(
            b'{"keys": [[0]], "bad": [], "missing": []}\n' + line
            for line in (b"[]", b"{}", b"[0]", b"[0, 1, 2]", b"[1, 1]", b"[-1, 1]", b"[true, 1]", b'["a", 1]', b"x")
        ),
        b'{"keys": [[0]], "bad": [], "missing": []}\n[0, ' + b"[" * 100_000,
        b'{"keys": [[0]], "bad": [], "missing": []}\n[0, ' + b"9" * 5_000 + b"]",
    ],
)
def test_other_rows_are_refused(content: bytes) -> None:
    with pytest.raises(MalformedError):
        decode_rows(content, _known())


# --- rows of Parquet ---


def _odd_columns() -> dict[str, pa.Array]:
    texts = pa.array(["好", None])
    return {
        "text": texts,
        "not UTF-8": pa.array(NOT_UTF8).view(pa.string()),
        "large, not UTF-8": pa.array(NOT_UTF8, pa.large_binary()).view(pa.large_string()),
        "list, not UTF-8": pa.array([[NOT_UTF8[0]], []]).view(pa.list_(pa.string())),
        "bytes": pa.array(NOT_UTF8),
        "text by its bytes": pa.array([b"\xe5\xa5\xbd", None]),
        "view": pa.array(["a" * 99, None], pa.string_view()),
        "view of bytes": pa.array([b"\xff" * 99, None], pa.binary_view()),
        "dictionary": texts.dictionary_encode().cast(pa.dictionary(pa.int8(), pa.string())),
        "list of a dictionary": pa.array([["a"], ["b"]], pa.list_(pa.dictionary(pa.int32(), pa.string()))),
        "large list": pa.array([[1], None], pa.large_list(pa.int64())),
        "list of two": pa.array([[1, 2], None], pa.list_(pa.int64(), 2)),
        "list view": pa.array([[1], [2, 3]], pa.list_view(pa.int64())),
        "large list view": pa.array([["a"], []], pa.large_list_view(pa.string())),
        "map": pa.array([[("a", "x")], None], pa.map_(pa.string(), pa.string())),
        "objects": pa.array([{"a": [{"b": ["x"]}], "c": None}, None]),
        "nothing": pa.nulls(2),
        "list of nothing": pa.array([[], [None]]),
        "year 0": pa.array([-(2**62), 1], pa.timestamp("us")),
        "time": pa.array([1, None], pa.timestamp("ns", "Asia/Shanghai")),
        "date": pa.array([datetime.date(2026, 1, 1), None]),
        "decimal": pa.array([decimal.Decimal("1.20"), None]),
        "uuid": pa.array([b"\x01" * 16, None], pa.uuid()),
        "json": pa.array(['{"a": 1}', None], pa.json_()),
        "numbers": pa.array([float("nan"), -0.0]),
    }


@pytest.fixture(name="odd")
def _odd(tmp_path: Path) -> Path:
    pq.write_table(pa.table(_odd_columns(), metadata={"x": "y"}), tmp_path / "odd.parquet")
    return tmp_path / "odd.parquet"


def test_columns_of_all_types_arrive_as_they_were(odd: Path) -> None:
    here, other = open_reader(odd), open_isolated(odd)
    (one,), (two,) = here.chunks(), other.chunks()
    assert isinstance(one, ArrowChunk) and isinstance(two, ArrowChunk)
    assert repr(one.rows()) == repr(two.rows()) and repr(one.row(1)) == repr(two.row(1))
    assert one.batch.schema.equals(two.batch.schema) and one.batch.schema.metadata == two.batch.schema.metadata
    assert here.arrow_schema() == other.arrow_schema()
    for reader in (here, other):
        with pytest.raises(InputError, match="bytes that are no text"):
            reader.refuse_column("bytes")
        reader.refuse_column("text by its bytes")
    (some,) = other.chunks(columns=["map", "text"])
    assert list(some.rows()[0]) == ["text", "map"]


def _batch_of(schema: pa.Schema, *batches: pa.RecordBatch, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batches[0].schema, options=pa.ipc.IpcWriteOptions(**options)) as stream:
        for batch in batches:
            stream.write_batch(batch)
    return sink.getvalue().to_pybytes()[batches[0].schema.serialize().size :]


def _outside() -> pa.RecordBatch:
    """Texts that would be read far behind the memory that they are in."""
    offsets, texts = pa.array([0, 1 << 30, 64], pa.int32()).buffers()[1], pa.py_buffer(b"x" * 64)
    return pa.record_batch({"a": pa.StringArray.from_buffers(2, offsets, texts)})


def _repeating() -> pa.RecordBatch:
    """Few bytes, of which a dictionary makes 200 MB."""
    values = pa.DictionaryArray.from_arrays(pa.array([0] * 2_000, pa.int32()), pa.array(["x" * 100_000]))
    return pa.record_batch({"a": values})


GOOD = pa.record_batch({"a": pa.array(["x" * 10_000] * 3)})


@pytest.mark.parametrize(
    ("schema", "content"),
    [
        (GOOD.schema, b""),
        (GOOD.schema, b"\x80\x05."),
        (GOOD.schema, GOOD.schema.serialize().to_pybytes()),
        (GOOD.schema, _batch_of(GOOD.schema, GOOD, GOOD)),
        (GOOD.schema, _batch_of(GOOD.schema, GOOD, compression="zstd")),
        (GOOD.schema, _batch_of(GOOD.schema, GOOD, compression="lz4")),
        (GOOD.schema, _batch_of(GOOD.schema, GOOD)[:-5_000]),
        (GOOD.schema, _batch_of(GOOD.schema, pa.record_batch({"a": pa.array([1, 2, 3])}))),
        (GOOD.schema, _batch_of(GOOD.schema, _outside())),
        (_repeating().schema, _batch_of(_repeating().schema, _repeating())),
        (_repeating().schema, _batch_of(_repeating().schema, _repeating(), compression="zstd")),
    ],
    ids=[
        "empty",
        "pickle",
        "schema",
        "two batches",
        "zstd",
        "lz4",
        "cut short",
        "other types",
        "outside",
        "large",
        "zstd dictionary",
    ],
)
def test_other_batches_are_refused(schema: pa.Schema, content: bytes) -> None:
    with pytest.raises(MalformedError):
        decode_batch(content, _known(schema=schema), schema, None)


def test_a_damaged_batch_is_refused_or_can_be_read(odd: Path) -> None:
    reader = open_reader(odd)
    (chunk,) = reader.chunks()
    assert isinstance(chunk, ArrowChunk)
    schema, known = reader.arrow_schema(), KnownTable.of(reader)
    sent = encode_batch(chunk, schema, None)
    chosen, refused = random.Random(7), 0
    for _ in range(300):
        damaged = bytearray(sent)
        for _ in range(chosen.randint(1, 4)):
            damaged[chosen.randrange(len(damaged))] = chosen.choice((0, 1, 127, 128, 255, chosen.randrange(256)))
        try:
            assert len(decode_batch(bytes(damaged), known, schema, None).rows()) <= 2
        except MalformedError:
            refused += 1
    assert refused > 10


# --- what is known of a table, and errors ---


def test_a_table_arrives_as_it_was(odd: Path) -> None:
    known = KnownTable.of(open_reader(odd))
    got = decode_result(encode_result(known), KnownTable)
    got.check()
    assert got == known and got.encoded == ("text by its bytes",) and list(got.refused) == ["bytes", "view of bytes"]
    odd_names = _known(columns=("\ud800", "\0"), types={"\0": "integer"})
    assert decode_result(encode_result(odd_names), KnownTable) == odd_names


@pytest.mark.parametrize(
    "known",
    [
        _known(columns=("a", "a")),
        _known(columns=list(map(str, range(20_000)))),
        _known(row_count=-1),
        _known(types={"c": "integer"}),
        _known(refused={"c": ("", "")}),
        _known(encoded=("a",)),
        replace(_known(schema=GOOD.schema), columns=("b",)),
        _known(schema=GOOD.schema, encoded=("a",)),
        replace(_known(), schema="AAAA"),
        replace(_known(), schema="好"),
    ],
)
def test_a_table_that_cannot_be_is_refused(known: KnownTable) -> None:
    with pytest.raises(MalformedError):
        decode_result(encode_result(known), KnownTable).check()


def test_values_of_other_types_are_refused() -> None:
    known = asdict(_known())
    for content in (b"{}", b"1", json.dumps(known | {"types": {"a": "code"}}).encode(), json.dumps([known]).encode()):
        with pytest.raises(MalformedError):
            decode_result(content, KnownTable)
    for content in (b'["en"]', b'["en", 1]', b'"en"', b"\x80\x05."):
        with pytest.raises(MalformedError):
            decode_error(content)
    error = decode_error(encode_error(InputError("one\ud800", "一")))
    assert (type(error), error.en, error.zh) == (InputError, "one\ud800", "一")


# --- a process that sends what it likes ---


def _rows(count: int) -> tuple[int, bytes]:
    return isolated._ROWS, encode_rows(Chunk([{"text": "x"}] * count), ("text",))


def _too_few(*_: object) -> Iterator[tuple[int, bytes]]:
    yield _rows(1)


def _too_many(*_: object) -> Iterator[tuple[int, bytes]]:
    yield _rows(2)
    yield _rows(1)


def _too_many_at_once(*_: object) -> Iterator[tuple[int, bytes]]:
    yield _rows(2)


def _empty(*_: object) -> Iterator[tuple[int, bytes]]:
    while True:
        yield _rows(0)


def _other_kind(*_: object) -> Iterator[tuple[int, bytes]]:
    yield isolated._BATCH, _batch_of(GOOD.schema, GOOD)


def _nothing(*_: object) -> Iterator[tuple[int, bytes]]:
    yield from ()


def _table(path: Path) -> TableReader:
    path.write_text("text\n好\n好\n")
    return open_isolated(path)


@pytest.mark.parametrize(
    ("generator", "rows"), [(_too_few, 9), (_too_many, 9), (_too_many_at_once, 1), (_empty, 9), (_other_kind, 9)]
)
def test_rows_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, generator: Any, rows: int) -> None:
    reader = _table(tmp_path / "a.csv")
    monkeypatch.setattr(isolated, "_chunks", generator)
    with pytest.raises(InputError, match="something else than its rows"):
        list(reader.chunks(rows))


@pytest.mark.parametrize("generator", [_nothing, _too_few])
def test_an_answer_is_of_the_kind_that_was_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, generator: Any
) -> None:
    reader = _table(tmp_path / "a.csv")
    monkeypatch.setattr(isolated, "_hint", generator)
    monkeypatch.setattr(isolated, "_open", generator)
    for ask in (lambda: reader.missing_column_hint(["x"]), lambda: open_isolated(reader.path)):
        with pytest.raises(InputError, match="something else than its rows"):
            ask()
