"""Reads a sheet of an Excel workbook (.xlsx): the first that is not hidden, or the one that is named.

Its first row has the columns' names; values keep their types.

- A formula is read as the value it had when the workbook was saved; an error (#N/A) is a missing value, with the error
  as its reason. A date is its ISO 8601 text, without a time if its format shows none; a whole number is an integer.
  Characters that XML cannot hold, written as `_x000D_`, are decoded.
- A column with a blank header cell is named by its position: `column_3`.
- A blank row is not a row. A row with cells beyond the header is a bad row, as in CSV.

The sheet is streamed. What is held in memory, such as the table of distinct texts, which cells refer to, has limits
(`workbook.py`). A workbook is a zip file: its declared sizes are checked before anything is unpacked, and zipfile
unpacks no more than those.
"""

from __future__ import annotations

import re
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from wenmo.errors import InputError
from wenmo.tables.columns import MOST_COLUMNS, TypeCollector, name_columns
from wenmo.tables.table import (
    CHUNK_ROWS,
    ROW_BYTES,
    BadRow,
    Chunk,
    Notice,
    ReadOptions,
    Row,
    TableReader,
    chunked,
    row_too_large,
    unreadable,
)

_MOST_ROWS = 1_048_576  # Excel's limit for a sheet; a damaged one may claim billions
_PART_MIB = 4096  # limit for an unpacked file of the zip; a full sheet of text has some hundred
_MOST_RATIO = 250  # limit for unpacked over packed size, of files over 16 MiB; sheets have 10 to 50, zip bombs 1,000
_STRICT = b"http://purl.oclc.org/ooxml/"  # begins the names of Strict Open XML, where others have a schema of Microsoft
_WORKBOOK = "xl/workbook.xml"
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_NO_TIME = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.')  # parts of a number format that are shown as they are


@dataclass(frozen=True)
class _CellError:
    """A cell whose formula has no value but an error such as #N/A."""

    code: str


