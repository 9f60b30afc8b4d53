"""A job's result as an Excel file: a sheet of the rows, and a sheet that sums them up with charts.

The rows' own columns keep their names; those of the result are named in the reader's language, with a column of
probabilities for each label. Probabilities are numbers that Excel shows as percentages.

Excel's limits: more than 1,048,576 rows are refused, and a cell is cut at 32,767 characters. A text is written as text
whatever it begins with, and is marked so that editing its cell does not make it a formula. Characters that XML does not
allow are left out; an integer that a float cannot hold exactly is written as text.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from wenmo.errors import InputError, Language
from wenmo.jobs.atomic_write import atomic_write
from wenmo.tables.cells import as_text, runs_as_formula
from wenmo.tables.columns import ColumnType
from wenmo.tables.read_parquet import ArrowChunk, ParquetReader
from wenmo.tables.table import Chunk, Row, TableReader
from wenmo.tasks.table import TASKS
from wenmo.types import TaskName

EXCEL_ROWS = 1_048_576
EXCEL_CHARACTERS = 32_767
_PERCENT = "0.0%"
_WIDTHS = (9, 60)  # characters of a column, at least and at most
_BINS = 10  # of the histogram of confidence
# Words of the file, Chinese and English.
_WORDS: Mapping[str, tuple[str, str]] = {
    "rows": ("结果", "Results"),
    "summary": ("汇总", "Summary"),
    "label": ("标签", "Label"),
    "score": ("把握", "Confidence"),
    "truncated": ("已截断", "Truncated"),
    "logits": ("原始输出", "Logits"),
    "error": ("错误", "Error"),
    "probability": ("{}的概率", "Probability of {}"),
    "count": ("行数", "Rows"),
    "share": ("占比", "Share"),
    "total": ("总行数", "All rows"),
    "failed": ("没有结果的行", "Rows without a result"),
    "mean": ("平均把握", "Mean confidence"),
    "from": ("把握区间", "Confidence"),
}


@dataclass(frozen=True, kw_only=True)
class Words:
    """The words of the file in the reader's `language`; labels are those of a model of `task`."""

    task: TaskName | None
    language: Language

    def of(self, key: str) -> str:
        return _WORDS[key][self.language == "en"]

    def label(self, label: str) -> str:
        return label if self.task is None else TASKS[self.task].label_in(label, self.language)


@dataclass(kw_only=True)
class _Totals:
    """What the summary tells: `labels` is every label that a row has a probability of."""

    rows: int = 0
    scored: int = 0
    score_sum: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    bins: list[int] = field(default_factory=lambda: [0] * _BINS)
    labels: dict[str, None] = field(default_factory=dict)


def write_excel(
    target: Path,
    source: TableReader,
    finished: Path,
    extra: Mapping[str, ColumnType],
    rows: Iterator[tuple[Chunk, list[Row]]],
    words: Words,
) -> None:
    """Write `target`: `rows` are those of `source` with the columns `extra` of `finished`."""
    if source.row_count >= EXCEL_ROWS:
        raise InputError(
            f"{source.row_count:,} rows are more than a sheet of Excel holds ({EXCEL_ROWS:,}). Take the CSV.",
            f"共 {source.row_count:,} 行，超过 Excel 工作表的上限（{EXCEL_ROWS:,} 行）。请下载 CSV。",
        )
    import openpyxl

    names = {name: next(known for known in _KNOWN if name.endswith(known)) for name in extra}
    totals = _totals(finished, names)
    workbook = openpyxl.Workbook(write_only=True)
    sheet = workbook.create_sheet(words.of("rows"))
    _rows(sheet, source, names, list(totals.labels), rows, words)
    _summary(workbook.create_sheet(words.of("summary")), totals, words)
    with atomic_write(target) as file:
        workbook.save(file)


_KNOWN = ("label", "scores", "score", "truncated", "logits", "error")  # columns of a result, whatever their prefix


def _totals(finished: Path, names: Mapping[str, str]) -> _Totals:
    kinds = {kind: name for name, kind in names.items()}
    found = _Totals()
    for batch in ParquetReader(finished).batches([kinds["label"], kinds["score"], kinds["scores"]]):
        for row in ArrowChunk(batch).rows():
            found.rows += 1
            label, score, scores = (row[kinds[kind]] for kind in ("label", "score", "scores"))
            if label is None or score is None:
                continue
            found.scored += 1
            found.score_sum += score
            found.counts[label] += 1
            found.bins[min(_BINS - 1, int(score * _BINS))] += 1
            found.labels.update(dict.fromkeys(sorted(json.loads(scores or "{}"))))
    return found


