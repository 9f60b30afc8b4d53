"""What a model answers on rows that it did not learn: accuracy before and after, with intervals that small files need.

Asked through the engine, on the checkpoint as it lies on disk: the figures are of what a user gets, not of the
weights in the middle of training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from wenmo.engine import Engine
from wenmo.evaluation.calibration import fit_temperature
from wenmo.evaluation.evaluate import macro_f1, probabilities
from wenmo.evaluation.labelled import LabelledRows
from wenmo.tasks.table import TASKS
from wenmo.tasks.zero_shot import CONTRADICTION, ENTAILMENT

_Z = 1.959964  # of a normal distribution, 95% lie within so many standard deviations
Verdict = Literal["better", "unclear", "worse"]


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """How many of `n` rows were answered correctly; the interval is Wilson's, of 95%."""

    n: int
    correct: int
    accuracy: float
    interval: tuple[float, float]
    macro_f1: float


@dataclass(frozen=True, kw_only=True)
class Difference:
    """After less before on the same rows, in shares of 1, with its interval of 95%.

    The verdict is "better" or "worse" where the interval lies on one side of 0, else "unclear".
    """

    change: float
    interval: tuple[float, float]
    verdict: Verdict


def wilson_interval(correct: int, n: int) -> tuple[float, float]:
    """Of a share, 95% (Wilson, 1927). Unlike a bootstrap's it has a width where all of a few answers are right."""
    share = correct / n
    middle = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * float(np.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2)))
    return max(0.0, middle - half), min(1.0, middle + half)


def difference(before: np.ndarray, after: np.ndarray) -> Difference:
    """From what was right (N,) bool before and after on the same rows.

    The interval is Bonett and Price's adjusted Wald for paired shares (2012, J. Educ. Behav. Stat. 37:479).
    """
    n = len(before)
    mended, spoilt = int(np.sum(~before & after)), int(np.sum(before & ~after))
    p_mended, p_spoilt = (mended + 1) / (n + 2), (spoilt + 1) / (n + 2)
    middle = p_mended - p_spoilt
    half = _Z * float(np.sqrt((p_mended + p_spoilt - middle**2) / (n + 2)))
    low, high = max(-1.0, middle - half), min(1.0, middle + half)
    verdict: Verdict = "better" if low > 0 else "worse" if high < 0 else "unclear"
    return Difference(change=(mended - spoilt) / n, interval=(low, high), verdict=verdict)


def answers(
    engine: Engine, rows: LabelledRows, *, template: str, on_progress: Callable[[int, int], None]
) -> np.ndarray:
    """(N,) the label that `engine` gives to each row, as an index of `rows.names`."""
    spec = TASKS[rows.task]
    asked = {"labels": rows.names, "template": template} if spec.takes_labels else {}
    results = engine.ask(spec.name, rows.inputs, progress=on_progress, **asked)
    if spec.two_class:  # of two equal ones the second, as everywhere
        return (probabilities(engine, spec, results, names=rows.names)[:, 1] >= 0.5).astype(int)
    return probabilities(engine, spec, results, names=rows.names).argmax(axis=1)


def held_out(truth: np.ndarray, answered: np.ndarray) -> HeldOut:
    """Both (N,)."""
    correct = int(np.sum(truth == answered))
    return HeldOut(
        n=len(truth),
        correct=correct,
        accuracy=correct / len(truth),
        interval=wilson_interval(correct, len(truth)),
        macro_f1=macro_f1(truth, answered),
    )


def fit_temperatures(
    folder: Path, rows: LabelledRows, *, template: str, device: str, on_progress: Callable[[int, int], None]
) -> dict[str, float]:
    """The temperatures for the checkpoint in `folder`, fitted on `rows` that it did not learn.

    Every label counts alike. A few rows that are all answered correctly prove no certainty: an answer's target is
    (n + 1) / (n + 2) instead of 1, n being the number of rows (Laplace's rule of succession; Platt, 1999, has it so).
    """
    with Engine(models={rows.task: folder}, device=device, precision="fp32", calibrated=False, cache_mib=0) as engine:
        spec = TASKS[rows.task]
        asked = {"labels": rows.names, "template": template} if spec.takes_labels else {}
        results = engine.ask(spec.name, rows.inputs, progress=on_progress, **asked)
    if not spec.takes_labels:
        return {spec.calibrations[0]: _smoothed(np.asarray([each.logits[0] for each in results]), rows.label)}
    nli = np.asarray([each.logits for each in results])  # (N, topics, 3)
    holds = np.arange(len(rows.names)) == rows.label[:, None]  # (N, topics)
    alone = nli[:, :, [CONTRADICTION, ENTAILMENT]].reshape(-1, 2)
    return {
        "single_label": _smoothed(nli[:, :, ENTAILMENT], rows.label),
        "multi_label": _smoothed(alone, holds.reshape(-1).astype(int), rows=len(rows)),
    }


def _smoothed(logits: np.ndarray, label: np.ndarray, *, rows: int | None = None) -> float:
    """The temperature for logits (N, K) with targets that are not quite certain, see `fit_temperatures`."""
    n, choices = rows or len(label), logits.shape[1]
    # A target that is no certainty is each row once for each label, with the target's shares as weights.
    every = np.tile(np.arange(choices), len(label))
    own = np.repeat(label, choices)
    share = np.where(every == own, (n + 1) / (n + 2), 1 / (n + 2) / (choices - 1))
    weight = share / np.bincount(label)[own]
    return fit_temperature(np.repeat(logits.astype(np.float64), choices, axis=0), every, weight)


def majority_share(label: np.ndarray) -> float:
    """What answering the most frequent label always would reach."""
    return float(np.bincount(label).max() / len(label))


def label_counts(label: np.ndarray, names: Sequence[str]) -> dict[str, int]:
    """Rows of each label."""
    return dict(zip(names, np.bincount(label, minlength=len(names)).tolist(), strict=True))
