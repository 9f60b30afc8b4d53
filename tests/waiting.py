"""Waiting for what must happen, and ports that are free: no test has a loop of its own for either."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

WAIT_S = 120.0  # generous, for a busy machine: it ends a wait that would be endless, it measures nothing


def until(
    happened: Callable[[], T],
    *,
    timeout_s: float = WAIT_S,
    every_s: float = 0.01,
    told: Callable[[], object] = lambda: "it never came to that",
    pause: Callable[[float], object] = time.sleep,
) -> T:
    """Asks `happened` until its answer is true, and returns that. Fails after `timeout_s` with what `told` says.

    `pause` waits for so many seconds: a browser's page, which must not stand still meanwhile, has a way of its own.
    """
    end = time.monotonic() + timeout_s
    while not (answer := happened()):
        assert time.monotonic() < end, told()
        pause(every_s)
    return answer


def free_port() -> int:
    """A port on which nobody listens. Another process may take it before its user does."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
