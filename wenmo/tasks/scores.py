"""From logits to probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def softmax(logits: np.ndarray, *, temperature: float = 1.0) -> np.ndarray:
    """Of `logits / temperature` over the last axis.

    In float64, so that the scores add up to 1 as closely as they can be written. A temperature above 1 makes a model
    that is too sure less so and changes no ranking (Guo et al., 2017, arXiv 1706.04599).
    """
    exponents = np.exp((logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)) / temperature)
    return exponents / exponents.sum(axis=-1, keepdims=True)


def best_first(labels: Sequence[str], probabilities: np.ndarray) -> dict[str, float]:
    """Label to probability, best first; equal ones in the order of the labels."""
    order = np.argsort(-probabilities, kind="stable")
    return {labels[index]: float(probabilities[index]) for index in order}
