"""Temperatures that few rows can carry."""

from __future__ import annotations

import numpy as np
import pytest

from wenmo.evaluation.calibration import _fit_smoothed


def test_a_few_right_answers_are_no_certainty() -> None:
    """All right with a margin of 8: by the bare loss the temperature would run to its lower bound."""
    label = np.array([0, 1] * 5)
    logits = np.where(label[:, None] == np.arange(2), 4.0, -4.0)
    temperature = _fit_smoothed(logits, label)
    confidence = 1 / (1 + np.exp(-8 / temperature))
    assert confidence == pytest.approx(11 / 12, abs=1e-3)  # (n + 1) / (n + 2) of 10 rows


def test_labels_count_alike() -> None:
    """Ten rows of one label say no more than one row of the other does ten times."""
    logits = np.array([[1.0, -1.0], [2.0, -1.0]])
    label = np.array([0, 1])
    many = _fit_smoothed(np.repeat(logits, [10, 1], axis=0), np.repeat(label, [10, 1]), rows=2)
    assert many == pytest.approx(_fit_smoothed(logits, label))
