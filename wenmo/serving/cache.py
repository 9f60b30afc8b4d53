"""Cache of exact results: rows of a model's output (logits or vector) by the ids of its input, in bounded memory.

In zero-shot each pair of text and label has its own row, and only the softmax combines the labels. So a repeated
question computes nothing, and one in which one of ten labels is new computes one row.

Several processes can share a second level behind their memory (`SharedStore`, implemented in redis_store.py).
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
_KEY_BYTES = 16  # of the digest: among 10^9 inputs, two share a key with a probability of 10^-21
_ENTRY_OVERHEAD = 400  # bytes of an entry besides the row (measured with tracemalloc in CPython 3.11)


@dataclass(frozen=True, kw_only=True)
class SharedStatistics:
    """Lookups in the shared store, which happen after misses in memory. Skipped lookups are not counted.

    `damaged` values existed but were invalid (they also count as misses). `errors` are exchanges that failed or took
    far too long. `reading` and `writing` are the states of the circuit breakers.
    """

    hits: int
    misses: int
    damaged: int
    errors: int
    reading: BreakerState
    writing: BreakerState


class SharedStore(Protocol):
    """Rows by key, shared by several processes. Thread-safe. Its failures are misses, never exceptions."""

    def get(self, keys: Sequence[bytes]) -> list[np.ndarray | None]:
        """For each key its row (width,) float32, or None."""

    def put(self, keys: Sequence[bytes], rows: np.ndarray) -> None:
        """Keep `rows` (N, width)."""

    def statistics(self) -> SharedStatistics: ...

    def close(self) -> None:
        """Close the connections. A later call connects again."""


@dataclass(frozen=True, kw_only=True)
class CacheStatistics:
    """Hits and misses (inputs) since the start, and the current size.

    `memory_hits` were in this process, `shared.hits` in the shared store (`shared` is None without one), `misses` were
    computed. `saved_s` estimates the time to compute the hits, from the mean time per token of the misses, waiting in
    the scheduler included.
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
        """Inputs found in memory or in the shared store."""
        return self.memory_hits + (self.shared.hits if self.shared else 0)


@dataclass(kw_only=True)
class CacheTally:
    """Inputs of one caller that were in the cache, and that were computed."""

    hits: int = 0
    misses: int = 0


_tally: ContextVar[CacheTally | None] = ContextVar("wenmo_tally", default=None)


@contextmanager
def cache_tally() -> Iterator[CacheTally]:
    """Count the hits and misses of this caller within the block. Long lists, which bypass the cache, do not count."""
    tally = CacheTally()
    token = _tally.set(tally)
    try:
        yield tally
    finally:
        _tally.reset(token)


class ResultCache:
    """Rows by key, in up to `max_mib` of memory; the least recently used ones are dropped first. Thread-safe.

    `get` looks in `shared` for rows that are not in memory; `put` also writes there.
    """

    def __init__(self, max_mib: float, *, shared: SharedStore | None = None) -> None:
        self.max_mib = max_mib
        self._shared = shared
        self._lock = threading.Lock()
        self._rows: LRUCache[bytes, bytes] = LRUCache(max_mib * _MIB, getsizeof=lambda row: len(row) + _ENTRY_OVERHEAD)
        self._memory_hits = self._misses = 0
        self._miss_tokens = self._hit_tokens = 0
        self._miss_seconds = 0.0

    def get(self, keys: Sequence[bytes]) -> list[np.ndarray | None]:
        """For each key its row (width,) float32, or None."""
        with self._lock:
            values = [self._rows.get(key) for key in keys]
            missing = [index for index, value in enumerate(values) if value is None]
            self._memory_hits += len(values) - len(missing)
        rows = [None if value is None else np.frombuffer(value, dtype=np.float32) for value in values]
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
        """Close the shared store's connections. A later call connects again."""
        if self._shared is not None:
            self._shared.close()

    def _keep(self, keys: Sequence[bytes], rows: Iterable[np.ndarray]) -> None:
        with self._lock:
            for key, row in zip(keys, rows, strict=True):
                value = row.astype(np.float32).tobytes()
                if len(value) + _ENTRY_OVERHEAD <= self._rows.maxsize:
                    self._rows[key] = value

    def count(self, *, hit_tokens: int, misses: int, miss_tokens: int, seconds: float) -> None:
        """Record the hits and misses of a call, and the `seconds` that computing the misses took."""
        with self._lock:
            self._misses += misses
            self._hit_tokens += hit_tokens
            self._miss_tokens += miss_tokens
            self._miss_seconds += seconds

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
                saved_s=self._hit_tokens * self._miss_seconds / self._miss_tokens if self._miss_tokens else 0.0,
            )


class CachedRuntime:
    """A runtime that computes only what `cache` does not hold.

    `namespace` identifies the model and its arithmetic among all users of the cache; with a shared store, in all
    processes.
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
            uncached = [encodings[index] for index in missing]
            start = time.perf_counter()
            try:
                output = forward(uncached, on_batch=on_batch)
            except PartialOutputError as error:
                failure, output = error, error.output
            seconds = time.perf_counter() - start
            for index, row in zip(missing, output, strict=True):
                rows[index] = row
            computed = [row for row in range(len(missing)) if failure is None or row not in failure.failed]
            self._cache.put([keys[missing[row]] for row in computed], output[computed])
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
            failed = {missing[row]: error for row, error in failure.failed.items()}
            raise PartialOutputError(failed, whole) from failure
        return whole

    def _key(self, kind: bytes, encoding: Encoding) -> bytes:
        ids = np.asarray(encoding.input_ids, dtype="<u4").tobytes()
        header = b"%b/%b/%d/" % (self._namespace, kind, encoding.segment_b)
        return hashlib.blake2b(header + ids, digest_size=_KEY_BYTES).digest()
