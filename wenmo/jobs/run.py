"""A task over a table: every row in, in order, and the same rows out with the task's answer beside them.

The table is worked on a chunk at a time (see `readers.py`), so that its size does not matter. What the file lacks is
said before any model is loaded. A row that cannot be worked on stays where it is, with the reason in its `error`.

Result columns, after the file's own:

- `label` (text), `score` (number), `truncated` (boolean): as in `wenmo.types.Result`
- `scores`: label -> probability, best first; an object in JSONL, its JSON text in CSV and Parquet
- `logits`, when asked for: the model's raw outputs. One list for similarity and sentiment; for zero-shot a list of
  three for each label, in the order of the labels. A list in JSONL, its JSON text in CSV and Parquet
- `error` (text): why the row has no result; missing when it has one

Numbers are written in full. If the file has a column of one of these names already, all of them get a prefix
(`wenmo_label`, …): nothing of the file is ever overwritten.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wenmo.errors import ForwardError, InputError, Language, WenmoError
from wenmo.jobs.readers import TableReader, open_reader
from wenmo.jobs.tables import Chunk, Kind, Row, check_suffix
from wenmo.jobs.writers import open_writer
from wenmo.tasks.zero_shot import parse_labels
from wenmo.types import Result, TaskName, ZeroShotResult

if TYPE_CHECKING:
    from wenmo.engine import Engine

_KINDS: dict[str, Kind] = {
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
    `,` and `，`), `template` and `multi_label` are for zero-shot. `language` is that of the `error` column.
    """

    text: str = "text"
    text_a: str = "text_a"
    text_b: str = "text_b"
    labels: str | None = None
    template: str = "{}"
    multi_label: bool = False
    logits: bool = False
    language: Language = "en"


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """What was done. `rows` went in and came out; `failed_rows` of them have an `error` and no result.

    `seconds` and `rows_per_s` are wall time, with the loading of the model. `label_counts` is most frequent first.
    `column_prefix` is what the result columns' names begin with: "" unless the file had one of them.
    `dropped_labels` are those that were blank or given twice.
    """

    rows: int
    failed_rows: int
    seconds: float
    rows_per_s: float
    label_counts: Mapping[str, int]
    column_prefix: str
    dropped_labels: tuple[str, ...]


def run_file(
    engine: Engine,
    task: TaskName,
    source: Path,
    target: Path,
    options: RunOptions,
    *,
    progress: Callable[[int], None] | None = None,
) -> RunSummary:
    """Run `task` on each row of `source` and write the rows with their results to `target`.

    `progress` is called after each chunk with the number of rows done so far. A row whose text is missing (no value,
    not NaN, not there) or is neither text nor a number gets an error in place of a result; a number is read as its
    digits, and an empty text is a text. `target` appears when it is complete, and replaces a file of that name.

    Raises InputError for a file, column or option that cannot be worked with, and what the engine raises.
    """
    started = time.perf_counter()
    check_suffix(target)
    try:
        same = source.resolve() == target.resolve() or (source.exists() and target.exists() and source.samefile(target))
    except (OSError, RuntimeError) as error:  # a name too long, links in a circle
        raise InputError(
            f"Cannot use these paths: {error}. Choose other names.", f"无法使用这些路径：{error}。请换用别的名称。"
        ) from None
    if same:
        raise InputError(
            f"{target} is the input itself. Give another name for the output.",
            f"{target} 就是输入文件。请为输出另取一个文件名。",
        )
    dropped_labels: tuple[str, ...] = ()
    if task == "zero_shot":
        if options.labels is None:
            raise InputError(
                'Zero-shot needs labels: give them with --labels "sport,finance,weather".',
                "零样本分类需要标签：请用 --labels “体育，财经，天气” 给出。",
            )
        _ask(engine, task, [], options)  # checks labels and template, loads no model
        dropped_labels = parse_labels(options.labels).dropped
    reader = open_reader(source)
    inputs = _input_columns(task, reader, options)
    names = [name for name in _KINDS if name != "logits" or options.logits]
    prefix = _free_prefix(names, reader.columns)
    rows = failed_rows = 0
    label_counts: Counter[str] = Counter()
    with open_writer(target, reader, {prefix + name: _KINDS[name] for name in names}) as writer:
        for chunk in reader:
            texts, errors = _texts(chunk, inputs)
            answers = iter(_answers(engine, task, [found for found in texts if found is not None], options))
            outcomes: list[Row] = []
            for index, found in enumerate(texts):
                if found is None:
                    outcomes.append({prefix + "error": errors[index].text(options.language)})
                    failed_rows += 1
                    continue
                answer = next(answers)
                if isinstance(answer, WenmoError):
                    outcomes.append({prefix + "error": answer.text(options.language)})
                    failed_rows += 1
                    continue
                label_counts[answer.label] += 1
                outcomes.append({prefix + name: value for name, value in _outcome(answer, options).items()})
            writer.write(chunk, outcomes)
            rows += len(chunk)
            if progress is not None:
                progress(rows)
        if rows != reader.row_count:
            raise InputError(
                f"{source} changed while it was read. Run again when nothing writes to it.",
                f"读取期间 {source} 发生了变化。请在没有程序写入它时重新运行。",
            )
    seconds = time.perf_counter() - started
    return RunSummary(
        rows=rows,
        failed_rows=failed_rows,
        seconds=seconds,
        rows_per_s=rows / seconds,
        label_counts=dict(label_counts.most_common()),
        column_prefix=prefix,
        dropped_labels=dropped_labels,
    )


def _input_columns(task: TaskName, reader: TableReader, options: RunOptions) -> tuple[str, ...]:
    """The columns that the task reads, all of them there (or the file without any row to miss them)."""
    asked = (
        {"--text-a": options.text_a, "--text-b": options.text_b} if task == "similarity" else {"--text": options.text}
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
    errors = dict(chunk.faults)
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
    engine: Engine, task: TaskName, texts: list[tuple[str, ...]], options: RunOptions
) -> Sequence[Result | WenmoError]:
    """For each row its result, or why the model could not be run on it."""
    try:
        return _ask(engine, task, texts, options)
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


def _ask(engine: Engine, task: TaskName, texts: list[tuple[str, ...]], options: RunOptions) -> Sequence[Result]:
    """One engine call: for each row's text or texts, its result."""
    if task == "similarity":
        return engine.similarity([(first, second) for first, second in texts])
    alone = [text for (text,) in texts]
    if task == "sentiment":
        return engine.sentiment(alone)
    return engine.zero_shot(
        alone, labels=options.labels or "", template=options.template, multi_label=options.multi_label
    )


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
