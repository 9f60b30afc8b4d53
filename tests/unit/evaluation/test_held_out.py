"""Intervals against published numbers, verdicts that small files deserve, temperatures that few rows can carry."""

from __future__ import annotations

import numpy as np
import pytest

from wenmo.evaluation.held_out import _smoothed, difference, held_out, wilson_interval


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
    change = difference(before, after)
    half = 1.959964 * np.sqrt((12 / 22 - (8 / 22) ** 2) / 22)
    assert change.change == pytest.approx(0.4)
    assert change.interval == pytest.approx((8 / 22 - half, 8 / 22 + half))
    assert change.verdict == "better"
    assert difference(after, before).verdict == "worse"


def test_a_small_gain_on_few_rows_is_no_gain() -> None:
    before = np.array([True] * 10 + [False] * 6)
    after = np.array([True] * 12 + [False] * 4)
    assert difference(before, after).verdict == "unclear"
    assert difference(before, before).verdict == "unclear"


def test_held_out_counts() -> None:
    figures = held_out(np.array([0, 1, 1, 1]), np.array([0, 1, 1, 0]))
    assert (figures.correct, figures.n, figures.accuracy) == (3, 4, 0.75)
    assert figures.macro_f1 == pytest.approx((2 / 3 + 4 / 5) / 2)


def test_a_few_right_answers_are_no_certainty() -> None:
    """All right with a margin of 8: by the bare loss the temperature would run to its lower bound."""
    label = np.array([0, 1] * 5)
    logits = np.where(label[:, None] == np.arange(2), 4.0, -4.0)
    temperature = _smoothed(logits, label)
    confidence = 1 / (1 + np.exp(-8 / temperature))
    assert confidence == pytest.approx(11 / 12, abs=1e-3)  # (n + 1) / (n + 2) of 10 rows


def test_labels_count_alike() -> None:
    """Ten rows of one label say no more than one row of the other does ten times."""
    logits = np.array([[1.0, -1.0], [2.0, -1.0]])
    label = np.array([0, 1])
    many = _smoothed(np.repeat(logits, [10, 1], axis=0), np.repeat(label, [10, 1]), rows=2)
    assert many == pytest.approx(_smoothed(logits, label))
