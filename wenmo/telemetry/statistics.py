"""What a running service keeps of its own work, in bounded memory: histograms with fixed bounds, recent durations.

A histogram counts since the start, so that a monitor can take differences of it; percentiles are of the last calls
alone, because who watches wants to know how it is now. Nothing here locks: its owner does.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class HistogramCounts:
    """`counts[i]` values were at most `bounds[i]` and above the bound before; one count more is of those above all.

    `total` is the sum of the values.
    """

    bounds: tuple[int, ...]
    counts: tuple[int, ...]
    total: int

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self.counts)


class Histogram:
    """Counts values by `bounds`, in ascending order."""

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
    """The sum of histograms of the same bounds; None of none."""
    each = list(histograms)
    if not each:
        return None
    (bounds,) = {histogram.bounds for histogram in each}
    counts = tuple(map(sum, zip(*(histogram.counts for histogram in each), strict=True)))
    return HistogramCounts(bounds=bounds, counts=counts, total=sum(histogram.total for histogram in each))


@dataclass(frozen=True, kw_only=True)
class Percentiles:
    """Of `count` durations: half, 95% and 99% of them were at most this long (linear between neighbours)."""

    count: int
    p50_ms: float
    p95_ms: float
    p99_ms: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Percentiles | None:
        """None of no durations."""
        if not len(seconds):
            return None
        p50, p95, p99 = (float(value) for value in np.percentile(seconds, (50, 95, 99)) * 1000)
        return cls(count=len(seconds), p50_ms=p50, p95_ms=p95, p99_ms=p99)
