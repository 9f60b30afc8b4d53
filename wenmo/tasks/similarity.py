"""Sentence similarity by a cross-encoder: both sentences are read together, as `[CLS] a [SEP] b [SEP]`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wenmo.inference.tokenizer import Encoding, Tokenizer
from wenmo.tasks.scores import best_first, softmax
from wenmo.types import SimilarityResult

SAME = 1  # the logit of "the same meaning" in ModelScope's checkpoints


def encode(tokenizer: Tokenizer, pairs: Sequence[tuple[str, str]], *, max_length: int) -> list[Encoding]:
    """One encoding a pair. Each distinct text is tokenised once."""
    distinct = list(dict.fromkeys(text for pair in pairs for text in pair))
    pieces = dict(zip(distinct, tokenizer.pieces(distinct), strict=True))
    return [tokenizer.encode_pair(pieces[first], pieces[second], max_length=max_length) for first, second in pairs]


def decode(logits: np.ndarray, encodings: Sequence[Encoding], *, labels: Sequence[str]) -> list[SimilarityResult]:
    """Results of `logits` (N, 2), in order."""
    results = []
    for row, probabilities, encoding in zip(logits, softmax(logits), encodings, strict=True):
        scores = best_first(labels, probabilities)
        label, score = next(iter(scores.items()))
        results.append(
            SimilarityResult(
                label=label,
                score=score,
                scores=scores,
                truncated=encoding.truncated,
                logits=(tuple(row.tolist()),),
                similarity=float(probabilities[SAME]),
            )
        )
    return results
