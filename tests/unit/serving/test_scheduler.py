"""Calls that share a batch: every caller gets its own results and errors, none waits needlessly or for ever."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.crowd import Crowd, HeldRuntime, encoding
from tests.waiting import WAIT_S, until
from wenmo import BusyError, Engine
from wenmo.inference.runtime import PartialOutputError
from wenmo.serving.scheduler import ScheduledRuntime
from wenmo.types import SchedulerLimits


def test_a_lone_call_is_computed_at_once() -> None:
    runtime = HeldRuntime()
    runtime.hold.set()
    told: list[int] = []
    scheduled = ScheduledRuntime(runtime)
    assert scheduled.logits([encoding(7), encoding(8)], on_batch=told.append).tolist() == [[7], [8]]
    assert (runtime.forwards, told) == ([[7, 8]], [2])


def test_who_waits_is_computed_together() -> None:
    crowd = Crowd(HeldRuntime())
    told: list[int] = []
    waiting = [crowd.wait(encoding(number), encoding(number + 50), on_batch=told.append) for number in range(10, 20)]
    crowd.release()
    assert [future.result(WAIT_S).tolist() for future in waiting] == [[[n], [n + 50]] for n in range(10, 20)]
    assert len(crowd.runtime.forwards) == 2 and len(crowd.runtime.forwards[1]) == 20
    assert told == [2] * 10
    statistics = crowd.scheduled.statistics()
    assert (statistics.calls, statistics.joined, statistics.forwards) == (11, 9, 2)
    assert (statistics.waiting, statistics.waiting_tokens) == (0, 0)


def test_a_batch_takes_what_fits_and_no_vectors_among_logits() -> None:
    crowd = Crowd(HeldRuntime(tokens=10))
    waiting = [crowd.wait(encoding(10, 6)), crowd.wait(encoding(11, 6)), crowd.wait(encoding(12, 4))]
    vectors = crowd.wait(encoding(13, 2), kind="vectors")
    crowd.release()
    assert [future.result(WAIT_S).tolist() for future in waiting] == [[[10]], [[11]], [[12]]]
    assert vectors.result(WAIT_S).tolist() == [[-13]]
    assert sorted(map(sorted, crowd.runtime.forwards)) == [[1], [10, 12], [11], [13]]


def test_as_many_lead_as_may_and_no_more() -> None:
    runtime = HeldRuntime()
    scheduled = ScheduledRuntime(runtime, leaders=2)

    def waiting() -> int:
        return scheduled.statistics().waiting

    with ThreadPoolExecutor(8) as pool:
        leaders = [pool.submit(scheduled.logits, [encoding(number)]) for number in (1, 2)]
        until(lambda: len(runtime.forwards) == 2)  # neither waits for the other
        others = [pool.submit(scheduled.logits, [encoding(number)]) for number in (10, 11, 12)]
        until(lambda: waiting() == 3)
        assert len(runtime.forwards) == 2
        runtime.hold.set()
        assert [future.result(WAIT_S).item() for future in (*leaders, *others)] == [1, 2, 10, 11, 12]
        assert len(runtime.forwards) <= 4  # the three that waited, by one leader or by both
        # Both leads are free again: two calls at once, but not three.
        runtime.hold.clear()
        runtime.forwards.clear()
        again = [pool.submit(scheduled.logits, [encoding(number)]) for number in (3, 4)]
        until(lambda: len(runtime.forwards) == 2)
        again.append(pool.submit(scheduled.logits, [encoding(5)]))
        until(lambda: waiting() == 1)
        assert len(runtime.forwards) == 2
        runtime.hold.set()
        assert [future.result(WAIT_S).item() for future in again] == [3, 4, 5]


def test_a_long_call_does_not_wait() -> None:
    crowd = Crowd(HeldRuntime(tokens=10))
    crowd.runtime.entered.clear()
    long = crowd.submit(encoding(9, 6), encoding(8, 6))
    assert crowd.runtime.entered.wait(WAIT_S)  # while the leader is still being computed
    assert crowd.runtime.forwards == [[1], [9, 8]]
    crowd.release()
    assert long.result(WAIT_S).tolist() == [[9], [8]]


def test_an_input_that_fails_is_its_own_callers_error() -> None:
    crowd = Crowd(HeldRuntime())

    def fail(ids: list[int]) -> None:
        if 66 in ids:
            output = np.asarray(ids, dtype=np.float32)[:, None]
            raise PartialOutputError({ids.index(66): MemoryError("66")}, output)

    crowd.runtime.fail = fail
    good, bad, after = crowd.wait(encoding(10)), crowd.wait(encoding(20), encoding(66)), crowd.wait(encoding(30))
    crowd.release()
    assert (good.result(WAIT_S).tolist(), after.result(WAIT_S).tolist()) == ([[10]], [[30]])
    with pytest.raises(PartialOutputError) as caught:
        bad.result(WAIT_S)
    assert set(caught.value.failed) == {1} and caught.value.output[0] == 20


def test_a_forward_that_fails_as_a_whole_is_tried_for_each_alone() -> None:
    crowd = Crowd(HeldRuntime())

    def fail(ids: list[int]) -> None:
        if 66 in ids:
            raise ValueError("66")

    crowd.runtime.fail = fail
    good, bad = crowd.wait(encoding(10)), crowd.wait(encoding(66))
    crowd.release()
    assert good.result(WAIT_S).tolist() == [[10]]
    with pytest.raises(ValueError, match="66"):
        bad.result(WAIT_S)
    assert crowd.scheduled.logits([encoding(3)]).tolist() == [[3]]


def test_an_interrupted_leader_takes_nobody_with_it() -> None:
    """After a KeyboardInterrupt in the leader's thread, the next leader computes the other calls."""
    crowd = Crowd(HeldRuntime())

    def fail(ids: list[int]) -> None:
        if 10 in ids and len(ids) == 3:
            raise KeyboardInterrupt

    crowd.runtime.fail = fail
    first, *others = [crowd.wait(encoding(number)) for number in (10, 20, 30)]
    crowd.release()
    assert [other.result(WAIT_S).tolist() for other in others] == [[[20]], [[30]]]
    assert isinstance(first.exception(WAIT_S), KeyboardInterrupt)


