"""Reads the first sheet of an Excel workbook (.xlsx). Its first row has the columns' names; values keep their types.

- A formula is read as the value it had when the workbook was saved, a date as its ISO 8601 text.
- A column with a blank header cell is named by its position: `column_3`.
- A blank row is not a row. A row with cells beyond the header is a bad row, as in CSV.

The sheet is streamed. The workbook's table of distinct texts, which cells refer to, is held in memory and its size is
limited. A workbook is a zip file: its declared sizes are checked before anything is unpacked, and zipfile unpacks no
more than those.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Generator, Iterator
from contextlib import closing
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

from wenmo.errors import InputError
from wenmo.tables.columns import MOST_COLUMNS, TypeCollector, name_columns
from wenmo.tables.table import CHUNK_ROWS, BadRow, Chunk, Row, TableReader, chunked, unreadable

_MOST_ROWS = 1_048_576  # Excel's limit for a sheet; a damaged one may claim billions
_PART_MIB = 4096  # limit for an unpacked file of the zip; a full sheet of text has some hundred
_SHARED_MIB = 256  # limit for the table of distinct texts, which is held in memory
_MOST_RATIO = 250  # limit for unpacked over packed size, of files over 16 MiB; sheets have 10 to 50, zip bombs 1,000


class ExcelReader(TableReader):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        _check_sizes(path)
        with closing(self._records()) as records:
            header = next(records, None)
            if header is None:
                raise InputError(
                    f"The first sheet of {path.name} is empty. Its first row must hold the names of the columns.",
                    f"{path.name} 的第一个工作表是空的。其第一行应为列名。",
                )
            self._header_width = len(header)
            names = [str(_plain(cell)) if cell is not None else "" for cell in header]
            width = len(names)
            types = TypeCollector(path)
            for record in records:
                self.row_count += 1
                width = max(width, len(record))
                types.add({str(position): _plain(value) for position, value in enumerate(record)})
        self.columns = name_columns(path, names, width)
        self.types = {self.columns[int(position)]: column_type for position, column_type in types.types().items()}

    def chunks(self, rows: int = CHUNK_ROWS) -> Iterator[Chunk]:
        with closing(self._records()) as records:
            next(records, None)
            for group in chunked(records, rows=rows, size=_size):
                table: list[Row] = []
                bad_rows: dict[int, BadRow] = {}
                for index, record in enumerate(group):
                    table.append(dict(zip(self.columns, map(_plain, record), strict=False)))
                    if len(record) > self._header_width:
                        error = InputError(
                            f"This row has {len(record)} cells, the header has {self._header_width}: "
                            "name the columns beyond it, or empty them.",
                            f"此行有 {len(record)} 个单元格，而表头有 {self._header_width} 个："
                            "请补上列名或清空多余的单元格。",
                        )
                        bad_rows[index] = BadRow(error=error)
                yield Chunk(table, bad_rows)

    def _records(self) -> Generator[list[Any]]:
        """The cells of each row that has any, without the blank ones at its end."""
        import openpyxl

        workbook = None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about styles and extensions, which hold no data
                workbook = openpyxl.load_workbook(self.path, read_only=True, data_only=True, keep_links=False)
            if workbook.worksheets:
                sheet = workbook.worksheets[0]
                sheet.reset_dimensions()  # the size that the file declares may be wrong
                for number, cells in enumerate(sheet.iter_rows(values_only=True)):
                    if number >= _MOST_ROWS:
                        raise ValueError(f"its sheet has more than {_MOST_ROWS:,} rows")
                    record = list(cells[: MOST_COLUMNS + 1])
                    while record and record[-1] is None:
                        record.pop()
                    if record:
                        yield record
        except Exception as error:  # openpyxl has no error class for this: a damaged file may raise anything
            raise unreadable(self.path, error) from error
        finally:
            if workbook is not None:
                workbook.close()


def _plain(value: Any) -> Any:
    """A value in the types of the other readers: str, int, float, bool, None."""
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
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise unreadable(path, error) from error
    for info in infos:
        limit_mib = _SHARED_MIB if info.filename.endswith("sharedStrings.xml") else _PART_MIB
        ratio = info.file_size / max(info.compress_size, 1)
        if info.file_size > limit_mib << 20 or (info.file_size > 16 << 20 and ratio > _MOST_RATIO):
            raise InputError(
                f"{path.name} would unpack to {info.file_size >> 20:,} MiB ({info.filename}, {ratio:,.0f} times its "
                f"size in the file; the limits are {limit_mib:,} MiB and {_MOST_RATIO} times). Save the sheet as CSV.",
                f"{path.name} 解压后将达 {info.file_size >> 20:,} MiB（{info.filename}，为压缩后的 {ratio:,.0f} 倍；"
                f"上限为 {limit_mib:,} MiB 与 {_MOST_RATIO} 倍）。请将工作表另存为 CSV。",
            )
