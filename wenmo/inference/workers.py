"""One single-threaded worker a core: on a CPU, forwards side by side instead of one forward over all cores.

A forward over all cores waits for the slowest of them after every operation, and its cheap operations (norms, adding,
copying) run on one. Workers wait for each other once a list.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")

_START_TIMEOUT_S = 60.0


class WorkerPool:
    """`count` threads, for each of which torch computes on that thread alone. Any thread may hand out work.

    The threads end when the object is let go of. Make it before other threads begin to use torch: one that does so for
    the first time in the very moment when the workers start would stay single-threaded like them.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._callers = 0
        self._lock = threading.Lock()
        before = torch.get_num_threads()
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="wenmo-worker", initializer=_compute_alone)
        # What torch and OpenMP keep for each computing thread they keep for these alone, and not for each caller's.
        self._all_cores = ThreadPoolExecutor(1, thread_name_prefix="wenmo-all-cores")
        # torch keeps the number of threads for each thread, but the last number set is that of every thread to come.
        # So all workers start here and now, and afterwards it is set back.
        started = threading.Barrier(count + 1, timeout=_START_TIMEOUT_S)
        for _ in range(count):
            self._pool.submit(started.wait)
        started.wait()
        torch.set_num_threads(before)
        self._all_cores.submit(torch.get_num_threads).result()  # now it takes that number, and no other pool's later on

    @contextmanager
    def caller(self) -> Iterator[bool]:
        """For whoever is about to compute: whether nobody else does so now, and all cores are free."""
        with self._lock:
            alone = self._callers == 0
            self._callers += 1
        try:
            yield alone
        finally:
            with self._lock:
                self._callers -= 1

    def over_all_cores(self, work: Callable[[T], R], items: Iterable[T]) -> Generator[R]:
        """`work` of each item in turn, each over all cores."""
        for item in items:
            yield self._all_cores.submit(work, item).result()

    def map(self, work: Callable[[T], R], items: Iterable[T]) -> Generator[R]:
        """`work` of each item, in the order in which they are done.

        Few are handed out at a time, so that callers who use the pool at once take turns. Where `work` raises, or the
        caller goes away, nothing more is begun, and what has begun is waited for.
        """
        upcoming = iter(items)
        running: set[Future[R]] = set()
        try:
            running.update(self._pool.submit(work, item) for item in islice(upcoming, self.count + 1))
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                running.update(self._pool.submit(work, item) for item in islice(upcoming, len(done)))
                for future in done:
                    yield future.result()
        finally:
            for future in running:
                future.cancel()
            wait(running)


def _compute_alone() -> None:
    torch.set_num_threads(1)
    # A thread takes over the number that is set at its first operation, not at its start: have that now.
    torch.get_num_threads()
