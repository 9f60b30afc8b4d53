"""Tables in: CSV, TSV, JSONL and Parquet by suffix, a few thousand rows at a time, whatever their size.

Each reader goes through its file twice. The first pass keeps nothing but the columns, their kinds and the number of
rows; it finds a damaged line before any model works, and tells a Parquet writer its schema. The second yields chunks.

- CSV: every cell is the text it was ("001" stays "001"). UTF-8 (with or without BOM), GB18030/GBK, UTF-16 with BOM. A
  missing cell of a short row is None, an empty cell is "". Cells beyond the header go to columns of their own
  (`column_4`), and their row carries a fault: most likely a comma was not quoted and the text is cut in two. A blank
  header cell is named the same way. A blank line is no row, except between the rows of a one-column file, where it is
  an empty cell (so spreadsheets write it).
- JSONL: one object a line, values as typed; blank lines are no rows. The columns are all keys, in order of appearance.
- Parquet: columns with their types; Python values are made where someone asks for them.
"""

from __future__ import annotations

import csv
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from wenmo.errors import InputError
from wenmo.jobs.encoding import detect_encoding
from wenmo.jobs.tables import DELIMITERS, Chunk, Kind, Row, arrow_schema, check_suffix, refuse_repeated

CHUNK_ROWS = 2_000
CHUNK_CHARACTERS = 8_000_000  # a chunk of very long texts ends before CHUNK_ROWS
CELL_CHARACTERS = 10_000_000  # the longest cell of a CSV file; beyond it, a quote was surely left open

_MOST_NESTED = 200  # lists and objects within one another in a line of JSONL


