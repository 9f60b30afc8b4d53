"""Histograms and percentiles, compared with values by hand."""

from __future__ import annotations

import pytest

from wenmo.telemetry.statistics import Histogram, Percentiles, sum_histograms


def test_a_value_at_a_bound_is_counted_below_it() -> None:
    """As in Prometheus (`le`): 1 and 2 are at most 2, 3 and 4 at most 4, 5 is above all bounds."""
    histogram = Histogram((2, 4))
    for value in (1, 2, 3, 4, 5):
        histogram.add(value)
    counts = histogram.counts()
    assert (counts.bounds, counts.counts, counts.total, counts.count) == ((2, 4), (2, 2, 1), 15, 5)


def test_a_snapshot_does_not_change() -> None:
    histogram = Histogram((1,))
    before = histogram.counts()
    histogram.add(1)
    assert (before.count, histogram.counts().count) == (0, 1)


def test_histograms_add_up() -> None:
    one, other = Histogram((1, 2)), Histogram((1, 2))
    one.add(1)
    other.add(1)
    other.add(9)
    both = sum_histograms([one.counts(), other.counts()])
    assert both is not None and (both.counts, both.total) == ((2, 0, 1), 11)
    assert sum_histograms([]) is None
    with pytest.raises(ValueError):
        sum_histograms([one.counts(), Histogram((1, 3)).counts()])


def test_percentiles_by_hand() -> None:
    """0 to 100 ms in steps of 1: the p-th percentile is p."""
    found = Percentiles.of([value / 1000 for value in range(101)])
    assert found is not None
    assert (found.p50_ms, found.p95_ms, found.p99_ms) == pytest.approx((50.0, 95.0, 99.0))
    assert found.count == 101
    assert Percentiles.of([]) is None
