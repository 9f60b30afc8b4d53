"""What was computed before, exactly: the rows of a model's output by its input's ids, in bounded memory.

Each pair of a text and a label has a row of its own, and only the softmax joins the labels. So a zero-shot question in
which one of ten labels is new computes one row, and one that was asked before computes none.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from cachetools import LRUCache

from wenmo.inference.runtime import OnBatch, PartialOutputError, Runtime
from wenmo.inference.tokenizer import Encoding
from wenmo.types import Resolved

_MIB = 2**20
_KEY_BYTES = 16  # of the digest: two of 10^9 inputs share one with a probability of 10^-21
_ENTRY_OVERHEAD = 400  # bytes that the key, the objects and the dictionaries take (CPython 3.11, by tracemalloc)


@dataclass(frozen=True, kw_only=True)
class CacheStatistics:
    """Inputs that were found and that were not, since the start; what is kept now; and what was saved.

    `saved_s` is an estimate: what the found inputs would have taken at the mean speed of those that were computed,
    waiting for others included.
    """

    hits: int
    misses: int
    entries: int
    mib: float
    max_mib: float
    saved_s: float


class ResultCache:
    """Rows by key, least recently used ones dropped first when `max_mib` are full. Any thread may call."""

    def __init__(self, max_mib: float) -> None:
        self.max_mib = max_mib
        self._lock = threading.Lock()
        self._rows: LRUCache[bytes, bytes] = LRUCache(max_mib * _MIB, getsizeof=lambda row: len(row) + _ENTRY_OVERHEAD)
        self._hits = self._misses = 0
        self._pieces = 0  # of what was computed
        self._seconds = 0.0  # that it took
        self._saved_pieces = 0

    def get(self, keys: Sequence[bytes]) -> list[np.ndarray | None]:
        """For each key its row (width,) float32, or None."""
        with self._lock:
            found = [self._rows.get(key) for key in keys]
        return [None if row is None else np.frombuffer(row, dtype=np.float32) for row in found]

    def put(self, keys: Sequence[bytes], rows: np.ndarray) -> None:
        """Keep `rows` (N, width)."""
        with self._lock:
            for key, row in zip(keys, rows, strict=True):
                value = row.astype(np.float32).tobytes()
                if len(value) + _ENTRY_OVERHEAD <= self._rows.maxsize:
                    self._rows[key] = value

    def count(self, *, hits: int, hit_pieces: int, misses: int, miss_pieces: int, seconds: float) -> None:
        """Note what a call found, and what it computed in how long."""
        with self._lock:
            self._hits += hits
            self._misses += misses
            self._saved_pieces += hit_pieces
            self._pieces += miss_pieces
            self._seconds += seconds

    def statistics(self) -> CacheStatistics:
        with self._lock:
            return CacheStatistics(
                hits=self._hits,
                misses=self._misses,
                entries=len(self._rows),
                mib=self._rows.currsize / _MIB,
                max_mib=self.max_mib,
                saved_s=self._saved_pieces * self._seconds / self._pieces if self._pieces else 0.0,
            )


class CachedRuntime:
    """A runtime that computes only what `cache` does not hold. `namespace` tells its model from the others."""

    def __init__(self, runtime: Runtime, cache: ResultCache, namespace: str) -> None:
        self._runtime = runtime
        self._cache = cache
        self._namespace = namespace.encode()

    def logits(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
        return self._through(self._runtime.logits, b"logits", encodings, on_batch)

    def vectors(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
        return self._through(self._runtime.vectors, b"vectors", encodings, on_batch)

    def batch_tokens(self) -> Resolved[int]:
        return self._runtime.batch_tokens()

    def _through(
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
        missing_pieces = sum(len(encodings[index]) for index in missing)
        self._cache.count(
            hits=len(rows) - len(missing),
            hit_pieces=sum(map(len, encodings)) - missing_pieces,
            misses=len(missing),
            miss_pieces=missing_pieces,
            seconds=seconds,
        )
        whole = np.stack(cast("list[np.ndarray]", rows))
        if failure is not None:
            failed = {missing[place]: error for place, error in failure.failed.items()}
            raise PartialOutputError(failed, whole) from failure
        return whole

    def _key(self, kind: bytes, encoding: Encoding) -> bytes:
        ids = np.asarray(encoding.input_ids, dtype=np.uint32).tobytes()
        header = b"%b/%b/%d/" % (self._namespace, kind, encoding.segment_b)
        return hashlib.blake2b(header + ids, digest_size=_KEY_BYTES).digest()
