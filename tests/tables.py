"""Small tables for the tests of files: written by hand, read back, copied through reader and writer."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa

from wenmo.tables.readers import open_reader
from wenmo.tables.table import CHUNK_ROWS, Row
from wenmo.tables.writers import writer_for

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")


def read(path: Path) -> list[Row]:
    return [row for chunk in open_reader(path).chunks() for row in chunk.rows()]


def write_jsonl(path: Path, rows: Sequence[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="ascii")
    return path


def write_csv(path: Path, content: str | bytes, encoding: str = "utf-8") -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def reviews(path: Path, rows: int, *, seed: int = 0) -> Path:
    """JSONL with a row now and then that has no text, or is no JSON."""
    draw = random.Random(seed)
    words = ["服务", "很好", "东西", "一般", "物流", "太慢", "味道", "不错", "有点", "贵", "，", "。"]
    with path.open("w", encoding="utf-8") as file:
        for number in range(rows):
            text = "".join(draw.choices(words, k=draw.randint(1, 30)))
            line = json.dumps({"id": number, "text": None if number % 97 == 5 else text}, ensure_ascii=False)
            file.write((line[:-3] if number % 501 == 7 else line) + "\n")
    return path


def copy(source: Path, target: Path, *, rows: int = CHUNK_ROWS) -> None:
    """Through reader and writer, a shard a chunk, with one result column: the row's number."""
    reader = open_reader(source)
    writer = writer_for(target, reader, {"number": "integer"})
    with tempfile.TemporaryDirectory() as folder, target.open("wb") as file:
        shards, done = [], 0
        for number, chunk in enumerate(reader.chunks(rows)):
            shards.append(Path(folder) / str(number))
            shards[-1].write_bytes(
                writer.encode(chunk, [{"number": done + index} for index in range(len(chunk))]).content
            )
            done += len(chunk)
        writer.join(shards, file)


def parquet_table() -> pa.Table:
    return pa.table(
        {
            "text": pa.array(["好", None, ""], pa.large_string()),
            "small": pa.array([1, None, 3], pa.int8()),
            "price": pa.array([Decimal("1.50"), None, Decimal("-2.25")], pa.decimal128(9, 2)),
            "when": pa.array([datetime(2024, 5, 1, 8, tzinfo=UTC), None, None], pa.timestamp("ms", "UTC")),
            "kind": pa.array(["a", "b", "a"]).dictionary_encode(),
            "raw": pa.array([b"\x00\xff", None, b""]),
            "tags": pa.array([["x"], [], None], pa.list_(pa.string())),
            "early": pa.array([-(10**17), 0, None], pa.timestamp("ms")),  # before year 1: Python has no value for it
        }
    )
