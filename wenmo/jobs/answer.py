"""A task over the rows of a chunk: for each row the task's answer, or why it has none.

What a file lacks can be said before any model is loaded (`input_columns`, `check_options`). A row that cannot be worked
on stays where it is, with the reason in its `error`. `job.py` makes files of this.

Result columns, after the file's own:

- `label` (text), `score` (number), `truncated` (boolean): as in `wenmo.types.Result`
- `scores`: label -> probability, best first; an object in JSONL, its JSON text in CSV and Parquet
- `logits`, when asked for: the model's raw outputs. One list for similarity and sentiment; for zero-shot a list of
  three for each label, in the order of the labels (two_stage: of those that were judged), and for embedding of the
  cosine with each label. A list in JSONL, its JSON text in CSV and Parquet
- `error` (text): why the row has no result; missing when it has one

Numbers are written in full. If the file has a column of one of these names already, all of them get a prefix
(`wenmo_label`, …): nothing of the file is ever overwritten.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wenmo.errors import ForwardError, InputError, Language, WenmoError
from wenmo.tables.table import Chunk, ColumnKind, Row, TableReader
from wenmo.tasks.labels import parse_labels
from wenmo.tasks.table import TASKS, row_tasks
from wenmo.tasks.zero_shot import SHORTLIST, check_method, check_template, hypotheses_each
from wenmo.types import Result, TaskName, ZeroShotMethod, ZeroShotResult

if TYPE_CHECKING:
    from wenmo.engine import Engine

_KINDS: dict[str, ColumnKind] = {
    "label": "text",
    "score": "number",
    "scores": "text",
    "truncated": "boolean",
    "logits": "text",
    "error": "text",
}
_MANY_COLUMNS = 30  # an error lists no more


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Which columns to read and how to ask.

    `text` names the column for sentiment and zero-shot, `text_a` and `text_b` those for similarity. `labels` (split on
    `,` and `，`), `template`, `multi_label` and `method` are for zero-shot. `language` is that of the `error` column.
    `encoding` and `delimiter` are for CSV files whose own are not found rightly.
    """

    text: str = "text"
    text_a: str = "text_a"
    text_b: str = "text_b"
    labels: str | None = None
    template: str = "{}"
    multi_label: bool = False
    method: ZeroShotMethod = "nli"
    logits: bool = False
    language: Language = "en"
    encoding: str | None = None
    delimiter: str | None = None


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A chunk's `outcomes`, one for each row, as result columns; `errors` by index, and what a summary needs."""

    outcomes: list[Row]
    errors: Mapping[int, str]
    label_counts: Mapping[str, int]
    score_sum: float


def check_options(task: TaskName, options: RunOptions) -> tuple[str, ...]:
    """The labels that are dropped: blank, or given twice. Raises InputError for options that `task` cannot use."""
    if task not in (names := [spec.name for spec in row_tasks()]):
        raise InputError(
            f"No such task for files: {task!r}. Choose from {', '.join(names)}.",
            f"没有可用于文件的任务 {task!r}。可选：{'、'.join(names)}。",
        )
    if not TASKS[task].takes_labels:
        return ()
    if options.labels is None:
        raise InputError(
            'Zero-shot needs labels: give them with --labels "sport,finance,weather".',
            "零样本分类需要标签：请用 --labels “体育，财经，天气” 给出。",
        )
    check_template(options.template)
    parsed = parse_labels(options.labels)
    labels = len(parsed.names)
    check_method(options.method, labels=labels, multi_label=options.multi_label, shortlist=SHORTLIST)
    return parsed.dropped


def models_of(task: TaskName, options: RunOptions) -> tuple[TaskName, ...]:
    """The models that answer, that of the most work first."""
    if not TASKS[task].takes_labels or options.method == "nli":
        return (task,)
    return ("embedding",) if options.method == "embedding" else (task, "embedding")


def encodings_a_row(task: TaskName, options: RunOptions) -> int:
    """How many forwards the first of `models_of` makes for a row."""
    if not TASKS[task].takes_labels or options.labels is None:
        return 1
    return hypotheses_each(len(parse_labels(options.labels).names), options.method)


def result_columns(options: RunOptions, taken: Sequence[str]) -> tuple[str, dict[str, ColumnKind]]:
    """The prefix that keeps the result columns apart from those `taken`, and their kinds by name, prefix included."""
    names = [name for name in _KINDS if name != "logits" or options.logits]
    prefix = _free_prefix(names, taken)
    return prefix, {prefix + name: _KINDS[name] for name in names}


