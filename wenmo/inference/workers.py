"""One single-threaded worker per CPU core: forwards run side by side instead of one forward over all cores.

A forward over all cores waits for the slowest core after every operation, and runs cheap operations (norms, additions,
copies) on a single one. Workers wait for each other only once, at the end of a list.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_START_TIMEOUT_S = 60.0


class Workers:
    """`count` threads, which end when the object is garbage-collected. Thread-safe."""

    def __init__(self, count: int, initializer: Callable[[], None] | None = None) -> None:
        """`initializer` is called in each thread when it starts."""
        self.count = count
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="wenmo-worker", initializer=initializer)

    def map(self, work: Callable[[T], R], items: Iterable[T]) -> Generator[R]:
        """`work(item)` for each item, in the order of completion.

        Only a few items are submitted at a time, so that concurrent callers take turns. When `work` raises or the
        generator is closed, no more items start, and those that run are waited for.
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


class WorkerPool(Workers):
    """Workers in each of which torch computes single-threaded.

    Create it before other threads use torch: a thread that first uses torch while the workers start would become
    single-threaded as well.
    """

    def __init__(self, count: int) -> None:
        import torch

        super().__init__(count, _compute_alone)
        self._callers = 0
        self._lock = threading.Lock()
        before = torch.get_num_threads()
        # torch and OpenMP keep state per computing thread; with a thread of its own, not one for every caller's thread.
        self._all_cores = ThreadPoolExecutor(1, thread_name_prefix="wenmo-all-cores")
        # set_num_threads applies to the calling thread and to all threads that start later. So all workers start now,
        # and then the number is reset.
        started = threading.Barrier(count + 1, timeout=_START_TIMEOUT_S)
        for _ in range(count):
            self._pool.submit(started.wait)
        started.wait()
        torch.set_num_threads(before)
        self._all_cores.submit(torch.get_num_threads).result()  # see _compute_alone

    @contextmanager
    def caller(self) -> Iterator[bool]:
        """Counts a caller while the block runs; yields whether it is the only one, so that all cores are free."""
        with self._lock:
            alone = self._callers == 0
            self._callers += 1
        try:
            yield alone
        finally:
            with self._lock:
                self._callers -= 1

    def over_all_cores(self, work: Callable[[T], R], items: Iterable[T]) -> Generator[R]:
        """`work(item)` for each item in turn, each over all cores."""
        for item in items:
            yield self._all_cores.submit(work, item).result()


def usable_cores() -> int:
    """The cores that this process may use; OMP_NUM_THREADS, where it is set."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _compute_alone() -> None:
    import torch

    torch.set_num_threads(1)
    # A thread takes the number over at its first operation, not at its start: do it now.
    torch.get_num_threads()
