"""Work that one visitor at a time may do in this process, such as a race, whose times another race would spoil."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Literal

from wenmo.errors import BusyError


@contextmanager
def alone(what: Literal["race", "pull", "export"]) -> Iterator[None]:
    """Hold the one place for this work. Raises BusyError at once while another visitor holds it."""
    lock = _lock(what)
    if not lock.acquire(blocking=False):
        raise BusyError(
            "Somebody else has started this a moment ago, and it runs for one visitor at a time. Try again shortly.",
            "另一位访客正在运行这一项，一次只能运行一个。请稍后再试。",
            retry_after_s=15,
        )
    try:
        yield
    finally:
        lock.release()


@cache
def _lock(what: str) -> threading.Lock:
    return threading.Lock()
