"""Calls that share a batch: every caller gets its own results and errors, none waits needlessly or for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from wenmo import BusyError, Engine
from wenmo.inference.runtime import OnBatch, PartialOutputError
from wenmo.serving.scheduler import ScheduledRuntime
from wenmo.tokenizer import Encoding
from wenmo.types import Resolved, SchedulerLimits

WAIT_S = 20.0  # for what must happen; none of it takes a tenth of this


class _Runtime:
    """The row of an input is its first id. The first forward waits for `hold`; then `fail` may raise."""

    def __init__(self, *, tokens: int = 100) -> None:
        self.hold, self.entered = threading.Event(), threading.Event()
        self.forwards: list[list[int]] = []
        self.fail: Callable[[list[int]], None] = lambda ids: None
        self._tokens = tokens

    def logits(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
        ids = [encoding.input_ids[0] for encoding in encodings]
        self.forwards.append(ids)
        self.entered.set()
        assert self.hold.wait(WAIT_S)
        self.fail(ids)
        if on_batch is not None:
            on_batch(len(encodings))
        return np.asarray(ids, dtype=np.float32)[:, None]

    def vectors(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
        return -self.logits(encodings, on_batch=on_batch)

    def batch_tokens(self) -> Resolved[int]:
        return Resolved(value=self._tokens, reason="a test", reason_zh="测试")


def _until(happened: Callable[[], bool]) -> None:
    """Waits until the condition is true; fails after a time-out."""
    end = time.monotonic() + WAIT_S
    while not happened():
        assert time.monotonic() < end
        threading.Event().wait(0.001)


def _encoding(number: int, length: int = 2) -> Encoding:
    return Encoding(input_ids=(number,) * length, segment_b=0, truncated=False)


class _Crowd:
    """A leader that is being computed, and the calls that `wait` behind it."""

    def __init__(self, runtime: _Runtime, limits: SchedulerLimits | None = None) -> None:
        self.runtime, self.scheduled = runtime, ScheduledRuntime(runtime, limits)
        self._pool = ThreadPoolExecutor(64)
        self.leader = self._pool.submit(self.scheduled.logits, [_encoding(1)])
        assert runtime.entered.wait(WAIT_S)

    def submit(self, *encodings: Encoding, kind: str = "logits", **more: Any) -> Any:
        return self._pool.submit(getattr(self.scheduled, kind), list(encodings), **more)

    def wait(self, *encodings: Encoding, **more: Any) -> Any:
        """Start a small call; returns when it waits in the queue or was rejected."""
        before = self.scheduled.statistics().waiting
        future = self.submit(*encodings, **more)
        while self.scheduled.statistics().waiting == before and not future.done():
            threading.Event().wait(0.001)
        return future

    def release(self) -> None:
        self.runtime.hold.set()


def test_a_lone_call_is_computed_at_once() -> None:
    runtime = _Runtime()
    runtime.hold.set()
    told: list[int] = []
    scheduled = ScheduledRuntime(runtime)
    assert scheduled.logits([_encoding(7), _encoding(8)], on_batch=told.append).tolist() == [[7], [8]]
    assert (runtime.forwards, told) == ([[7, 8]], [2])


def test_who_waits_is_computed_together() -> None:
    crowd = _Crowd(_Runtime())
    told: list[int] = []
    waiting = [crowd.wait(_encoding(number), _encoding(number + 50), on_batch=told.append) for number in range(10, 20)]
    crowd.release()
    assert [future.result(WAIT_S).tolist() for future in waiting] == [[[n], [n + 50]] for n in range(10, 20)]
    assert len(crowd.runtime.forwards) == 2 and len(crowd.runtime.forwards[1]) == 20
    assert told == [2] * 10
    statistics = crowd.scheduled.statistics()
    assert (statistics.calls, statistics.joined, statistics.forwards) == (11, 9, 2)
    assert (statistics.waiting, statistics.waiting_tokens) == (0, 0)


def test_a_batch_takes_what_fits_and_no_vectors_among_logits() -> None:
    crowd = _Crowd(_Runtime(tokens=10))
    waiting = [crowd.wait(_encoding(10, 6)), crowd.wait(_encoding(11, 6)), crowd.wait(_encoding(12, 4))]
    vectors = crowd.wait(_encoding(13, 2), kind="vectors")
    crowd.release()
    assert [future.result(WAIT_S).tolist() for future in waiting] == [[[10]], [[11]], [[12]]]
    assert vectors.result(WAIT_S).tolist() == [[-13]]
    assert sorted(map(sorted, crowd.runtime.forwards)) == [[1], [10, 12], [11], [13]]


def test_as_many_lead_as_may_and_no_more() -> None:
    runtime = _Runtime()
    scheduled = ScheduledRuntime(runtime, leaders=2)

    def waiting() -> int:
        return scheduled.statistics().waiting

    with ThreadPoolExecutor(8) as pool:
        leaders = [pool.submit(scheduled.logits, [_encoding(number)]) for number in (1, 2)]
        _until(lambda: len(runtime.forwards) == 2)  # neither waits for the other
        others = [pool.submit(scheduled.logits, [_encoding(number)]) for number in (10, 11, 12)]
        _until(lambda: waiting() == 3)
        assert len(runtime.forwards) == 2
        runtime.hold.set()
        assert [future.result(WAIT_S).item() for future in (*leaders, *others)] == [1, 2, 10, 11, 12]
        assert len(runtime.forwards) <= 4  # the three that waited, by one leader or by both
        # Both leads are free again: two calls at once, but not three.
        runtime.hold.clear()
        runtime.forwards.clear()
        again = [pool.submit(scheduled.logits, [_encoding(number)]) for number in (3, 4)]
        _until(lambda: len(runtime.forwards) == 2)
        again.append(pool.submit(scheduled.logits, [_encoding(5)]))
        _until(lambda: waiting() == 1)
        assert len(runtime.forwards) == 2
        runtime.hold.set()
        assert [future.result(WAIT_S).item() for future in again] == [3, 4, 5]


def test_a_long_call_does_not_wait() -> None:
    crowd = _Crowd(_Runtime(tokens=10))
    crowd.runtime.entered.clear()
    long = crowd.submit(_encoding(9, 6), _encoding(8, 6))
    assert crowd.runtime.entered.wait(WAIT_S)  # while the leader is still being computed
    assert crowd.runtime.forwards == [[1], [9, 8]]
    crowd.release()
    assert long.result(WAIT_S).tolist() == [[9], [8]]


def test_an_input_that_fails_is_its_own_callers_error() -> None:
    crowd = _Crowd(_Runtime())

    def fail(ids: list[int]) -> None:
        if 66 in ids:
            output = np.asarray(ids, dtype=np.float32)[:, None]
            raise PartialOutputError({ids.index(66): MemoryError("66")}, output)

    crowd.runtime.fail = fail
    good, bad, after = crowd.wait(_encoding(10)), crowd.wait(_encoding(20), _encoding(66)), crowd.wait(_encoding(30))
    crowd.release()
    assert (good.result(WAIT_S).tolist(), after.result(WAIT_S).tolist()) == ([[10]], [[30]])
    with pytest.raises(PartialOutputError) as caught:
        bad.result(WAIT_S)
    assert set(caught.value.failed) == {1} and caught.value.output[0] == 20


def test_a_forward_that_fails_as_a_whole_is_tried_for_each_alone() -> None:
    crowd = _Crowd(_Runtime())

    def fail(ids: list[int]) -> None:
        if 66 in ids:
            raise ValueError("66")

    crowd.runtime.fail = fail
    good, bad = crowd.wait(_encoding(10)), crowd.wait(_encoding(66))
    crowd.release()
    assert good.result(WAIT_S).tolist() == [[10]]
    with pytest.raises(ValueError, match="66"):
        bad.result(WAIT_S)
    assert crowd.scheduled.logits([_encoding(3)]).tolist() == [[3]]


def test_an_interrupted_leader_takes_nobody_with_it() -> None:
    """After a KeyboardInterrupt in the leader's thread, the next leader computes the other calls."""
    crowd = _Crowd(_Runtime())

    def fail(ids: list[int]) -> None:
        if 10 in ids and len(ids) == 3:
            raise KeyboardInterrupt

    crowd.runtime.fail = fail
    first, *others = [crowd.wait(_encoding(number)) for number in (10, 20, 30)]
    crowd.release()
    assert [other.result(WAIT_S).tolist() for other in others] == [[[20]], [[30]]]
    assert isinstance(first.exception(WAIT_S), KeyboardInterrupt)


