"""Histograms with fixed bounds and percentiles of recent durations, in bounded memory.

Histograms count since the start, so that a monitoring system can take differences. Percentiles are of the last calls
only, because they are to show the present. Not thread-safe: the owner of an object locks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class HistogramCounts:
    """The counts of a histogram: `counts[i]` values are in (bounds[i - 1], bounds[i]], the last one above all bounds.

    `total` is the sum of the values.
    """

    bounds: tuple[int, ...]
    counts: tuple[int, ...]
    total: int

    @property
    def count(self) -> int:
        """The number of values."""
        return sum(self.counts)


class Histogram:
    """Counts values between `bounds`, which ascend."""

    def __init__(self, bounds: Sequence[int]) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._total = 0

    def add(self, value: int) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def counts(self) -> HistogramCounts:
        return HistogramCounts(bounds=self._bounds, counts=tuple(self._counts), total=self._total)


def sum_histograms(histograms: Iterable[HistogramCounts]) -> HistogramCounts | None:
    """The sum of histograms with equal bounds; None if there are none."""
    addends = list(histograms)
    if not addends:
        return None
    (bounds,) = {histogram.bounds for histogram in addends}
    counts = tuple(map(sum, zip(*(histogram.counts for histogram in addends), strict=True)))
    return HistogramCounts(bounds=bounds, counts=counts, total=sum(histogram.total for histogram in addends))


@dataclass(frozen=True, kw_only=True)
class Percentiles:
    """Percentiles of `count` durations in milliseconds, with linear interpolation."""

    count: int
    p50_ms: float
    p95_ms: float
    p99_ms: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Percentiles | None:
        """The percentiles of `seconds`; None if it is empty."""
        if not len(seconds):
            return None
        p50, p95, p99 = (float(value) for value in np.percentile(seconds, (50, 95, 99)) * 1000)
        return cls(count=len(seconds), p50_ms=p50, p95_ms=p95, p99_ms=p99)