class ExcelReader(TableReader):
    def __init__(self, path: Path, options: ReadOptions) -> None:
        super().__init__(path)
        _check_sizes(path)
        self.sheets, hidden = sheets_of(path)
        self.sheet = self._choose(options.sheet, hidden)
        self.columns: tuple[str, ...] = ()
        errors: Counter[str] = Counter()
        with closing(self._records()) as records:
            header = next(records, None)
            if header is None:
                raise self._empty()
            self._header_width = len(header)
            names = _names(header)
            width = len(names)
            types = TypeCollector(path)
            for record in records:
                self.row_count += 1
                width = max(width, len(record))
                errors.update(value.code for value in record if isinstance(value, _CellError))
                types.add(
                    {
                        str(position): None if isinstance(value, _CellError) else value
                        for position, value in enumerate(record)
                    }
                )
        self.columns = name_columns(path, names, width)
        self.types = {self.columns[int(position)]: column_type for position, column_type in types.types().items()}
        self.notices = (*self._sheet_notice(options.sheet, hidden), *self._error_notice(errors))

    def chunks(self, rows: int = CHUNK_ROWS, columns: Sequence[str] | None = None) -> Iterator[Chunk]:
        with closing(self._records()) as records:
            next(records, None)
            for group in chunked(records, rows=rows, size=_size):
                table: list[Row] = []
                bad_rows: dict[int, BadRow] = {}
                missing: dict[tuple[int, str], InputError] = {}
                for index, record in enumerate(group):
                    for position, value in enumerate(record):
                        if isinstance(value, _CellError):
                            missing[index, self.columns[position]] = _no_value(self.columns[position], value.code)
                            record[position] = None
                    table.append(dict(zip(self.columns, record, strict=False)))
                    if len(record) > self._header_width:
                        error = InputError(
                            f"This row has {len(record)} cells, the header has {self._header_width}: "
                            "name the columns beyond it, or empty them.",
                            f"此行有 {len(record)} 个单元格，而表头有 {self._header_width} 个："
                            "请补上列名或清空多余的单元格。",
                        )
                        bad_rows[index] = BadRow(error=error)
                yield Chunk(table, bad_rows, missing)

    def missing_column_hint(self, names: Sequence[str]) -> Notice | None:
        others = [sheet for sheet in self.sheets if sheet != self.sheet]
        if not others:
            return None
        fitting = [sheet for sheet in others if set(names) <= set(self._header_of(sheet))]
        if fitting:
            return Notice(
                en=f"This is the sheet {self.sheet!r}; the sheet {fitting[0]!r} has it: --sheet {fitting[0]}.",
                zh=f"以上是工作表“{self.sheet}”；工作表“{fitting[0]}”中有：--sheet {fitting[0]}。",
            )
        return Notice(
            en=f"This is the sheet {self.sheet!r}; there are others: {', '.join(others)} (--sheet).",
            zh=f"以上是工作表“{self.sheet}”；还有其他工作表：{'、'.join(others)}（--sheet）。",
        )

    def _header_of(self, sheet: str) -> list[str]:
        with closing(self._records(sheet)) as records:
            return _names(next(records, []))

    def _choose(self, wanted: str | None, hidden: Sequence[str]) -> str:
        """The name of the sheet to read. Raises InputError if there is none."""
        visible = [name for name in self.sheets if name not in hidden]
        if wanted is None:
            chosen = [*visible, *hidden][:1]
        elif wanted in self.sheets:
            chosen = [wanted]
        else:
            number = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 6 else 0
            chosen = list(self.sheets[number - 1 : number]) if number else []
        if chosen:
            return chosen[0]
        if wanted is None:
            raise self._empty()
        listed = ", ".join(map(repr, self.sheets))
        raise InputError(
            f"{self.path.name} has no sheet {wanted!r}. It has {listed}.",
            f"{self.path.name} 中没有工作表 {wanted!r}。现有：{listed}。",
        )

    def _empty(self) -> InputError:
        others = [repr(name) for name in self.sheets if name != getattr(self, "sheet", None)]
        if not others:
            return InputError(
                f"The first sheet of {self.path.name} is empty. Its first row must hold the names of the columns.",
                f"{self.path.name} 的第一个工作表是空的。其第一行应为列名。",
            )
        return InputError(
            f"The sheet {self.sheet!r} of {self.path.name} is empty. Choose another one with --sheet: "
            f"{', '.join(others)}.",
            f"{self.path.name} 的工作表 {self.sheet!r} 是空的。请用 --sheet 另选：{'、'.join(others)}。",
        )

    def _sheet_notice(self, wanted: str | None, hidden: Sequence[str]) -> tuple[Notice, ...]:
        others = [name for name in self.sheets if name != self.sheet]
        if wanted is not None or not others:
            return ()
        listed = ", ".join(f"{name} (hidden)" if name in hidden else name for name in others)
        listed_zh = "、".join(f"{name}（隐藏）" if name in hidden else name for name in others)
        return (
            Notice(
                en=f"Of {self.path.name} only the sheet {self.sheet} was read. It has others, see --sheet: {listed}.",
                zh=f"{self.path.name} 中只读取了工作表“{self.sheet}”。还有其他工作表（见 --sheet）：{listed_zh}。",
            ),
        )

    def _error_notice(self, errors: Counter[str]) -> tuple[Notice, ...]:
        if not errors:
            return ()
        listed = ", ".join(f"{code} {count:,}" for code, count in errors.most_common())
        return (
            Notice(
                en=f"{self.path.name} has cells with errors of Excel, which are missing values here: {listed}.",
                zh=f"{self.path.name} 中有 Excel 错误值的单元格，这里按缺失值处理：{listed}。",
            ),
        )

    def _records(self, sheet_name: str | None = None) -> Generator[list[Any]]:
        """The cells of each row that has any, without the blank ones at its end."""
        with _opened(self.path) as workbook:
            sheet = workbook[sheet_name or self.sheet]
            sheet.reset_dimensions()  # the size that the file declares may be wrong
            for number, cells in enumerate(sheet.iter_rows()):
                if number >= _MOST_ROWS:
                    raise ValueError(f"its sheet has more than {_MOST_ROWS:,} rows")
                record = [_plain(cell) for cell in cells[: MOST_COLUMNS + 1]]
                while record and record[-1] is None:
                    record.pop()
                # Cells that refer to one text cost nothing here, but each of them does when it is written.
                if sum(len(value) for value in record if isinstance(value, str)) > ROW_BYTES:
                    raise row_too_large(self.path)
                if record:
                    yield record