def test_who_waits_for_too_long_leaves() -> None:
    crowd = _Crowd(_Runtime(), SchedulerLimits(wait_s=0.05))
    with pytest.raises(BusyError, match=r"0\.05 s") as caught:
        crowd.wait(_encoding(10)).result(WAIT_S)
    assert caught.value.retry_after_s == 0.05
    crowd.release()
    assert crowd.leader.result(WAIT_S).tolist() == [[1]]
    assert crowd.scheduled.logits([_encoding(2)]).tolist() == [[2]]
    assert crowd.runtime.forwards == [[1], [2]]  # the call that left was not computed
    assert crowd.scheduled.statistics().turned_away == 1


def test_a_full_queue_turns_away_at_once() -> None:
    crowd = _Crowd(_Runtime(), SchedulerLimits(waiting_tokens=5))
    first = crowd.wait(_encoding(10, 4))
    with pytest.raises(BusyError, match="4 tokens"):
        crowd.wait(_encoding(11, 2)).result(WAIT_S)
    crowd.release()
    assert first.result(WAIT_S).tolist() == [[10]]


def test_no_part_of_a_long_list_queues(golden_models: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that is rejected at its last window would have been computed for nothing."""
    monkeypatch.setattr("wenmo.engine.pipeline._WINDOW_ENCODINGS", 8)
    with Engine(device="cpu", models=golden_models, cache_mib=0) as engine:
        assert len(engine.sentiment([f"第{number}件" for number in range(20)])) == 20
        assert engine.scheduler_statistics()["sentiment"].calls == 0
        engine.sentiment(["一件"])
        assert engine.scheduler_statistics()["sentiment"].calls == 1


def test_many_threads_get_the_answers_that_one_gets(golden_models: dict[str, str]) -> None:
    """The real forward under load: hundreds of calls, each compared with its result when computed alone."""
    texts = [f"第{number}件商品{'真的' * (number % 7)}很好" for number in range(300)]
    with Engine(device="cpu", models=golden_models, cache_mib=0) as engine:
        alone = np.asarray([engine.sentiment([text])[0].logits[0] for text in texts])
        with ThreadPoolExecutor(50) as pool:
            together = np.asarray([r[0].logits[0] for r in pool.map(lambda text: engine.sentiment([text]), texts)])
        statistics = engine.scheduler_statistics()["sentiment"]
    assert together == pytest.approx(alone, abs=1e-5)
    assert statistics.joined > 0 and statistics.calls == 600
    assert statistics.forwards + statistics.joined == 600


def test_forwards_are_counted_by_size() -> None:
    """One call with one input alone, then three calls with four inputs together; two tokens per input."""
    crowd = _Crowd(_Runtime())
    waiting = [crowd.wait(_encoding(10)), crowd.wait(_encoding(11), _encoding(12)), crowd.wait(_encoding(13))]
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
    crowd = _Crowd(_Runtime())
    waiting = crowd.wait(_encoding(10))
    threading.Event().wait(0.05)
    crowd.release()
    waiting.result(WAIT_S)
    crowd.leader.result(WAIT_S)
    statistics = crowd.scheduled.statistics()
    durations = sorted(zip(statistics.waited_s, statistics.computed_s, strict=True))
    assert len(durations) == 2
    (leader_waited, leader_computed), (waited, _) = durations
    assert leader_waited < 0.05 <= leader_computed
    assert waited >= 0.05


def test_a_long_call_is_a_forward_that_never_waits() -> None:
    runtime = _Runtime(tokens=3)
    runtime.hold.set()
    scheduled = ScheduledRuntime(runtime)
    scheduled.logits([_encoding(1), _encoding(2)])
    statistics = scheduled.statistics()
    assert (statistics.forwards, statistics.inputs_per_forward.total) == (1, 2)
    assert len(statistics.waited_s) == 1


def test_durations_are_bounded_and_of_answered_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wenmo.serving.scheduler._RECENT", 3)
    runtime = _Runtime()
    runtime.hold.set()

    def fail(ids: list[int]) -> None:
        if 66 in ids:
            raise ValueError("66")

    runtime.fail = fail
    scheduled = ScheduledRuntime(runtime)
    with pytest.raises(ValueError, match="66"):
        scheduled.logits([_encoding(66)])
    assert scheduled.statistics().waited_s == ()
    for number in range(5):
        scheduled.logits([_encoding(number)])
    statistics = scheduled.statistics()
    assert (len(statistics.waited_s), len(statistics.computed_s), statistics.forwards) == (3, 3, 6)
