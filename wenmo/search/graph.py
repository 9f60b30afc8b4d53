"""Approximate search for more vectors than can be compared one by one: a graph of neighbours (HNSW), by usearch.

The graph holds half-precision copies and proposes candidates, whose cosines are then computed from the vectors
themselves. Why this library, and what it finds: docs/decisions/0014-search.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from wenmo.extras import needs
from wenmo.search.nearest import rounded

_CONNECTIVITY, _BUILDING, _SEARCHING = 16, 128, 256
_OVERSAMPLED = 2  # candidates for each result, since half precision orders them only roughly


class Graph:
    """The vectors at the first `len(graph)` rows of an index, those that are left out excepted."""

    def __init__(self, hidden_size: int) -> None:
        with needs("search"):
            from usearch.index import Index as UsearchIndex
        self._index: Any = UsearchIndex(
            ndim=hidden_size,
            metric="ip",
            dtype="f16",
            connectivity=_CONNECTIVITY,
            expansion_add=_BUILDING,
            expansion_search=_SEARCHING,
        )
        self.rows = 0

    def add(self, vectors: np.ndarray, among: np.ndarray) -> None:
        """Add those of `vectors` (N, H) beyond the rows that the graph has; `among` (N,) says which are searched."""
        fresh = self.rows + np.flatnonzero(among[self.rows :])
        for start in range(0, len(fresh), 65_536):
            keys = fresh[start : start + 65_536]
            self._index.add(keys, np.asarray(vectors[keys]))
        self.rows = len(vectors)

    def nearest(self, queries: np.ndarray, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """As `wenmo.search.nearest.nearest`, of nearly all neighbours."""
        indices = np.full((len(queries), k), -1, dtype=np.int64)
        cosines = np.full((len(queries), k), -np.inf, dtype=np.float32)
        for row, query in enumerate(queries):
            found = np.asarray(self._index.search(query, _OVERSAMPLED * k).keys).astype(np.int64)
            candidates = np.sort(found[found < len(vectors)])
            values = rounded(np.asarray(vectors[candidates]) @ query)
            best = np.lexsort((candidates, -values))[:k]
            indices[row, : len(best)], cosines[row, : len(best)] = candidates[best], values[best]
        return indices, cosines

    def save(self, path: Path) -> None:
        temporary = path.with_name(f".{path.name}.new")
        self._index.save(str(temporary))
        temporary.replace(path)

    @classmethod
    def open(cls, path: Path, hidden_size: int, among: np.ndarray) -> Graph | None:
        """The graph that was saved, of all or of the first rows that `among` (N,) lets in; None for a damaged file."""
        graph = cls(hidden_size)
        try:
            graph._index.load(str(path))
        except (OSError, RuntimeError, ValueError):
            return None
        rows_of = np.flatnonzero(among)
        if not 0 < len(graph._index) <= len(rows_of):
            return None
        graph.rows = int(rows_of[len(graph._index) - 1]) + 1
        return graph
