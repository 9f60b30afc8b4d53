"""By hand, with the cases of torch's own test (test_cuda.py, test_graph_memory_stats_and_use_result_after_destroy)."""

from __future__ import annotations

import pytest

from wenmo.lab.allocations import Event, Timeline
from wenmo.lab.cuda_allocator import CudaPeaks, simulate, with_standing

MIB = 2**20


def _simulated(*sizes: int) -> CudaPeaks:
    """`sizes` one after another: a positive one takes a block, -n gives back the n-th that was taken."""
    events, taken = [], []
    for size in sizes:
        if size > 0:
            taken.append(size)
            events.append(Event(len(taken), size))
        else:
            events.append(Event(-size, -taken[-size - 1]))
    return simulate(Timeline(events=tuple(events), of=dict.fromkeys(range(len(taken) + 1), "activations")))


@pytest.mark.parametrize(
    ("size", "count", "reserved"),
    [
        (1, 1, 2 * MIB),
        (512, 1, 2 * MIB),
        (MIB, 2, 2 * MIB),
        (MIB, 3, 4 * MIB),
        (MIB + 512, 1, 20 * MIB),
        (10 * MIB - 512, 2, 20 * MIB),
        (10 * MIB - 512, 3, 40 * MIB),
        (10 * MIB + 512, 3, 3 * 12 * MIB),
    ],
)
def test_segments(size: int, count: int, reserved: int) -> None:
    rounded = -(-size // 512) * 512
    peaks = _simulated(*[size] * count)
    assert peaks.reserved == reserved
    # What is left of a large segment stays with its last block where it is at most 1 MiB.
    assert count * rounded <= peaks.allocated <= count * rounded + MIB


def test_a_block_is_used_again_and_neighbours_are_joined() -> None:
    assert _simulated(12 * MIB, -1, 12 * MIB).reserved == 12 * MIB
    # Two halves of a segment, both given back, hold what neither could.
    assert _simulated(8 * MIB, 8 * MIB, -1, -2, 16 * MIB).reserved == 20 * MIB
    # With the second half still taken there is no room: 16 MiB get a segment of their own.
    assert _simulated(8 * MIB, 8 * MIB, -1, 16 * MIB).reserved == 36 * MIB


def test_the_smallest_block_that_is_large_enough_is_taken() -> None:
    peaks = _simulated(40 * MIB, 12 * MIB, -1, -2, 11 * MIB, 40 * MIB)
    assert peaks.reserved == 52 * MIB  # 11 went into the 12, so that the 40 are still whole


def test_a_block_that_stands() -> None:
    timeline = Timeline(events=(Event(0, 512), Event(0, -512)), of={0: "activations"})
    assert simulate(with_standing(timeline, 1024)) == CudaPeaks(allocated=1536, reserved=2 * MIB)
