"""What a precision costs in answers: the same labelled rows, asked in each precision, on this machine's CPU.

Precisions are asked one after another, each by an engine of its own that is closed before the next, so that no more
than one model is in memory. The layout is not in it: packed and padded answers are equal but for rounding in float32
(tests/golden/test_parity.py). Nor is a GPU: where this CPU has no units for half precision, weights are rounded to half
and computed in float32 (`native` False), which is kinder to the answers than half throughout.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from wenmo.engine import Engine
from wenmo.evaluation.labelled import LabelledRows, has_pairs, read_rows
from wenmo.evaluation.metrics import (
    AccuracyChange,
    Score,
    accuracy_change,
    majority_share,
    score,
    wilson_interval,
)
from wenmo.evaluation.predict import predict
from wenmo.inference.precision import computes_natively
from wenmo.tables.readers import open_reader
from wenmo.types import Precision, TaskName

Progress = Callable[[Precision, int, int], None]  # rows answered in that precision, of how many
MakeEngine = Callable[[Precision], AbstractContextManager[Engine]]

_TEMPLATE = "{}"  # of zero-shot's hypotheses: the label itself


@dataclass(frozen=True, kw_only=True)
class Changed:
    """Against the first precision: `decisions` of the rows have another answer, whether right or wrong.

    `share_interval` is Wilson's, of 95%; `difference` is that of the accuracies.
    """

    decisions: int
    share_interval: tuple[float, float]
    difference: AccuracyChange


@dataclass(frozen=True, kw_only=True)
class PrecisionAccuracy:
    """`seconds` are those of answering all rows once, tokenising included; the model was loaded before.

    `native`: computed in this precision, not only stored in it. `changed` is None for the first, which is the baseline.
    """

    precision: Precision
    native: bool
    figures: Score
    seconds: float
    changed: Changed | None

    @property
    def texts_per_s(self) -> float:
        """Rows; a pair is one."""
        return self.figures.n / self.seconds


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """One model's answers to `n` labelled rows in each precision, the baseline first.

    `majority` is what answering the most frequent label always would reach.
    """

    task: TaskName
    model: str
    n: int
    majority: float
    precisions: tuple[PrecisionAccuracy, ...]

    def of(self, precision: Precision) -> PrecisionAccuracy | None:
        return next((each for each in self.precisions if each.precision == precision), None)


def accuracy(
    rows: LabelledRows,
    precisions: Sequence[Precision],
    engine_in: MakeEngine,
    *,
    progress: Progress = lambda precision, done, of: None,
) -> Accuracy:
    """Ask `rows` in each of `precisions`, the first being the baseline; `engine_in` gives an engine without a cache.

    `progress` may raise to stop. Raises the errors of loading a model and of answering.
    """
    found: list[PrecisionAccuracy] = []
    baseline: np.ndarray | None = None
    model = ""
    for precision in dict.fromkeys(precisions):
        with engine_in(precision) as engine:
            model = engine.model_names[rows.task]
            answered, seconds = _answered(engine, rows, partial(progress, precision))
            native = computes_natively(precision, engine.device.value)
        changed = None if baseline is None else _changed(rows.label, baseline, answered)
        baseline = answered if baseline is None else baseline
        found.append(
            PrecisionAccuracy(
                precision=precision,
                native=native,
                figures=score(rows.label, answered),
                seconds=seconds,
                changed=changed,
            )
        )
    return Accuracy(
        task=rows.task, model=model, n=len(rows), majority=majority_share(rows.label), precisions=tuple(found)
    )


def read_labelled(path: Path) -> LabelledRows:
    """Rows for similarity where the columns of `path` are called like two texts, else for sentiment.

    Formats, names of columns and words for labels are those of `wenmo.evaluation.labelled`. Raises InputError for a
    file that cannot be read or lacks something.
    """
    return read_rows(path, "similarity" if has_pairs(open_reader(path).columns) else "sentiment")


def sample_of(rows: LabelledRows, most: int) -> LabelledRows:
    """`rows`, or `most` of them where there are more: drawn at random, always the same, in the order of the file."""
    if len(rows) <= most:
        return rows
    return rows.take(np.sort(np.random.default_rng(0).choice(len(rows), size=most, replace=False)))


def _answered(engine: Engine, rows: LabelledRows, progress: Callable[[int, int], None]) -> tuple[np.ndarray, float]:
    """(N,) the label of each row, and the seconds."""
    predict(engine, rows.take(np.arange(1)), template=_TEMPLATE, on_progress=lambda done, of: None)  # loads the model
    start = time.perf_counter()
    answered = predict(engine, rows, template=_TEMPLATE, on_progress=progress)
    return answered, time.perf_counter() - start


def _changed(truth: np.ndarray, before: np.ndarray, after: np.ndarray) -> Changed:
    decisions = int(np.sum(before != after))
    return Changed(
        decisions=decisions,
        share_interval=wilson_interval(decisions, len(truth)),
        difference=accuracy_change(before == truth, after == truth),
    )
