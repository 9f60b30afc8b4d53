"""What was computed before, exactly: the rows of a model's output by its input's ids, in bounded memory.

Each pair of a text and a label has a row of its own, and only the softmax joins the labels. So a zero-shot question in
which one of ten labels is new computes one row, and one that was asked before computes none.

Behind the memory of a process may stand a store that several share (`SharedStore`; redis_store.py is one).
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
from cachetools import LRUCache

from wenmo.inference.runtime import OnBatch, PartialOutputError, Runtime
from wenmo.serving.breaker import BreakerState
from wenmo.tokenizer import Encoding
from wenmo.types import Resolved

_MIB = 2**20
_KEY_BYTES = 16  # of the digest: two of 10^9 inputs share one with a probability of 10^-21
_ENTRY_OVERHEAD = 400  # bytes that the key, the objects and the dictionaries take (CPython 3.11, by tracemalloc)


@dataclass(frozen=True, kw_only=True)
class SharedStatistics:
    """What memory lacked and the shared store had, or had not; inputs that it was not asked for are in neither.

    `damaged` values were there and not to be trusted (they are among the misses), `errors` are exchanges that failed
    or took far too long. `reading` and `writing`: whether either is left alone because it failed.
    """

    hits: int
    misses: int
    damaged: int
    errors: int
    reading: BreakerState
    writing: BreakerState


class SharedStore(Protocol):
    """Rows by key, for several processes. Any thread may call; what goes wrong in it is a miss, never an error."""

    def get(self, keys: Sequence[bytes]) -> list[np.ndarray | None]:
        """For each key its row (width,) float32, or None."""

    def put(self, keys: Sequence[bytes], rows: np.ndarray) -> None:
        """Keep `rows` (N, width)."""

    def statistics(self) -> SharedStatistics: ...

    def close(self) -> None:
        """Let go of connections. A later call connects again."""


@dataclass(frozen=True, kw_only=True)
class CacheStatistics:
    """Inputs that were found and that were not, since the start; what is kept now; and what was saved.

    `memory_hits` were found in this process, `shared.hits` in the shared store; `shared` is None where there is none.
    `misses` were computed. `saved_s` is an estimate: what the found inputs would have taken at the mean speed of those
    that were computed, waiting for others included.
    """

    memory_hits: int
    shared: SharedStatistics | None
    misses: int
    entries: int
    mib: float
    max_mib: float
    saved_s: float

    @property
    def hits(self) -> int:
        """Inputs that were found in either place."""
        return self.memory_hits + (self.shared.hits if self.shared else 0)


@dataclass(kw_only=True)
class CacheTally:
    """Inputs that one caller's calls found among earlier results, and that were computed for it."""

    hits: int = 0
    misses: int = 0


_tally: ContextVar[CacheTally | None] = ContextVar("wenmo_tally", default=None)


@contextmanager
def cache_tally() -> Iterator[CacheTally]:
    """Counts what calls within the block find, whatever other callers do meanwhile; not lists that bypass the cache."""
    tally = CacheTally()
    token = _tally.set(tally)
    try:
        yield tally
    finally:
        _tally.reset(token)


