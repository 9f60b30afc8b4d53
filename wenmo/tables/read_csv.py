"""CSV and TSV in. Every cell is the text it was ("001" stays "001"); see `encoding.py` for encodings.

A missing cell of a short row is None, an empty cell is "". Cells beyond the header go to columns of their own
(`column_4`), and their row carries a fault: most likely a comma was not quoted and the text is cut in two. A blank
header cell is named the same way. A blank line is no row, except between the rows of a one-column file, where it is an
empty cell (so spreadsheets write it). A quote that is never closed refuses the file: where its row ends, nobody knows.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wenmo.errors import InputError
from wenmo.tables.encoding import detect_encoding
from wenmo.tables.table import (
    CELL_CHARACTERS,
    CHUNK_ROWS,
    LINE_BYTES,
    MOST_COLUMNS,
    Chunk,
    Fault,
    TableReader,
    column_names,
    parts,
)


class CsvReader(TableReader):
    """`encoding` None: by the file's bytes."""

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
        self.columns = column_names(path, names, width)

    def chunks(self, rows: int = CHUNK_ROWS) -> Iterator[Chunk]:
        records = self._records()
        next(records, None)
        # An object of Python takes some 50 bytes beside its characters: many short cells are large, too.
        for part in parts(records, rows=rows, size=lambda record: sum(map(len, record)) + 50 * len(record)):
            table, faults = [], {}
            for index, record in enumerate(part):
                table.append(dict(zip(self.columns, record + [None] * (len(self.columns) - len(record)), strict=False)))
                if len(record) > self._header_width:
                    error = InputError(
                        f"This row has {len(record)} cells, the header has {self._header_width}: "
                        f'put texts that contain the separator in double quotes (").',
                        f"此行有 {len(record)} 个单元格，而表头有 {self._header_width} 个："
                        "含分隔符的文本请用双引号括起来。",
                    )
                    faults[index] = Fault(error=error)
            yield Chunk(table, faults)

    def _records(self) -> Iterator[list[Any]]:
        """The cells of the header, then of each row, without empty cells beyond the header."""
        # The limit is the process's: only ever raised here.
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
            except UnicodeError as error:  # only where the encoding was given, not found
                raise InputError(
                    f"{self.path.name} is not in the encoding {self.encoding}: {error}. Name another one, or none.",
                    f"{self.path.name} 的编码不是 {self.encoding}：{error}。请改用其他编码，或不指定编码。",
                ) from error
