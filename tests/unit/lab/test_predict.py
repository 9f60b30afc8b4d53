"""Predictions held against the tracker: different ways to the same account, one of which allocates nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from itertools import product

import pytest
import torch

from wenmo import DeviceError, InputError
from wenmo.lab.allocations import Timeline, track
from wenmo.lab.configuration import Configuration, equal_lengths
from wenmo.lab.fits import timelines, what_fits
from wenmo.lab.predict import CONTEXT_BYTES, CUBLAS_WORKSPACE_BYTES, predict, timeline_of
from wenmo.lab.workload import real_workload

MIX = (7, 20, 20, 61)


def _configurations() -> Iterator[tuple[Configuration, bool]]:
    """Each with whether half precision is computed in half."""
    for lengths in ((24,), equal_lengths(3, 40), MIX, (2, 2, 150)):
        for precision in ("fp32", "fp16", "bf16", "int8"):
            yield Configuration(model="bundled", precision=precision, lengths=lengths), True
        yield Configuration(model="bundled", precision="fp16", lengths=lengths), False
        for attention, precision in product(("sdpa", "eager"), ("fp32", "bf16")):
            configuration = Configuration(
                model="bundled",
                layout="padded",
                attention=attention,  # type: ignore[arg-type]
                precision=precision,  # type: ignore[arg-type]
                lengths=lengths,
            )
            yield configuration, True
    yield Configuration(model="bundled", layout="padded", lengths=MIX, pad_to=128, checkpointing=True), True
    yield Configuration(model="wenmo-zero-shot", lengths=MIX), True
    yield Configuration(model="tiny", lengths=(128, 300)), True
    for (attention, precision), checkpointing in product((("sdpa", "fp32"), ("eager", "bf16")), (False, True)):
        configuration = Configuration(
            model="bundled",
            layout="padded",
            work="training_step",
            lengths=MIX,
            attention=attention,  # type: ignore[arg-type]
            precision=precision,  # type: ignore[arg-type]
            checkpointing=checkpointing,
        )
        yield configuration, True


CONFIGURATIONS = list(_configurations())


def _tracked(configuration: Configuration, *, native: bool) -> Timeline:
    workload = real_workload(configuration, device=torch.device("cpu"), native=native)
    workload.step()
    return track(workload.step, standing=workload.standing, gradients=workload.gradients)


def test_there_are_more_than_forty() -> None:
    assert len(set(CONFIGURATIONS)) == len(CONFIGURATIONS) > 39


@pytest.mark.parametrize(
    ("configuration", "native"),
    CONFIGURATIONS,
    ids=[f"{found.name}{'' if native else ' stored'}" for found, native in CONFIGURATIONS],
)
def test_a_prediction_is_within_two_percent(configuration: Configuration, native: bool) -> None:
    measured = _tracked(configuration, native=native)
    predicted = timeline_of(configuration, gpu=False, native=native)
    if native and configuration.precision in ("fp16", "bf16"):  # oneDNN's scratch space is the processor's affair
        measured, predicted = measured.tensors(), predicted.tensors()
    assert predicted.peak().weights == measured.peak().weights
    assert predicted.peak().total == pytest.approx(measured.peak().total, rel=0.02)
    assert predicted.most_activations() == pytest.approx(measured.most_activations(), rel=0.02)


def test_half_precision_halves_all_but_the_inputs_on_a_gpu() -> None:
    for layout in ("padded", "packed"):
        full = Configuration(model="tiny", lengths=equal_lengths(8, 256), layout=layout)  # type: ignore[arg-type]
        inputs = 3 * 8 * full.tokens + 8 * full.batch  # ids, segments, and positions or mask; packed: where each begins
        whole, half = (predict(dataclasses.replace(full, precision=p)).peak for p in ("fp32", "fp16"))  # type: ignore[arg-type]
        assert half.weights * 2 == pytest.approx(whole.weights, rel=1e-3)
        assert (half.activations - inputs) * 2 == pytest.approx(whole.activations - inputs, rel=0.02)


def test_checkpointing_saves_nothing_in_inference_and_most_activations_in_training() -> None:
    padded = Configuration(model="bundled", layout="padded", lengths=equal_lengths(4, 64))
    assert _tracked(dataclasses.replace(padded, checkpointing=True), native=True) == _tracked(padded, native=True)
    training = dataclasses.replace(padded, work="training_step")
    without, with_ = (
        predict(dataclasses.replace(training, model="base", checkpointing=on), device="cpu").most_activations
        for on in (False, True)
    )
    assert with_ < 0.4 * without


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize("native", [True, False])
def test_the_packed_forward_stays_near_its_floor(precision: str, native: bool) -> None:
    """Of the activations alone, so that weights hide nothing: a tensor kept a moment too long is a sixth of them."""
    configuration = Configuration(model="tiny", precision=precision, lengths=equal_lengths(8, 256))  # type: ignore[arg-type]
    found = predict(configuration, device="cpu", native=native)
    assert found.floor_bytes is not None
    assert found.peak.activations < 1.02 * (found.floor_bytes - found.peak.weights)


def test_the_gpus_terms_add_up() -> None:
    found = predict(Configuration(model="tiny", precision="fp16", lengths=MIX))
    assert found.gpu is not None
    assert found.gpu.allocated == found.peak.total + found.gpu.rounding + CUBLAS_WORKSPACE_BYTES
    assert 0 <= found.gpu.rounding < 2**21 and found.gpu.allocated <= found.gpu.reserved
    assert found.gpu.total == found.gpu.reserved + CONTEXT_BYTES


def test_a_predicted_training_step_on_a_gpu_keeps_norms_in_float32() -> None:
    """As CUDA's autocast does and the CPU's does not, so that more is kept for the backward pass."""
    training = Configuration(
        model="tiny", precision="bf16", layout="padded", work="training_step", lengths=equal_lengths(4, 64)
    )
    on_gpu, on_cpu = predict(training), predict(training, device="cpu", native=True)
    assert on_gpu.peak.optimiser == on_cpu.peak.optimiser
    assert on_gpu.most_activations != on_cpu.most_activations


def test_what_cannot_be_predicted() -> None:
    with pytest.raises(DeviceError, match="CPU only"):
        predict(Configuration(precision="int8"), device="cuda")
    with pytest.raises(InputError, match="no classifier"):
        predict(Configuration(model="wenmo-embedding"), device="cpu")


def test_the_timeline_of_any_batch_follows_from_two() -> None:
    for layout in ("packed", "padded"):
        configuration = Configuration(model="bundled", precision="fp16", layout=layout)  # type: ignore[arg-type]
        at = timelines(configuration, 33)
        direct = timeline_of(dataclasses.replace(configuration, lengths=(33,) * 11), gpu=True, native=True)
        assert at(11) == direct


def test_the_largest_batch_fits_and_one_more_does_not() -> None:
    configuration = Configuration(model="bundled")
    room = 2**30
    (fit,) = what_fits(configuration, lengths=(512,), cards_gib=(1,))
    for batch, fits in ((fit.batch, True), (fit.batch + 1, False)):
        found = predict(dataclasses.replace(configuration, lengths=(512,) * batch)).gpu
        assert found is not None and (found.total <= room) is fits


def test_a_card_that_holds_nothing() -> None:
    fits = list(what_fits(Configuration(model="large"), lengths=(128,), cards_gib=(1, 2)))
    assert [fit.batch > 0 for fit in fits] == [False, True]
    assert list(what_fits(Configuration(model="bundled"), cancelled=lambda: True)) == []
