"""Tables in, tables out: CSV, TSV, JSONL and Parquet by suffix, a few thousand rows at a time, whatever their size.

Each reader goes through its file twice. The first pass keeps nothing but the columns, their kinds and the number of
rows; it finds a damaged line before any model works, and tells a Parquet writer its schema. The second yields chunks.

What is kept, and how:

- CSV: every cell is the text it was ("001" stays "001"). UTF-8 (with or without BOM), GB18030/GBK, UTF-16 with BOM. A
  missing cell of a short row is None, an empty cell is "". Cells beyond the header go to columns of their own
  (`column_4`), and their row carries a fault: most likely a comma was not quoted and the text is cut in two. A blank
  header cell is named the same way. A blank line is no row, except between the rows of a one-column file, where it is
  an empty cell (so spreadsheets write it).
- JSONL: one object a line, values as typed; blank lines are no rows. The columns are all keys, in order of appearance.
- Parquet: original columns pass to a Parquet target untouched, with their types; elsewhere through Python values.

Written CSV is for spreadsheets: UTF-8 with BOM, and a text cell that would run as a formula (it begins with = + - @, a
tab or a line break, and is no plain number) gets a ' before it. Values that a format cannot hold: in CSV and in Parquet
text columns a list or an object becomes JSON text, and a lone surrogate becomes U+FFFD; in JSONL NaN and infinities
become null, and lone surrogates stay as \\u escapes.
"""

from __future__ import annotations

import base64
import csv
import json
import math
import re
import secrets
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, time
from pathlib import Path
from typing import Any, Literal

from wenmo.errors import InputError
from wenmo.jobs.encoding import detect_encoding

Row = dict[str, Any]
Kind = Literal["text", "integer", "number", "boolean"]

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
CHUNK_ROWS = 2_000
CHUNK_CHARACTERS = 8_000_000  # a chunk of very long texts ends before CHUNK_ROWS
CELL_CHARACTERS = 10_000_000  # the longest cell of a CSV file; beyond it, a quote was surely left open
_GROUP_ROWS, _GROUP_BYTES = 50_000, 64 << 20  # a Parquet row group is written when it reaches either

_MOST_NESTED = 200  # lists and objects within one another in a line of JSONL

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
# What a spreadsheet may take for the beginning of a formula; the full-width signs in East Asian ones.
_FORMULA_START = tuple("=+-@\t\r\n\0＝＋－＠")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE_ENDS = {0x85: r"\u0085", 0x2028: r"\u2028", 0x2029: r"\u2029"}  # some readers of lines end a line there


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
        return _arrow_schema({name: self.kinds.get(name, "text") for name in self.columns})


class TableWriter(ABC):
    """A table being written: the columns of a reader, then `extra` ones."""

    def __init__(self, path: Path, reader: TableReader, extra: Mapping[str, Kind]) -> None:
        self._path = path
        self._reader = reader
        self._extra = dict(extra)
        _refuse_repeated(path, [_text(name) or "" for name in (*reader.columns, *extra)])

    def write(self, chunk: Chunk, results: Sequence[Row]) -> None:
        """Append the rows of `chunk`, each with its result; a key that a result lacks is missing (None)."""
        with _writing(self._path):
            self._append(chunk, results)

    @abstractmethod
    def _append(self, chunk: Chunk, results: Sequence[Row]) -> None: ...

    @abstractmethod
    def close(self) -> None: ...


# ---------------------------------------------------------------------------------------------------------- opening


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
        if suffix in _DELIMITERS:
            return _CsvReader(path, _DELIMITERS[suffix])
        return _ParquetReader(path) if suffix == ".parquet" else _JsonlReader(path)
    except OSError as error:
        raise _unreadable(path, error) from error


