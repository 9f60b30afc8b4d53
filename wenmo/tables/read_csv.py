"""Reads CSV and TSV. Every cell stays text: "001" is "001". See `encoding.py` for encodings.

- A cell that a short row lacks is None; an empty cell is "".
- A cell beyond the header goes to a column of its own (`column_4`), as does one below a blank header cell. Its row is a
  bad row: most likely a comma was not quoted and split the text.
- A blank line is not a row, except between the rows of a file with one column: spreadsheets write an empty cell so.
- A quote that is never closed makes the whole file unreadable, since nobody knows where its row ends.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wenmo.errors import InputError
from wenmo.tables.columns import MOST_COLUMNS, name_columns
from wenmo.tables.encoding import detect_encoding
from wenmo.tables.table import CELL_CHARACTERS, CHUNK_ROWS, LINE_BYTES, BadRow, Chunk, TableReader, chunked


class CsvReader(TableReader):
    """`encoding` None means that it is detected from the file's bytes."""

    def __init__(self, path: Path, delimiter: str, encoding: str | None = None) -> None:
        super().__init__(path)
        self.encoding = encoding or detect_encoding(path)
        self.delimiter = delimiter
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
            if len(record) > width:
                width = len(record)
                if width > MOST_COLUMNS:
                    break
        self.columns = name_columns(path, names, width)

    def chunks(self, rows: int = CHUNK_ROWS) -> Iterator[Chunk]:
        records = self._records()
        next(records, None)
        # A Python string takes some 50 bytes besides its characters, so many short cells are large, too.
        for group in chunked(records, rows=rows, size=lambda record: sum(map(len, record)) + 50 * len(record)):
            table, bad_rows = [], {}
            for index, record in enumerate(group):
                table.append(dict(zip(self.columns, record + [None] * (len(self.columns) - len(record)), strict=False)))
                if len(record) > self._header_width:
                    error = InputError(
                        f"This row has {len(record)} cells, the header has {self._header_width}: "
                        f'put texts that contain the separator in double quotes (").',
                        f"此行有 {len(record)} 个单元格，而表头有 {self._header_width} 个："
                        "含分隔符的文本请用双引号括起来。",
                    )
                    bad_rows[index] = BadRow(error=error)
            yield Chunk(table, bad_rows)

    def _records(self) -> Iterator[list[Any]]:
        """The cells of the header, then of each row, without empty cells beyond the header."""
        # csv has one limit for the process; another thread may need a higher one, so it is never lowered.
        csv.field_size_limit(max(csv.field_size_limit(), CELL_CHARACTERS))
        width, blank_lines, start, at_end = 0, 0, 1, False
        with self.path.open(encoding=self.encoding, newline="") as file:

            def lines() -> Iterator[str]:
                nonlocal at_end
                while line := file.readline(LINE_BYTES):
                    if len(line) >= LINE_BYTES:
                        raise csv.Error(f"its line is longer than {LINE_BYTES:,} characters")
                    yield line
                at_end = True

            reader = csv.reader(lines(), delimiter=self.delimiter)
            try:
                for cells in reader:
                    if at_end:  # only an open quote makes the parser ask for one more line
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
            except UnicodeError as error:  # only where the caller named the encoding
                raise InputError(
                    f"{self.path.name} is not in the encoding {self.encoding}: {error}. Name another one, or none.",
                    f"{self.path.name} 的编码不是 {self.encoding}：{error}。请改用其他编码，或不指定编码。",
                ) from error
