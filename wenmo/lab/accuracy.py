"""Accuracy in each precision: the same labelled rows are answered in one precision after another, on this CPU.

Each precision has its own engine, which is closed before the next one starts, so that only one model is in memory. The
layout is left out, since packed and padded answers differ only by rounding in float32 (tests/golden/test_parity.py).
A GPU may change more answers: where this CPU has no units for half precision, it rounds the weights to half but
computes in float32 (`native` False).
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

OnAnswered = Callable[[Precision, int, int], None]  # rows answered in that precision, and of how many
MakeEngine = Callable[[Precision], AbstractContextManager[Engine]]

_TEMPLATE = "{}"  # for zero-shot: the hypothesis is the label itself


@dataclass(frozen=True, kw_only=True)
class Changed:
    """The change against the first precision: `decisions` counts the rows with another answer, right or wrong.

    `share_interval` is Wilson's 95% interval of their share; `difference` compares the accuracies.
    """

    decisions: int
    share_interval: tuple[float, float]
    difference: AccuracyChange


@dataclass(frozen=True, kw_only=True)
class PrecisionAccuracy:
    """Accuracy in one precision.

    `native`: the arithmetic was in this precision, too, not only the stored weights. `seconds`: for answering all rows
    once, with tokenising, without loading the model. `changed` is None for the first precision, the baseline.
    """

    precision: Precision
    native: bool
    figures: Score
    seconds: float
    changed: Changed | None

    @property
    def texts_per_s(self) -> float:
        """Rows per second; a pair is one row."""
        return self.figures.n / self.seconds


@dataclass(frozen=True, kw_only=True)
class AccuracyByPrecision:
    """One model's accuracy on `n` labelled rows in each precision, the baseline first.

    `majority` is the accuracy of always answering the most frequent label.
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
    progress: OnAnswered = lambda precision, done, of: None,
) -> AccuracyByPrecision:
    """Answer `rows` in each of `precisions`, the first being the baseline; `engine_in` makes an engine without a cache.

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
    return AccuracyByPrecision(
        task=rows.task, model=model, n=len(rows), majority=majority_share(rows.label), precisions=tuple(found)
    )


def read_labelled(path: Path) -> LabelledRows:
    """Read `path` as rows for similarity if its columns name two texts, otherwise as rows for sentiment.

    `wenmo.evaluation.labelled` defines formats, column names and words for labels. Raises InputError for a file that
    cannot be read or lacks something.
    """
    return read_rows(path, "similarity" if has_pairs(open_reader(path).columns) else "sentiment")


def sample_of(rows: LabelledRows, most: int) -> LabelledRows:
    """At most `most` of `rows`, drawn at random with a fixed seed, in the order of the file."""
    if len(rows) <= most:
        return rows
    return rows.take(np.sort(np.random.default_rng(0).choice(len(rows), size=most, replace=False)))


def _answered(engine: Engine, rows: LabelledRows, progress: Callable[[int, int], None]) -> tuple[np.ndarray, float]:
    """The predicted label of each row (N,), and the seconds that this took."""
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
