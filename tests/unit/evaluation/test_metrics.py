"""Metrics by hand, intervals against published numbers, verdicts that small files deserve."""

from __future__ import annotations

import numpy as np
import pytest

from wenmo.evaluation.metrics import (
    accuracy_change,
    bootstrap_interval,
    expected_calibration_error,
    macro_f1,
    score,
    wilson_interval,
)


@pytest.mark.parametrize(
    ("correct", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (29, 29, 0.8830, 1.0)],
)
def test_wilson_as_published(correct: int, n: int, low: float, high: float) -> None:
    """Method 3 in table I of Newcombe, 1998, Statistics in Medicine 17:857."""
    assert wilson_interval(correct, n) == pytest.approx((low, high), abs=5e-5)


def test_the_difference_is_of_pairs() -> None:
    """9 mended and 1 spoilt of 20: by hand (10 - 2) / 22 and its deviation."""
    before = np.array([False] * 9 + [True] * 11)
    after = np.array([True] * 9 + [False] + [True] * 10)
    change = accuracy_change(before, after)
    half = 1.959964 * np.sqrt((12 / 22 - (8 / 22) ** 2) / 22)
    assert change.change == pytest.approx(0.4)
    assert change.interval == pytest.approx((8 / 22 - half, 8 / 22 + half))
    assert change.verdict == "better"
    assert accuracy_change(after, before).verdict == "worse"


def test_a_small_gain_on_few_rows_is_no_gain() -> None:
    before = np.array([True] * 10 + [False] * 6)
    after = np.array([True] * 12 + [False] * 4)
    assert accuracy_change(before, after).verdict == "unclear"
    assert accuracy_change(before, before).verdict == "unclear"


def test_held_out_counts() -> None:
    figures = score(np.array([0, 1, 1, 1]), np.array([0, 1, 1, 0]))
    assert (figures.correct, figures.n, figures.accuracy) == (3, 4, 0.75)
    assert figures.macro_f1 == pytest.approx((2 / 3 + 4 / 5) / 2)


def test_macro_f1_by_hand() -> None:
    """Class 0: 2 hits of 3 predicted and 2 true -> 4/5; class 1: 1 of 1 and 2 -> 2/3."""
    assert macro_f1(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1])) == pytest.approx((4 / 5 + 2 / 3) / 2)


def test_ece_by_hand() -> None:
    """Four answers at 0.9, three right: |0.75 - 0.9|; two at 0.6, both right: |1 - 0.6|."""
    confidence = np.array([0.9, 0.9, 0.9, 0.9, 0.6, 0.6])
    correct = np.array([True, True, True, False, True, True])
    assert expected_calibration_error(confidence, correct) == pytest.approx(4 / 6 * 0.15 + 2 / 6 * 0.4)
    assert expected_calibration_error(np.array([1.0]), np.array([True])) == pytest.approx(0.0)


def test_intervals_hold_the_figure() -> None:
    """A coin of 0.8 thrown 400 times: the normal approximation gives 0.8 +- 1.96 * 0.02."""
    correct = np.arange(400) % 5 > 0
    low, high = bootstrap_interval(lambda rows: float(correct[rows].mean()), 400)
    assert (low, high) == pytest.approx((0.7608, 0.8392), abs=0.006)
