"""What every table has in common, whatever its format: rows in chunks, and a suffix that tells the format.

`readers.py` opens a table, with a module for each format; `writers.py` writes one; `columns.py` names and types its
columns; `cells.py` converts a value where a format cannot hold it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from wenmo.errors import InputError, Language
from wenmo.tables.columns import ColumnType, arrow_schema

T = TypeVar("T")
Row = dict[str, Any]

DELIMITERS = {".csv": ",", ".tsv": "\t"}
SUFFIXES = (*DELIMITERS, ".jsonl", ".ndjson", ".parquet")  # read and written
READ_SUFFIXES = (*SUFFIXES, ".xlsx")

CHUNK_ROWS = 4_096
CHUNK_CHARACTERS = 8_000_000  # a chunk of very long texts ends before CHUNK_ROWS
CELL_CHARACTERS = 10_000_000  # in a cell of a CSV file; a longer one means a quote that is never closed
CHUNK_CELLS = 1 << 21  # a chunk of a very wide table does, too: an empty cell takes some 80 bytes of Python
ROW_BYTES = 32 << 20  # of a decoded row, in formats where few bytes can become many
LINE_BYTES = 32 << 20  # in a line of a text format; a longer one means that the file is no table


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """How a file is read where it does not say so itself; None: as its content shows.

    `encoding` (one of `encoding.ENCODINGS`) is for text formats, `sheet` (its name, or its number from 1) for Excel.
    For CSV and TSV: `delimiter` is one character; `quoting` is "csv", where double quotes surround cells, or "none",
    where they are ordinary characters; `escape` is the character that stands before a double quote within a cell.
    """

    encoding: str | None = None
    delimiter: str | None = None
    quoting: str | None = None
    escape: str | None = None
    sheet: str | None = None


QUOTINGS = ("csv", "none")


@dataclass(frozen=True, kw_only=True)
class Notice:
    """Something that the user should know about a file that can be read all the same."""

    en: str
    zh: str

    def text(self, language: Language) -> str:
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True, kw_only=True)
class BadRow:
    """Why a row cannot be used. `raw` is its source text where that could not be parsed into columns."""

    error: InputError
    raw: str | None = None


class Chunk:
    """Some consecutive rows of a table.

    `bad_rows` maps the index of each unusable row to what is wrong with it. `missing` says why a cell is missing, by
    index and column, where the file tells it.
    """

    def __init__(
        self,
        rows: list[Row],
        bad_rows: Mapping[int, BadRow] | None = None,
        missing: Mapping[tuple[int, str], InputError] | None = None,
    ) -> None:
        self._rows = rows
        self.bad_rows: Mapping[int, BadRow] = bad_rows or {}
        self.missing: Mapping[tuple[int, str], InputError] = missing or {}

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self) -> list[Row]:
        return self._rows

    def row(self, index: int) -> Row:
        return self._rows[index]

    def values(self, column: str) -> list[Any]:
        """The value of `column` in each row; None where a row has none."""
        return [row.get(column) for row in self._rows]

    def only(self, columns: Sequence[str]) -> Chunk:
        """A copy with these columns alone, to be sent to another process."""
        values = zip(*(self.values(column) for column in columns), strict=True)
        return Chunk(
            [dict(zip(columns, row, strict=True)) for row in values],
            {index: BadRow(error=bad_row.error) for index, bad_row in self.bad_rows.items()},
            {place: error for place, error in self.missing.items() if place[1] in columns},
        )


class TableReader(ABC):
    """A table on disk.

    From construction on, `columns` are the column names in order, `types` the types of those that are not text,
    `row_count` is the number of rows, and `notices` are what the user should know about how the file was read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.columns: tuple[str, ...] = ()
        self.types: dict[str, ColumnType] = {}
        self.row_count = 0
        self.notices: tuple[Notice, ...] = ()

    def refuse_column(self, column: str) -> None:  # noqa: B027 - most formats have no such column
        """Raises InputError for a column that no row can have a text in; not where only some rows have none."""

    def missing_column_hint(self, names: Sequence[str]) -> Notice | None:
        """Where else in the file columns with these names are, if they are somewhere."""
        return None

    @abstractmethod
    def chunks(self, rows: int = CHUNK_ROWS, columns: Sequence[str] | None = None) -> Iterator[Chunk]:
        """All rows in order, `rows` at a time, fewer where rows are long. Every call yields the same chunks.

        Where only `columns` are needed, a format that can leave others undecoded does.

        Raises InputError where the file cannot be read any further.
        """

    def arrow_schema(self) -> Any:
        """The `pyarrow.Schema` of the columns, for a Parquet writer."""
        return arrow_schema({name: self.types.get(name, "text") for name in self.columns})


def check_suffix(path: Path, known: Sequence[str] = SUFFIXES) -> str:
    """The suffix of `path` in lower case. Raises InputError if it is none of `known`."""
    suffix = path.suffix.lower()
    if suffix not in known:
        listed = ", ".join(known)
        raise InputError(
            f"{path.name!r} does not end in a known suffix. Use one of {listed}.",
            f"无法识别“{path.name}”的后缀。请使用以下之一：{listed}。",
        )
    return suffix


def unreadable(path: Path, error: Exception) -> InputError:
    """The error to raise for a file that `error` kept from being read."""
    reason = (getattr(error, "strerror", None) or str(error)).strip().rstrip(".") or type(error).__name__
    return InputError(
        f"{path} could not be read: {reason}. It may be damaged, cut short, or of another format than its suffix says.",
        f"无法读取 {path}：{reason}。文件可能已损坏、不完整，或格式与后缀不符。",
    )


def row_too_large(path: Path) -> InputError:
    """The error to raise for a row that would take more than ROW_BYTES."""
    return InputError(
        f"{path.name} has a row that takes more than {ROW_BYTES >> 20} MiB when it is decoded. Leave out the column "
        "that is so large, or shorten its cells.",
        f"{path.name} 中有一行解码后超过 {ROW_BYTES >> 20} MiB。请删去过大的列，或缩短其单元格。",
    )


def chunked(items: Iterable[T], *, rows: int, size: Callable[[T], int]) -> Iterator[list[T]]:
    """Group items; a group ends when it has `rows` of them or their sizes sum to CHUNK_CHARACTERS or more."""
    group: list[T] = []
    total = 0
    for item in items:
        group.append(item)
        total += size(item)
        if len(group) >= rows or total >= CHUNK_CHARACTERS:
            yield group
            group, total = [], 0
    if group:
        yield group
