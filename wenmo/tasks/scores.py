"""From logits to probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def softmax(logits: np.ndarray, *, temperature: float = 1.0) -> np.ndarray:
    """Softmax of `logits / temperature` over the last axis, in float64, so that it sums to 1 within rounding.

    A temperature above 1 corrects overconfidence without changing the ranking (Guo et al., 2017, arXiv 1706.04599).
    """
    exponents = np.exp((logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)) / temperature)
    return exponents / exponents.sum(axis=-1, keepdims=True)


def ranking(labels: Sequence[str], probabilities: np.ndarray) -> dict[str, Any]:
    """The fields `label`, `score` and `scores` of a Result: best first, ties in the order of the labels."""
    order = np.argsort(-probabilities, kind="stable")
    scores = {labels[index]: float(probabilities[index]) for index in order}
    return {"label": labels[order[0]], "score": float(probabilities[order[0]]), "scores": scores}
