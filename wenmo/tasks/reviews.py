"""Reading reviews by their parts and in numbers: sentences, what they mention, and means with how sure they are.

The mood of an aspect is that of the sentences that mention its words, no more: "快递很快，价格太贵" is one sentence,
and counts with its one mood for both. No model looks for what is said about a word. Intervals tell how far a mean
might move with other reviews of the same kind; they know nothing of the model's own errors.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_END = re.compile("[。！？!?；;…\n]+[”’」』）)\"']*")
_RESAMPLES = 5_000
MIN_FOR_INTERVAL = 5  # below, resampling knows too few values to say anything


@dataclass(frozen=True, kw_only=True)
class Aspect:
    """What is asked about: `name` as it was typed, and the `words` of which a sentence mentions at least one."""

    name: str
    words: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Mean:
    """A mean or a difference of means, with its 95% interval; None where there are too few values for one."""

    value: float
    interval: tuple[float, float] | None


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """(start, end) of each sentence, its end marks and closing quotes included, white space around it not."""
    spans, start = [], 0
    for end in [*(match.end() for match in _END.finditer(text)), len(text)]:
        piece = text[start:end]
        if piece.strip():
            left = start + len(piece) - len(piece.lstrip())
            spans.append((left, left + len(piece.strip())))
        start = end
    return spans


def parse_aspects(typed: str) -> list[Aspect]:
    """Aspects between commas or 、; words of one between slashes, as in 物流/快递，价格. Repeated ones are dropped."""
    aspects: dict[str, Aspect] = {}
    for name in re.split("[,，、]", typed):
        words = tuple(dict.fromkeys(word.strip().casefold() for word in re.split("[/／]", name) if word.strip()))
        if words:
            aspects.setdefault(name.strip(), Aspect(name=name.strip(), words=words))
    return list(aspects.values())


def mentions(sentence: str, aspect: Aspect) -> bool:
    """Whether one of the aspect's words stands in the sentence, whatever its case."""
    folded = sentence.casefold()
    return any(word in folded for word in aspect.words)


def mean(values: Sequence[float]) -> Mean:
    """The mean of at least one value, with a percentile bootstrap interval (Efron and Tibshirani 1993, chapter 13)."""
    return Mean(value=float(np.mean(values)), interval=_interval(_resampled(values, seed=0), len(values)))


def difference(first: Sequence[float], second: Sequence[float]) -> Mean:
    """The mean of `first` minus that of `second`, each resampled for itself."""
    means = _resampled(first, seed=0) - _resampled(second, seed=1)
    return Mean(value=float(np.mean(first) - np.mean(second)), interval=_interval(means, min(len(first), len(second))))


def _resampled(values: Sequence[float], *, seed: int) -> np.ndarray:
    """(_RESAMPLES,) means of as many values as there are, drawn with replacement; the same at each call."""
    drawn = np.random.default_rng(seed).integers(len(values), size=(_RESAMPLES, len(values)))
    return np.asarray(values)[drawn].mean(axis=1)


def _interval(means: np.ndarray, count: int) -> tuple[float, float] | None:
    if count < MIN_FOR_INTERVAL:
        return None
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