def _rows(
    sheet: Any,
    source: TableReader,
    names: Mapping[str, str],
    labels: Sequence[str],
    rows: Iterator[tuple[Chunk, list[Row]]],
    words: Words,
) -> None:
    """The header, the rows, and a width for each column from what the first of them hold."""
    from openpyxl.utils import get_column_letter

    header = list(source.columns)
    for kind in names.values():
        if kind == "scores":
            header += [_free(words.of("probability").format(words.label(label)), header) for label in labels]
        else:
            header.append(_free(words.of(kind), header))

    def cells(row: Row, result: Row) -> list[Any]:
        values = [_cell(sheet, row.get(name)) for name in source.columns]
        for name, kind in names.items():
            if kind == "scores":
                scores = json.loads(result.get(name) or "{}")
                values += [_percent(sheet, scores.get(label)) for label in labels]
            elif kind == "score":
                values.append(_percent(sheet, result.get(name)))
            elif kind == "label" and (label := result.get(name)) is not None:
                values.append(_cell(sheet, words.label(str(label))))
            else:
                values.append(_cell(sheet, result.get(name)))
        return values

    written = (cells(row, result) for chunk, results in rows for row, result in zip(chunk.rows(), results, strict=True))
    first = next(written, None)
    begin = [] if first is None else [first]
    for place, name in enumerate(header):
        widest = max((_columns(name), *(_columns(_shown(line[place])) for line in begin)))
        sheet.column_dimensions[get_column_letter(place + 1)].width = min(max(widest + 2, _WIDTHS[0]), _WIDTHS[1])
    sheet.freeze_panes = "A2"
    sheet.append([_cell(sheet, name) for name in header])
    for line in chain(begin, written):
        sheet.append(line)


def _summary(sheet: Any, totals: _Totals, words: Words) -> None:
    """Counts of labels and of confidence, each with a chart beside it."""
    from openpyxl.chart import BarChart, Reference

    for column, width in (("A", 28), ("B", 12), ("C", 12)):
        sheet.column_dimensions[column].width = width
    mean = totals.score_sum / totals.scored if totals.scored else None
    sheet.append([words.of("total"), totals.rows])
    sheet.append([words.of("failed"), totals.rows - totals.scored])
    sheet.append([words.of("mean"), _percent(sheet, mean)])
    sheet.append([])
    blocks = (
        ("label", [(words.label(name), count) for name, count in totals.counts.most_common()]),
        ("from", [(f"{place / _BINS:.0%}–{(place + 1) / _BINS:.0%}", n) for place, n in enumerate(totals.bins)]),
    )
    first, anchor = 5, 1
    for kind, counts in blocks:
        sheet.append([words.of(kind), words.of("count"), words.of("share")])
        for name, count in counts:
            sheet.append([_cell(sheet, name), count, _percent(sheet, count / max(totals.scored, 1))])
        sheet.append([])
        if counts:
            chart = BarChart()
            chart.type, chart.title, chart.legend = "col", words.of(kind), None
            last = first + len(counts)
            chart.add_data(Reference(sheet, min_col=2, min_row=first, max_row=last), titles_from_data=True)
            chart.set_categories(Reference(sheet, min_col=1, min_row=first + 1, max_row=last))
            chart.x_axis.delete = chart.y_axis.delete = False  # newer Excel hides axes of which nothing is said
            chart.width, chart.height = 16, 8
            sheet.add_chart(chart, f"E{anchor}")
        first, anchor = first + len(counts) + 2, anchor + 18


def _free(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _percent(sheet: Any, value: object) -> Any:
    from openpyxl.cell import WriteOnlyCell

    if not isinstance(value, (int, float)):
        return None
    cell = WriteOnlyCell(sheet, value)
    cell.number_format = _PERCENT
    return cell


def _shown(cell: Any) -> str:
    value = getattr(cell, "value", cell)
    return "" if value is None else str(value)[: _WIDTHS[1]] if isinstance(value, str) else "100.0%"


def _columns(text: str) -> int:
    """The width of a text: a Chinese character takes two columns."""
    return sum(1 if character.isascii() else 2 for character in text[: _WIDTHS[1]])


def _cell(sheet: Any, value: object) -> Any:
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
