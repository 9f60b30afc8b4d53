"""Exact search: the vectors with the highest cosines, by matrix products in blocks of bounded memory."""

from __future__ import annotations

import numpy as np

_QUERIES, _ROWS = 512, 8_192  # of a block: 16 MiB of cosines
_EXACT = 6  # decimals: products in blocks of other shapes differ in the last bits, and equal texts shall be equal


def rounded(cosines: np.ndarray) -> np.ndarray:
    """`cosines` in [-1, 1], so that two equal vectors have exactly 1 wherever they stand."""
    return np.clip(cosines, -1.0, 1.0).round(_EXACT)


def nearest(
    queries: np.ndarray, vectors: np.ndarray, k: int, *, among: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The `k` rows of `vectors` (N, H) with the highest cosines to each of `queries` (Q, H); all have length 1.

    Returns their indices (Q, k) int64 and cosines (Q, k) float32, best first, the lower index first where two are
    equal; k is at most N. `among` (N,) of booleans leaves rows out; what is missing then has the index -1 and -inf.
    """
    k = min(k, len(vectors))
    indices = np.full((len(queries), k), -1, dtype=np.int64)
    cosines = np.full((len(queries), k), -np.inf, dtype=np.float32)
    for start in range(0, len(queries) if k else 0, _QUERIES):
        part = slice(start, start + _QUERIES)
        indices[part], cosines[part] = _nearest(queries[part], vectors, k, among)
    return indices, cosines


def _nearest(
    queries: np.ndarray, vectors: np.ndarray, k: int, among: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    count = len(queries)
    best = np.full((count, k), -1, dtype=np.int64)
    best_cosines = np.full((count, k), -np.inf, dtype=np.float32)
    for start in range(0, len(vectors), _ROWS):
        cosines = queries @ vectors[start : start + _ROWS].T
        if among is not None:
            cosines[:, ~among[start : start + _ROWS]] = -np.inf
        # Only what may be among the best is rounded and sorted: after the first block that is little.
        least = best_cosines[:, -1]
        if not np.isfinite(least).all() and cosines.shape[1] > k:
            least = np.maximum(least, np.partition(cosines, -k, axis=1)[:, -k])
        rows, columns = np.nonzero((cosines >= least[:, None] - 10.0**-_EXACT) & np.isfinite(cosines))
        if not len(rows):
            continue
        kept_rows, kept_columns = np.nonzero(best >= 0)
        of = np.concatenate([kept_rows, rows])
        index = np.concatenate([best[kept_rows, kept_columns], columns + start])
        value = np.concatenate([best_cosines[kept_rows, kept_columns], rounded(cosines[rows, columns])])
        order = np.lexsort((index, -value, of))
        of, index, value = of[order], index[order], value[order]
        place = np.arange(len(of)) - np.searchsorted(of, of)  # among those of the same query
        kept = place < k
        best[of[kept], place[kept]] = index[kept]
        best_cosines[of[kept], place[kept]] = value[kept]
    return best, best_cosines
