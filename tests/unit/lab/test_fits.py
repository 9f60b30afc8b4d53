"""How large a batch fits, for every combination of the lab's controls: each is predicted, none ends in an assertion."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import get_args

import pytest

from wenmo.errors import InputError
from wenmo.lab.configuration import Attention, Configuration, Layout, Work
from wenmo.lab.fits import timelines, what_fits
from wenmo.lab.predict import timeline_of
from wenmo.types import PRECISIONS, Precision

COMBINATIONS = list(itertools.product(get_args(Work), PRECISIONS, get_args(Layout), get_args(Attention), (False, True)))


def _configuration(
    model: str, work: Work, precision: Precision, layout: Layout, attention: Attention, checkpointing: bool
) -> Configuration | None:
    """None for what cannot go together, which the form says."""
    try:
        return Configuration(
            model=model,
            work=work,
            precision=precision,
            layout=layout,
            attention=attention,
            checkpointing=checkpointing,
            lengths=(32, 32),
        )
    except InputError:
        return None


@pytest.mark.parametrize("model", ["tiny", "bundled"])
def test_every_combination_of_the_controls_has_a_largest_batch(model: str) -> None:
    asked = [each for controls in COMBINATIONS if (each := _configuration(model, *controls)) is not None]
    assert len(asked) > 15
    for configuration in asked:
        (small, large) = what_fits(configuration, lengths=(32,), cards_gib=(6, 12))
        assert 0 < small.batch < large.batch, configuration


@pytest.mark.parametrize("model", ["base", "large"])
@pytest.mark.parametrize("precision", ["fp16", "bf16"])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_training_step_of_a_larger_model(model: str, precision: Precision, checkpointing: bool) -> None:
    configuration = _configuration(model, "training_step", precision, "padded", "sdpa", checkpointing)
    assert configuration is not None
    (fit,) = what_fits(configuration, lengths=(64,), cards_gib=(24,))
    assert fit.batch > 0


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_other_batches_follow_from_two(precision: Precision) -> None:
    """The line through two batches meets what is predicted for a third."""
    configuration = _configuration("tiny", "training_step", precision, "padded", "sdpa", True)
    assert configuration is not None
    direct = timeline_of(replace(configuration, lengths=(48,) * 7), gpu=True, native=True)
    assert timelines(configuration, 48)(7).peak() == direct.peak()


def test_where_rows_are_padded_every_length_takes_the_same() -> None:
    padded = Configuration(model="tiny", layout="padded", pad_to=256)
    short, long, full = what_fits(padded, lengths=(32, 128, 256), cards_gib=(6,))
    assert 0 < short.batch == long.batch == full.batch
    (own,) = what_fits(replace(padded, pad_to=None), lengths=(32,), cards_gib=(6,))
    assert own.batch > 4 * short.batch
