"""Evaluates a model on a labelled Parquet file: accuracy, macro F1, calibration, and the cost of a precision."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from wenmo.engine import Engine, OnProgress
from wenmo.errors import InputError
from wenmo.evaluation.labelled import label_indices, label_text, roles_of
from wenmo.evaluation.metrics import bootstrap_interval, expected_calibration_error, macro_f1
from wenmo.evaluation.predict import label_options, probabilities
from wenmo.tables.column_roles import column_named_for
from wenmo.tasks.labels import parse_labels
from wenmo.tasks.scores import softmax
from wenmo.tasks.spec import TaskSpec
from wenmo.tasks.table import task_spec
from wenmo.tasks.zero_shot import ZERO_SHOT
from wenmo.types import NLI, TaskName, ZeroShotMethod

EvalTask = str  # a task by its name or slug, or NLI: the three-way answer of the zero-shot model


def model_task(task: EvalTask) -> TaskName:
    """The task whose model answers."""
    return _spec(task).name


def _spec(task: EvalTask) -> TaskSpec:
    return ZERO_SHOT if task == NLI else task_spec(task)


@dataclass(frozen=True, kw_only=True)
class ReferenceComparison:
    """The same rows answered by a reference engine.

    `accuracy` is the reference's. `accuracy_lost` against it is in points of 100, negative if the reference is worse;
    its interval is a paired bootstrap of 95%. `decisions_changed` is the share of rows whose best label differs, right
    or wrong. `largest_probability_change` is over all rows and labels.
    """

    precision: str
    accuracy: float
    accuracy_lost: float
    accuracy_lost_interval: tuple[float, float]
    decisions_changed: float
    largest_probability_change: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Metrics on `n` rows, as shares of 1, with bootstrap intervals of 95% (`metrics.bootstrap_interval`).

    `ece` is the expected calibration error over 15 bins. `seconds` are those of answering all rows, without loading the
    model. `against` is None unless a reference engine answered the same rows.
    """

    task: EvalTask
    model: str
    precision: str
    calibrated: bool
    n: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    macro_f1: float
    macro_f1_interval: tuple[float, float]
    ece: float
    ece_interval: tuple[float, float]
    seconds: float
    against: ReferenceComparison | None


def evaluate(
    engine: Engine,
    task: EvalTask,
    path: Path,
    *,
    limit: int | None = None,
    labels: Sequence[str] | str | None = None,
    template: str = "{}",
    method: ZeroShotMethod = "auto",
    against: Engine | None = None,
    progress: OnProgress | None = None,
) -> Evaluation:
    """Evaluate the first `limit` rows (None: all) of `path`.

    Columns: text and label, for pairs text_a, text_b and label, or another usual name of these (tables/columns.py); for
    NLI premise, hypothesis and label. `labels`, `template` and `method` are those of zero-shot; `labels` defaults to
    the distinct labels of the file. `against` is a reference engine, such as one in fp32. `progress` is called with the
    rows done and the rows in all, of both engines. Raises InputError for a file that cannot be read, lacks a column,
    has no rows, empty cells or unknown labels.
    """
    inputs, values = _read(path, task, limit)
    spec = _spec(task)
    names = _label_names(engine, task, values, labels)
    indices = label_indices(values, spec, names)
    truth = np.asarray([indices[value] for value in values])
    total = len(inputs) * (1 if against is None else 2)

    def timed_scores(asked: Engine, done: int) -> tuple[np.ndarray, float]:
        scorer = _scorer(asked, task, names, template, method)
        scorer(inputs[:1], None)  # loads the model before the clock starts
        start = time.perf_counter()
        scores = scorer(inputs, progress and (lambda answered, _: progress(done + answered, total)))
        return scores, round(time.perf_counter() - start, 3)

    scores, seconds = timed_scores(engine, 0)
    comparison = None
    if against is not None:
        comparison = _compare(
            truth, scores, *timed_scores(against, len(inputs)), precision=against.model_info(spec.name).precision.value
        )
    predicted, confidence = scores.argmax(axis=1), scores.max(axis=1)
    correct = predicted == truth
    n = len(truth)
    return Evaluation(
        task=task,
        model=engine.model_names[spec.name],
        precision=engine.model_info(spec.name).precision.value,
        calibrated=engine.calibrated,
        n=n,
        accuracy=float(correct.mean()),
        accuracy_interval=bootstrap_interval(lambda rows: float(correct[rows].mean()), n),
        macro_f1=macro_f1(truth, predicted),
        macro_f1_interval=bootstrap_interval(lambda rows: macro_f1(truth[rows], predicted[rows]), n),
        ece=expected_calibration_error(confidence, correct),
        ece_interval=bootstrap_interval(lambda rows: expected_calibration_error(confidence[rows], correct[rows]), n),
        seconds=seconds,
        against=comparison,
    )


