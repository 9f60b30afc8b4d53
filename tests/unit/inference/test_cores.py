"""Workers of one thread each: what they leave alone, and how they end."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import torch

from wenmo.inference.cores import Cores


def test_only_the_workers_are_single_threaded() -> None:
    """The number that torch was set to last is that of every new thread: left at 1, the service would crawl."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        cores = Cores(2)
        assert set(cores.map(lambda _: torch.get_num_threads(), range(8))) == {1}
        assert torch.get_num_threads() == 3
        with ThreadPoolExecutor(1) as later:
            assert later.submit(torch.get_num_threads).result() == 3
    finally:
        torch.set_num_threads(before)


def test_all_of_them_work_at_once() -> None:
    together = threading.Barrier(3, timeout=10)
    cores = Cores(3)
    assert sorted(cores.map(lambda item: (together.wait(), item)[1], range(3))) == [0, 1, 2]


def test_an_error_stops_what_has_not_begun() -> None:
    begun = []

    def work(item: int) -> int:
        begun.append(item)
        time.sleep(0.005)
        if item == 3:
            raise ValueError("three")
        return item

    with pytest.raises(ValueError, match="three"):
        list(Cores(1).map(work, range(1000)))
    assert len(begun) < 1000


def test_a_caller_that_goes_away_waits_for_what_has_begun() -> None:
    begun, ended = [], []

    def work(item: int) -> None:
        begun.append(item)
        time.sleep(0.005)
        ended.append(item)

    with closing(Cores(2).map(work, range(1000))) as results:
        next(results)
    assert len(begun) < 1000
    assert sorted(begun) == sorted(ended)  # nothing runs on behind the caller's back
