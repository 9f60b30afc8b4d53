"""Which inputs go into which batch, decided from their lengths alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence


def plan_batches(lengths: Sequence[int], *, max_tokens: Callable[[], int], padded: bool = False) -> Iterator[list[int]]:
    """Batches of indices into `lengths`, sorted by length, each of at most `max_tokens()` tokens.

    Every index occurs exactly once; an input longer than the budget is a batch of its own. `max_tokens` is called for
    every batch, since the budget may change while earlier batches are computed. `padded`: each input of a batch counts
    as many tokens as its longest one.
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    start = 0
    while start < len(order):
        budget, tokens, end = max_tokens(), lengths[order[start]], start + 1
        while end < len(order):
            length = lengths[order[end]]
            tokens = (end + 1 - start) * length if padded else tokens + length
            if tokens > budget:
                break
            end += 1
        yield order[start:end]
        start = end
