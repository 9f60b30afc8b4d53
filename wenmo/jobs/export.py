"""Exports a job's result in another format: the rows of the input, each with its results.

The input is read again rather than converted from the finished Parquet file, in which the lists and objects of JSONL
have become text. So a CSV or JSONL file is what a job writing that format would have made. Excel files are only made
here and never by a job: they contain their creation time, and so differ from run to run.

Excel's limits: more than 1,048,576 rows are refused, and a cell is cut at 32,767 characters. A text is written as text
whatever it begins with, and is marked so that editing its cell does not make it a formula. Characters that XML does not
allow are left out; an integer that a float cannot hold exactly is written as text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from wenmo.errors import InputError
from wenmo.jobs.atomic_write import atomic_write
from wenmo.tables.cells import as_text, runs_as_formula
from wenmo.tables.columns import ColumnType
from wenmo.tables.read_parquet import ArrowChunk, ParquetReader
from wenmo.tables.table import Chunk, Row, TableReader
from wenmo.tables.writers import writer_for

EXCEL_ROWS = 1_048_576
EXCEL_CHARACTERS = 32_767


def export_results(source: TableReader, finished: Path, target: Path, extra: Mapping[str, ColumnType]) -> None:
    """Write `target` (.csv, .tsv, .jsonl or .xlsx): the rows of `source` with the columns `extra` of `finished`.

    `finished` is the Parquet file that a job over `source` made. Raises InputError where the format cannot hold so many
    rows, or `target` cannot be written.
    """
    rows = _rows(source, finished, extra, parsed=target.suffix == ".jsonl")
    if target.suffix == ".xlsx":
        _write_excel(target, [*source.columns, *extra], source.row_count, rows)
        return
    writer = writer_for(target, source, extra)
    shard = target.with_name(f"{target.name}.rows")
    try:
        with atomic_write(shard) as file:
            for chunk, results in rows:
                file.write(writer.encode(chunk, results).content)
        with atomic_write(target) as file:
            writer.join([shard], file)
    finally:
        shard.unlink(missing_ok=True)


def _rows(
    source: TableReader, finished: Path, extra: Mapping[str, ColumnType], *, parsed: bool
) -> Iterator[tuple[Chunk, list[Row]]]:
    """Each chunk of the input with its results; if `parsed`, those that are JSON text in Parquet are parsed again."""
    names = list(extra)
    finished_rows = (row for batch in ParquetReader(finished).batches(names) for row in ArrowChunk(batch).rows())
    nested = [name for name in names if name.endswith(("scores", "logits"))] if parsed else []
    for chunk in source.chunks():
        results = list(islice(finished_rows, len(chunk)))
        for row in results:
            for name in nested:
                row[name] = row[name] and json.loads(row[name])
        yield chunk, results


def _write_excel(target: Path, names: list[str], row_count: int, rows: Iterator[tuple[Chunk, list[Row]]]) -> None:
    if row_count >= EXCEL_ROWS:
        raise InputError(
            f"{row_count:,} rows are more than a sheet of Excel holds ({EXCEL_ROWS:,}). Take the CSV.",
            f"共 {row_count:,} 行，超过 Excel 工作表的上限（{EXCEL_ROWS:,} 行）。请下载 CSV。",
        )
    import openpyxl

    workbook = openpyxl.Workbook(write_only=True)
    sheet = workbook.create_sheet("wenmo")
    sheet.freeze_panes = "A2"
    sheet.append([_excel_cell(sheet, name) for name in names])
    for chunk, results in rows:
        for row, result in zip(chunk.rows(), results, strict=True):
            values = row | result
            sheet.append([_excel_cell(sheet, values.get(name)) for name in names])
    with atomic_write(target) as file:
        workbook.save(file)


def _excel_cell(sheet: Any, value: object) -> Any:
    """What openpyxl takes for a cell: a number, a boolean or None as it is, anything else as text."""
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)) and math.isfinite(value) and abs(value) <= 2**53:
        return value
    text = as_text(value)
    if text is None:
        return None
    cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", text)[:EXCEL_CHARACTERS])
    cell.data_type = "s"  # openpyxl would make a formula of a text that begins with =
    if runs_as_formula(text):
        cell.quotePrefix = True
    return cell
