"""A finished table in another format: the rows of the input as its own reader gives them, with their results behind.

Not a conversion of the finished Parquet file, in which a list or an object of JSONL is text by now: each format gets
what a job that wrote it would have written. CSV and JSONL by `writers.py`; Excel here, for people to open: its files
carry the time at which they were made, so that no job writes them.

Excel's own limits: 1,048,576 rows (refused beyond) and 32,767 characters a cell (cut there). Texts are written as texts
whatever they begin with, marked so that editing a cell makes no formula of it either; characters that XML does not know
are left out, and integers that a float would not hold are texts.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from wenmo.errors import InputError
from wenmo.tables.cells import FORMULA_START, as_text
from wenmo.tables.files import replacing
from wenmo.tables.read_parquet import ArrowChunk, ParquetReader
from wenmo.tables.table import Chunk, ColumnKind, Row, TableReader
from wenmo.tables.writers import table_format

EXCEL_ROWS = 1_048_576
EXCEL_CHARACTERS = 32_767


def export(source: TableReader, finished: Path, target: Path, extra: Mapping[str, ColumnKind]) -> None:
    """Write `target` (.csv, .tsv, .jsonl or .xlsx): the rows of `source` with the columns `extra` of `finished`.

    `finished` is the Parquet file that a job over `source` made. Raises InputError where the rows do not fit or the
    file cannot be written.
    """
    rows = _rows(source, finished, extra, parsed=target.suffix == ".jsonl")
    if target.suffix == ".xlsx":
        _write_excel(target, [*source.columns, *extra], source.row_count, rows)
        return
    shape = table_format(target, source, extra)
    body = target.with_name(f"{target.name}.rows")
    try:
        with replacing(body) as file:
            for chunk, results in rows:
                file.write(shape.encode(chunk, results))
        with replacing(target) as file:
            shape.join([body], file)
    finally:
        body.unlink(missing_ok=True)


def _rows(
    source: TableReader, finished: Path, extra: Mapping[str, ColumnKind], *, parsed: bool
) -> Iterator[tuple[Chunk, list[Row]]]:
    """Each chunk of the input with its results; those that are JSON text in Parquet as what they were, if `parsed`."""
    names = list(extra)
    found = (row for batch in ParquetReader(finished).batches(names) for row in ArrowChunk(batch).rows())
    nested = [name for name in names if name.endswith(("scores", "logits"))] if parsed else []
    for chunk in source.chunks():
        results = list(islice(found, len(chunk)))
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
    with replacing(target) as file:
        workbook.save(file)


def _excel_cell(sheet: Any, value: object) -> Any:
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
    cell.data_type = "s"  # openpyxl takes what begins with = for a formula
    if text.startswith(FORMULA_START):
        cell.quotePrefix = True
    return cell
