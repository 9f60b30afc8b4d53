from __future__ import annotations

import numpy as np
import pytest

from recipes.calibrate import _balanced, _each_alike
from wenmo.evaluation.calibration import fit_temperature


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_made_the_labels_is_found(temperature: float) -> None:
    """Labels drawn from softmax(logits / T): the fit must find T again, within what 40,000 draws tell."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(40_000, 4)) * 3
    noise = rng.gumbel(size=logits.shape)
    label = (logits / temperature + noise).argmax(axis=1)
    assert fit_temperature(logits, label, np.ones(len(label))) == pytest.approx(temperature, rel=0.03)


def test_places_without_a_label_do_not_count() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(5_000, 3))
    label = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    wider = np.concatenate([logits, np.full((5_000, 4), -1e30)], axis=1)
    assert fit_temperature(logits, label, np.ones(5_000)) == fit_temperature(wider, label, np.ones(5_000))


def test_every_source_counts_alike() -> None:
    weight = _each_alike(np.array(["a", "a", "a", "b"]))
    assert weight.tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 1.0])


def test_a_source_counts_with_both_of_its_labels_or_not_at_all() -> None:
    sources = ["shop"] * 400 + ["bank"] * 110
    label = np.array([0] * 300 + [1] * 100 + [0] * 100 + [1] * 10)
    weight = _balanced(sources, label)
    assert [weight[:300].sum(), weight[300:400].sum()] == pytest.approx([1, 1])
    assert not weight[400:].any()  # the 10 say little, and the 100 without them would lean to one side
    assert _balanced(["shop"] * 3, np.array([0, 1, 1])).tolist() == [1, 0.5, 0.5]  # a small file is all that there is
