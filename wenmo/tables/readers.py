"""Opens a table of any size: CSV, TSV, JSONL, Parquet or Excel, by its suffix.

A reader passes over its file twice. The first pass keeps only the columns, their types and the number of rows, so that
an unreadable file is found before any work starts and a Parquet writer knows its schema. (A Parquet file has these in
its footer, and only that is read.) The second pass yields the rows in chunks.

Memory is bounded: a chunk has a limit for its rows and for its characters, and there are limits for a line, a cell of
CSV, the number of columns, and the unpacked size of a workbook.
"""

from __future__ import annotations

from pathlib import Path

from wenmo.errors import InputError
from wenmo.tables.encoding import ENCODINGS
from wenmo.tables.read_csv import CsvReader
from wenmo.tables.read_excel import ExcelReader
from wenmo.tables.read_jsonl import JsonlReader
from wenmo.tables.read_parquet import ParquetReader
from wenmo.tables.table import DELIMITERS, READ_SUFFIXES, TableReader, check_suffix, unreadable


def open_reader(path: Path, *, encoding: str | None = None, delimiter: str | None = None) -> TableReader:
    """A reader of `path`, after its first pass.

    `encoding` (one of ENCODINGS) and `delimiter` (one character) apply to CSV and TSV; None means the encoding that the
    file's bytes show, and the delimiter of its suffix. Raises InputError for an argument or a suffix that is not known,
    and for a file that is missing or damaged.
    """
    suffix = check_suffix(path, READ_SUFFIXES)
    if encoding is not None and encoding not in ENCODINGS:
        known = ", ".join(ENCODINGS)
        raise InputError(
            f"No such encoding: {encoding!r}. Choose from {known}.", f"没有这样的编码：{encoding!r}。可选：{known}。"
        )
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise InputError(
            f"The delimiter {delimiter!r} is not one character, or one that cannot separate cells. Give one such as ;",
            f"分隔符 {delimiter!r} 不是单个字符，或不能用作分隔符。请给出如 ; 的单个字符。",
        )
    if not path.is_file():
        if path.exists():
            raise InputError(f"{path} is not a file. Give one table file.", f"{path} 不是文件。请指定一个表格文件。")
        raise InputError(
            f"There is no file {path}. Check the name and the folder.",
            f"文件 {path} 不存在。请检查名称与目录。",
        )
    try:
        if suffix in DELIMITERS:
            return CsvReader(path, delimiter or DELIMITERS[suffix], encoding)
        if suffix == ".parquet":
            return ParquetReader(path)
        return ExcelReader(path) if suffix == ".xlsx" else JsonlReader(path)
    except OSError as error:
        raise unreadable(path, error) from error
