"""The states of the circuit breaker, with a simulated clock."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from wenmo.serving.breaker import CircuitBreaker


class _Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def breaker(clock: _Clock) -> CircuitBreaker:
    return CircuitBreaker("the neighbour", failures=3, cool_down_s=10, clock=clock)


def _fail(breaker: CircuitBreaker, times: int) -> None:
    for _ in range(times):
        assert breaker.allows()
        breaker.failed("away")


def test_only_failures_in_a_row_open_it(breaker: CircuitBreaker) -> None:
    _fail(breaker, 2)
    assert breaker.allows()
    breaker.succeeded()
    _fail(breaker, 2)
    assert breaker.state == "closed"
    _fail(breaker, 1)
    assert breaker.state == "open"
    assert not breaker.allows()


def test_one_caller_tries_after_the_cool_down(breaker: CircuitBreaker, clock: _Clock) -> None:
    _fail(breaker, 3)
    clock.now += 9.9
    assert not breaker.allows()
    clock.now += 0.2
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _: breaker.allows(), range(50))) == 1
    assert breaker.state == "half_open"
    breaker.failed("still away")
    assert not breaker.allows()
    clock.now += 10
    assert breaker.allows()
    breaker.succeeded()
    assert breaker.state == "closed"
    assert breaker.allows() and breaker.allows()


def test_calls_that_began_before_it_opened_do_not_move_it(breaker: CircuitBreaker, clock: _Clock) -> None:
    """Many threads may time out together: late failures must not delay the next attempt, nor late successes end it."""
    _fail(breaker, 3)
    clock.now += 9
    breaker.failed("late")
    breaker.succeeded()
    assert breaker.state == "open"
    clock.now += 1
    assert breaker.allows()


def test_a_line_for_each_change_and_none_for_a_call(
    breaker: CircuitBreaker, clock: _Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    _fail(breaker, 3)
    for _ in range(20):
        breaker.allows()
    clock.now += 10
    assert breaker.allows()
    for _ in range(20):
        breaker.succeeded()
    assert caplog.messages == [
        "the neighbour: away; left alone for 10 s",
        "the neighbour: tried again",
        "the neighbour: works again",
    ]
