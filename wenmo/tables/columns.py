"""The names and the types of a table's columns.

Without types in the format (CSV), every column is text. Where single values have types (JSONL, Excel), `TypeCollector`
finds a type for each column from all of its values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from wenmo.errors import InputError
from wenmo.tables.cells import as_text

ColumnType = Literal["text", "integer", "number", "boolean", "vector"]  # a vector: float32 numbers

MOST_COLUMNS = 16_384  # Excel's limit


def name_columns(path: Path, header: Sequence[str], width: int) -> tuple[str, ...]:
    """Name each of `width` columns: by `header`, or `column_N` (from 1) where the header is blank or too short.

    Raises InputError as `check_columns` does.
    """
    names = [*header, *[""] * (width - len(header))]
    check_columns(path, [name if name.strip() else f"\0{position}" for position, name in enumerate(names)])
    taken = set(names)
    for position, name in enumerate(names):
        if not name.strip():
            name = f"column_{position + 1}"
            while name in taken:
                name += "_"
            taken.add(name)
            names[position] = name
    return tuple(names)


def check_columns(path: Path, names: Sequence[str]) -> None:
    """Raises InputError when there are more than MOST_COLUMNS names, or two are the same."""
    if len(names) > MOST_COLUMNS:
        raise InputError(
            f"{path.name} has more than {MOST_COLUMNS:,} columns. Leave out those that are not needed, or look for a "
            "separator where none should be.",
            f"{path.name} 的列数超过 {MOST_COLUMNS:,}。请删去不需要的列，或检查是否有多余的分隔符。",
        )
    check_unique(path, names)


def check_unique(path: Path, names: Sequence[str]) -> None:
    """Raises InputError when two columns have the same name."""
    repeated = [repr(name) for name, count in Counter(names).items() if count > 1]
    if repeated:
        listed = ", ".join(repeated[:30])
        raise InputError(
            f"{path.name} has several columns named {listed}. Give each column a name of its own.",
            f"{path.name} 中有重名的列：{listed}。请为每一列取不同的名称。",
        )


class TypeCollector:
    """Collects the columns of typed rows, in order of appearance, and the types of their values."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: dict[str, set[str]] = {}

    def add(self, row: Mapping[str, Any]) -> None:
        """Count a row in. Raises InputError when there are more than MOST_COLUMNS columns by now."""
        for name, value in row.items():
            types = self._seen.setdefault(name, set())
            if value is not None:
                types.add(_type_of(value))
        if len(self._seen) > MOST_COLUMNS:
            check_columns(self._path, list(self._seen))

    def columns(self) -> tuple[str, ...]:
        return tuple(self._seen)

    def types(self) -> dict[str, ColumnType]:
        """The type of each column: one that holds all of its values, text where no other does."""
        return {name: _common_type(types) for name, types in self._seen.items()}


def _type_of(value: object) -> str:
    """A ColumnType, or "wide" for an integer that a float cannot hold exactly."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):  # beyond 2**53 a float loses digits; beyond 2**63 Parquet has no integer
        return "integer" if abs(value) <= 2**53 else "wide" if -(2**63) <= value < 2**63 else "text"
    return "number" if isinstance(value, float) else "text"


def _common_type(types: set[str]) -> ColumnType:
    """The type of a column whose values have `types`, as `_type_of` names them."""
    if types == {"boolean"}:
        return "boolean"
    if types and types <= {"integer", "wide"}:
        return "integer"
    return "number" if types and types <= {"integer", "number"} else "text"


def arrow_schema(types: Mapping[str, ColumnType]) -> Any:
    """The `pyarrow.Schema` of columns with these names and types."""
    import pyarrow as pa

    arrow_types = {
        "text": pa.string(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "boolean": pa.bool_(),
        "vector": pa.list_(pa.float32()),
    }
    return pa.schema([pa.field(as_text(name), arrow_types[column_type]) for name, column_type in types.items()])