def test_who_waits_for_too_long_leaves() -> None:
    crowd = Crowd(HeldRuntime(), SchedulerLimits(wait_s=0.05))
    with pytest.raises(BusyError, match=r"0\.05 s") as caught:
        crowd.wait(encoding(10)).result(WAIT_S)
    assert caught.value.retry_after_s == 0.05
    crowd.release()
    assert crowd.leader.result(WAIT_S).tolist() == [[1]]
    assert crowd.scheduled.logits([encoding(2)]).tolist() == [[2]]
    assert crowd.runtime.forwards == [[1], [2]]  # the call that left was not computed
    assert crowd.scheduled.statistics().turned_away == 1


def test_a_full_queue_turns_away_at_once() -> None:
    crowd = Crowd(HeldRuntime(), SchedulerLimits(waiting_tokens=5))
    first = crowd.wait(encoding(10, 4))
    with pytest.raises(BusyError, match="4 tokens"):
        crowd.wait(encoding(11, 2)).result(WAIT_S)
    crowd.release()
    assert first.result(WAIT_S).tolist() == [[10]]


def test_no_part_of_a_long_list_queues(golden_models: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that is rejected at its last window would have been computed for nothing."""
    monkeypatch.setattr("wenmo.engine.pipeline._WINDOW_ENCODINGS", 8)
    with Engine(device="cpu", precision="fp32", models=golden_models, cache_mib=0) as engine:
        assert len(engine.sentiment([f"第{number}件" for number in range(20)])) == 20
        assert engine.scheduler_statistics()["sentiment"].calls == 0
        engine.sentiment(["一件"])
        assert engine.scheduler_statistics()["sentiment"].calls == 1


def test_many_threads_get_the_answers_that_one_gets(golden_models: dict[str, str]) -> None:
    """The real forward under load: hundreds of calls, each compared with its result when computed alone."""
    texts = [f"第{number}件商品{'真的' * (number % 7)}很好" for number in range(300)]
    with Engine(device="cpu", precision="fp32", models=golden_models, cache_mib=0) as engine:
        alone = np.asarray([engine.sentiment([text])[0].logits[0] for text in texts])
        with ThreadPoolExecutor(50) as pool:
            together = np.asarray([r[0].logits[0] for r in pool.map(lambda text: engine.sentiment([text]), texts)])
        statistics = engine.scheduler_statistics()["sentiment"]
    assert together == pytest.approx(alone, abs=1e-5)
    assert statistics.joined > 0 and statistics.calls == 600
    assert statistics.forwards + statistics.joined == 600


def test_forwards_are_counted_by_size() -> None:
    """One call with one input alone, then three calls with four inputs together; two tokens per input."""
    crowd = Crowd(HeldRuntime())
    waiting = [crowd.wait(encoding(10)), crowd.wait(encoding(11), encoding(12)), crowd.wait(encoding(13))]
    crowd.release()
    for future in waiting:
        future.result(WAIT_S)
    statistics = crowd.scheduled.statistics()
    calls, inputs, tokens = (
        dict(zip((*histogram.bounds, None), histogram.counts, strict=True))
        for histogram in (
            statistics.calls_per_forward,
            statistics.inputs_per_forward,
            statistics.tokens_per_forward,
        )
    )
    assert (calls[1], calls[4], sum(calls.values())) == (1, 1, 2)
    assert (inputs[1], inputs[4], sum(inputs.values())) == (1, 1, 2)
    assert tokens[16] == 2
    assert (statistics.inputs_per_forward.total, statistics.tokens_per_forward.total) == (5, 10)


def test_waiting_is_told_from_computing() -> None:
    """A leader does not wait; other calls wait at least as long as the leader computes."""
    crowd = Crowd(HeldRuntime())
    waiting = crowd.wait(encoding(10))
    threading.Event().wait(0.05)
    crowd.release()
    waiting.result(WAIT_S)
    crowd.leader.result(WAIT_S)
    statistics = crowd.scheduled.statistics()
    durations = sorted(zip(statistics.waited_s, statistics.computed_s, strict=True))
    assert len(durations) == 2
    (leader_waited, leader_computed), (waited, _) = durations
    assert leader_computed >= 0.05 and waited >= 0.05  # it was held for so long
    assert leader_waited < leader_computed


def test_a_long_call_is_a_forward_that_never_waits() -> None:
    runtime = HeldRuntime(tokens=3)
    runtime.hold.set()
    scheduled = ScheduledRuntime(runtime)
    scheduled.logits([encoding(1), encoding(2)])
    statistics = scheduled.statistics()
    assert (statistics.forwards, statistics.inputs_per_forward.total) == (1, 2)
    assert len(statistics.waited_s) == 1


def test_durations_are_bounded_and_of_answered_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wenmo.serving.scheduler._RECENT", 3)
    runtime = HeldRuntime()
    runtime.hold.set()

    def fail(ids: list[int]) -> None:
        if 66 in ids:
            raise ValueError("66")

    runtime.fail = fail
    scheduled = ScheduledRuntime(runtime)
    with pytest.raises(ValueError, match="66"):
        scheduled.logits([encoding(66)])
    assert scheduled.statistics().waited_s == ()
    for number in range(5):
        scheduled.logits([encoding(number)])
    statistics = scheduled.statistics()
    assert (len(statistics.waited_s), len(statistics.computed_s), statistics.forwards) == (3, 3, 6)
