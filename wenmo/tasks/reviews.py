"""Reviews by sentence and aspect: splitting, finding aspects, and means with confidence intervals.

The sentiment of an aspect is that of the sentences that contain one of its words: "快递很快，价格太贵" is one sentence,
and its one score counts for both aspects. Intervals cover the choice of the reviews, not the errors of the model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wenmo.tasks.labels import split_labels

_END = re.compile("[。！？!?；;…\n]+[”’」』）)\"']*")
_COUNTS = {
    **{word: count for count, word in enumerate("一二三四五", 1)},
    **{str(count): count for count in range(1, 6)},
}
_RESAMPLES = 5_000
MIN_FOR_INTERVAL = 5  # values; resampling fewer gives no useful interval


@dataclass(frozen=True, kw_only=True)
class Aspect:
    """An aspect of a product: its `name` as typed, and the `words` that mention it."""

    name: str
    words: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Mean:
    """A mean, or a difference of means, with its 95% interval; None for too few values."""

    value: float
    interval: tuple[float, float] | None


def stars(values: Sequence[str]) -> dict[str, int] | None:
    """The stars, 1 to 5, that each value of a column stands for; None for a column of anything else.

    A column of 0 and 1, or of 1 alone, is none of stars.
    """
    found = {value: _stars(value) for value in values}
    read = {value: count for value, count in found.items() if count is not None}
    return read if len(read) == len(found) and max(read.values(), default=0) > 1 else None


def _stars(value: str) -> int | None:
    plain = value.strip().removesuffix("级").removesuffix("颗星").removesuffix("星").removesuffix("分")
    if plain and set(plain) <= {"★", "☆", "⭐", "\ufe0f"}:
        return (plain.count("★") + plain.count("⭐")) or None
    plain = plain.strip().removesuffix(".0")
    return _COUNTS.get(plain)


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """(start, end) of each sentence, with end marks and closing quotes, without surrounding white space."""
    spans, start = [], 0
    for end in [*(match.end() for match in _END.finditer(text)), len(text)]:
        sentence = text[start:end]
        if sentence.strip():
            left = start + len(sentence) - len(sentence.lstrip())
            spans.append((left, left + len(sentence.strip())))
        start = end
    return spans


def parse_aspects(typed: str) -> list[Aspect]:
    """Distinct aspects, separated as labels are, the words of one by slashes, as in 物流/快递，价格."""
    aspects: dict[str, Aspect] = {}
    for name in split_labels(typed):
        words = tuple(dict.fromkeys(word.strip().casefold() for word in re.split("[/／]", name) if word.strip()))
        if words:
            aspects.setdefault(name.strip(), Aspect(name=name.strip(), words=words))
    return list(aspects.values())


def mentions(sentence: str, aspect: Aspect) -> bool:
    """Whether the sentence contains one of the aspect's words, in any case."""
    folded = sentence.casefold()
    return any(word in folded for word in aspect.words)


def mean(values: Sequence[float]) -> Mean:
    """The mean of at least one value, with a percentile bootstrap interval (Efron and Tibshirani, 1993, chapter 13)."""
    return Mean(value=float(np.mean(values)), interval=_interval(_resampled(values, seed=0), len(values)))


def difference(first: Sequence[float], second: Sequence[float]) -> Mean:
    """The mean of `first` minus that of `second`, with a bootstrap interval that resamples each independently."""
    means = _resampled(first, seed=0) - _resampled(second, seed=1)
    return Mean(value=float(np.mean(first) - np.mean(second)), interval=_interval(means, min(len(first), len(second))))


def _resampled(values: Sequence[float], *, seed: int) -> np.ndarray:
    """(_RESAMPLES,) means of bootstrap samples of `values`, the same for the same `seed`."""
    drawn = np.random.default_rng(seed).integers(len(values), size=(_RESAMPLES, len(values)))
    return np.asarray(values)[drawn].mean(axis=1)


def _interval(means: np.ndarray, count: int) -> tuple[float, float] | None:
    if count < MIN_FOR_INTERVAL:
        return None
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
