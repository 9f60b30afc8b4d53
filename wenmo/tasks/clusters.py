"""Many sentences: an order in which like stands beside like, and groups of near-duplicates.

Both are read from one tree, that of single linkage: the pair that is most alike is joined first, then the next, where
it joins two different runs. Cut at any threshold, its groups are the connected components of "at least so alike", and
each of them stands together in the order of its leaves: the order does not change when the threshold moves.

Single linkage chains: where A is like B and B like C, all three are one group, though A and C may be far apart. That is
what one wants of near-duplicates, and why `Group.weakest` tells how far apart the members of a group are at most.
Not covered: more than some hundreds of sentences (all pairs are looked at), and clusters by topic.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Group:
    """`members` (positions in the list, in the tree's order) and the likeness of the two that are least alike."""

    members: tuple[int, ...]
    weakest: float


@dataclass(frozen=True, kw_only=True)
class Clustering:
    """`order` (N) holds each position once; `joins` (N - 1) at which likeness an item and the next become one group."""

    order: tuple[int, ...]
    joins: tuple[float, ...]

    def runs(self, threshold: float) -> list[tuple[int, int]]:
        """Where groups of two and more lie in `order`: (start, end), end not included."""
        cuts = [place + 1 for place, join in enumerate(self.joins) if join < threshold]
        edges = [0, *cuts, len(self.order)]
        return [(start, end) for start, end in pairwise(edges) if end - start > 1]


def cluster(likeness: np.ndarray) -> Clustering:
    """Single linkage over `likeness` (N, N), symmetric, the more alike the larger; its diagonal is not read.

    Two runs are laid end to end in the one of four ways that brings their most alike ends together.
    """
    count = len(likeness)
    runs: list[tuple[list[int], list[float]]] = [([index], []) for index in range(count)]
    of = list(range(count))  # the run that an item is in
    rows, columns = np.triu_indices(count, 1)
    for pair in np.argsort(-likeness[rows, columns], kind="stable"):
        first, second = of[rows[pair]], of[columns[pair]]
        if first == second:
            continue
        (left, left_joins), (right, right_joins) = runs[first], runs[second]
        ways = [(turn_left, turn_right) for turn_left in (False, True) for turn_right in (False, True)]
        meeting = {(a, b): likeness[left[0 if a else -1], right[-1 if b else 0]] for a, b in ways}
        turn_left, turn_right = max(ways, key=meeting.__getitem__)
        if turn_left:
            left, left_joins = left[::-1], left_joins[::-1]
        if turn_right:
            right, right_joins = right[::-1], right_joins[::-1]
        runs[first] = ([*left, *right], [*left_joins, float(likeness[rows[pair], columns[pair]]), *right_joins])
        for item in right:
            of[item] = first
    order, joins = runs[of[0]] if count else ([], [])
    return Clustering(order=tuple(order), joins=tuple(joins))


def near_duplicates(likeness: np.ndarray, clustering: Clustering, threshold: float) -> list[Group]:
    """Groups in which each item is at least `threshold` like another one, the largest first."""
    groups = []
    for start, end in clustering.runs(threshold):
        members = clustering.order[start:end]
        among = likeness[np.ix_(members, members)][np.triu_indices(len(members), 1)]
        groups.append(Group(members=members, weakest=float(among.min())))
    return sorted(groups, key=lambda group: -len(group.members))
