"""Sentence vectors: the mean of the last layer over the tokens of `[CLS] text [SEP]`."""

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
    """(N, H): the rows of `vectors` scaled to length 1; rows of zeros stay zeros."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def cosines(vectors: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(N, M): the cosines of `vectors` (N, H) with `others` (M, H), in [-1, 1]."""
    return np.clip(normalized(vectors) @ normalized(others).T, -1.0, 1.0)
