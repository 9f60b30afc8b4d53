"""What a table is, whatever its format: rows in chunks, columns with kinds, a suffix that tells the format.

`readers.py` opens one, with a module for each format; `writers.py` writes; `cells.py` says what a value becomes where a
format cannot hold it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from wenmo.errors import InputError
from wenmo.tables.cells import as_text

T = TypeVar("T")
Row = dict[str, Any]
ColumnKind = Literal["text", "integer", "number", "boolean"]

DELIMITERS = {".csv": ",", ".tsv": "\t"}
SUFFIXES = (*DELIMITERS, ".jsonl", ".ndjson", ".parquet")  # read and written
READ_SUFFIXES = (*SUFFIXES, ".xlsx")

CHUNK_ROWS = 4_096  # one window of the engine
CHUNK_CHARACTERS = 8_000_000  # a chunk of very long texts ends before CHUNK_ROWS
CELL_CHARACTERS = 10_000_000  # of a CSV file; beyond it, a quote was surely left open
LINE_BYTES = 32 << 20  # of text: what is longer is no line of a table
MOST_COLUMNS = 16_384  # as many as Excel has


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Why a row cannot be trusted; `raw` is the text it stands in, where no columns could be made of that."""

    error: InputError
    raw: str | None = None


class Chunk:
    """Some consecutive rows. `faults` maps the index of a row that cannot be trusted to what is wrong with it."""

    def __init__(self, rows: list[Row], faults: Mapping[int, Fault] | None = None) -> None:
        self._rows = rows
        self.faults: Mapping[int, Fault] = faults or {}

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self) -> list[Row]:
        return self._rows

    def row(self, index: int) -> Row:
        return self._rows[index]

    def values(self, column: str) -> list[Any]:
        """One value a row; None where it is missing."""
        return [row.get(column) for row in self._rows]

    def only(self, columns: Sequence[str]) -> Chunk:
        """The same rows with these columns alone, to be sent elsewhere."""
        values = zip(*(self.values(column) for column in columns), strict=True)
        return Chunk(
            [dict(zip(columns, row, strict=True)) for row in values],
            {index: Fault(error=fault.error) for index, fault in self.faults.items()},
        )


class TableReader(ABC):
    """A table on disk: `columns` are the names in order, `row_count` the number of rows, known from the beginning."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.columns: tuple[str, ...] = ()
        self.kinds: dict[str, ColumnKind] = {}
        self.row_count = 0

    @abstractmethod
    def chunks(self, rows: int = CHUNK_ROWS) -> Iterator[Chunk]:
        """All rows in order, `rows` at a time, fewer where they are long; the same chunks each time."""

    def arrow_schema(self) -> Any:
        """The `pyarrow.Schema` of the columns, for a Parquet target."""
        return arrow_schema({name: self.kinds.get(name, "text") for name in self.columns})


def check_suffix(path: Path, known: Sequence[str] = SUFFIXES) -> str:
    """The suffix in lower case, or InputError if it is none of `known`."""
    suffix = path.suffix.lower()
    if suffix not in known:
        listed = ", ".join(known)
        raise InputError(
            f"{path.name!r} does not end in a known suffix. Use one of {listed}.",
            f"无法识别“{path.name}”的后缀。请使用以下之一：{listed}。",
        )
    return suffix


def check_columns(path: Path, names: Sequence[str]) -> None:
    """Raises InputError when a name stands twice, or there are more than MOST_COLUMNS."""
    if len(names) > MOST_COLUMNS:
        raise InputError(
            f"{path.name} has more than {MOST_COLUMNS:,} columns. Leave out those that are not needed, or look for a "
            "separator where none should be.",
            f"{path.name} 的列数超过 {MOST_COLUMNS:,}。请删去不需要的列，或检查是否有多余的分隔符。",
        )
    refuse_repeated(path, names)


def refuse_repeated(path: Path, names: Sequence[str]) -> None:
    """Raises InputError when a name stands twice."""
    repeated = [repr(name) for name, count in Counter(names).items() if count > 1]
    if repeated:
        shown = ", ".join(repeated[:30])
        raise InputError(
            f"{path.name} has several columns named {shown}. Give each column a name of its own.",
            f"{path.name} 中有重名的列：{shown}。请为每一列取不同的名称。",
        )


def column_names(path: Path, header: Sequence[str], width: int) -> tuple[str, ...]:
    """The names of `width` columns, of which `header` names the first; a blank one is named by its place, from 1."""
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


def unreadable(path: Path, error: Exception) -> InputError:
    reason = (getattr(error, "strerror", None) or str(error)).strip().rstrip(".") or type(error).__name__
    return InputError(
        f"{path} could not be read: {reason}. It may be damaged, cut short, or of another format than its suffix says.",
        f"无法读取 {path}：{reason}。文件可能已损坏、不完整，或格式与后缀不符。",
    )


def parts(items: Iterable[T], *, rows: int, size: Callable[[T], int]) -> Iterator[list[T]]:
    """Group items until there are `rows` of them, or their sizes reach CHUNK_CHARACTERS."""
    part: list[T] = []
    total = 0
    for item in items:
        part.append(item)
        total += size(item)
        if len(part) >= rows or total >= CHUNK_CHARACTERS:
            yield part
            part, total = [], 0
    if part:
        yield part


def kind_of(value: object) -> str:
    """One of ColumnKind, or "wide": an integer that a float would not hold."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):  # beyond 2**53 a float would lose digits, beyond 2**63 Parquet has no integer
        return "integer" if abs(value) <= 2**53 else "wide" if -(2**63) <= value < 2**63 else "text"
    return "number" if isinstance(value, float) else "text"


def common_kind(kinds: set[str]) -> ColumnKind:
    """The kind of a column that holds values of `kinds`, by `kind_of`."""
    if kinds == {"boolean"}:
        return "boolean"
    if kinds and kinds <= {"integer", "wide"}:
        return "integer"
    return "number" if kinds and kinds <= {"integer", "number"} else "text"


class ColumnKinds:
    """Collects, row by row, the columns of typed rows in order of appearance, and their kinds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: dict[str, set[str]] = {}

    def add(self, row: Row) -> None:
        for name, value in row.items():
            kinds = self._seen.setdefault(name, set())
            if value is not None:
                kinds.add(kind_of(value))
        if len(self._seen) > MOST_COLUMNS:
            check_columns(self._path, list(self._seen))

    def columns(self) -> tuple[str, ...]:
        return tuple(self._seen)

    def kinds(self) -> dict[str, ColumnKind]:
        return {name: common_kind(kinds) for name, kinds in self._seen.items()}


def arrow_schema(kinds: Mapping[str, ColumnKind]) -> Any:
    import pyarrow as pa

    types = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_()}
    return pa.schema([pa.field(as_text(name), types[kind]) for name, kind in kinds.items()])
