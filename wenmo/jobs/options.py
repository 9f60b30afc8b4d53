"""What a job is asked to do, and everything about it that can be checked before a model is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from wenmo.errors import InputError, Language
from wenmo.tables.table import Notice, ReadOptions, TableReader
from wenmo.tasks.labels import parse_labels
from wenmo.tasks.table import TASKS, row_tasks
from wenmo.tasks.zero_shot import SHORTLIST, check_method, check_template, chosen_method, hypotheses_each
from wenmo.types import TaskName, ZeroShotMethod

_COLUMNS_LISTED = 30  # in an error message


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Which columns hold the texts, and how the task is run on them.

    `text` names the column for sentiment and zero-shot, `text_a` and `text_b` those for similarity. `labels` (one text,
    see `split_labels`), `template`, `multi_label` and `method` are for zero-shot. `logits` adds the raw outputs to the
    results. `language` is that of the messages in the `error` column and of the notices. The others say how files are
    read, see `ReadOptions`.
    """

    text: str = "text"
    text_a: str = "text_a"
    text_b: str = "text_b"
    labels: str | None = None
    template: str = "{}"
    multi_label: bool = False
    method: ZeroShotMethod = "auto"
    logits: bool = False
    language: Language = "en"
    encoding: str | None = None
    delimiter: str | None = None
    quoting: str | None = None
    escape: str | None = None
    sheet: str | None = None

    @property
    def reading(self) -> ReadOptions:
        """How files are read."""
        return ReadOptions(**{field.name: getattr(self, field.name) for field in fields(ReadOptions)})


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """What is done with every chunk of a job. `prefix` begins the names of the result columns.

    `corpus` is what the rows are matched with, in a job that matches (`vector_chunk.py`).
    """

    task: TaskName
    options: RunOptions
    prefix: str = ""
    corpus: Any = None


def check_options(task: TaskName, options: RunOptions) -> tuple[str, ...]:
    """Check that `task` can be run with `options`.

    Returns the labels that will be dropped, because they are blank or repeated. Raises InputError.
    """
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
            '零样本分类需要标签：请用 --labels "体育，财经，天气" 给出。',
        )
    check_template(options.template)
    labels = parse_labels(options.labels)
    check_method(options.method, labels=len(labels.names), multi_label=options.multi_label, shortlist=SHORTLIST)
    return labels.dropped


def settled(task: TaskName, options: RunOptions, models: Mapping[TaskName, str]) -> RunOptions:
    """`options` with the method that auto stands for, of an engine with these names of `models`."""
    if not TASKS[task].takes_labels or options.labels is None:
        return options
    count = len(parse_labels(options.labels).names)
    method = chosen_method(options.method, models=models, labels=count, multi_label=options.multi_label)
    return replace(options, method=method)


def models_of(task: TaskName, options: RunOptions) -> tuple[TaskName, ...]:
    """The tasks whose models the job runs, the one with the most work first."""
    if not TASKS[task].takes_labels or options.method == "nli":
        return (task,)
    return ("embedding",) if options.method == "embedding" else (task, "embedding")


def encodings_per_row(task: TaskName, options: RunOptions) -> int:
    """How many inputs the first of `models_of` computes for each row."""
    if not TASKS[task].takes_labels or options.labels is None:
        return 1
    return hypotheses_each(len(parse_labels(options.labels).names), options.method)


def input_columns(task: TaskName, reader: TableReader, options: RunOptions) -> tuple[str, ...]:
    """The names of the columns with the texts: one, or two for a task on pairs.

    Raises InputError when the table lacks one of them, unless it is empty.
    """
    wanted = (
        {"--text-a": options.text_a, "--text-b": options.text_b}
        if TASKS[task].inputs == "pair"
        else {"--text": options.text}
    )
    missing = {option: name for option, name in wanted.items() if name not in reader.columns}
    if missing and (reader.columns or reader.row_count):
        listed = [repr(name) for name in reader.columns[:_COLUMNS_LISTED]]
        if len(reader.columns) > _COLUMNS_LISTED:
            listed.append("…")
        existing = ", ".join(listed) or "none"
        lacking = ", ".join(f"{name!r}" for name in missing.values())
        remedy = " / ".join(missing)
        hint = reader.missing_column_hint(list(missing.values())) or Notice(en="", zh="")
        raise InputError(
            f"{reader.path.name} has no column {lacking}. Its columns are: {existing}. Name the right one with "
            f"{remedy}. {hint.en}".rstrip(),
            f"{reader.path.name} 中没有列 {lacking}。现有的列：{existing}。请用 {remedy} 指定。{hint.zh}",
        )
    for name in wanted.values():
        reader.refuse_column(name)
    return tuple(wanted.values())
