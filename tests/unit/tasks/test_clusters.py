"""Order and groups, compared with scipy's single linkage and with values by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from wenmo.tasks.clusters import cluster, near_duplicates


def _similarity(count: int, seed: int, *, decimals: int = 9) -> np.ndarray:
    """Random and symmetric, with ties if there are few decimals."""
    upper = np.triu(np.random.default_rng(seed).random((count, count)).round(decimals), 1)
    return upper + upper.T + np.eye(count)


@pytest.mark.parametrize(("count", "decimals"), [(2, 9), (3, 1), (17, 9), (60, 2), (200, 9)])
def test_groups_are_those_of_scipy_at_any_threshold(count: int, decimals: int) -> None:
    similarity = _similarity(count, seed=count, decimals=decimals)
    found = cluster(similarity)
    assert sorted(found.order) == list(range(count))
    tree = linkage(squareform(1 - similarity, checks=False), method="single")
    for threshold in (0.3, 0.85, 0.95, 0.985, 0.995, float(np.median(found.joins)), 1.01):
        of = fcluster(tree, 1 - threshold + 1e-12, criterion="distance")
        expected = {frozenset(np.flatnonzero(of == name).tolist()) for name in set(of) if (of == name).sum() > 1}
        groups = near_duplicates(similarity, found, threshold)
        assert {frozenset(group.members) for group in groups} == expected
        assert [len(group.members) for group in groups] == sorted((len(each) for each in expected), reverse=True)


def test_like_stands_beside_like() -> None:
    """Shuffled points on a line come back in the order of the line, forwards or backwards."""
    places = np.array([3.0, 0.0, 4.1, 1.0, 2.05])
    similarity = 1 - np.abs(places[:, None] - places[None, :]) / 10
    order = cluster(similarity).order
    assert order in ((1, 3, 4, 0, 2), (2, 0, 4, 3, 1))


def test_a_chain_is_one_group_and_says_how_far_apart_its_ends_are() -> None:
    similarity = np.array([[1.0, 0.9, 0.2, 0.1], [0.9, 1.0, 0.8, 0.1], [0.2, 0.8, 1.0, 0.1], [0.1, 0.1, 0.1, 1.0]])
    (group,) = near_duplicates(similarity, cluster(similarity), 0.8)
    assert sorted(group.members) == [0, 1, 2]
    assert group.weakest == 0.2


def test_one_sentence_and_none_have_no_groups() -> None:
    assert cluster(np.empty((0, 0))).order == ()
    assert cluster(np.ones((1, 1))).runs(0.5) == []