def answer_chunk(
    engine: Engine,
    task: TaskName,
    chunk: Chunk,
    columns: Sequence[str],
    options: RunOptions,
    *,
    prefix: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> Answered:
    """Run `task` on the rows of `chunk`, whose texts are in `columns`; one call of the engine.

    A row whose text is missing (no value, not NaN, not there) or is neither text nor a number gets an error in place of
    a result; a number is read as its digits, and an empty text is a text. `progress` is the engine's, over the rows
    that have texts, and may raise to stop.
    """
    texts, faults = _texts(chunk, columns)
    answers = iter(_answers(engine, task, [found for found in texts if found is not None], options, progress))
    outcomes: list[Row] = []
    errors: dict[int, str] = {}
    label_counts: Counter[str] = Counter()
    scores: list[float] = []
    for index, found in enumerate(texts):
        answer = faults[index] if found is None else next(answers)
        if isinstance(answer, WenmoError):
            errors[index] = answer.text(options.language)
            outcomes.append({prefix + "error": errors[index]})
            continue
        label_counts[answer.label] += 1
        scores.append(answer.score)
        outcomes.append({prefix + name: value for name, value in _outcome(answer, options).items()})
    return Answered(outcomes=outcomes, errors=errors, label_counts=dict(label_counts), score_sum=math.fsum(scores))


def input_columns(task: TaskName, reader: TableReader, options: RunOptions) -> tuple[str, ...]:
    """The columns that the task reads, all of them there (or the file without any row to miss them)."""
    asked = (
        {"--text-a": options.text_a, "--text-b": options.text_b}
        if TASKS[task].inputs == "pair"
        else {"--text": options.text}
    )
    missing = {option: name for option, name in asked.items() if name not in reader.columns}
    if missing and (reader.columns or reader.row_count):
        shown = [repr(name) for name in reader.columns[:_MANY_COLUMNS]]
        if len(reader.columns) > _MANY_COLUMNS:
            shown.append("…")
        there = ", ".join(shown) or "none"
        lacking = ", ".join(f"{name!r}" for name in missing.values())
        remedy = " / ".join(missing)
        raise InputError(
            f"{reader.path.name} has no column {lacking}. Its columns are: {there}. Name the right one with {remedy}.",
            f"{reader.path.name} 中没有列 {lacking}。现有的列：{there}。请用 {remedy} 指定。",
        )
    return tuple(asked.values())


def _free_prefix(names: Sequence[str], taken: Sequence[str]) -> str:
    prefix, number = "", 1
    while not set(taken).isdisjoint(prefix + name for name in names):
        prefix = "wenmo_" if number == 1 else f"wenmo{number}_"
        number += 1
    return prefix


def _texts(chunk: Chunk, columns: Sequence[str]) -> tuple[list[tuple[str, ...] | None], dict[int, InputError]]:
    """For each row its text or texts, or None and what is wrong with it."""
    found: list[tuple[str, ...] | None] = []
    errors = {index: fault.error for index, fault in chunk.faults.items()}
    for index, values in enumerate(zip(*(chunk.values(column) for column in columns), strict=True)):
        texts = []
        for column, value in zip(columns, values, strict=True):
            text = _as_text(value, column)
            if isinstance(text, InputError):
                errors.setdefault(index, text)
            else:
                texts.append(text)
        found.append(None if index in errors else tuple(texts))
    return found, errors


def _as_text(value: object, column: str) -> str | InputError:
    if isinstance(value, str):
        return value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return InputError(f"No value in column {column!r}.", f"列 {column!r} 没有值。")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    kind = type(value).__name__
    return InputError(
        f"The value in column {column!r} is no text but {kind}.",
        f"列 {column!r} 的值不是文本，而是 {kind}。",
    )


def _answers(
    engine: Engine,
    task: TaskName,
    texts: list[tuple[str, ...]],
    options: RunOptions,
    progress: Callable[[int, int], None] | None,
) -> Sequence[Result | WenmoError]:
    """For each row its result, or why the model could not be run on it."""
    try:
        return _ask(engine, task, texts, options, progress)
    except ForwardError as error:
        return [
            WenmoError(
                f"The model could not be run: {error.failed[index]}. Shorten the text, or free memory, and run again.",
                f"模型运行失败：{error.failed[index]}。请缩短文本或释放内存后重试。",
            )
            if result is None
            else result
            for index, result in enumerate(error.results)
        ]


def _ask(
    engine: Engine,
    task: TaskName,
    texts: list[tuple[str, ...]],
    options: RunOptions,
    progress: Callable[[int, int], None] | None,
) -> Sequence[Result]:
    """One engine call: for each row's text or texts, its result."""
    spec = TASKS[task]
    inputs = texts if spec.inputs == "pair" else [text for (text,) in texts]
    asked: dict[str, Any] = {}
    if spec.takes_labels:
        asked = {
            "labels": options.labels or "",
            "template": options.template,
            "multi_label": options.multi_label,
            "method": options.method,
        }
    return engine.ask(task, inputs, progress=progress, **asked)


def _outcome(answer: Result, options: RunOptions) -> Row:
    outcome: Row = {
        "label": answer.label,
        "score": answer.score,
        "scores": dict(answer.scores),
        "truncated": answer.truncated,
    }
    if options.logits:
        rows = [list(row) for row in answer.logits]
        outcome["logits"] = rows if isinstance(answer, ZeroShotResult) else rows[0]
    return outcome