@contextmanager
def open_writer(path: Path, reader: TableReader, extra: Mapping[str, Kind]) -> Iterator[TableWriter]:
    """Write to `path` whole or not at all: a temporary file beside it takes its place when the block ends well.

    `extra` names the columns that follow the reader's, with their kinds ("text" takes any value, as JSON text where
    the format has no better). Raises InputError when the file cannot be written.
    """
    suffix = check_suffix(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder. Give the name of a file.", f"{path} 是目录。请给出文件名。")
    if not path.parent.is_dir():
        raise InputError(
            f"There is no folder {path.parent} to write {path.name} to. Create it first.",
            f"目录 {path.parent} 不存在，无法写入 {path.name}。请先创建该目录。",
        )
    target = path.resolve()  # through a symbolic link, so that the link stays one
    temporary = target.with_name(f".wenmo-{secrets.token_hex(8)}.part")
    try:
        with _writing(path):
            writer: TableWriter
            if suffix in _DELIMITERS:
                writer = _CsvWriter(path, reader, extra, temporary=temporary, delimiter=_DELIMITERS[suffix])
            elif suffix == ".parquet":
                writer = _ParquetWriter(path, reader, extra, temporary=temporary)
            else:
                writer = _JsonlWriter(path, reader, extra, temporary=temporary)
        try:
            yield writer
        finally:
            with _writing(path):
                writer.close()
        with _writing(path):
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"{path} could not be written: {reason}. Check the folder's permissions and free space.",
            f"无法写入 {path}：{reason}。请检查目录权限与剩余空间。",
        ) from error


def _unreadable(path: Path, error: Exception) -> InputError:
    reason = (getattr(error, "strerror", None) or str(error)).strip().rstrip(".")
    return InputError(
        f"{path} could not be read: {reason}. It may be damaged, cut short, or of another format than its suffix says.",
        f"无法读取 {path}：{reason}。文件可能已损坏、不完整，或格式与后缀不符。",
    )


def _refuse_repeated(path: Path, names: Iterable[str]) -> None:
    repeated = [repr(name) for name, count in Counter(names).items() if count > 1]
    if repeated:
        listed = ", ".join(repeated)
        raise InputError(
            f"{path.name} has several columns named {listed}. Give each column a name of its own.",
            f"{path.name} 中有重名的列：{listed}。请为每一列取不同的名称。",
        )


# ---------------------------------------------------------------------------------------------------------- reading


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
        _refuse_repeated(path, [name for name in names if name.strip()])
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
            raise _unreadable(path, error) from error
        self.columns = tuple(self._schema.names)
        _refuse_repeated(path, self.columns)

    def arrow_schema(self) -> Any:
        return self._schema

    def __iter__(self) -> Iterator[Chunk]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(self.path) as file:
                batches = file.iter_batches(batch_size=CHUNK_ROWS)
                while (batch := next(batches, None)) is not None:
                    yield _ArrowChunk(batch)
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(self.path, error) from error


class _ArrowChunk(Chunk):
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


# ---------------------------------------------------------------------------------------------------------- writing


class _CsvWriter(TableWriter):
    def __init__(
        self, path: Path, reader: TableReader, extra: Mapping[str, Kind], *, temporary: Path, delimiter: str
    ) -> None:
        super().__init__(path, reader, extra)
        self._file = temporary.open("x", encoding="utf-8-sig", newline="")
        # "\r\n" as the standard has it; with "\n", csv would leave a lone "\r" within a cell unquoted.
        self._csv = csv.writer(self._file, delimiter=delimiter, lineterminator="\r\n")
        self._csv.writerow([csv_cell(name) for name in (*reader.columns, *self._extra)])

    def _append(self, chunk: Chunk, results: Sequence[Row]) -> None:
        for row, result in zip(chunk.rows(), results, strict=True):
            cells = [csv_cell(row.get(name)) for name in self._reader.columns]
            self._csv.writerow(cells + [csv_cell(result.get(name)) for name in self._extra])

    def close(self) -> None:
        self._file.close()


