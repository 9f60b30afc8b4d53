"""Near-duplicates and groups: each vector follows a leader that it is near to, or is one itself.

Leader clustering: the vectors are taken in an order; one that has a cosine of at least the threshold to a leader before
it follows the nearest of these, any other becomes a leader. So every follower is near to its leader, and nothing
chains, as it does in single linkage (`wenmo.tasks.clusters`), where a text may end up in the group of one that it has
nothing to do with. Exact, in blocks: time grows with the square of the number of vectors, memory only with it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from wenmo.search.nearest import nearest, rounded

OnRows = Callable[[int], None]  # called with the number of further rows that are done

_ROWS = 1_024  # taken at a time
_COLUMNS = 8_192


def follow(
    vectors: np.ndarray, threshold: float, *, order: np.ndarray | None = None, on_rows: OnRows | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The leader (N,) of each of `vectors` (N, H), its own index for a leader, and the cosine to it (N,) float32.

    The vectors have length 1. `order` has an index at most once; by default all as they stand. What is not in it leads
    itself, and nobody else. `on_rows` may raise, to stop.
    """
    order = np.arange(len(vectors)) if order is None else order
    count = len(order)
    leader = np.arange(len(vectors))
    cosine = np.ones(len(vectors), dtype=np.float32)
    leaders = np.empty(0, dtype=np.int64)
    theirs = np.empty((min(count, _ROWS), vectors.shape[1]), dtype=np.float32)  # their vectors; grows by doubling
    for start in range(0, count, _ROWS):
        rows = order[start : start + _ROWS]
        block = np.asarray(vectors[rows])
        earlier = np.full(len(rows), -np.inf, dtype=np.float32)  # the cosine to the nearest leader of earlier blocks
        if len(leaders):
            near, cosines = nearest(block, theirs[: len(leaders)], 1)
            earlier = cosines[:, 0]
            follows = earlier >= threshold
            leader[rows[follows]] = leaders[near[follows, 0]]
            cosine[rows[follows]] = earlier[follows]
        leads = earlier < threshold
        cosines = rounded(block @ block.T)
        for place in np.flatnonzero((np.tril(cosines, -1) >= threshold).any(axis=1)):  # the others are near to none
            before = np.where(leads[:place], cosines[place, :place], -np.inf)
            first = int(before.argmax())
            if before[first] >= threshold and before[first] > earlier[place]:
                leads[place] = False
                leader[rows[place]], cosine[rows[place]] = rows[first], before[first]
        fresh = np.flatnonzero(leads)
        while len(leaders) + len(fresh) > len(theirs):
            theirs = np.concatenate([theirs, np.empty_like(theirs)])
        theirs[len(leaders) : len(leaders) + len(fresh)] = block[fresh]
        leaders = np.concatenate([leaders, rows[fresh]])
        if on_rows is not None:
            on_rows(len(rows))
    return leader, cosine


def by_density(vectors: np.ndarray, threshold: float, *, on_rows: OnRows | None = None) -> np.ndarray:
    """The order (N,) of `vectors` by how many others are within the threshold: most first, equals as they stand.

    `follow` in this order makes the centre of a group its leader.
    """
    count = len(vectors)
    near = np.zeros(count, dtype=np.int64)
    for start in range(0, count, _ROWS):
        end = min(start + _ROWS, count)
        for other in range(start, count, _COLUMNS):  # each pair once
            is_near = rounded(vectors[start:end] @ vectors[other : other + _COLUMNS].T) >= threshold
            near[start:end] += is_near.sum(axis=1)
            later = max(end - other, 0)  # of the columns, those that are rows of this block are counted by now
            near[other + later : other + is_near.shape[1]] += is_near[:, later:].sum(axis=0)
        if on_rows is not None:
            on_rows(end - start)
    return np.lexsort((np.arange(count), -near))
