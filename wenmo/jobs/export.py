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
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from wenmo.errors import Language
from wenmo.jobs.atomic_write import atomic_write
from wenmo.jobs.excel import Words, write_excel
from wenmo.tables.columns import ColumnType
from wenmo.tables.read_parquet import ArrowChunk, ParquetReader
from wenmo.tables.table import Chunk, Row, TableReader
from wenmo.tables.writers import writer_for
from wenmo.types import TaskName


def export_results(
    source: TableReader,
    finished: Path,
    target: Path,
    extra: Mapping[str, ColumnType],
    *,
    task: TaskName | None = None,
    language: Language = "zh",
) -> None:
    """Write `target` (.csv, .tsv, .jsonl or .xlsx): the rows of `source` with the columns `extra` of `finished`.

    `finished` is the Parquet file that a job over `source` made. An Excel file has the words of its reader's
    `language`, also for the labels of `task`. Raises InputError where the format cannot hold so many rows, or `target`
    cannot be written.
    """
    rows = _rows(source, finished, extra, parsed=target.suffix == ".jsonl")
    if target.suffix == ".xlsx":
        write_excel(target, source, finished, extra, rows, Words(task=task, language=language))
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
