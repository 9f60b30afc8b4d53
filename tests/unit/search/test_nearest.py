"""Search among vectors, against the plainest way to do it."""

from __future__ import annotations

import numpy as np
import pytest

from wenmo.search import leaders, nearest


def unit(count: int, size: int = 24, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((count, size)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def plain(queries: np.ndarray, vectors: np.ndarray, k: int) -> np.ndarray:
    cosines = (queries.astype(np.float64) @ vectors.astype(np.float64).T).round(6)
    return np.argsort(-cosines, axis=1, kind="stable")[:, :k]


@pytest.fixture
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "_QUERIES", 7)
    monkeypatch.setattr(nearest, "_ROWS", 13)
    monkeypatch.setattr(leaders, "_ROWS", 11)
    monkeypatch.setattr(leaders, "_COLUMNS", 17)


@pytest.mark.parametrize("k", [1, 3, 13, 40, 200])
@pytest.mark.usefixtures("_small_blocks")
def test_blocks_find_what_all_pairs_find(k: int) -> None:
    queries, vectors = unit(20, seed=1), unit(100)
    indices, cosines = nearest.nearest(queries, vectors, k)
    assert indices.tolist() == plain(queries, vectors, k).tolist()
    assert np.allclose(cosines, np.take_along_axis(queries @ vectors.T, indices, 1), atol=1e-6)


@pytest.mark.usefixtures("_small_blocks")
def test_equal_vectors_are_found_in_their_order() -> None:
    vectors = np.repeat(unit(3), 20, axis=0)
    indices, cosines = nearest.nearest(vectors[:1], vectors, 25)
    assert indices[0, :20].tolist() == list(range(20))
    assert cosines[0, :20].tolist() == [1.0] * 20


@pytest.mark.usefixtures("_small_blocks")
def test_rows_that_are_left_out() -> None:
    vectors = unit(60)
    among = np.arange(60) % 5 == 0
    indices, cosines = nearest.nearest(vectors, vectors, 20, among=among)
    assert set(indices[:, :12].ravel().tolist()) == set(range(0, 60, 5))
    assert (indices[:, 12:] == -1).all() and np.isneginf(cosines[:, 12:]).all()


def test_nothing_to_search() -> None:
    indices, cosines = nearest.nearest(unit(4), unit(0), 5)
    assert indices.shape == cosines.shape == (4, 0)
    assert nearest.nearest(unit(0), unit(4), 5)[0].shape == (0, 4)


def followed(vectors: np.ndarray, threshold: float, order: list[int]) -> list[int]:
    """Leader clustering, one pair at a time."""
    cosines = np.clip(vectors.astype(np.float64) @ vectors.astype(np.float64).T, -1, 1).round(6)
    leader = list(range(len(vectors)))
    heads: list[int] = []
    for row in order:
        best = max(heads, key=lambda head: cosines[row, head], default=None)
        if best is not None and cosines[row, best] >= threshold:
            leader[row] = best
        else:
            heads.append(row)
    return leader


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.6, 1.0])
@pytest.mark.usefixtures("_small_blocks")
def test_leaders(threshold: float) -> None:
    vectors = np.concatenate([unit(60, size=6), unit(9, size=6)])  # nine of them twice
    leader, cosine = leaders.follow(vectors, threshold)
    assert leader.tolist() == followed(vectors, threshold, list(range(69)))
    assert np.allclose(cosine, np.sum(vectors * vectors[leader], axis=1), atol=1e-5)

    rows = 0

    def count(done: int) -> None:
        nonlocal rows
        rows += done

    order = leaders.by_density(vectors, threshold, on_rows=count)
    near = (np.clip(vectors @ vectors.T, -1, 1).round(6) >= threshold).sum(axis=1)
    assert order.tolist() == sorted(range(69), key=lambda row: (-near[row], row)) and rows == 69
    assert leaders.follow(vectors, threshold, order=order)[0].tolist() == followed(vectors, threshold, order.tolist())


def test_many_equal_vectors_take_no_more_memory_than_others() -> None:
    vectors = np.repeat(unit(2), 5_000, axis=0)
    leader, cosine = leaders.follow(vectors, 0.9)
    assert set(leader.tolist()) == {0, 5_000} and (cosine == 1).all()
