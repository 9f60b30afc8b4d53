"""That the race compares like with like, and counts right. Its times are never asserted."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch

from wenmo import Engine, InputError
from wenmo.lab.race import BATCH, TURNS, Race, Standing, computed_tokens, plan_of, race
from wenmo.lab.race import _Contestant as Contestant
from wenmo.lab.race import _positions as positions
from wenmo.lab.throughput import invented_reviews

STEPS = ("one_by_one", "fixed", "sorted", "packed", "first_only", "workers", "int8")


@pytest.fixture(scope="module")
def bundled() -> tuple[Race, list[Standing]]:
    """Forty texts on the bundled model, with every step."""
    told: list[Standing] = []
    texts = [text[: 5 + 9 * index % 40] for index, text in enumerate(invented_reviews(40))]
    with Engine(device="cpu", precision="fp32") as engine:
        model = engine.model_info("sentiment")
    return race(model, texts, device="cpu", precision="int8", target_s=1e6, progress=told.append), told


def test_every_contestant_gives_the_same_answers(bundled: tuple[Race, list[Standing]]) -> None:
    result, _ = bundled
    in_fp32 = [lane for lane in result.lanes if lane.step != "int8"]
    assert [lane.agreeing for lane in in_fp32] == [40] * len(in_fp32)
    assert max(lane.largest_difference for lane in in_fp32) < 1e-4
    assert result.lane("int8").agreeing >= 36
    assert 0 < result.lane("int8").largest_difference < 0.1  # 8 bits are not nothing, and not everything


def test_every_step_is_there_and_ours_is_last(bundled: tuple[Race, list[Standing]]) -> None:
    """Where torch has one core there are no workers to put side by side."""
    result, _ = bundled
    steps = [step for step in STEPS if step != "workers" or torch.get_num_threads() > 1]
    assert [lane.step for lane in result.lanes] == steps
    assert result.ours is result.lanes[-1]
    assert all(lane.texts_per_s == pytest.approx(40 / lane.seconds) for lane in result.lanes)


def test_padding_is_counted(bundled: tuple[Race, list[Standing]]) -> None:
    """Sorting takes some of it away, packing all; what pads to the limit computes 512 tokens a text."""
    result, _ = bundled
    tokens = {lane.step: lane.computed_tokens for lane in result.lanes}
    assert tokens["one_by_one"] == tokens["packed"] == tokens["int8"] == result.tokens
    assert result.tokens < tokens["sorted"] <= tokens["fixed"] < result.full_length_tokens == 40 * 512


def test_each_goes_through_all_texts_and_they_take_turns(bundled: tuple[Race, list[Standing]]) -> None:
    result, told = bundled
    told = [standing for standing in told if standing.of is not None]
    assert [standing.done for standing in told] == sorted(standing.done for standing in told)
    assert told[-1].done == told[-1].of == 40 * len(result.lanes)
    changes = [step for step, before in zip(told[1:], told, strict=False) if step.step != before.step]
    assert len(changes) >= 3 * len(result.lanes)  # and not one after the other
    last = told[-1].positions
    fastest = min(result.lanes, key=lambda lane: lane.seconds)
    assert last[fastest.step] == pytest.approx(1.0)
    assert all(0 < last[lane.step] <= 1 for lane in result.lanes)
    assert 0 <= result.other_cores < 2 * (os.cpu_count() or 1)


def test_a_plan_holds_every_text_once() -> None:
    texts = ["墨" * (number * 37 % 101) for number in range(3 * BATCH + 5)]
    for step in STEPS:
        assert sorted(index for unit in plan_of(step, texts) for index in unit) == list(range(len(texts)))  # type: ignore[arg-type]
    assert [len(unit) for unit in plan_of("fixed", texts)] == [BATCH, BATCH, BATCH, 5]
    assert plan_of("fixed", texts)[0] == list(range(BATCH))  # as they come
    lengths = [len(texts[index]) for unit in plan_of("sorted", texts) for index in unit]
    assert lengths == sorted(lengths)
    assert len(plan_of("packed", texts)) == TURNS


@pytest.mark.parametrize("texts", [["一"], ["", ""], ["一" * 400, "二"]])
def test_plans_of_few_texts(texts: list[str]) -> None:
    """Empty texts have no length to share out."""
    for step in STEPS:
        plan = plan_of(step, texts)  # type: ignore[arg-type]
        assert all(plan) and sorted(index for unit in plan for index in unit) == list(range(len(texts)))


def test_computed_tokens_by_hand() -> None:
    """Two batches: 2 texts padded to 7, and one of 4."""
    plan = [[0, 1], [2]]
    assert computed_tokens("fixed", plan, [3, 7, 4]) == 2 * 7 + 4
    assert computed_tokens("packed", plan, [3, 7, 4]) == 14


def test_positions_are_at_the_same_time_of_each_clock() -> None:
    """The fast one has used 2 s for all 100 tokens; the slow one 10 s for 50, and had done 10 of them after 2 s."""

    def at(step: str, clock: list[float], tokens: list[int]) -> Contestant:
        return Contestant(step=step, answer=lambda texts: None, clock=clock, tokens=tokens)  # type: ignore[arg-type, return-value]

    slow = at("one_by_one", [0.0, 4.0, 10.0], [0, 20, 50])
    fast = at("workers", [0.0, 1.0, 2.0], [0, 40, 100])
    assert positions([slow, fast], 100) == {"one_by_one": pytest.approx(0.1), "workers": 1.0}


def test_stopping_ends_it(golden_engine: Engine) -> None:
    """What `progress` raises comes out, and nothing more is computed."""
    seen: Iterator[int] = iter(range(100))

    def stop(standing: Standing) -> None:
        if standing.of is not None and next(seen) == 2:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        race(golden_engine.model_info("sentiment"), invented_reviews(8), device="cpu", target_s=1.0, progress=stop)
    assert next(seen) == 3


def test_few_texts_and_none(golden_engine: Engine) -> None:
    """There may be fewer than a batch of them; there must be one."""
    result = race(golden_engine.model_info("sentiment"), ["笔", ""], device="cpu", target_s=1.0)
    assert (result.texts, result.lane("fixed").agreeing) == (2, 2)
    with pytest.raises(InputError, match="no text"):
        race(golden_engine.model_info("sentiment"), [], target_s=1.0)
