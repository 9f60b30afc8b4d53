"""Single-linkage clustering of sentences: an order in which similar ones are neighbours, and groups of near-duplicates.

Pairs are joined in descending order of similarity, if they are in different clusters. At any threshold, the groups are
the connected components of the graph of pairs with at least that similarity, and each of them is contiguous in the
order of the leaves. So the order does not depend on the threshold.

Single linkage chains: if A is similar to B and B to C, all three are one group, though A and C may differ a lot. That
is right for near-duplicates; `Group.weakest` tells how much the members of a group differ at most.
Not covered: more than some hundreds of sentences (all pairs are compared), and clusters by topic.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Group:
    """`members` (indices of the sentences, in the tree's order) and `weakest`, the lowest similarity among them."""

    members: tuple[int, ...]
    weakest: float


@dataclass(frozen=True, kw_only=True)
class Clustering:
    """`order` (N) has each index once; `joins` (N - 1) are the similarities at which neighbours in it are joined."""

    order: tuple[int, ...]
    joins: tuple[float, ...]

    def runs(self, threshold: float) -> list[tuple[int, int]]:
        """(start, end) in `order`, end not included, of each group of two or more."""
        cuts = [index + 1 for index, join in enumerate(self.joins) if join < threshold]
        edges = [0, *cuts, len(self.order)]
        return [(start, end) for start, end in pairwise(edges) if end - start > 1]


def cluster(similarity: np.ndarray) -> Clustering:
    """Single linkage over `similarity` (N, N), which is symmetric; its diagonal is ignored.

    Two runs of leaves are concatenated in the one of four ways whose adjoining ends are the most similar.
    """
    count = len(similarity)
    runs: list[tuple[list[int], list[float]]] = [([index], []) for index in range(count)]
    run_of = list(range(count))  # the run of each item
    rows, columns = np.triu_indices(count, 1)
    for pair in np.argsort(-similarity[rows, columns], kind="stable"):
        first, second = run_of[rows[pair]], run_of[columns[pair]]
        if first == second:
            continue
        (left, left_joins), (right, right_joins) = runs[first], runs[second]
        ways = [(turn_left, turn_right) for turn_left in (False, True) for turn_right in (False, True)]
        end_similarity = {(a, b): similarity[left[0 if a else -1], right[-1 if b else 0]] for a, b in ways}
        turn_left, turn_right = max(ways, key=end_similarity.__getitem__)
        if turn_left:
            left, left_joins = left[::-1], left_joins[::-1]
        if turn_right:
            right, right_joins = right[::-1], right_joins[::-1]
        runs[first] = ([*left, *right], [*left_joins, float(similarity[rows[pair], columns[pair]]), *right_joins])
        for item in right:
            run_of[item] = first
    order, joins = runs[run_of[0]] if count else ([], [])
    return Clustering(order=tuple(order), joins=tuple(joins))


def near_duplicates(similarity: np.ndarray, clustering: Clustering, threshold: float) -> list[Group]:
    """Groups in which each item has at least the similarity `threshold` to another one, the largest first."""
    groups = []
    for start, end in clustering.runs(threshold):
        members = clustering.order[start:end]
        among = similarity[np.ix_(members, members)][np.triu_indices(len(members), 1)]
        groups.append(Group(members=members, weakest=float(among.min())))
    return sorted(groups, key=lambda group: -len(group.members))
