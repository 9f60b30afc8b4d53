"""What a table is, whatever its format: rows in chunks, columns with kinds, a suffix that tells the format.

`readers.py` opens and reads, `writers.py` writes, `cells.py` says what a value becomes where a format cannot hold it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from wenmo.errors import InputError
from wenmo.jobs.cells import as_text

Row = dict[str, Any]
Kind = Literal["text", "integer", "number", "boolean"]

DELIMITERS = {".csv": ",", ".tsv": "\t"}
SUFFIXES = (*DELIMITERS, ".jsonl", ".ndjson", ".parquet")


class Chunk:
    """Some consecutive rows. `faults` maps the index of a row that cannot be trusted to what is wrong with it."""

    def __init__(self, rows: list[Row], faults: Mapping[int, InputError] | None = None) -> None:
        self._rows = rows
        self.faults: Mapping[int, InputError] = faults or {}

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self) -> list[Row]:
        return self._rows

    def values(self, column: str) -> list[Any]:
        """One value a row; None where it is missing."""
        return [row.get(column) for row in self._rows]


def check_suffix(path: Path) -> str:
    """The suffix in lower case, or InputError if it is none of SUFFIXES."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise InputError(
            f"{path.name!r} does not end in a known suffix. Use one of {known}.",
            f"无法识别“{path.name}”的后缀。请使用以下之一：{known}。",
        )
    return suffix


def refuse_repeated(path: Path, names: Iterable[str]) -> None:
    repeated = [repr(name) for name, count in Counter(names).items() if count > 1]
    if repeated:
        listed = ", ".join(repeated)
        raise InputError(
            f"{path.name} has several columns named {listed}. Give each column a name of its own.",
            f"{path.name} 中有重名的列：{listed}。请为每一列取不同的名称。",
        )


def arrow_schema(kinds: Mapping[str, Kind]) -> Any:
    import pyarrow as pa

    types = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_()}
    return pa.schema([pa.field(as_text(name), types[kind]) for name, kind in kinds.items()])