class TableReader(ABC):
    """A table on disk. Iterating (as often as wanted) gives its chunks in order.

    `columns` are the names in order, `row_count` the number of rows, both known before the first chunk.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.columns: tuple[str, ...] = ()
        self.kinds: dict[str, Kind] = {}
        self.row_count = 0

    @abstractmethod
    def __iter__(self) -> Iterator[Chunk]: ...

    def arrow_schema(self) -> Any:
        """The `pyarrow.Schema` of the columns, for a Parquet target."""
        return arrow_schema({name: self.kinds.get(name, "text") for name in self.columns})


def open_reader(path: Path) -> TableReader:
    """The reader for `path`, after its first pass. Raises InputError for a file that is missing, damaged or unknown."""
    suffix = check_suffix(path)
    if not path.is_file():
        if path.exists():
            raise InputError(f"{path} is not a file. Give one table file.", f"{path} 不是文件。请指定一个表格文件。")
        raise InputError(
            f"There is no file {path}. Check the name and the folder.",
            f"文件 {path} 不存在。请检查名称与目录。",
        )
    try:
        if suffix in DELIMITERS:
            return _CsvReader(path, DELIMITERS[suffix])
        return _ParquetReader(path) if suffix == ".parquet" else _JsonlReader(path)
    except OSError as error:
        raise unreadable(path, error) from error


class _CsvReader(TableReader):
    def __init__(self, path: Path, delimiter: str) -> None:
        super().__init__(path)
        self._encoding = detect_encoding(path)
        self._delimiter = delimiter
        records = self._records()
        header = next(records, None)
        if header is None:
            raise InputError(
                f"{path.name} is empty. A {path.suffix} file needs a first line with the names of its columns.",
                f"{path.name} 是空文件。{path.suffix} 文件的第一行应为列名。",
            )
        names = [header[0].removeprefix("\ufeff"), *header[1:]]
        self._header_width = width = len(names)
        for record in records:
            self.row_count += 1
            width = max(width, len(record))
        refuse_repeated(path, [name for name in names if name.strip()])
        names += [""] * (width - len(names))
        for position, name in enumerate(names):
            if not name.strip():
                name = f"column_{position + 1}"
                while name in names:
                    name += "_"
                names[position] = name
        self.columns = tuple(names)

    def __iter__(self) -> Iterator[Chunk]:
        records = self._records()
        next(records, None)
        for part in _parts(records, size=lambda record: sum(map(len, record))):
            rows, faults = [], {}
            for index, record in enumerate(part):
                rows.append(dict(zip(self.columns, record + [None] * (len(self.columns) - len(record)), strict=False)))
                if len(record) > self._header_width:
                    faults[index] = InputError(
                        f"This row has {len(record)} cells, the header has {self._header_width}: "
                        f'put texts that contain the separator in double quotes (").',
                        f"此行有 {len(record)} 个单元格，而表头有 {self._header_width} 个："
                        "含分隔符的文本请用双引号括起来。",
                    )
            yield Chunk(rows, faults)

    def _records(self) -> Iterator[list[Any]]:
        """The cells of the header, then of each row, without empty cells beyond the header."""
        # The limit is the process's: only ever raised here.
        csv.field_size_limit(max(csv.field_size_limit(), CELL_CHARACTERS))
        width, blank_lines, start, at_end = 0, 0, 1, False
        with self.path.open(encoding=self._encoding, newline="") as file:

            def lines() -> Iterator[str]:
                nonlocal at_end
                yield from file
                at_end = True

            reader = csv.reader(lines(), delimiter=self._delimiter)
            try:
                for cells in reader:
                    if at_end:  # the parser looked for another line to finish this record with: it never does otherwise
                        raise csv.Error("a double quote is never closed")
                    start = reader.line_num + 1
                    if not cells:
                        blank_lines += width == 1
                        continue
                    for _ in range(blank_lines):
                        yield [""]
                    width, blank_lines = width or len(cells), 0
                    while len(cells) > width and not cells[-1]:
                        cells.pop()
                    yield cells
            except csv.Error as error:
                raise InputError(
                    f"The row that begins in line {start} of {self.path.name} cannot be read: {error}. "
                    'Look for a double quote (") in it that is not closed; within a quoted cell, write it twice.',
                    f"无法读取 {self.path.name} 中始于第 {start} 行的记录：{error}。"
                    "请检查其中是否有未闭合的双引号；带引号的单元格内，双引号须写两遍。",
                ) from error


class _JsonlReader(TableReader):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        seen: dict[str, set[str]] = {}
        for row, _ in self._objects():
            self.row_count += 1
            for name, value in row.items():
                kinds = seen.setdefault(name, set())
                if value is not None:
                    kinds.add(_kind(value))
        self.columns = tuple(seen)
        self.kinds = {name: _common_kind(kinds) for name, kinds in seen.items()}

    def __iter__(self) -> Iterator[Chunk]:
        for part in _parts(self._objects(), size=lambda pair: pair[1]):
            yield Chunk([row for row, _ in part])

    def _objects(self) -> Iterator[tuple[Row, int]]:
        """Each object, and the bytes of its line."""
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if number == 1:
                    line = line.removeprefix(b"\xef\xbb\xbf")
                if not line.strip():
                    continue
                try:
                    value = json.loads(line.decode("utf-8"), object_pairs_hook=_object)
                except json.JSONDecodeError as error:
                    raise self._bad_line(number, f"{error.msg}, at column {error.colno}") from error
                except (ValueError, RecursionError) as error:  # bad UTF-8, a key twice, an absurd number or nesting
                    raise self._bad_line(number, str(error)) from error
                if line.count(b"[") + line.count(b"{") > _MOST_NESTED and _depth(value) > _MOST_NESTED:
                    raise self._bad_line(number, f"it is nested more than {_MOST_NESTED} deep")
                if not isinstance(value, dict):
                    raise self._bad_line(number, f"it holds {value!r:.60} and not an object {{…}}")
                yield value, len(line)

    def _bad_line(self, number: int, reason: str) -> InputError:
        return InputError(
            f"Line {number} of {self.path.name} cannot be read: {reason}. Each line must be one JSON object in UTF-8.",
            f"无法读取 {self.path.name} 第 {number} 行：{reason}。每行应为一个 UTF-8 编码的 JSON 对象。",
        )


def _depth(value: object) -> int:
    """Of lists and objects within one another; not recursive, for that is what it guards."""
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, (list, dict))]:
        depth += 1
        level = [item for parent in level for item in (parent.values() if isinstance(parent, dict) else parent)]
    return depth


def _object(pairs: list[tuple[str, Any]]) -> Row:
    row = dict(pairs)
    if len(row) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} is given twice")
    return row


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):  # beyond 2**53 a float would lose digits, beyond 2**63 Parquet has no integer
        return "integer" if abs(value) <= 2**53 else "wide" if -(2**63) <= value < 2**63 else "text"
    return "number" if isinstance(value, float) else "text"


def _common_kind(kinds: set[str]) -> Kind:
    if kinds == {"boolean"}:
        return "boolean"
    if kinds and kinds <= {"integer", "wide"}:
        return "integer"
    return "number" if kinds and kinds <= {"integer", "number"} else "text"


class _ParquetReader(TableReader):
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
        refuse_repeated(path, self.columns)

    def arrow_schema(self) -> Any:
        return self._schema

    def __iter__(self) -> Iterator[Chunk]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(self.path) as file:
                batches = file.iter_batches(batch_size=CHUNK_ROWS)
                while (batch := next(batches, None)) is not None:
                    yield ArrowChunk(batch)
        except (pa.ArrowException, OSError) as error:
            raise unreadable(self.path, error) from error


class ArrowChunk(Chunk):
    """Rows that become Python values only when someone asks for them."""

    def __init__(self, batch: Any) -> None:
        super().__init__([])
        self.batch = batch

    def __len__(self) -> int:
        return int(self.batch.num_rows)

    def rows(self) -> list[Row]:
        names = self.batch.schema.names
        columns = [self.values(name) for name in names]
        return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]

    def values(self, column: str) -> list[Any]:
        import pyarrow as pa

        array = self.batch.column(column)
        try:
            return list(array.to_pylist())
        except UnicodeDecodeError:  # Arrow does not check that its text is UTF-8
            if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
                raw = array.cast(pa.large_binary()).to_pylist()
                return [None if value is None else value.decode("utf-8", "replace") for value in raw]
        except (ValueError, OverflowError, LookupError):
            pass  # a time that Python has no value for: before year 1, in nanoseconds, in a zone that is not known
        return [_scalar(array, index) for index in range(len(array))]


def _scalar(array: Any, index: int) -> Any:
    try:
        return array[index].as_py()
    except (ValueError, OverflowError, LookupError):
        return str(array.slice(index, 1).to_string(skip_new_lines=True))[1:-1]  # as Arrow shows it, without the [ ]


def _parts(items: Iterable[Any], *, size: Callable[[Any], int]) -> Iterator[list[Any]]:
    """Group items until there are CHUNK_ROWS of them, or their sizes reach CHUNK_CHARACTERS."""
    part: list[Any] = []
    total = 0
    for item in items:
        part.append(item)
        total += size(item)
        if len(part) >= CHUNK_ROWS or total >= CHUNK_CHARACTERS:
            yield part
            part, total = [], 0
    if part:
        yield part


def unreadable(path: Path, error: Exception) -> InputError:
    reason = (getattr(error, "strerror", None) or str(error)).strip().rstrip(".")
    return InputError(
        f"{path} could not be read: {reason}. It may be damaged, cut short, or of another format than its suffix says.",
        f"无法读取 {path}：{reason}。文件可能已损坏、不完整，或格式与后缀不符。",
    )
