"""Tables in: CSV, TSV, JSONL, Parquet and Excel by suffix, a few thousand rows at a time, whatever their size.

Each reader goes through its file twice. The first pass keeps nothing but the columns, their kinds and the number of
rows; it finds what makes a file unreadable before any model works, and tells a Parquet writer its schema. The second
yields chunks. (Parquet says all of this at its end: there the first pass reads no more than that.)

Bounded in memory by rows and by characters: a chunk of long texts has fewer rows. There are limits for a line, a cell
of CSV, the number of columns, and what a compressed workbook may unpack to.
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
    """The reader for `path`, after its first pass. Raises InputError for a file that is missing, damaged or unknown.

    `encoding` (one of ENCODINGS) and `delimiter` (one character) are for CSV and TSV, where they are otherwise found by
    the file's bytes and its suffix.
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
