"""Sentence vectors: each text is read alone, `[CLS] text [SEP]`, and its vector is the mean of the last layer."""

from __future__ import annotations

import numpy as np

from wenmo.tasks.spec import TaskSpec

EMBEDDING = TaskSpec(
    name="embedding",
    title="Sentence vectors",
    title_zh="句向量",
    summary="The mean-pooled vector of each text, for search; weaker and cheaper than similarity.",
    inputs="text",
    outputs="vectors",
    result=None,
    calibrations=("nearest_label",),
    bundled="wenmo-embedding",
    hub_task="sentence-embedding",
)


def normalized(vectors: np.ndarray) -> np.ndarray:
    """(N, H) with rows of length 1; a row of zeros stays one."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def cosines(vectors: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(N, M) cosines of `vectors` (N, H) with `others` (M, H)."""
    return np.clip(normalized(vectors) @ normalized(others).T, -1.0, 1.0)
