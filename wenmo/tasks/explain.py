"""Explaining a result by occlusion: how much the score falls when a part of the text is masked.

Each part (character or word) in turn is replaced by [MASK]; all these variants are computed as one list. The weight of
a part is the log odds of the whole text minus those of the text without the part: positive if the part supports the
result, negative if it opposes it. Weights do not add up to the score, since parts interact: of two words with the same
meaning, masking either one may change nothing. (Zeiler and Fergus, 2014, arXiv 1311.2901; for text Li et al., 2016,
arXiv 1612.08220.)

Weights are log odds because probabilities near 0 and 1 hardly change. docs/decisions/0009-explaining.md compares [MASK]
with other replacements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from wenmo.tasks.embedding import normalized
from wenmo.tasks.zero_shot import CONTRADICTION, ENTAILMENT
from wenmo.tokenizer import Encoding, Word
from wenmo.types import Explanation, Part

SECOND = 1  # the explained class of a two-class task: positive, same meaning
MAX_UNITS = 128  # bounds the forwards of an explanation, one per unit
_MAX_GROUP = 16  # words of a unit, in texts of more than MAX_UNITS words
_CLAUSE_ENDS = frozenset("。！？；，、：…!?;,:\n")


@dataclass(frozen=True, kw_only=True)
class Unit:
    """What is masked at once: characters `start` to `end` of text number `text`, tokens `first` to `last` of the input.

    `end` and `last` are not included. `words` is its number of words.
    """

    text: int
    start: int
    end: int
    first: int
    last: int
    words: int = 1


def units(encoding: Encoding, texts: Sequence[str], words: Sequence[Sequence[Word]]) -> list[Unit]:
    """At most MAX_UNITS units of an input's one or two `texts`, in order; none of what was cut off.

    A unit is one of the `words` (a Chinese character is a word). If there are too many words, units are groups of
    words, which end at the end of a clause or after _MAX_GROUP words.
    """
    ends = (
        [len(encoding) - 1] if not encoding.segment_b else [len(encoding) - encoding.segment_b - 1, len(encoding) - 1]
    )
    single: list[list[Unit]] = []
    first = 1  # after [CLS]
    for text, (end, text_words) in enumerate(zip(ends, words, strict=False)):
        text_units = []
        for word in text_words:
            if first >= end:
                break
            last = min(first + word.tokens, end)
            text_units.append(Unit(text=text, start=word.start, end=word.end, first=first, last=last))
            first = last
        single.append(text_units)
        first = end + 1  # after [SEP]
    count = sum(map(len, single))
    if count <= MAX_UNITS:
        return [unit for text_units in single for unit in text_units]
    # The last group of each text may have fewer words than the others.
    least = -(-count // (MAX_UNITS + 1 - len(single)))
    return [group for index, each in enumerate(single) for group in _groups(each, texts[index], least=least)]


def _groups(words: Sequence[Unit], text: str, *, least: int) -> list[Unit]:
    """Consecutive words joined into units of at least `least` words, except the last unit."""
    groups: list[Unit] = []
    group: list[Unit] = []
    for index, word in enumerate(words):
        group.append(word)
        between = text[word.start : words[index + 1].start] if index + 1 < len(words) else ""
        if len(group) < least or (len(group) < _MAX_GROUP and _CLAUSE_ENDS.isdisjoint(between)):
            continue
        groups.append(_joined(group))
        group = []
    return [*groups, _joined(group)] if group else groups


def _joined(group: Sequence[Unit]) -> Unit:
    return replace(group[0], end=group[-1].end, last=group[-1].last, words=len(group))


def mask(encoding: Encoding, unit: Unit, *, mask_id: int) -> Encoding:
    """`encoding` with each token of `unit` replaced by [MASK]; its length does not change."""
    masks = (mask_id,) * (unit.last - unit.first)
    return replace(encoding, input_ids=(*encoding.input_ids[: unit.first], *masks, *encoding.input_ids[unit.last :]))


def class_odds(logits: np.ndarray, chosen: int, rival: int, *, temperature: float) -> np.ndarray:
    """(N,) log odds of one class against another, from `logits` (N, classes)."""
    return (logits[:, chosen] - logits[:, rival]).astype(np.float64) / temperature


def two_class_odds(logits: np.ndarray, *, temperature: float) -> np.ndarray:
    """(N,) log odds of the second class against the first, from `logits` (N, 2)."""
    return class_odds(logits, SECOND, 1 - SECOND, temperature=temperature)


def entailment_odds(logits: np.ndarray, *, temperature: float) -> np.ndarray:
    """(N,) log odds of entailment against contradiction, from the `logits` (N, classes) of one label."""
    return (logits[:, ENTAILMENT] - logits[:, CONTRADICTION]).astype(np.float64) / temperature


def label_odds(logits: np.ndarray, rival: np.ndarray, *, temperature: float) -> np.ndarray:
    """(N,) log odds of a label against a rival label, from the logits (N, classes) of each."""
    return (logits[:, ENTAILMENT] - rival[:, ENTAILMENT]).astype(np.float64) / temperature


def explanation(
    units: Sequence[Unit],
    odds: np.ndarray,
    encodings: Sequence[Encoding],
    texts: Sequence[str],
    *,
    label: str,
    rival: str | None,
    score: float,
) -> Explanation:
    """The result for `odds` (1 + U,): log odds of the whole input, then of the input without each of `units`."""
    weights = odds[0] - odds[1:]
    return Explanation(
        label=label,
        rival=rival,
        score=score,
        log_odds=float(odds[0]),
        parts=tuple(
            tuple(
                Part(start=unit.start, end=unit.end, weight=float(weight))
                for unit, weight in zip(units, weights, strict=True)
                if unit.text == text
            )
            for text in range(len(texts))
        ),
        grouped=any(unit.words > 1 for unit in units),
        truncated=any(encoding.truncated for encoding in encodings),
    )


def unit_directions(states: np.ndarray, units: Sequence[Unit]) -> np.ndarray:
    """(U, H): the mean of each unit's last-layer `states` (L, H), scaled to length 1."""
    rows = np.empty((len(units), states.shape[1]), dtype=np.float32)
    for index, unit in enumerate(units):
        rows[index] = states[unit.first : unit.last].mean(axis=0)
    return normalized(rows)
