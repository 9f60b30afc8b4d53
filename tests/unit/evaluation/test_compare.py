"""Two engines on the same inputs: whose answers are whose, and where they differ."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.fakes import LengthRuntime
from wenmo import Engine, InputError, SentimentResult
from wenmo.evaluation.compare import compare, decision, distribution
from wenmo.models.checkpoint import Checkpoint


class TurnedRuntime(LengthRuntime):
    """Long texts (seven tokens and more) get the other answer."""

    def logits(self, encodings, *, on_batch=None):  # type: ignore[no-untyped-def]
        output = super().logits(encodings, on_batch=on_batch)
        for row, encoding in zip(output, encodings, strict=True):
            row[:2] = (0.0, 2.0) if len(encoding) >= 7 else (2.0, 0.0)
        return output


class SureRuntime(LengthRuntime):
    """Everything is negative."""

    def logits(self, encodings, *, on_batch=None):  # type: ignore[no-untyped-def]
        output = super().logits(encodings, on_batch=on_batch)
        output[:, :2] = (2.0, 0.0)
        return output


def _engine(golden_models: dict[str, str], runtime: type[LengthRuntime], made: list[LengthRuntime]) -> Engine:
    def make(checkpoint: Checkpoint) -> LengthRuntime:
        made.append(runtime(checkpoint))
        return made[-1]

    return Engine(device="cpu", models=golden_models, make_runtime=make, cache_mib=0, calibrated=False)


def _mood(engine: Engine, texts: Sequence[str]) -> Sequence[SentimentResult]:
    return engine.sentiment(texts)


def test_where_they_differ(golden_models: dict[str, str]) -> None:
    """softmax(2, 0) is 0.88: turned round the difference is 0.76."""
    made: list[LengthRuntime] = []
    first, second = (_engine(golden_models, runtime, made) for runtime in (SureRuntime, TurnedRuntime))
    told: list[tuple[int, int]] = []
    compared = compare(
        first, second, "sentiment", ["好", "长长长长长长长", "坏"], _mood, progress=lambda *step: told.append(step)
    )
    assert compared.differing == (1,)
    assert compared.agreement == pytest.approx(2 / 3)
    assert compared.differences == pytest.approx([0.0, 0.7616, 0.0], abs=1e-4)
    assert [result.label for result in compared.first.results] == ["负面"] * 3
    assert [result.label for result in compared.second.results] == ["负面", "正面", "负面"]
    assert compared.first.weights_mib is None  # a runtime that cannot tell
    # Each was asked once for the first text, and as often as the other for all.
    assert [each.inputs for each in made] == [1 + 3 * compared.rounds] * 2
    assert told[0] == (0, 2) and told[-1] == (2 * compared.rounds, 2 * compared.rounds)


def test_a_precision_against_another(golden_models: dict[str, str]) -> None:
    given = {"device": "cpu", "models": golden_models, "cache_mib": 0}
    with Engine(precision="fp32", **given) as single, Engine(precision="fp16", **given) as half:  # type: ignore[arg-type]
        compared = compare(
            single, half, "similarity", [("雨", "雪"), ("晴", "晴")], lambda e, pairs: e.similarity(pairs)
        )
    first, second = compared.first, compared.second
    assert (first.precision.value, second.precision.value) == ("fp32", "fp16")
    assert first.parameters == second.parameters
    assert first.weights_mib == pytest.approx(4 * first.parameters / 2**20, rel=0.01)
    assert first.weights_mib is not None and second.weights_mib is not None
    assert second.weights_mib < 0.6 * first.weights_mib
    assert 0 < max(compared.differences) < 0.01


def test_stopping(golden_models: dict[str, str]) -> None:
    made: list[LengthRuntime] = []
    engines = [_engine(golden_models, SureRuntime, made) for _ in range(2)]

    def stop(done: int, of: int) -> None:
        if done == 1:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        compare(*engines, "sentiment", ["好"], _mood, progress=stop)
    assert [each.calls for each in made] == [2, 1]


def test_nothing_to_compare_on(golden_engine: Engine) -> None:
    with pytest.raises(InputError, match="nothing to compare"):
        compare(golden_engine, golden_engine, "sentiment", [], _mood)


def test_labels_of_other_names_are_no_difference(golden_engine: Engine) -> None:
    """What counts is which of the two it is, not what a model calls it."""
    (result,) = golden_engine.sentiment(["今天"])
    assert distribution(result) == {"positive": result.positive, "negative": 1 - result.positive}
    (zero_shot,) = golden_engine.zero_shot(["今天"], labels="甲，乙，丙")
    assert decision(distribution(zero_shot)) == zero_shot.label
