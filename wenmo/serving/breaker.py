"""A circuit breaker: after several failures in a row, calls are skipped for a while, then one caller tries again.

    closed ──(failures in a row)──> open ──(cool-down is over)──> half-open ──(success)──> closed
                                     ^──────────────(failure)────────┘

So callers do not wait for the time-out of a broken service at every call. (Nygard, Release It!, 2007, chapter 5.) Each
change of state is one line in the log.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Literal

log = logging.getLogger(__name__)

BreakerState = Literal["closed", "open", "half_open"]
BREAKER_STATES: tuple[BreakerState, ...] = ("closed", "open", "half_open")


class CircuitBreaker:
    """Ask `allows` before each call, and report `succeeded` or `failed` after each allowed one. Thread-safe."""

    def __init__(
        self,
        name: str,
        *,
        failures: int,
        cool_down_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`failures` in a row open it for `cool_down_s`. `name` begins its lines in the log."""
        self._name = name
        self._limit = failures
        self._cool_down_s = cool_down_s
        self._clock = clock
        self._lock = threading.Lock()
        self._state: BreakerState = "closed"
        self._failures = 0  # in a row
        self._opened_at = 0.0

    @property
    def state(self) -> BreakerState:
        """An open breaker stays open until the first `allows` after the cool-down."""
        return self._state

    def allows(self) -> bool:
        """Whether to call now. The one caller that a half-open breaker lets through must report the outcome."""
        with self._lock:
            if self._state == "open" and self._clock() - self._opened_at >= self._cool_down_s:
                self._state = "half_open"
                log.info("%s: tried again", self._name)
                return True
            return self._state == "closed"

    def succeeded(self) -> None:
        with self._lock:
            if self._state == "half_open":
                self._state = "closed"
                log.info("%s: works again", self._name)
            self._failures = 0

    def failed(self, reason: str) -> None:
        """`reason` is logged, so it must not contain secrets."""
        with self._lock:
            self._failures += 1
            if self._state == "half_open" or (self._state == "closed" and self._failures >= self._limit):
                self._state = "open"
                self._opened_at = self._clock()
                log.warning("%s: %s; left alone for %g s", self._name, reason, self._cool_down_s)
