"""How good a model is on a labelled Parquet file: accuracy, macro F1, calibration, and what a precision costs."""

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
from wenmo.tasks.labels import parse_labels
from wenmo.tasks.scores import softmax
from wenmo.tasks.spec import TaskSpec
from wenmo.tasks.table import task_spec
from wenmo.tasks.zero_shot import ZERO_SHOT
from wenmo.types import NLI, Result, TaskName, ZeroShotMethod

# What is evaluated: a task by its slug, or NLI, the three-way answer of the zero-shot model.
EvalTask = str


def model_task(task: EvalTask) -> TaskName:
    """The task whose model answers."""
    return ZERO_SHOT.name if task == NLI else task_spec(task).name


def _columns(task: EvalTask) -> tuple[str, ...]:
    if task == NLI:
        return ("premise", "hypothesis", "label")
    return ("text_a", "text_b", "label") if task_spec(task).inputs == "pair" else ("text", "label")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The same rows by a reference engine.

    `accuracy_lost` is in points of 100, negative where the reference is worse; its interval is of paired resamples.
    `decisions_changed` is the share of rows whose best label differs, whether right or wrong.
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
    """`ece` is the expected calibration error over 15 bins of equal width; `seconds` covers the model's work alone.

    The intervals hold 95% of 1,000 bootstrap resamples of the rows (Efron, 1979). `against` is there when another
    engine answered the same rows.
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
    against: Comparison | None


def evaluate(
    engine: Engine,
    task: EvalTask,
    path: Path,
    *,
    limit: int | None = None,
    labels: Sequence[str] | str | None = None,
    template: str = "{}",
    method: ZeroShotMethod = "nli",
    against: Engine | None = None,
    progress: OnProgress | None = None,
) -> Evaluation:
    """Score the rows of `path` (columns as in `_columns`), the first `limit` of them where given.

    `against` is another engine to compare with, such as one in fp32.
    For zero-shot the labels are `labels`, or the distinct labels of the file. Raises InputError for a file that cannot
    be read, lacks a column, has no rows, or has labels that the model does not know.
    """
    inputs, truth = _read(path, task, limit)
    names = _names(task, truth, labels)
    index_of = {name: index for index, name in enumerate(names)}
    unknown = sorted({repr(label) for label in truth if label not in index_of})
    if unknown:
        raise InputError(
            f"{path}: the column 'label' has values that are no label here: {', '.join(unknown[:5])}. "
            f"Expected: {', '.join(map(repr, names))}.",
            f"{path}：label 列中有不属于这里的值：{'、'.join(unknown[:5])}。应为：{'、'.join(map(repr, names))}。",
        )
    label_names = [str(name) for name in names]
    true = np.asarray([index_of[label] for label in truth])
    rounds = len(inputs) * (1 if against is None else 2)
    probabilities, seconds = _answers(engine, task, inputs, label_names, template, method, progress, 0, rounds)
    predicted = probabilities.argmax(axis=1)
    correct, confidence = predicted == true, probabilities.max(axis=1)
    comparison = None
    if against is not None:
        reference, reference_s = _answers(
            against, task, inputs, label_names, template, method, progress, len(inputs), rounds
        )
        reference_correct = reference.argmax(axis=1) == true
        lost = (reference_correct.astype(float) - correct) * 100
        comparison = Comparison(
            precision=against.precision.value,
            accuracy=float(reference_correct.mean()),
            accuracy_lost=float(lost.mean()),
            accuracy_lost_interval=bootstrap_interval(lambda rows: float(lost[rows].mean()), len(true)),
            decisions_changed=float((reference.argmax(axis=1) != predicted).mean()),
            largest_probability_change=float(np.abs(reference - probabilities).max()),
            seconds=round(reference_s, 3),
        )
    return Evaluation(
        task=task,
        model=engine.model_names[model_task(task)],
        precision=engine.precision.value,
        calibrated=engine.calibrated,
        n=len(true),
        accuracy=float(correct.mean()),
        accuracy_interval=bootstrap_interval(lambda rows: float(correct[rows].mean()), len(true)),
        macro_f1=macro_f1(true, predicted),
        macro_f1_interval=bootstrap_interval(lambda rows: macro_f1(true[rows], predicted[rows]), len(true)),
        ece=expected_calibration_error(confidence, correct),
        ece_interval=bootstrap_interval(
            lambda rows: expected_calibration_error(confidence[rows], correct[rows]), len(true)
        ),
        seconds=round(seconds, 3),
        against=comparison,
    )


def _answers(
    engine: Engine,
    task: EvalTask,
    inputs: list[Any],
    names: Sequence[str],
    template: str,
    method: ZeroShotMethod,
    progress: OnProgress | None,
    done: int,
    of: int,
) -> tuple[np.ndarray, float]:
    """Probabilities (N, labels) and the seconds they took; reports progress from `done` on, `of` rows in all."""
    answer = _answerer(engine, task, names, template, method)
    answer(inputs[:1], None)  # loads the model: not counted
    start = time.perf_counter()
    probabilities = answer(inputs, None if progress is None else lambda answered, _: progress(done + answered, of))
    return probabilities, time.perf_counter() - start


def bootstrap_interval(figure: Callable[[np.ndarray], float], rows: int) -> tuple[float, float]:
    """The range that holds 95% of what `figure` gives for 1,000 resamples of the row numbers, with a fixed seed."""
    rng = np.random.default_rng(0)
    values = [figure(rng.integers(rows, size=rows)) for _ in range(1000)]
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def macro_f1(true: np.ndarray, predicted: np.ndarray) -> float:
    """Mean over the classes that occur in either of 2 TP / (2 TP + FP + FN)."""
    scores = []
    for label in np.union1d(true, predicted):
        hits = np.sum((true == label) & (predicted == label))
        scores.append(2 * hits / (np.sum(true == label) + np.sum(predicted == label)))
    return float(np.mean(scores))


def expected_calibration_error(confidence: np.ndarray, correct: np.ndarray, *, bins: int = 15) -> float:
    """Mean of |accuracy - confidence| over `bins` equal-width bins, weighted by size.

    After Guo et al., 2017, arXiv 1706.04599.
    """
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    error = 0.0
    for index in range(bins):
        inside = place == index
        if inside.any():
            error += float(inside.mean()) * abs(float(correct[inside].mean()) - float(confidence[inside].mean()))
    return error


def _read(path: Path, task: EvalTask, limit: int | None) -> tuple[list[Any], list[Any]]:
    columns = _columns(task)
    try:
        schema = pq.read_schema(path)
        missing = [name for name in columns if name not in schema.names]
        if missing:
            raise InputError(
                f"{path} lacks the columns {', '.join(missing)}; it has {', '.join(schema.names)}.",
                f"{path} 缺少列 {'、'.join(missing)}；现有：{'、'.join(schema.names)}。",
            )
        table = pq.read_table(path, columns=list(columns))
        if limit is not None:
            table = table.slice(0, limit)
        values = [table.column(name).to_pylist() for name in columns]
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise InputError(
            f"Cannot read {path} as Parquet: {error}. Give a Parquet file with the columns {', '.join(columns)}.",
            f"无法以 Parquet 格式读取 {path}：{error}。请给出含有列 {'、'.join(columns)} 的 Parquet 文件。",
        ) from None
    if not table.num_rows:
        raise InputError(
            f"{path} has no rows to evaluate. Give a file with some.", f"{path} 中没有可评测的行。请换一个文件。"
        )
    if any(value is None for column in values for value in column):
        raise InputError(
            f"{path} has empty cells in {', '.join(columns)}.", f"{path} 的 {'、'.join(columns)} 列中有空单元格。"
        )
    *texts, truth = values
    if any(not isinstance(text, str) for column in texts for text in column):
        raise InputError(
            f"{path} has values in {', '.join(columns[:-1])} that are no text. Convert the columns to text.",
            f"{path} 的 {'、'.join(columns[:-1])} 列中有不是文本的值。请把这些列转换为文本。",
        )
    if task != NLI and task_spec(task).takes_labels:  # labels are typed as text, without spaces around
        truth = [str(label).strip() for label in truth]
    elif any(not isinstance(label, (str, int)) for label in truth):
        truth = [repr(label) for label in truth]  # a list, an object: no label here, and named so in the error
    inputs = texts[0] if len(texts) == 1 else list(zip(*texts, strict=True))
    return inputs, truth


def _names(task: EvalTask, truth: Sequence[Any], labels: Sequence[str] | str | None) -> list[Any]:
    if task == NLI:
        return list(ZERO_SHOT.label_names)
    spec = task_spec(task)
    if not spec.takes_labels:
        return list(range(len(spec.roles)))
    return sorted(set(truth) - {""}) or [""] if labels is None else list(parse_labels(labels).names)


def _answerer(
    engine: Engine, task: EvalTask, names: Sequence[str], template: str, method: ZeroShotMethod
) -> Callable[[list[Any], OnProgress | None], np.ndarray]:
    """A function from inputs to probabilities (N, labels), in the order of `names`."""
    if task == NLI:
        temperature = engine.model_info(ZERO_SHOT.name).temperatures["nli"]
        return lambda inputs, tell: softmax(engine.nli(inputs, progress=tell), temperature=temperature)
    spec = task_spec(task)
    asked = {"labels": names, "template": template, "method": method} if spec.takes_labels else {}
    return lambda inputs, tell: probabilities(
        engine, spec, engine.ask(spec.name, inputs, progress=tell, **asked), names=names
    )


def probabilities(engine: Engine, spec: TaskSpec, results: Sequence[Result], *, names: Sequence[str]) -> np.ndarray:
    """(N, labels): for a task that takes labels in the order of `names`, else in that of the checkpoint's logits."""
    field = None if spec.result is None else spec.result.probability
    if field is not None:
        second = np.asarray([getattr(result, field) for result in results])
        return np.stack([1 - second, second], axis=1)
    order = names if spec.takes_labels else engine.model_info(spec.name).labels
    return np.asarray([[result.scores.get(name, 0.0) for name in order] for result in results])  # two_stage judges few