def sheets_of(path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of all sheets with cells, and those of the hidden ones. Raises InputError for a damaged workbook."""
    with _opened(path) as workbook:
        names = tuple(sheet.title for sheet in workbook.worksheets)
        return names, tuple(sheet.title for sheet in workbook.worksheets if sheet.sheet_state != "visible")


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The workbook. Whatever goes wrong with it while the block runs becomes an InputError."""
    from wenmo.tables.workbook import PartTooLargeError, load_workbook

    workbook = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and extensions, which hold no data
            workbook = load_workbook(path)
        yield workbook
    except InputError:
        raise
    except PartTooLargeError as error:
        raise _too_large(path, error.part, error.size, f"{error.limit_mib:,} MiB") from error
    except Exception as error:  # openpyxl has no error class for this: a damaged file may raise anything
        raise unreadable(path, error) from error
    finally:
        if workbook is not None:
            workbook.close()


def _names(header: Sequence[Any]) -> list[str]:
    return ["" if cell is None or isinstance(cell, _CellError) else str(cell) for cell in header]


def _no_value(column: str, code: str) -> InputError:
    return InputError(
        f"No value in column {column!r}, but the error {code} of Excel.",
        f"列 {column!r} 没有值，只有 Excel 的错误值 {code}。",
    )


def _plain(cell: Any) -> Any:
    """The value of a cell in the types of the other readers: str, int, float, bool, None; or a _CellError."""
    value = cell.value
    if isinstance(value, str):
        if cell.data_type == "e":
            return _CellError(value)
        return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), value) if "_x" in value else value
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) <= 2**53 else value
    if isinstance(value, datetime):
        shows_time = re.search("[hHsS]", _NO_TIME.sub("", cell.number_format or ""))
        return value.isoformat() if shows_time or value.time() != time() else value.date().isoformat()
    if isinstance(value, (date, time)):
        return value.isoformat()
    return str(value) if isinstance(value, timedelta) else value


def _size(record: list[Any]) -> int:
    """Roughly the bytes of a record in memory."""
    return sum(len(value) if isinstance(value, str) else 8 for value in record) + 50 * len(record)


def _check_sizes(path: Path) -> None:
    """Raises InputError for a zip bomb and for a workbook that would not fit into memory."""
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            sizes = {info.filename: info.file_size for info in infos}
            start = archive.open(_WORKBOOK).read(4096) if sizes.get(_WORKBOOK) else b""
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise unreadable(path, error) from error
    if _STRICT in start:
        raise InputError(
            f'{path.name} is a workbook in Strict Open XML, which cannot be read. In Excel, save it as "Excel Workbook '
            '(.xlsx)", not "Strict Open XML Spreadsheet".',
            f"{path.name} 是 Strict Open XML 格式的工作簿，无法读取。请在 Excel 中另存为“Excel 工作簿 (.xlsx)”，"
            "而不是“Strict Open XML 电子表格”。",
        )
    for info in infos:
        ratio = info.file_size / max(info.compress_size, 1)
        if info.file_size > _PART_MIB << 20 or (info.file_size > 16 << 20 and ratio > _MOST_RATIO):
            limit = f"{_PART_MIB:,} MiB; {_MOST_RATIO} : 1"
            raise _too_large(path, f"{info.filename}, {ratio:,.0f} : 1", info.file_size, limit)


def _too_large(path: Path, part: str, size: int, limit: str) -> InputError:
    return InputError(
        f"{path.name} would unpack to {size >> 20:,} MiB ({part}; the limit is {limit}). Save the sheet as CSV.",
        f"{path.name} 解压后将达 {size >> 20:,} MiB（{part}；上限为 {limit}）。请将工作表另存为 CSV。",
    )