def _compare(
    truth: np.ndarray, scores: np.ndarray, reference: np.ndarray, seconds: float, *, precision: str
) -> ReferenceComparison:
    """`truth` (N,); `scores` and `reference` (N, labels) are the probabilities of the two engines."""
    predicted, expected = scores.argmax(axis=1), reference.argmax(axis=1)
    lost = ((expected == truth).astype(float) - (predicted == truth)) * 100
    return ReferenceComparison(
        precision=precision,
        accuracy=float((expected == truth).mean()),
        accuracy_lost=float(lost.mean()),
        accuracy_lost_interval=bootstrap_interval(lambda rows: float(lost[rows].mean()), len(truth)),
        decisions_changed=float((expected != predicted).mean()),
        largest_probability_change=float(np.abs(reference - scores).max()),
        seconds=seconds,
    )


def _scorer(
    engine: Engine, task: EvalTask, names: Sequence[str], template: str, method: ZeroShotMethod
) -> Callable[[list[Any], OnProgress | None], np.ndarray]:
    """A function from inputs to scores: probabilities (N, labels), in the order of `names`."""
    if task == NLI:
        temperature = engine.model_info(ZERO_SHOT.name).temperatures["nli"]
        return lambda inputs, progress: softmax(engine.nli(inputs, progress=progress), temperature=temperature)
    spec = task_spec(task)
    options = label_options(spec, names, template=template, method=method)
    return lambda inputs, progress: probabilities(
        engine, spec, engine.ask(spec.name, inputs, progress=progress, **options), names=names
    )


def _read(path: Path, task: EvalTask, limit: int | None) -> tuple[list[Any], list[str]]:
    """The inputs (texts or pairs) and the label cells."""
    try:
        schema = pq.read_schema(path)
        columns = _columns(path, task, schema.names)
        table = pq.read_table(path, columns=columns)
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise InputError(
            f"Cannot read {path} as Parquet: {error}. Give a Parquet file with labelled rows.",
            f"无法以 Parquet 格式读取 {path}：{error}。请给出含有标注行的 Parquet 文件。",
        ) from None
    if limit is not None:
        table = table.slice(0, limit)
    if not table.num_rows:
        raise InputError(
            f"{path} has no rows to evaluate. Give a file with some.", f"{path} 中没有可评测的行。请换一个文件。"
        )
    *texts, cells = (table.column(name).to_pylist() for name in columns)
    labels = _labels(path, cells)
    if not all(labels) or any(text is None for column in texts for text in column):
        raise InputError(
            f"{path} has empty cells in {', '.join(columns)}.", f"{path} 的 {'、'.join(columns)} 列中有空单元格。"
        )
    if any(not isinstance(text, str) for column in texts for text in column):
        raise InputError(
            f"{path} has values in {', '.join(columns[:-1])} that are no text. Convert the columns to text.",
            f"{path} 的 {'、'.join(columns[:-1])} 列中有不是文本的值。请把这些列转换为文本。",
        )
    return texts[0] if len(texts) == 1 else list(zip(*texts, strict=True)), labels


def _labels(path: Path, cells: Sequence[Any]) -> list[str]:
    labels = []
    for row, cell in enumerate(cells, start=1):
        try:
            labels.append(label_text(cell))
        except InputError as error:
            raise InputError(f"{path}, row {row}: {error.en}", f"{path} 第 {row} 行：{error.zh}") from None
    return labels


def _columns(path: Path, task: EvalTask, names: Sequence[str]) -> list[str]:
    """The columns of the file for `task`, the label last."""
    if task == NLI:
        roles = ("premise", "hypothesis", "label")
        found = {role: role if role in names else None for role in roles}
    else:
        found = {role: column_named_for(role, names) for role in roles_of(task_spec(task))}
    missing = [role for role, name in found.items() if name is None]
    if missing:
        raise InputError(
            f"{path} lacks the columns {', '.join(missing)}; it has {', '.join(names)}.",
            f"{path} 缺少列 {'、'.join(missing)}；现有：{'、'.join(names)}。",
        )
    return [name for name in found.values() if name is not None]


def _label_names(
    engine: Engine, task: EvalTask, values: Sequence[str], labels: Sequence[str] | str | None
) -> tuple[str, ...]:
    spec = _spec(task)
    if task == NLI and (count := len(engine.model_info(spec.name).labels)) != len(spec.roles):
        raise InputError(
            f"The model tells {count} classes apart, entailment or not; `nli` evaluates those with neutral, too. "
            "Evaluate it as zero-shot.",
            f"此模型只区分 {count} 类（是否蕴含），而 nli 评测需要含中立的三类模型。请按 zero-shot 评测。",
        )
    if spec.any_labels:
        return engine.model_info(spec.name).labels
    if task == NLI or not spec.takes_labels:
        return spec.label_names
    return tuple(sorted(set(values))) if labels is None else parse_labels(labels).names
