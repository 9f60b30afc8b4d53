"""Metrics of predicted labels, with 95% intervals: accuracy, macro F1, calibration error, and changes of accuracy.

Labels are integers, (N,) arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

_Z = 1.959964  # 95% of a normal distribution lie within so many standard deviations of its mean
Verdict = Literal["better", "unclear", "worse"]


@dataclass(frozen=True, kw_only=True)
class Score:
    """How many of `n` rows were predicted correctly. `accuracy` and `macro_f1` are shares of 1; Wilson interval."""

    n: int
    correct: int
    accuracy: float
    interval: tuple[float, float]
    macro_f1: float


@dataclass(frozen=True, kw_only=True)
class ClassScore:
    """Of the `n` rows with a label: precision, recall and F1, shares of 1; 0 where nothing was predicted."""

    n: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, kw_only=True)
class AccuracyChange:
    """The accuracy after a change less that before, on the same rows, in shares of 1.

    The verdict is "better" or "worse" if the interval excludes 0, otherwise "unclear".
    """

    change: float
    interval: tuple[float, float]
    verdict: Verdict


def score(truth: np.ndarray, predicted: np.ndarray) -> Score:
    """The score of `predicted` labels."""
    correct = int(np.sum(truth == predicted))
    return Score(
        n=len(truth),
        correct=correct,
        accuracy=correct / len(truth),
        interval=wilson_interval(correct, len(truth)),
        macro_f1=macro_f1(truth, predicted),
    )


def accuracy_change(before: np.ndarray, after: np.ndarray) -> AccuracyChange:
    """From which rows were predicted correctly before and after, (N,) bool each.

    The interval is the adjusted Wald interval for paired proportions (Bonett and Price, 2012, J. Educ. Behav. Stat.
    37:479).
    """
    n = len(before)
    gained, lost = int(np.sum(~before & after)), int(np.sum(before & ~after))
    p_gained, p_lost = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    middle = p_gained - p_lost
    half = _Z * float(np.sqrt((p_gained + p_lost - middle**2) / (n + 2)))
    low, high = max(-1.0, middle - half), min(1.0, middle + half)
    verdict: Verdict = "better" if low > 0 else "worse" if high < 0 else "unclear"
    return AccuracyChange(change=(gained - lost) / n, interval=(low, high), verdict=verdict)


def wilson_interval(correct: int, n: int) -> tuple[float, float]:
    """The 95% interval of the share `correct` / `n` (Wilson, 1927, J. Am. Stat. Assoc. 22:209).

    Unlike a bootstrap interval it has a width even if all of a few rows are correct.
    """
    share = correct / n
    middle = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * float(np.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2)))
    return max(0.0, middle - half), min(1.0, middle + half)


def bootstrap_interval(metric: Callable[[np.ndarray], float], rows: int) -> tuple[float, float]:
    """The 95% percentile bootstrap interval (Efron, 1979) of `metric`, a function of row indices (N,).

    It is made of 1,000 resamples with a fixed seed.
    """
    rng = np.random.default_rng(0)
    values = [metric(rng.integers(rows, size=rows)) for _ in range(1000)]
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """(classes, classes) int64: the rows with each true label (first axis) and each predicted one."""
    return np.bincount(truth * classes + predicted, minlength=classes**2).reshape(classes, classes)


def class_scores(confusion: np.ndarray) -> list[ClassScore]:
    """The scores of each class of a confusion matrix."""
    hits, true, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return [
        ClassScore(
            n=int(true[index]),
            precision=float(hits[index] / predicted[index]) if predicted[index] else 0.0,
            recall=float(hits[index] / true[index]) if true[index] else 0.0,
            f1=float(2 * hits[index] / both) if (both := true[index] + predicted[index]) else 0.0,
        )
        for index in range(len(confusion))
    ]


def macro_f1(truth: np.ndarray, predicted: np.ndarray) -> float:
    """The mean F1, 2 TP / (2 TP + FP + FN), of the classes that occur in either array."""
    scores = []
    for label in np.union1d(truth, predicted):
        hits = np.sum((truth == label) & (predicted == label))
        scores.append(2 * hits / (np.sum(truth == label) + np.sum(predicted == label)))
    return float(np.mean(scores))


def expected_calibration_error(confidence: np.ndarray, correct: np.ndarray, *, bins: int = 15) -> float:
    """The mean of |accuracy - confidence| over `bins` bins of equal width, weighted by their rows.

    From Guo et al., 2017, arXiv 1706.04599. `confidence` (N,) is the probability of the predicted label, `correct` (N,)
    whether it is the true one.
    """
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    error = 0.0
    for index in range(bins):
        inside = place == index
        if inside.any():
            error += float(inside.mean()) * abs(float(correct[inside].mean()) - float(confidence[inside].mean()))
    return error


def majority_share(label: np.ndarray) -> float:
    """The accuracy of always predicting the most frequent label."""
    return float(np.bincount(label).max() / len(label))


def label_counts(label: np.ndarray, names: Sequence[str]) -> dict[str, int]:
    """The number of rows with each label."""
    return dict(zip(names, np.bincount(label, minlength=len(names)).tolist(), strict=True))
