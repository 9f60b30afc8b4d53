"""Approximate search for more vectors than can be compared one by one: a graph of neighbours (HNSW), by faiss.

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
_ROWS = 65_536  # added at a time
_QUERIES = 256  # whose candidates' vectors are in memory at a time


class Graph:
    """The vectors at the first `rows` rows of an index, those that are left out excepted."""

    def __init__(self, hidden_size: int) -> None:
        faiss = _faiss()
        self._graph: Any = faiss.IndexHNSWSQ(
            hidden_size, faiss.ScalarQuantizer.QT_fp16, _CONNECTIVITY, faiss.METRIC_INNER_PRODUCT
        )
        self._graph.hnsw.efConstruction = _BUILDING
        self._graph.hnsw.efSearch = _SEARCHING
        self._graph.train(np.zeros((1, hidden_size), dtype=np.float32))  # half precision needs none, faiss asks for it
        self._row_of = np.empty(0, dtype=np.int64)  # of each node
        self.rows = 0

    def add(self, vectors: np.ndarray, among: np.ndarray) -> None:
        """Add those of `vectors` (N, H) beyond the rows that the graph has; `among` (N,) says which are searched."""
        fresh = self.rows + np.flatnonzero(among[self.rows : len(vectors)])
        for start in range(0, len(fresh), _ROWS):
            self._graph.add(np.ascontiguousarray(vectors[fresh[start : start + _ROWS]]))
        self._row_of = np.concatenate([self._row_of, fresh])
        self.rows = len(vectors)

    def nearest(self, queries: np.ndarray, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """As `wenmo.search.nearest.nearest`, of nearly all neighbours."""
        indices = np.full((len(queries), k), -1, dtype=np.int64)
        cosines = np.full((len(queries), k), -np.inf, dtype=np.float32)
        for start in range(0, len(queries), _QUERIES):
            block = np.ascontiguousarray(queries[start : start + _QUERIES])
            _, nodes = self._graph.search(block, _OVERSAMPLED * k)
            for row, (query, found) in enumerate(zip(block, nodes, strict=True), start):
                candidates = np.sort(self._row_of[found[found >= 0]])
                values = rounded(np.asarray(vectors[candidates]) @ query)
                best = np.lexsort((candidates, -values))[:k]
                indices[row, : len(best)], cosines[row, : len(best)] = candidates[best], values[best]
        return indices, cosines

    def save(self, path: Path) -> None:
        temporary = path.with_name(f".{path.name}.new")
        _faiss().write_index(self._graph, str(temporary))
        temporary.replace(path)

    @classmethod
    def open(cls, path: Path, hidden_size: int, among: np.ndarray) -> Graph | None:
        """The graph that was saved, of all or of the first rows that `among` (N,) lets in; None for a damaged file."""
        graph = cls(hidden_size)
        try:
            saved = _faiss().read_index(str(path))
        except RuntimeError:
            return None
        rows_of = np.flatnonzero(among)
        if saved.d != hidden_size or not 0 < saved.ntotal <= len(rows_of):
            return None
        saved.hnsw.efSearch = _SEARCHING
        graph._graph, graph._row_of = saved, rows_of[: saved.ntotal]
        graph.rows = int(graph._row_of[-1]) + 1
        return graph


def _faiss() -> Any:
    with needs("search"):
        import faiss
    return faiss