class _JsonlWriter(TableWriter):
    def __init__(self, path: Path, reader: TableReader, extra: Mapping[str, Kind], *, temporary: Path) -> None:
        super().__init__(path, reader, extra)
        self._file = temporary.open("xb")

    def _append(self, chunk: Chunk, results: Sequence[Row]) -> None:
        for row, result in zip(chunk.rows(), results, strict=True):
            line = row | {name: result.get(name) for name in self._extra}
            try:
                encoded = _json(line).translate(_LINE_ENDS).encode("utf-8")
            except UnicodeEncodeError:  # a lone surrogate: its escape is plain ASCII
                encoded = _json(line, ensure_ascii=True).encode("ascii")
            self._file.write(encoded + b"\n")

    def close(self) -> None:
        self._file.close()


class _ParquetWriter(TableWriter):
    def __init__(self, path: Path, reader: TableReader, extra: Mapping[str, Kind], *, temporary: Path) -> None:
        super().__init__(path, reader, extra)
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._own = reader.arrow_schema()
        self._added = _arrow_schema(self._extra)
        self._schema = pa.schema([*self._own, *self._added], metadata=self._own.metadata)
        self._parquet = pq.ParquetWriter(temporary, self._schema)
        self._waiting: list[Any] = []

    def _append(self, chunk: Chunk, results: Sequence[Row]) -> None:
        import pyarrow as pa

        if isinstance(chunk, _ArrowChunk):
            own = chunk.batch.columns
        else:
            own = _arrays(self._own, (chunk.values(name) for name in self._reader.columns))
        added = _arrays(self._added, ([result.get(name) for result in results] for name in self._extra))
        self._waiting.append(pa.RecordBatch.from_arrays([*own, *added], schema=self._schema))
        rows = sum(batch.num_rows for batch in self._waiting)
        if rows >= _GROUP_ROWS or sum(batch.nbytes for batch in self._waiting) >= _GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._waiting:
            self._parquet.write_table(pa.Table.from_batches(self._waiting, self._schema))
            self._waiting = []

    def close(self) -> None:
        try:
            self._flush()
        finally:
            self._parquet.close()


def _arrow_schema(kinds: Mapping[str, Kind]) -> Any:
    import pyarrow as pa

    types = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_()}
    return pa.schema([pa.field(_text(name), types[kind]) for name, kind in kinds.items()])


def _arrays(schema: Any, columns: Iterable[list[Any]]) -> list[Any]:
    """An Arrow array for each field of a schema made by `_arrow_schema`, from the values of each column."""
    import pyarrow as pa

    return [
        pa.array(map(_text, values) if field.type == pa.string() else values, type=field.type)
        for field, values in zip(schema, columns, strict=True)
    ]


def csv_cell(value: object) -> str:
    """What a spreadsheet gets: missing is an empty cell, and no text can run as a formula."""
    text = _text(value)
    if text is None:
        return ""
    if isinstance(value, str) and text.startswith(_FORMULA_START) and not _NUMBER.fullmatch(text):
        return "'" + text
    return text


def _text(value: object) -> str | None:
    """A value as text, without lone surrogates: text as it is, scalars plainly, a list or an object as JSON."""
    if value is None or isinstance(value, str):
        return value and _SURROGATE.sub("\ufffd", value)
    if isinstance(value, float):
        return None if math.isnan(value) else float.__repr__(value)
    plain = value if isinstance(value, (bool, int, list, tuple, dict)) else _jsonable(value)
    return plain if isinstance(plain, str) else _SURROGATE.sub("\ufffd", _json(plain))


def _json(value: object, *, ensure_ascii: bool = False) -> str:
    try:
        return json.dumps(value, ensure_ascii=ensure_ascii, allow_nan=False, default=_jsonable)
    except ValueError:
        return json.dumps(_finite(value), ensure_ascii=ensure_ascii, default=_jsonable)


def _finite(value: object) -> object:
    """The same value with null for every number that JSON does not know."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value


def _jsonable(value: object) -> str:
    """A scalar of Parquet that JSON has no type for, as text: ISO 8601, base64, or its plain digits."""
    if isinstance(value, (date, time)):  # datetime is a date
        return value.isoformat()
    return base64.b64encode(value).decode("ascii") if isinstance(value, bytes) else str(value)
