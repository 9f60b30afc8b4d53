"""One single-threaded worker a core: on a CPU, two forwards side by side outrun one forward over two cores.

A forward over all cores waits for the slowest of them after every operation, and its cheap operations (norms, adding,
copying) run on one. Workers wait for each other once a list.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")


class Cores:
    """`count` threads, for each of which torch computes on that thread alone. Any thread may hand out work.

    The threads end when the object is let go of.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        before = torch.get_num_threads()
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="wenmo-core", initializer=_compute_alone)
        # torch keeps the number of threads for each thread, but the last number set is that of every thread to come.
        # So all workers start here and now, and afterwards it is set back.
        started = threading.Barrier(count + 1)
        for _ in range(count):
            self._pool.submit(started.wait)
        started.wait()
        torch.set_num_threads(before)

    def map(self, work: Callable[[T], R], items: Iterable[T]) -> Generator[R]:
        """`work` of each item, in the order in which they are done.

        Where `work` raises, or the caller goes away, what has not begun is not begun, and what has is waited for.
        """
        futures: list[Future[R]] = [self._pool.submit(work, item) for item in items]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            for future in futures:
                future.cancel()
            for future in futures:
                if not future.cancelled():
                    future.exception()  # waits


def _compute_alone() -> None:
    torch.set_num_threads(1)
    # A thread takes over the number that is set at its first operation, not at its start: have that now.
    torch.get_num_threads()
