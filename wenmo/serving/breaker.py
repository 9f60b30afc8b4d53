"""A circuit breaker: what failed several times in a row is left alone for a while, then tried by one caller.

    closed ──(failures in a row)──> open ──(cool-down is over)──> half-open ──(success)──> closed
                                     ^──────────────(failure)────────┘

So callers wait for a broken neighbour a bounded number of times, not at each call. (Nygard, Release It!, 2007, ch. 5.)
It knows nothing about what is called; each change of state is one line in the log, a call is none.
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
    """Ask `allows` before each call, and tell `succeeded` or `failed` after each that was allowed. Any thread may."""

    def __init__(
        self,
        name: str,
        *,
        failures: int,
        cool_down_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`name` begins the lines in the log; `failures` in a row open it, for `cool_down_s`."""
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
        """An open one stays so until the first call after the cool-down."""
        return self._state

    def allows(self) -> bool:
        """Whether to call now. The one caller that is let through half-open must report how it went."""
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
        """`reason` goes into the log: no secret may be in it."""
        with self._lock:
            self._failures += 1
            if self._state == "half_open" or (self._state == "closed" and self._failures >= self._limit):
                self._state = "open"
                self._opened_at = self._clock()
                log.warning("%s: %s; left alone for %g s", self._name, reason, self._cool_down_s)