class ResultCache:
    """Rows by key, least recently used ones dropped first when `max_mib` are full. Any thread may call.

    What is not in memory is looked for in `shared`, and what is put is put there, too.
    """

    def __init__(self, max_mib: float, *, shared: SharedStore | None = None) -> None:
        self.max_mib = max_mib
        self._shared = shared
        self._lock = threading.Lock()
        self._rows: LRUCache[bytes, bytes] = LRUCache(max_mib * _MIB, getsizeof=lambda row: len(row) + _ENTRY_OVERHEAD)
        self._memory_hits = self._misses = 0
        self._tokens = 0  # of what was computed
        self._seconds = 0.0  # that it took
        self._saved_tokens = 0

    def get(self, keys: Sequence[bytes]) -> list[np.ndarray | None]:
        """For each key its row (width,) float32, or None."""
        with self._lock:
            found = [self._rows.get(key) for key in keys]
            missing = [index for index, row in enumerate(found) if row is None]
            self._memory_hits += len(found) - len(missing)
        rows = [None if row is None else np.frombuffer(row, dtype=np.float32) for row in found]
        if self._shared is not None and missing:
            for index, row in zip(missing, self._shared.get([keys[index] for index in missing]), strict=True):
                if row is not None:
                    rows[index] = row
                    self._keep([keys[index]], [row])
        return rows

    def put(self, keys: Sequence[bytes], rows: np.ndarray) -> None:
        """Keep `rows` (N, width)."""
        self._keep(keys, rows)
        if self._shared is not None:
            self._shared.put(keys, rows)

    def close(self) -> None:
        """Let go of what the shared store holds open. A later call opens it again."""
        if self._shared is not None:
            self._shared.close()

    def _keep(self, keys: Sequence[bytes], rows: Iterable[np.ndarray]) -> None:
        with self._lock:
            for key, row in zip(keys, rows, strict=True):
                value = row.astype(np.float32).tobytes()
                if len(value) + _ENTRY_OVERHEAD <= self._rows.maxsize:
                    self._rows[key] = value

    def count(self, *, hit_tokens: int, misses: int, miss_tokens: int, seconds: float) -> None:
        """Note how much a call found, and what it computed in how long."""
        with self._lock:
            self._misses += misses
            self._saved_tokens += hit_tokens
            self._tokens += miss_tokens
            self._seconds += seconds

    def statistics(self) -> CacheStatistics:
        shared = None if self._shared is None else self._shared.statistics()
        with self._lock:
            return CacheStatistics(
                memory_hits=self._memory_hits,
                shared=shared,
                misses=self._misses,
                entries=len(self._rows),
                mib=self._rows.currsize / _MIB,
                max_mib=self.max_mib,
                saved_s=self._saved_tokens * self._seconds / self._tokens if self._tokens else 0.0,
            )


class CachedRuntime:
    """A runtime that computes only what `cache` does not hold.

    `namespace` tells what computes from all else that uses the cache: where that is shared, in any process.
    """

    def __init__(self, runtime: Runtime, cache: ResultCache, namespace: str) -> None:
        self._runtime = runtime
        self._cache = cache
        self._namespace = namespace.encode()

    def logits(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
        return self._run(self._runtime.logits, b"logits", encodings, on_batch)

    def vectors(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
        return self._run(self._runtime.vectors, b"vectors", encodings, on_batch)

    def batch_tokens(self) -> Resolved[int]:
        return self._runtime.batch_tokens()

    def _run(
        self,
        forward: Callable[..., np.ndarray],
        kind: bytes,
        encodings: Sequence[Encoding],
        on_batch: OnBatch | None,
    ) -> np.ndarray:
        keys = [self._key(kind, encoding) for encoding in encodings]
        rows = self._cache.get(keys)
        missing = [index for index, row in enumerate(rows) if row is None]
        if len(missing) < len(rows) and on_batch is not None:
            on_batch(len(rows) - len(missing))
        failure: PartialOutputError | None = None
        seconds = 0.0
        if missing:
            wanted = [encodings[index] for index in missing]
            start = time.perf_counter()
            try:
                output = forward(wanted, on_batch=on_batch)
            except PartialOutputError as error:
                failure, output = error, error.output
            seconds = time.perf_counter() - start
            for index, row in zip(missing, output, strict=True):
                rows[index] = row
            computed = [place for place in range(len(missing)) if failure is None or place not in failure.failed]
            self._cache.put([keys[missing[place]] for place in computed], output[computed])
        tally = _tally.get()
        if tally is not None:
            tally.hits += len(rows) - len(missing)
            tally.misses += len(missing)
        missing_tokens = sum(len(encodings[index]) for index in missing)
        self._cache.count(
            hit_tokens=sum(map(len, encodings)) - missing_tokens,
            misses=len(missing),
            miss_tokens=missing_tokens,
            seconds=seconds,
        )
        whole = np.stack(cast("list[np.ndarray]", rows))
        if failure is not None:
            failed = {missing[place]: error for place, error in failure.failed.items()}
            raise PartialOutputError(failed, whole) from failure
        return whole

    def _key(self, kind: bytes, encoding: Encoding) -> bytes:
        ids = np.asarray(encoding.input_ids, dtype="<u4").tobytes()
        header = b"%b/%b/%d/" % (self._namespace, kind, encoding.segment_b)
        return hashlib.blake2b(header + ids, digest_size=_KEY_BYTES).digest()
