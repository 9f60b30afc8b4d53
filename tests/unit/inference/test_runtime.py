"""Batches, workers and failures: every input gets its own result."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import GOLDEN
from wenmo.inference.budget import FixedBudget
from wenmo.inference.runtime import PartialOutputError, equal_shares
from wenmo.inference.torch_runtime import TorchRuntime
from wenmo.inference.workers import WorkerPool
from wenmo.models.checkpoint import load_checkpoint
from wenmo.tokenizer import Encoding

VOCABULARY = 300  # of the golden checkpoint at least


@cache
def _checkpoint() -> Any:
    return load_checkpoint(GOLDEN / "similarity")


def _runtime(*, tokens: int = 64, workers: int = 0, asynchronous: bool = False, budget: Any = None) -> TorchRuntime:
    runtime = TorchRuntime(
        _checkpoint(),
        device=torch.device("cpu"),
        precision="fp32",
        native=True,
        workers=WorkerPool(workers) if workers else None,
        budget=budget or FixedBudget(tokens),
    )
    runtime._asynchronous = asynchronous  # the code path of a GPU
    return runtime


def _encodings(lengths: Sequence[int], seed: int = 0) -> list[Encoding]:
    rng = np.random.default_rng(seed)
    return [
        Encoding(
            input_ids=tuple(rng.integers(5, VOCABULARY, size=length).tolist()),
            segment_b=int(rng.integers(0, length)),
            truncated=False,
        )
        for length in lengths
    ]


_WAYS: list[dict[str, Any]] = [{}, {"workers": 2}, {"workers": 3}, {"asynchronous": True}]
_POISON = Encoding(input_ids=(2, 10**6, 3), segment_b=0, truncated=False)  # an id beyond the embedding table


@settings(max_examples=25, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=40),
    tokens=st.integers(1, 200),
    way=st.sampled_from(_WAYS),
    seed=st.integers(0, 5),
)
def test_any_plan_gives_each_input_its_own_answer(lengths: list[int], tokens: int, way: Any, seed: int) -> None:
    encodings = _encodings(lengths, seed)
    one = _runtime()
    alone = np.concatenate([one.logits([encoding]) for encoding in encodings])
    told: list[int] = []
    assert _runtime(tokens=tokens, **way).logits(encodings, on_batch=told.append) == pytest.approx(alone, abs=1e-5)
    assert sum(told) == len(encodings)


@pytest.mark.parametrize("way", _WAYS)
def test_vectors_too(way: dict[str, Any]) -> None:
    encodings = _encodings([3, 17, 3, 9, 30, 1])
    one = _runtime()
    alone = np.concatenate([one.vectors([encoding]) for encoding in encodings])
    assert _runtime(tokens=20, **way).vectors(encodings) == pytest.approx(alone, abs=1e-5)


def test_equal_inputs_are_computed_once_and_all_answered() -> None:
    runtime, told = _runtime(), []
    first, second = _encodings([4, 6])
    seen = _spy(runtime)
    output = runtime.logits([first, second, first, first], on_batch=told.append)
    assert sum(seen) == 10 and sum(told) == 4
    assert (output[0] == output[2]).all() and (output[0] == output[3]).all() and (output[0] != output[1]).any()


@pytest.mark.parametrize("way", _WAYS)
def test_a_poisoned_input_fails_alone(way: dict[str, Any]) -> None:
    encodings = _encodings([5, 3, 8, 3, 12, 7])
    expected = _runtime().logits(encodings)
    told: list[int] = []
    with pytest.raises(PartialOutputError) as caught:
        _runtime(**way).logits([*encodings[:2], _POISON, *encodings[2:], _POISON], on_batch=told.append)
    assert set(caught.value.failed) == {2, 7}
    assert all(isinstance(error, IndexError) for error in caught.value.failed.values())
    assert np.delete(caught.value.output, [2, 7], axis=0) == pytest.approx(expected, abs=1e-5)
    assert sum(told) == 8


class _Recorded(FixedBudget):
    """Halves on failure like the budget of a GPU, and records its calls."""

    def __init__(self, tokens: int) -> None:
        super().__init__(tokens)
        self.failures: list[int] = []
        self.batches = 0

    def after_batch(self, tokens: int) -> None:
        self.batches += 1

    def out_of_memory(self, tokens: int) -> None:
        self.failures.append(tokens)
        FixedBudget.__init__(self, tokens // 2)


def _spy(runtime: TorchRuntime, *, fits: int = 10**9) -> list[int]:
    """Records the tokens of every forward; one of more than `fits` runs out of memory."""
    seen: list[int] = []
    whole = runtime._model.logits

    def forward(packed: Any) -> torch.Tensor:
        seen.append(len(packed.ids))
        if len(packed.ids) > fits:
            raise torch.OutOfMemoryError("as on a small GPU")
        return whole(packed)

    runtime._model.logits = forward  # type: ignore[method-assign]
    return seen


@pytest.mark.parametrize("way", _WAYS)
def test_out_of_memory_loses_nothing(way: dict[str, Any]) -> None:
    encodings = _encodings([10] * 40, seed=1)
    expected = _runtime().logits(encodings)
    budget = _Recorded(400)
    runtime = _runtime(budget=budget, **way)
    _spy(runtime, fits=55)
    assert runtime.logits(encodings) == pytest.approx(expected, abs=1e-5)
    assert budget.failures and all(tokens > 55 for tokens in budget.failures)


def test_the_budget_is_followed_between_batches() -> None:
    """Batches after the first failure are smaller, so that no second one runs out of memory."""
    budget = _Recorded(100)
    runtime = _runtime(budget=budget, asynchronous=True)
    seen = _spy(runtime, fits=55)
    runtime.logits(_encodings([10] * 40))
    assert budget.failures == [100]
    assert seen[0] == 100 and max(seen[1:]) == 50
    assert budget.batches > 0


_SHARES = [(70, [350, 350]), (200, [1000, 1000]), (210, [530, 530, 530, 510]), (600, [1000] * 6), (3, [30])]


@pytest.mark.parametrize(("count", "shares"), _SHARES)
def test_workers_get_equal_shares(count: int, shares: list[int]) -> None:
    """Three batches on two workers would take as long as four, as one worker would wait for the other."""
    runtime = _runtime(tokens=1000, workers=2)
    seen = _spy(runtime)
    runtime.logits(_encodings([10] * count))
    assert sorted(seen) == sorted(shares)


def test_a_lone_batch_takes_all_cores_and_one_beside_others_a_worker() -> None:
    runtime = _runtime(workers=2)
    names: list[str] = []
    whole = runtime._model.logits

    def logits(packed: Any) -> torch.Tensor:
        names.append(threading.current_thread().name)
        return whole(packed)

    runtime._model.logits = logits  # type: ignore[method-assign]
    runtime.logits(_encodings([5]))
    assert runtime._workers is not None
    with runtime._workers.caller():  # somebody else computes
        runtime.logits(_encodings([5], seed=1))
    alone, beside = names
    assert alone.startswith("wenmo-all-cores") and beside.startswith("wenmo-worker")


def test_the_largest_share_is_as_small_as_can_be() -> None:
    """Of the cuts between inputs in the order of their lengths, the best one, for two workers of a batch each."""
    rng = np.random.default_rng(0)
    for count in range(2, 40):
        lengths = rng.integers(40, 300, count).tolist()
        in_order = sorted(lengths)
        best = min(max(sum(in_order[:cut]), sum(in_order[cut:])) for cut in range(1, count))
        batches = equal_shares(lengths, budget=sum(lengths), workers=2)
        assert len(batches) == 2 and max(sum(lengths[index] for index in batch) for batch in batches) == best


@pytest.mark.parametrize("workers", [2, 4, 8, 16, 32])
@pytest.mark.parametrize("length", [7, 30, 128, 500])
def test_no_worker_goes_without(workers: int, length: int) -> None:
    for count in range(workers, 20 * workers, 3):
        batches = equal_shares([length] * count, budget=1024, workers=workers)
        assert sorted(index for batch in batches for index in batch) == list(range(count))
        if count * length >= 64 * workers * 2:  # enough for all of them
            assert len(batches) >= workers


def test_an_input_too_large_for_the_memory_says_so() -> None:
    runtime = _runtime()
    _spy(runtime, fits=20)
    with pytest.raises(PartialOutputError) as caught:
        runtime.logits(_encodings([10, 30, 10]))
    assert isinstance(caught.value.failed[1], torch.OutOfMemoryError) and set(caught.value.failed) == {1}


class _StopError(Exception):
    pass


@pytest.mark.parametrize("way", _WAYS)
def test_a_caller_can_stop_it(way: dict[str, Any]) -> None:
    runtime = _runtime(tokens=10, **way)
    seen = _spy(runtime)

    def stop(done: int) -> None:
        raise _StopError

    with pytest.raises(_StopError):
        runtime.logits(_encodings([10] * 200), on_batch=stop)
    assert len(seen) < 100
    assert len(runtime.logits(_encodings([3, 4]))) == 2  # and goes on working


def test_what_a_budget_says() -> None:
    resolved = _runtime(tokens=77).batch_tokens()
    assert resolved.value == 77 and resolved.reason and resolved.reason_zh
