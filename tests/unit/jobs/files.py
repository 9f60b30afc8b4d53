"""Small tables for the tests of files: written by hand, read back, copied through reader and writer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa

from wenmo.jobs.readers import open_reader
from wenmo.jobs.tables import Row
from wenmo.jobs.writers import open_writer

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")


def read(path: Path) -> list[Row]:
    return [row for chunk in open_reader(path) for row in chunk.rows()]


def write_jsonl(path: Path, rows: Sequence[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="ascii")
    return path


def write_csv(path: Path, content: str | bytes, encoding: str = "utf-8") -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def copy(source: Path, target: Path) -> None:
    """Through reader and writer, with one result column: the row's number."""
    reader = open_reader(source)
    with open_writer(target, reader, {"number": "integer"}) as writer:
        done = 0
        for chunk in reader:
            writer.write(chunk, [{"number": done + index} for index in range(len(chunk))])
            done += len(chunk)


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
