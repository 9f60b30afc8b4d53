"""The cache is exact, bounded, and does not confuse inputs."""

from __future__ import annotations

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from tests.conftest import GOLDEN_MODELS
from tests.fakes import FailingRuntime, LengthRuntime
from wenmo import Engine, ForwardError
from wenmo.inference.runtime import PartialOutputError
from wenmo.serving.cache import CachedRuntime, ResultCache
from wenmo.tokenizer import Encoding


def _encoding(*ids: int, second: int = 0) -> Encoding:
    return Encoding(input_ids=ids, segment_b=second, truncated=False)


@pytest.fixture
def runtime() -> LengthRuntime:
    return _runtime(LengthRuntime)


def _runtime(kind: type[LengthRuntime]) -> LengthRuntime:
    class _Labels:
        labels = ("no", "yes")

    return kind(_Labels())  # type: ignore[arg-type]


def test_what_was_computed_is_not_computed_again(runtime: LengthRuntime) -> None:
    cache = ResultCache(1)
    cached = CachedRuntime(runtime, cache, "sentiment")
    first = cached.logits([_encoding(1, 2), _encoding(3)])
    told: list[int] = []
    again = cached.logits([_encoding(3), _encoding(1, 2), _encoding(4, 5, 6)], on_batch=told.append)
    assert runtime.inputs == 3
    assert again.tolist() == [first[1].tolist(), first[0].tolist(), [3.0, 0.0]]
    assert sum(told) == 3
    statistics = cache.statistics()
    assert (statistics.hits, statistics.misses, statistics.entries) == (2, 3, 3)
    assert statistics.saved_s > 0


def test_inputs_that_differ_in_anything_are_told_apart(runtime: LengthRuntime) -> None:
    cache = ResultCache(1)
    similarity, sentiment = CachedRuntime(runtime, cache, "similarity"), CachedRuntime(runtime, cache, "sentiment")
    similarity.logits([_encoding(1, 2, 3), _encoding(1, 2, 3, second=1), _encoding(1, 3, 2), _encoding(258)])
    sentiment.logits([_encoding(1, 2, 3), _encoding(2, 1)])
    assert runtime.inputs == 6
    assert similarity.vectors([_encoding(1, 2, 3)]).shape == (1, 2)
    assert cache.statistics().hits == 0


def test_failures_are_not_kept_and_keep_their_places() -> None:
    cache = ResultCache(1)
    cached = CachedRuntime(_runtime(FailingRuntime), cache, "sentiment")
    cached.logits([_encoding(1)])
    for _ in range(2):
        with pytest.raises(PartialOutputError) as caught:
            cached.logits([_encoding(1), _encoding(1, 2, 3, 4, 5), _encoding(1, 2)])
        assert set(caught.value.failed) == {1}
        assert caught.value.output[[0, 2], 0].tolist() == [1.0, 2.0]
    assert cache.statistics().entries == 2


def test_memory_is_bounded_and_the_oldest_goes_first() -> None:
    """The bound covers the memory that Python really uses, not only the bytes of the rows."""
    cache = ResultCache(2)
    keys = [number.to_bytes(16, "big") for number in range(50_000)]
    tracemalloc.start()
    for key in keys:
        cache.put([bytes(bytearray(key))], np.ones((1, 3), dtype=np.float32))  # a new bytes object, as in real use
    taken_mib = tracemalloc.get_traced_memory()[0] / 2**20
    tracemalloc.stop()
    statistics = cache.statistics()
    assert 1.9 < statistics.mib <= 2.0
    assert 1.5 < taken_mib < 2.2
    assert cache.get([keys[0], keys[-1]])[0] is None
    assert cache.get([keys[-1]])[0] is not None


def test_a_row_larger_than_the_cache_is_not_kept() -> None:
    cache = ResultCache(0.001)
    cache.put([b"key"], np.ones((1, 4096), dtype=np.float32))
    assert cache.get([b"key"]) == [None]


@pytest.fixture
def counted() -> tuple[Engine, dict[str, LengthRuntime]]:
    runtimes: dict[str, LengthRuntime] = {}

    def make(checkpoint: Any) -> LengthRuntime:
        runtimes[checkpoint.task] = LengthRuntime(checkpoint)
        return runtimes[checkpoint.task]

    return Engine(device="cpu", models=GOLDEN_MODELS, make_runtime=make), runtimes


def test_one_new_label_of_ten_is_one_row(counted: tuple[Engine, dict[str, LengthRuntime]]) -> None:
    engine, runtimes = counted
    labels = [f"标签{number}号" for number in range(10)]
    before = engine.zero_shot(["世界那么大"], labels=labels)
    runtime = runtimes["zero_shot"]
    assert runtime.inputs == 10
    assert engine.zero_shot(["世界那么大"], labels=labels) == before
    assert runtime.inputs == 10
    changed = engine.zero_shot(["世界那么大"], labels=[*labels[:9], "别的"])
    assert runtime.inputs == 11
    assert [row[0] for row in changed[0].logits[:9]] == [row[0] for row in before[0].logits[:9]]
    assert engine.cache_statistics().hits == 19


def test_without_a_cache(golden_models: dict[str, str]) -> None:
    with Engine(device="cpu", precision="fp32", models=golden_models, cache_mib=0) as engine:
        assert engine.sentiment(["好"])[0].positive == engine.sentiment(["好"])[0].positive
        assert engine.cache_statistics().hits == 0


def test_the_same_answers_with_and_without(golden_engine: Engine, golden_models: dict[str, str]) -> None:
    texts = [f"第{number % 7}条" * (1 + number % 3) for number in range(30)]
    with Engine(device="cpu", precision="fp32", models=golden_models, cache_mib=0) as plain:
        expected = [result.positive for result in plain.sentiment(texts)]
        vectors = plain.embed(texts)
    for _ in range(2):
        assert [each.positive for each in golden_engine.sentiment(texts)] == pytest.approx(expected, abs=1e-6)
        assert golden_engine.embed(texts) == pytest.approx(vectors, abs=1e-5)


def test_many_threads(golden_engine: Engine) -> None:
    texts = [f"第{number % 11}条" for number in range(200)]
    expected = {text: golden_engine.sentiment([text])[0].positive for text in set(texts)}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda text: golden_engine.sentiment([text])[0].positive, texts))
    assert answers == [expected[text] for text in texts]


def test_a_failed_label_fails_its_text_through_the_cache(golden_models: dict[str, str]) -> None:
    engine = Engine(device="cpu", models=golden_models, make_runtime=FailingRuntime)
    engine.zero_shot(["天气"], labels=["体育"])  # cached, so that the remaining rows have other indices
    with pytest.raises(ForwardError) as caught:
        engine.zero_shot(["天气", "天"], labels=["体育", "体"])
    assert set(caught.value.failed) == {1}
