"""Simulate torch's CUDA caching allocator on a timeline: how much it hands out, and how much it reserves for that.

The rules are those of c10/cuda/CUDACachingAllocator.cpp with its default settings, on one stream. Block sizes are
multiples of 512 bytes. Blocks of up to 1 MiB are cut from segments of 2 MiB, blocks of up to 10 MiB from segments of
20 MiB, and a larger block has its own segment, a multiple of 2 MiB. The allocator takes the smallest free block that is
large enough and splits it if the remainder is large enough for another. It merges free neighbours and keeps segments.

Not covered: expandable segments, garbage collection and limits on splitting (PYTORCH_CUDA_ALLOC_CONF), other streams.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field

from wenmo.lab.allocations import Event, Timeline

_BLOCK = 512
_SMALL = 1 << 20  # the largest block of the small pool; the large pool splits off only larger remainders
_SMALL_SEGMENT = 2 << 20
_LARGE = 10 << 20
_LARGE_SEGMENT = 20 << 20
_SEGMENT_ROUNDING = 2 << 20


@dataclass(frozen=True, kw_only=True)
class CudaPeaks:
    """Bytes, as torch.cuda.max_memory_allocated and max_memory_reserved would return them."""

    allocated: int
    reserved: int


@dataclass(eq=False, slots=True)
class _Block:
    address: int
    size: int
    free: bool = True
    before: _Block | None = None
    after: _Block | None = None


@dataclass(slots=True)
class _Pool:
    """Free blocks sorted by (size, address), and the smallest remainder that is split off."""

    least_remainder: int
    free: list[tuple[int, int]] = field(default_factory=list)
    at: dict[int, _Block] = field(default_factory=dict)

    def add(self, block: _Block) -> None:
        block.free = True
        insort(self.free, (block.size, block.address))
        self.at[block.address] = block

    def remove(self, block: _Block) -> None:
        block.free = False
        del self.free[bisect_left(self.free, (block.size, block.address))]
        del self.at[block.address]

    def best(self, size: int) -> _Block | None:
        index = bisect_left(self.free, (size, 0))
        return self.at[self.free[index][1]] if index < len(self.free) else None


def simulate(timeline: Timeline) -> CudaPeaks:
    """The peaks of a process that allocates and frees only what is in `timeline`."""
    small, large = _Pool(least_remainder=_BLOCK), _Pool(least_remainder=_SMALL + 1)
    taken: dict[int, tuple[_Block, _Pool]] = {}
    allocated = reserved = highest = 0
    for event in timeline.events:
        if event.size < 0:
            block, pool = taken.pop(event.block)
            allocated -= block.size
            _give_back(block, pool)
            continue
        size = max(_BLOCK, -(-event.size // _BLOCK) * _BLOCK)
        pool = small if size <= _SMALL else large
        found = pool.best(size)
        if found is None:
            segment = _segment(size)
            found = _Block(address=reserved, size=segment)
            reserved += segment  # segments are never returned, so addresses may follow one another
        else:
            pool.remove(found)
        _split(found, size, pool)
        found.free = False
        taken[event.block] = found, pool
        allocated += found.size
        highest = max(highest, allocated)
    return CudaPeaks(allocated=highest, reserved=reserved)


def with_standing(timeline: Timeline, size: int) -> Timeline:
    """`timeline` with one more block of `size` bytes, allocated from start to end."""
    block = max(timeline.of) + 1
    return Timeline(events=(Event(block, size), *timeline.events), of={**timeline.of, block: "workspace"})


def _segment(size: int) -> int:
    if size <= _SMALL:
        return _SMALL_SEGMENT
    return _LARGE_SEGMENT if size < _LARGE else -(-size // _SEGMENT_ROUNDING) * _SEGMENT_ROUNDING


def _split(block: _Block, size: int, pool: _Pool) -> None:
    remainder = block.size - size
    if remainder < pool.least_remainder:
        return
    rest = _Block(address=block.address + size, size=remainder, before=block, after=block.after)
    if block.after is not None:
        block.after.before = rest
    block.after, block.size = rest, size
    pool.add(rest)


def _give_back(block: _Block, pool: _Pool) -> None:
    before, after = block.before, block.after
    if before is not None and before.free:
        pool.remove(before)
        block.address, block.size, block.before = before.address, before.size + block.size, before.before
        if block.before is not None:
            block.before.after = block
    if after is not None and after.free:
        pool.remove(after)
        block.size, block.after = block.size + after.size, after.after
        if block.after is not None:
            block.after.before = block
    pool.add(block)
