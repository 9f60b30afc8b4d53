"""Reads CSV and TSV. Every cell stays text: "001" is "001". See `encoding.py` and `delimiter.py` for what is found.

- A row with fewer cells than the header, or more, is a bad row: most likely a line break or a delimiter in a text was
  not quoted and tore it. What it has is kept: a lacking cell is None, one beyond the header goes to a column of its own
  (`column_4`), as does one below a blank header cell.
- A blank line is not a row, except between the rows of a file with one column: spreadsheets write an empty cell so.
- A first line `sep=;` names the delimiter and is no row.

The first pass looks at the shape of the whole file, before any row is worked on. Where double quotes surround cells as
in RFC 4180, it is read so. Otherwise, as long as `quoting` and `escape` are not given:

- Quotes within cells that are escaped by backslashes (Spark, MySQL) are read so if all rows have the header's width
  then.
- A double quote that is no delimiter can swallow rows: it opens a cell, and another one far below closes it. Where
  each of the lines between has as many delimiters as the header, and cells like those of other rows, they are rows. A
  TSV file is then read without quoting; a CSV file, in which quoting is the rule, is refused with the lines.
- A quote that is never closed: a TSV file whose lines are all of the header's width is read without quoting; any other
  file is refused, since nobody knows where that row ends.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wenmo.errors import InputError
from wenmo.tables.columns import MOST_COLUMNS, name_columns
from wenmo.tables.delimiter import guess_delimiter, sep_line
from wenmo.tables.encoding import find_encoding
from wenmo.tables.table import (
    CELL_CHARACTERS,
    CHUNK_ROWS,
    DELIMITERS,
    LINE_BYTES,
    BadRow,
    Chunk,
    Notice,
    ReadOptions,
    TableReader,
    chunked,
)

_TOLD = 10  # lines that a message lists
_KINDS = {  # of cells, by which rows are told from parts of a text
    "number": re.compile(r"[-+]?\d+([.,]\d+)?%?"),
    "date": re.compile(r"\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}日?([ T]\d{1,2}:\d{2}(:\d{2})?.*)?"),
}


@dataclass(frozen=True, kw_only=True)
class _Dialect:
    """How lines are parsed. `escape` precedes a double quote within a cell; `strict`: no text behind a closed quote."""

    delimiter: str
    quoted: bool = True
    escape: str | None = None
    strict: bool = False


@dataclass(kw_only=True)
class _Record:
    """The cells of a row, and the first and the last of its lines."""

    cells: list[Any]
    first: int
    last: int


@dataclass(kw_only=True)
class _Shape:
    """What a pass over the whole file found.

    `misfits` rows have too few or too many cells, and begin in `misfit_lines`. `swallowed` are the (first, last) lines
    of rows whose lines each have as many delimiters as the header: perhaps rows of their own, with the cells
    `torn_cells`. `quotes_properly`: somewhere in the file quotes are needed and used as in RFC 4180. `kinds` are those
    of the cells of each column, in rows of a single line.
    """

    header: list[str]
    width: int
    seen: _Lines
    rows: int = 0
    misfits: int = 0
    misfit_lines: list[int] = field(default_factory=list)
    swallowed: list[tuple[int, int]] = field(default_factory=list)
    quotes_properly: bool = False
    kinds: list[set[str | None]] = field(default_factory=list)
    torn_cells: list[list[str]] = field(default_factory=list)


class CsvReader(TableReader):
    def __init__(self, path: Path, options: ReadOptions) -> None:
        super().__init__(path)
        self._encoding = find_encoding(path, options.encoding)
        self.encoding = self._encoding.codec
        with self._encoding.open(path) as file:
            first = file.readline(LINE_BYTES)
        named = sep_line(first)
        self._skipped = 0 if named is None else 1
        self.delimiter = options.delimiter or named or guess_delimiter(path, self._encoding)
        self._dialect, shape, found = self._choose_dialect(options)
        self.row_count = shape.rows
        self._header_width = len(shape.header)
        self.columns = name_columns(path, shape.header, shape.width)
        self.notices = (*self._encoding.notices, *self._delimiter_notice(options, named), *found)

    def chunks(self, rows: int = CHUNK_ROWS, columns: Sequence[str] | None = None) -> Iterator[Chunk]:
        records = (record.cells for record in self._records(self._dialect))
        next(records, None)
        # A Python string takes some 50 bytes besides its characters, so many short cells are large, too.
        for group in chunked(records, rows=rows, size=lambda record: sum(map(len, record)) + 50 * len(record)):
            table, bad_rows = [], {}
            for index, record in enumerate(group):
                lacking = [None] * (len(self.columns) - len(record))
                cells = [None if cell == r"\N" else cell for cell in record] if self._dialect.escape else record
                table.append(dict(zip(self.columns, [*cells, *lacking], strict=False)))
                if len(record) != self._header_width:
                    bad_rows[index] = BadRow(error=self._misfit(len(record)))
            yield Chunk(table, bad_rows)

    def _misfit(self, count: int) -> InputError:
        if count > self._header_width:
            return InputError(
                f"This row has {count} cells, the header has {self._header_width}: "
                f'put texts that contain the separator in double quotes (").',
                f"此行有 {count} 个单元格，而表头有 {self._header_width} 个：含分隔符的文本请用双引号括起来。",
            )
        return InputError(
            f"This row has {count} cells, the header has {self._header_width}: put texts that contain a line break in "
            'double quotes ("), and write the separators of empty cells.',
            f"此行有 {count} 个单元格，而表头有 {self._header_width} 个："
            "含换行的文本请用双引号括起来，空单元格的分隔符也要写出。",
        )

    def _delimiter_notice(self, options: ReadOptions, named: str | None) -> tuple[Notice, ...]:
        if options.delimiter or named or self.delimiter == DELIMITERS[self.path.suffix.lower()]:
            return ()
        mark = {"\t": ("tab", "制表符")}.get(self.delimiter, (self.delimiter, self.delimiter))
        return (
            Notice(
                en=f"{self.path.name} was split at {mark[0]}, by its first lines. If that is wrong, see --delimiter.",
                zh=f"{self.path.name} 已按前几行判断，以“{mark[1]}”为分隔符。若不对，请看 --delimiter。",
            ),
        )

    def _choose_dialect(self, options: ReadOptions) -> tuple[_Dialect, _Shape, list[Notice]]:
        """How the file is parsed, its shape, and what the user should know about both. Raises InputError."""
        quoted = options.quoting != "none"
        plain = _Dialect(delimiter=self.delimiter, quoted=quoted, escape=options.escape)
        strict = _Dialect(delimiter=self.delimiter, quoted=quoted, escape=options.escape, strict=True)
        decided = options.quoting is not None or options.escape is not None
        shape, error, behind_quote = self._strict_shape(strict)
        if decided or (error is None and not shape.misfits and not shape.swallowed):
            if error is not None and not behind_quote:
                raise error
            shape = shape if error is None else self._shape(plain)
            return plain, shape, self._misfit_notices(shape, behind_quote)
        if shape.seen.escapes and (error is not None or shape.misfits):
            escaped = _Dialect(delimiter=self.delimiter, escape="\\", strict=True)
            other, failed, _ = self._strict_shape(escaped)
            if failed is None and not other.misfits:
                return _Dialect(delimiter=self.delimiter, escape="\\"), other, [self._escape_notice()]
        unclosed = error is not None and not behind_quote
        stray = unclosed or (shape.swallowed and not shape.quotes_properly and self._torn_cells_fit(shape))
        if stray and self.path.suffix.lower() == ".tsv":
            bare = _Dialect(delimiter=self.delimiter, quoted=False)
            other = self._shape(bare)
            if not other.misfits and other.width > 1:
                return bare, other, [self._unquoted_notice()]
        if unclosed:
            assert error is not None
            raise error
        if stray:
            raise self._swallowed(shape)
        if error is not None:
            shape = self._shape(plain)
        notices = self._misfit_notices(shape, behind_quote)
        return plain, shape, [*notices, *self._swallowed_notice(shape)]

    def _strict_shape(self, dialect: _Dialect) -> tuple[_Shape, InputError | None, int | None]:
        """The shape by a strict parser; or what ended it, and the line of a text behind a closed quote if that did."""
        found: list[_Shape] = []
        try:
            return self._shape(dialect, found), None, None
        except _NotStrictError as error:
            # Lenient, to see whether a quote is left open.
            lenient = _Dialect(delimiter=dialect.delimiter, quoted=dialect.quoted, escape=dialect.escape)
            try:
                return self._shape(lenient, found), InputError("", ""), error.line
            except InputError as unclosed:
                return found[-1], unclosed, None
        except InputError as error:
            if not found:
                raise
            return found[-1], error, None

    def _shape(self, dialect: _Dialect, found: list[_Shape] | None = None) -> _Shape:
        """A pass over the whole file. `found` gets the shape when the header is known, to be used after an error."""
        lines = _Lines()
        records = self._records(dialect, lines)
        header = next(records, None)
        if header is None:
            raise InputError(
                f"{self.path.name} is empty. A {self.path.suffix} file needs a first line with the names of its "
                "columns.",
                f"{self.path.name} 是空文件。{self.path.suffix} 文件的第一行应为列名。",
            )
        names = [header.cells[0].removeprefix("\ufeff"), *header.cells[1:]]
        width = len(names)
        shape = _Shape(header=names, width=width, seen=lines, kinds=[set() for _ in names])
        if found is not None:
            found.append(shape)
        lines.take()
        for record in records:
            shape.rows += 1
            count = len(record.cells)
            taken = lines.take()
            if count != width:
                shape.misfits += 1
                if len(shape.misfit_lines) <= _TOLD:
                    shape.misfit_lines.append(record.first)
                if count > shape.width:
                    shape.width = count
                    if count > MOST_COLUMNS:
                        break
            if width > 1 and dialect.quoted:
                self._look_for_torn_rows(shape, record, [line for line in taken if line.strip()])
        return shape

    def _look_for_torn_rows(self, shape: _Shape, record: _Record, lines: Sequence[str]) -> None:
        full = [line for line in lines if line.count(self.delimiter) == len(shape.header) - 1]
        if len(lines) == 1:
            bare = lines[0].rstrip("\r\n").split(self.delimiter)
            while len(bare) > len(shape.header) and not bare[-1]:
                bare.pop()
            if bare != record.cells:
                shape.quotes_properly = True
            else:
                for kinds, cell in zip(shape.kinds, bare, strict=False):
                    kinds.add(_kind(cell))
        elif len(full) < len(lines):
            shape.quotes_properly = True
        elif lines and len(shape.swallowed) <= _TOLD:
            shape.swallowed.append((record.first, record.last))
            shape.torn_cells += [line.rstrip("\r\n").split(self.delimiter) for line in lines]

    @staticmethod
    def _torn_cells_fit(shape: _Shape) -> bool:
        """Whether lines of swallowed rows have cells of the kinds (number, date) that their columns have elsewhere."""
        judged = [(index, kinds) for index, kinds in enumerate(shape.kinds) if len(kinds) == 1 and None not in kinds]
        return bool(judged) and all(
            {_kind(cells[index])} == kinds for cells in shape.torn_cells for index, kinds in judged
        )

    def _records(self, dialect: _Dialect, seen: _Lines | None = None) -> Iterator[_Record]:
        """The cells of the header, then of each row, without empty cells beyond the header. `seen` gets each line."""
        # csv has one limit for the process; another thread may need a higher one, so it is never lowered.
        csv.field_size_limit(max(csv.field_size_limit(), CELL_CHARACTERS))
        width, blank_lines, start, at_end = 0, 0, 1 + self._skipped, False
        with self._encoding.open(self.path) as file:

            def lines() -> Iterator[str]:
                nonlocal at_end
                for _ in range(self._skipped):
                    file.readline(LINE_BYTES)
                while line := file.readline(LINE_BYTES):
                    if len(line) >= LINE_BYTES:
                        raise csv.Error(f"its line is longer than {LINE_BYTES:,} characters")
                    if seen is not None:
                        seen.add(line)
                    yield _unescaped(line, dialect.escape) if dialect.escape else line
                at_end = True

            reader = csv.reader(
                lines(),
                delimiter=self.delimiter,
                quoting=csv.QUOTE_MINIMAL if dialect.quoted else csv.QUOTE_NONE,
                strict=dialect.strict,
            )
            try:
                for cells in reader:
                    if at_end and dialect.quoted:  # only an open quote makes the parser ask for one more line
                        raise csv.Error("a double quote is never closed")
                    first, start = start, reader.line_num + 1 + self._skipped
                    if not cells:
                        blank_lines += width == 1
                        continue
                    for _ in range(blank_lines):
                        yield _Record(cells=[""], first=first, last=first)
                    width, blank_lines = width or len(cells), 0
                    while len(cells) > width and not cells[-1]:
                        cells.pop()
                    yield _Record(cells=cells, first=first, last=start - 1)
            except csv.Error as error:
                if dialect.strict and not at_end and "expected after" in str(error):
                    raise _NotStrictError(start) from None
                reason = "a double quote is never closed" if at_end else error
                raise InputError(
                    f"The row that begins in line {start} of {self.path.name} cannot be read: {reason}. "
                    'Look for a double quote (") in it that is not closed; within a quoted cell, write it twice. Where '
                    "quotes are ordinary characters, read without quoting (--quoting none); where another character "
                    "stands before them, name it (--escape).",
                    f"无法读取 {self.path.name} 中始于第 {start} 行的记录：{reason}。"
                    "请检查其中是否有未闭合的双引号；带引号的单元格内，双引号须写两遍。若双引号只是普通字符，"
                    "请不按引号读取（--quoting none）；若双引号前有转义符，请指定它（--escape）。",
                ) from error

    def _misfit_notices(self, shape: _Shape, behind_quote: int | None) -> list[Notice]:
        notices = []
        if shape.misfits:
            listed = _listed(shape.misfit_lines)
            notices.append(
                Notice(
                    en=f"{self.path.name} has {shape.misfits:,} rows with more or fewer cells than its header (line "
                    f"{listed}). They get no result. If quotes are the cause, see --quoting and --escape.",
                    zh=f"{self.path.name} 中有 {shape.misfits:,} 行的单元格数与表头不同（第 {listed} 行），不作处理。"
                    "若因引号所致，请看 --quoting 与 --escape。",
                )
            )
        if behind_quote is not None:
            notices.append(
                Notice(
                    en=f"Line {behind_quote} of {self.path.name} has text behind a closed double quote. It was taken "
                    "into the cell. If quotes are ordinary characters there, read without quoting (--quoting none).",
                    zh=f"{self.path.name} 第 {behind_quote} 行在闭合的双引号之后还有文字，已并入该单元格。"
                    "若双引号只是普通字符，请不按引号读取（--quoting none）。",
                )
            )
        return notices

    def _escape_notice(self) -> Notice:
        return Notice(
            en=f"Double quotes in {self.path.name} have a backslash before them; it was read so (--escape \\).",
            zh=f"{self.path.name} 中的双引号前有反斜杠，已按转义读取（--escape \\）。",
        )

    def _unquoted_notice(self) -> Notice:
        return Notice(
            en=f"Double quotes in {self.path.name} do not surround cells; they were read as ordinary characters "
            "(--quoting none). To read them as quotes, use --quoting csv.",
            zh=f"{self.path.name} 中的双引号并非用来括住单元格，已作为普通字符读取（--quoting none）。"
            "若要按引号读取，请用 --quoting csv。",
        )

    def _swallowed(self, shape: _Shape) -> InputError:
        listed = _listed([f"{first}-{last}" for first, last in shape.swallowed])
        return InputError(
            f"Lines {listed} of {self.path.name} look like rows of their own, but a double quote at a cell's beginning "
            "and one in a later line make one row of them. If quotes are ordinary characters there, read without "
            "quoting (--quoting none); if these lines are one cell, confirm it (--quoting csv).",
            f"{self.path.name} 第 {listed} 行看来各是一行，但单元格开头的双引号与后面某行的双引号使它们成为同一行。"
            "若双引号只是普通字符，请不按引号读取（--quoting none）；若确为同一单元格，请用 --quoting csv 确认。",
        )

    def _swallowed_notice(self, shape: _Shape) -> list[Notice]:
        if not shape.swallowed or shape.quotes_properly:
            return []
        listed = _listed([f"{first}-{last}" for first, last in shape.swallowed])
        return [
            Notice(
                en=f"Lines {listed} of {self.path.name} were read as one row each, as double quotes surround a cell "
                "with line breaks. If they are rows of their own, read without quoting (--quoting none).",
                zh=f"{self.path.name} 第 {listed} 行各作为一行读取，因为双引号括住了含换行的单元格。"
                "若每行应各成一行，请不按引号读取（--quoting none）。",
            )
        ]


class _NotStrictError(Exception):
    """A strict parser found text behind a closed quote, in the row that begins in `line`."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


class _Lines:
    """The physical lines that the parser has asked for since they were last taken.

    `escapes`: some line of the file has a backslash before a double quote.
    """

    def __init__(self) -> None:
        self.escapes = False
        self._waiting: list[str] = []

    def add(self, line: str) -> None:
        self._waiting.append(line)
        self.escapes = self.escapes or '\\"' in line

    def take(self) -> list[str]:
        taken, self._waiting = self._waiting, []
        return taken


def _unescaped(line: str, escape: str) -> str:
    """A line in which quotes and the escape character itself are escaped, as RFC 4180 has it."""
    mark = re.escape(escape)
    ended = re.sub(rf"(?<!{mark}){mark}(?=[\r\n]+\Z)", "", line)  # MySQL escapes line breaks within cells, too
    return re.sub(rf'{mark}(["{mark}])', lambda match: '""' if match[1] == '"' else match[1], ended)


def _kind(cell: str) -> str | None:
    return next((kind for kind, pattern in _KINDS.items() if pattern.fullmatch(cell.strip())), None)


def _listed(lines: Sequence[object]) -> str:
    return ", ".join(map(str, lines[:_TOLD])) + (" …" if len(lines) > _TOLD else "")
