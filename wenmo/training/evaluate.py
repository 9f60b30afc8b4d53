"""How good a model is on a labelled Parquet file: accuracy, macro F1, calibration."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from wenmo.engine import Engine
from wenmo.errors import InputError
from wenmo.models.checkpoint import NLI_LABELS
from wenmo.tasks.scores import softmax
from wenmo.types import TaskName

EvalTask = Literal["similarity", "sentiment", "nli", "zero-shot"]
ENGINE_TASK: dict[EvalTask, TaskName] = {
    "similarity": "similarity",
    "sentiment": "sentiment",
    "nli": "zero_shot",
    "zero-shot": "zero_shot",
}
_COLUMNS: dict[EvalTask, tuple[str, ...]] = {
    "similarity": ("text_a", "text_b", "label"),
    "sentiment": ("text", "label"),
    "nli": ("premise", "hypothesis", "label"),
    "zero-shot": ("text", "label"),
}
_CHUNK = 512  # rows between two progress reports


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """`ece` is the expected calibration error over 15 bins of equal width; `seconds` covers the model's work alone."""

    task: EvalTask
    model: str
    precision: str
    n: int
    accuracy: float
    macro_f1: float
    ece: float
    seconds: float


def evaluate(
    engine: Engine,
    task: EvalTask,
    path: Path,
    *,
    limit: int | None = None,
    labels: Sequence[str] | str | None = None,
    template: str = "{}",
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Score the rows of `path` (columns as in `_COLUMNS`), the first `limit` of them where given.

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
    answer = _answerer(engine, task, [str(name) for name in names], template)
    answer(inputs[:1])  # loads the model: not counted
    start = time.perf_counter()
    parts = []
    for begin in range(0, len(inputs), _CHUNK):
        parts.append(answer(inputs[begin : begin + _CHUNK]))
        if progress is not None:
            progress(min(begin + _CHUNK, len(inputs)), len(inputs))
    seconds = time.perf_counter() - start
    probabilities = np.concatenate(parts)  # (N, labels)
    true = np.asarray([index_of[label] for label in truth])
    predicted = probabilities.argmax(axis=1)
    return Evaluation(
        task=task,
        model=engine.model_names[ENGINE_TASK[task]],
        precision=engine.precision.value,
        n=len(true),
        accuracy=float((predicted == true).mean()),
        macro_f1=macro_f1(true, predicted),
        ece=expected_calibration_error(probabilities.max(axis=1), predicted == true),
        seconds=round(seconds, 3),
    )


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
    columns = _COLUMNS[task]
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
    if task == "zero-shot":  # labels are typed as text, without spaces around
        truth = [str(label).strip() for label in truth]
    elif any(not isinstance(label, (str, int)) for label in truth):
        truth = [repr(label) for label in truth]  # a list, an object: no label here, and named so in the error
    inputs = texts[0] if len(texts) == 1 else list(zip(*texts, strict=True))
    return inputs, truth


def _names(task: EvalTask, truth: Sequence[Any], labels: Sequence[str] | str | None) -> list[Any]:
    if task in ("similarity", "sentiment"):
        return [0, 1]
    if task == "nli":
        return list(NLI_LABELS)
    if labels is None:
        return sorted(set(truth) - {""}) or [""]
    from wenmo.tasks.zero_shot import parse_labels

    return list(parse_labels(labels).names)


def _answerer(engine: Engine, task: EvalTask, names: Sequence[str], template: str) -> Callable[[list[Any]], np.ndarray]:
    """A function from inputs to probabilities (N, labels), in the order of `names`."""
    if task == "similarity":
        return lambda inputs: _two_classes([result.similarity for result in engine.similarity(inputs)])
    if task == "sentiment":
        return lambda inputs: _two_classes([result.positive for result in engine.sentiment(inputs)])
    if task == "nli":
        return lambda inputs: softmax(engine.nli(inputs))
    return lambda inputs: np.asarray(
        [
            [result.scores[name] for name in names]
            for result in engine.zero_shot(inputs, labels=names, template=template)
        ]
    )


def _two_classes(second: Sequence[float]) -> np.ndarray:
    column = np.asarray(second)
    return np.stack([1 - column, column], axis=1)
