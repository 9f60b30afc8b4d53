"""Sentiment of single texts: `[CLS] text [SEP]`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wenmo.tasks.scores import best_first, softmax
from wenmo.tokenizer import Encoding
from wenmo.types import SentimentResult

POSITIVE = 1  # the logit of the positive label in ModelScope's checkpoints


def decode(
    logits: np.ndarray, encodings: Sequence[Encoding], *, labels: Sequence[str], temperature: float = 1.0
) -> list[SentimentResult]:
    """Results of `logits` (N, 2), in order."""
    all_probabilities = softmax(logits, temperature=temperature)
    results = []
    for row, probabilities, encoding in zip(logits, all_probabilities, encodings, strict=True):
        scores = best_first(labels, probabilities)
        label, score = next(iter(scores.items()))
        results.append(
            SentimentResult(
                label=label,
                score=score,
                scores=scores,
                truncated=encoding.truncated,
                logits=(tuple(row.tolist()),),
                positive=float(probabilities[POSITIVE]),
            )
        )
    return results
