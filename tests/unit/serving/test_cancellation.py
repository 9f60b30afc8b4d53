"""A cancelled call that is not computed yet stops at once, and does not affect others."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import numpy as np
import pytest

from tests.unit.serving.test_scheduler import WAIT_S, _Crowd, _encoding, _Runtime
from wenmo.serving.cancellation import Cancellation, current
from wenmo.tokenizer import Encoding


def cancellable(crowd: _Crowd, *encodings: Encoding) -> tuple[Cancellation, Future[Any]]:
    """A call in a context with its own cancellation, as in a server."""
    cancellation = Cancellation()
    context = copy_context()
    context.run(current.set, cancellation)
    pool = ThreadPoolExecutor(1)
    return cancellation, pool.submit(context.run, crowd.scheduled.logits, list(encodings))


def until_waiting(crowd: _Crowd, count: int) -> None:
    while crowd.scheduled.statistics().waiting < count:
        threading.Event().wait(0.001)


def test_a_waiting_call_that_is_given_up_leaves_the_queue_at_once() -> None:
    crowd = _Crowd(_Runtime())
    cancellation, given_up = cancellable(crowd, _encoding(7))
    until_waiting(crowd, 1)
    other = crowd.wait(_encoding(8))
    cancellation.cancel()
    with pytest.raises(CancelledError):
        given_up.result(WAIT_S)  # while the leader still computes
    statistics = crowd.scheduled.statistics()
    assert (statistics.waiting, statistics.waiting_tokens, statistics.turned_away) == (1, 2, 0)
    crowd.release()
    assert other.result(WAIT_S).tolist() == [[8.0]]
    assert crowd.runtime.forwards == [[1], [8]]


def test_what_was_given_up_before_it_waits_does_not_wait() -> None:
    crowd = _Crowd(_Runtime())
    cancellation = Cancellation()
    cancellation.cancel()
    context = copy_context()
    context.run(current.set, cancellation)
    with pytest.raises(CancelledError):
        context.run(crowd.scheduled.logits, [_encoding(7)])
    crowd.release()
    crowd.leader.result(WAIT_S)
    assert crowd.runtime.forwards == [[1]]


def test_a_call_in_a_batch_is_computed_with_it() -> None:
    """The leader cannot stop, as its forward also computes other calls."""
    runtime = _Runtime()
    crowd = _Crowd(runtime)
    cancellation, taken = cancellable(crowd, _encoding(7))
    until_waiting(crowd, 1)
    began, hold = threading.Event(), threading.Event()

    def block(ids: list[int]) -> None:
        if 7 in ids:
            began.set()
            assert hold.wait(WAIT_S)

    runtime.fail = block
    crowd.release()
    assert began.wait(WAIT_S)
    cancellation.cancel()
    hold.set()
    assert np.asarray(taken.result(WAIT_S)).tolist() == [[7.0]]


def test_a_long_call_stops_after_the_batch() -> None:
    runtime = _Runtime(tokens=3)
    runtime.hold.set()
    crowd = _Crowd(runtime)
    crowd.leader.result(WAIT_S)
    runtime.hold.clear()
    runtime.entered.clear()
    cancellation, long = cancellable(crowd, _encoding(7), _encoding(8))
    assert runtime.entered.wait(WAIT_S)
    cancellation.cancel()
    runtime.hold.set()
    with pytest.raises(CancelledError):
        long.result(WAIT_S)
