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
from wenmo.tables.table import (
    DELIMITERS,
    QUOTINGS,
    READ_SUFFIXES,
    ReadOptions,
    TableReader,
    check_suffix,
    unreadable,
)

_LOCK = "~$"  # begins the name of the file by which Office marks another one as open
# What a file is, whatever its suffix says, by its first bytes.
_MAGIC: tuple[tuple[bytes, str, str, tuple[str, ...]], ...] = (
    (
        b"PK\x03\x04",
        "a zip file, as Excel workbooks are (.xlsx)",
        "zip 文件（Excel 工作簿 .xlsx 即为此类）",
        (".xlsx",),
    ),
    (b"PAR1", "a Parquet file (.parquet)", "Parquet 文件（.parquet）", (".parquet",)),
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "an old Excel workbook (.xls), or one with a password. Save it as an Excel workbook (.xlsx) without a password",
        "旧版 Excel 工作簿（.xls）或有密码的工作簿。请另存为无密码的 Excel 工作簿（.xlsx）",
        (),
    ),
    (b"\x1f\x8b\x08", "packed by gzip. Unpack it first", "gzip 压缩文件。请先解压", ()),
    (b"%PDF", "a PDF", "PDF 文件", ()),
    (b"\x89PNG", "an image", "图片", ()),
)


def open_reader(path: Path, options: ReadOptions | None = None) -> TableReader:
    """A reader of `path`, after its first pass.

    Raises InputError for an option or a suffix that is not known, and for a file that is missing or damaged.
    """
    options = options or ReadOptions()
    suffix = check_suffix(path, READ_SUFFIXES)
    _check_options(options)
    if not path.is_file():
        if path.exists():
            raise InputError(f"{path} is not a file. Give one table file.", f"{path} 不是文件。请指定一个表格文件。")
        raise InputError(
            f"There is no file {path}. Check the name and the folder.",
            f"文件 {path} 不存在。请检查名称与所在的文件夹。",
        )
    _check_content(path, suffix)
    try:
        if suffix in DELIMITERS:
            return CsvReader(path, options)
        if suffix == ".parquet":
            return ParquetReader(path)
        return ExcelReader(path, options) if suffix == ".xlsx" else JsonlReader(path, options)
    except OSError as error:
        raise unreadable(path, error) from error


def _check_options(options: ReadOptions) -> None:
    """Raises InputError for a value that no file can be read with."""
    if options.encoding is not None and options.encoding not in ENCODINGS:
        known = ", ".join(ENCODINGS)
        raise InputError(
            f"No such encoding: {options.encoding!r}. Choose from {known}.",
            f"没有这样的编码：{options.encoding!r}。可选：{known}。",
        )
    delimiter = options.delimiter
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise InputError(
            f"The delimiter {delimiter!r} is not one character, or one that cannot separate cells. Give one such as ;",
            f"分隔符 {delimiter!r} 不是单个字符，或不能用作分隔符。请给出如 ; 的单个字符。",
        )
    if options.quoting is not None and options.quoting not in QUOTINGS:
        known = ", ".join(QUOTINGS)
        raise InputError(
            f"No such quoting: {options.quoting!r}. Choose from {known}.",
            f"没有这样的引号规则：{options.quoting!r}。可选：{known}。",
        )
    if options.escape is not None and (len(options.escape) != 1 or options.escape in '"\r\n'):
        raise InputError(
            f"The escape {options.escape!r} is not one character, or cannot be one. Give one such as \\",
            f"转义符 {options.escape!r} 不是单个字符，或不能用作转义符。请给出如 \\ 的单个字符。",
        )


def _check_content(path: Path, suffix: str) -> None:
    """Raises InputError for a file that is plainly something else than its suffix says."""
    if path.name.startswith(_LOCK):
        opened = path.name.removeprefix(_LOCK)
        raise InputError(
            f"{path.name} is no table but the mark of Office that {opened} is open. Give that one.",
            f"{path.name} 不是表格，而是 Office 的锁定文件，表示 {opened} 正被打开。请改用后者。",
        )
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise unreadable(path, error) from error
    for magic, en, zh, suffixes in _MAGIC:
        if start.startswith(magic) and suffix not in suffixes:
            raise InputError(
                f"{path.name} is not what its suffix says, but {en}.", f"{path.name} 与后缀不符，它是{zh}。"
            )
