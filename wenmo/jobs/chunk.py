"""Runs a task on one chunk of a table: each row gets the task's result, or the reason why it has none."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wenmo.errors import ForwardError, InputError, WenmoError
from wenmo.jobs.options import RunSpec
from wenmo.jobs.result_columns import error_row, result_row
from wenmo.tables.cells import SPREADSHEET_ERRORS, is_blank
from wenmo.tables.table import Chunk, Row
from wenmo.tasks.table import TASKS
from wenmo.types import Result

if TYPE_CHECKING:
    from wenmo.engine import Engine


@dataclass(frozen=True, kw_only=True)
class ChunkResults:
    """`rows` are the result columns of each row of the chunk; `errors` says, by index, why rows have no result.

    `label_counts` and `score_sum` (the sum of `score`) are over the rows with a result, for a summary. `unknown_rows`
    of them have tokens that the model does not know.
    """

    rows: list[Row]
    errors: Mapping[int, str]
    label_counts: Mapping[str, int]
    score_sum: float
    unknown_rows: int = 0


def run_chunk(
    engine: Engine,
    spec: RunSpec,
    chunk: Chunk,
    columns: Sequence[str],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> ChunkResults:
    """Run a task on the texts in `columns` (one name, or two for a task on pairs), in one call of the engine.

    A row whose text is missing (None, NaN, no such cell), blank (`is_blank`), an error of a spreadsheet such as #N/A,
    or neither a text nor a number, gets an error. A number is read as its digits. `progress(done, total)` counts the
    rows that have texts, as the engine does; an exception that it raises stops the call and comes out of it.
    """
    inputs = read_inputs(chunk, columns)
    results = iter(_call_engine(engine, spec, [texts for texts in inputs if isinstance(texts, tuple)], progress))
    rows: list[Row] = []
    errors: dict[int, str] = {}
    label_counts: Counter[str] = Counter()
    scores: list[float] = []
    unknown_rows = 0
    for index, texts in enumerate(inputs):
        result = next(results) if isinstance(texts, tuple) else texts
        if isinstance(result, WenmoError):
            errors[index] = result.text(spec.options.language)
            rows.append(error_row(errors[index], spec.prefix))
            continue
        label_counts[result.label] += 1
        scores.append(result.score)
        unknown_rows += result.unknown > 0
        rows.append(result_row(result, spec.options, spec.prefix))
    return ChunkResults(
        rows=rows,
        errors=errors,
        label_counts=dict(label_counts),
        score_sum=math.fsum(scores),
        unknown_rows=unknown_rows,
    )


def read_inputs(chunk: Chunk, columns: Sequence[str]) -> list[tuple[str, ...] | InputError]:
    """The text or texts of each row, or what is wrong with the row."""
    inputs: list[tuple[str, ...] | InputError] = []
    for index, cells in enumerate(zip(*(chunk.values(column) for column in columns), strict=True)):
        if index in chunk.bad_rows:
            inputs.append(chunk.bad_rows[index].error)
            continue
        texts = [
            chunk.missing.get((index, column)) or _as_text(cell, column)
            for column, cell in zip(columns, cells, strict=True)
        ]
        error = next((text for text in texts if isinstance(text, InputError)), None)
        inputs.append(error or tuple(text for text in texts if isinstance(text, str)))
    return inputs


def _as_text(cell: object, column: str) -> str | InputError:
    if isinstance(cell, str):
        if is_blank(cell):
            return InputError(f"The text in column {column!r} is blank.", f"列 {column!r} 的文本是空白的。")
        if cell.strip() in SPREADSHEET_ERRORS:
            error = cell.strip()
            return InputError(
                f"No text in column {column!r}, but the error {error} of a spreadsheet.",
                f"列 {column!r} 中没有文本，只有电子表格的错误值 {error}。",
            )
        return cell
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return InputError(f"No value in column {column!r}.", f"列 {column!r} 没有值。")
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        return str(cell)
    type_name = type(cell).__name__
    return InputError(
        f"The value in column {column!r} is no text but {type_name}.",
        f"列 {column!r} 的值不是文本，而是 {type_name}。",
    )


def _call_engine(
    engine: Engine, spec: RunSpec, inputs: list[tuple[str, ...]], progress: Callable[[int, int], None] | None
) -> Sequence[Result | WenmoError]:
    """For each input its result, or why the model could not be run on it."""
    task = TASKS[spec.task]
    options: dict[str, Any] = {}
    if task.takes_labels:
        options = {
            "labels": spec.options.labels or "",
            "template": spec.options.template,
            "multi_label": spec.options.multi_label,
            "method": spec.options.method,
        }
    texts = inputs if task.inputs == "pair" else [text for (text,) in inputs]
    try:
        return engine.ask(spec.task, texts, progress=progress, **options)
    except ForwardError as error:
        return [
            not_computed(error.failed[index]) if result is None else result
            for index, result in enumerate(error.results)
        ]


def not_computed(reason: str) -> WenmoError:
    """The error of a row on which the model could not be run."""
    return WenmoError(
        f"The model could not be run: {reason}. Shorten the text, or free memory, and run again.",
        f"模型运行失败：{reason}。请缩短文本或释放内存后重试。",
    )
