"""The summary of a finished job: the figures that the command line prints and the Batch page shows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wenmo.errors import Language
from wenmo.jobs.job_tables import JobTable
from wenmo.tables.table import Notice
from wenmo.telemetry.process import peak_process_memory_mib


@dataclass(frozen=True, kw_only=True)
class FileSummary:
    """One file of the job; `failed_rows` of its `rows` have no result.

    `guarded_cells` of the output would have run as formulas in a spreadsheet, and begin with a ' now. `unknown_rows`
    have tokens that the model does not know. `notices` are what the user should know about how the file was read, in
    the job's language.
    """

    source: str
    target: str
    rows: int
    failed_rows: int
    guarded_cells: int = 0
    unknown_rows: int = 0
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class JobSummary:
    """A finished job. `failed_rows` of its `rows` have an `error` and no result.

    `resumed_rows` were computed by an earlier process. `seconds` are this process's, the loading of the model included;
    `rows_per_s` is over the rows that it computed, None if there were none. `label_counts` is in falling order;
    `mean_confidence` is the mean `score`, None without any result. `column_prefix` begins the result columns' names; it
    is "" unless a file already had one of them. `dropped_labels` were blank or repeated. `errors_file` has the rows
    without a result, None if there are none. `peak_memory_mib` is the process's, None where the system does not tell.
    """

    rows: int
    failed_rows: int
    resumed_rows: int
    seconds: float
    rows_per_s: float | None
    peak_memory_mib: float | None
    mean_confidence: float | None
    label_counts: Mapping[str, int]
    column_prefix: str
    dropped_labels: tuple[str, ...]
    errors_file: str | None
    files: tuple[FileSummary, ...]

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> JobSummary:
        """The summary that `dataclasses.asdict` and JSON made `stored` of."""
        files = tuple(FileSummary(**{**file, "notices": tuple(file["notices"])}) for file in stored["files"])
        return cls(**{**stored, "files": files, "dropped_labels": tuple(stored["dropped_labels"])})


def summarize(
    tables: Sequence[JobTable],
    *,
    resumed_rows: int,
    seconds: float,
    column_prefix: str,
    dropped_labels: tuple[str, ...],
    errors_file: Path,
    language: Language,
) -> JobSummary:
    """The summary of a job whose shards are all finished; the arguments are the fields of JobSummary."""
    files = tuple(_summarize_file(table, language) for table in tables)
    rows, failed_rows = sum(file.rows for file in files), sum(file.failed_rows for file in files)
    notes = [note for table in tables for _, note in sorted(table.shards.notes.items())]
    label_counts: Counter[str] = Counter()
    for note in notes:
        label_counts.update(note.label_counts)
    score_sum = math.fsum(note.score_sum for note in notes)
    return JobSummary(
        rows=rows,
        failed_rows=failed_rows,
        resumed_rows=resumed_rows,
        seconds=seconds,
        rows_per_s=(rows - resumed_rows) / seconds if rows > resumed_rows else None,
        peak_memory_mib=peak_process_memory_mib(),
        mean_confidence=score_sum / (rows - failed_rows) if rows > failed_rows else None,
        label_counts=dict(label_counts.most_common()),
        column_prefix=column_prefix,
        dropped_labels=dropped_labels,
        errors_file=str(errors_file) if failed_rows else None,
        files=files,
    )


def _summarize_file(table: JobTable, language: Language) -> FileSummary:
    notes = table.shards.notes.values()
    guarded = table.writer.guarded_names + sum(note.guarded_cells for note in notes)
    notices = list(table.reader.notices)
    unknown = sum(note.unknown_rows for note in notes)
    if unknown:
        notices.append(
            Notice(
                en=f"{unknown:,} rows of {table.pair.source.name} have characters that the model does not know, which "
                "are all one to it: trust their results less.",
                zh=f"{table.pair.source.name} 中有 {unknown:,} 行含模型不认识的字符，模型分不清这些字符："
                "这些结果仅供参考。",
            )
        )
    if guarded:
        notices.append(
            Notice(
                en=f"{guarded:,} cells of {table.pair.target.name} begin with ' now, because a spreadsheet would run "
                "them as formulas.",
                zh=f"{table.pair.target.name} 中有 {guarded:,} 个单元格会被电子表格当作公式运行，已在前面加上 '。",
            )
        )
    return FileSummary(
        source=str(table.pair.source),
        target=str(table.pair.target),
        rows=sum(note.rows for note in notes),
        failed_rows=sum(note.failed_rows for note in notes),
        guarded_cells=guarded,
        unknown_rows=unknown,
        notices=tuple(notice.text(language) for notice in notices),
    )
