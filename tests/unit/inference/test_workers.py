"""Single-threaded workers: other threads are not affected, and errors and stops are clean."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import torch

from wenmo.inference.workers import WorkerPool


def test_only_the_workers_are_single_threaded() -> None:
    """Every new thread takes the number that torch was last set to: left at 1, the service would be slow."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        pool = WorkerPool(2)
        assert set(pool.map(lambda _: torch.get_num_threads(), range(8))) == {1}
        assert torch.get_num_threads() == 3
        with ThreadPoolExecutor(1) as later:
            assert later.submit(torch.get_num_threads).result() == 3
    finally:
        torch.set_num_threads(before)


def test_all_of_them_work_at_once() -> None:
    together = threading.Barrier(3, timeout=10)
    pool = WorkerPool(3)
    assert sorted(pool.map(lambda item: (together.wait(), item)[1], range(3))) == [0, 1, 2]


def test_an_error_stops_what_has_not_begun() -> None:
    begun = []

    def work(item: int) -> int:
        begun.append(item)
        time.sleep(0.005)
        if item == 3:
            raise ValueError("three")
        return item

    with pytest.raises(ValueError, match="three"):
        list(WorkerPool(1).map(work, range(1000)))
    assert len(begun) < 1000


def test_a_caller_that_goes_away_waits_for_what_has_begun() -> None:
    begun, ended = [], []

    def work(item: int) -> None:
        begun.append(item)
        time.sleep(0.005)
        ended.append(item)

    with closing(WorkerPool(2).map(work, range(1000))) as results:
        next(results)
    assert len(begun) < 1000
    assert sorted(begun) == sorted(ended)  # nothing runs on


def test_callers_take_turns() -> None:
    """A short list does not wait for another caller's long one to finish."""
    pool = WorkerPool(1)
    order: list[str] = []

    def work(name: str) -> str:
        time.sleep(0.002)
        order.append(name)
        return name

    first = pool.map(work, ["long"] * 100)
    next(first)
    assert list(pool.map(work, ["short", "short"])) == ["short", "short"]
    assert len(order) < 20
    assert len(list(first)) == 99
