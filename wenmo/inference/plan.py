"""Which inputs go into which batch. Sees lengths and indices, nothing else."""

from __future__ import annotations

from collections.abc import Sequence


def plan_batches(lengths: Sequence[int], *, max_tokens: int) -> list[list[int]]:
    """Indices of `lengths`, sorted by length and cut so that a batch holds at most `max_tokens` pieces.

    Every index occurs exactly once; an input longer than the budget is a batch of its own.
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    batches: list[list[int]] = []
    current: list[int] = []
    pieces = 0
    for index in order:
        if current and pieces + lengths[index] > max_tokens:
            batches.append(current)
            current, pieces = [], 0
        current.append(index)
        pieces += lengths[index]
    if current:
        batches.append(current)
    return batches
