"""Why a model answered as it did: how far its score falls when a part of the text is hidden (occlusion).

Each part in turn, a character or a word, is replaced by [MASK], and the model reads the text again; all those inputs
go through the runtime as one list. The weight of a part is `log odds with it - log odds without it`: positive carries
the score, negative pulls against it. It is measured on the model itself, and it is no more than that: weights do not
add up to the score, since characters act together, and of two words that say the same either may be hidden at no loss.
(Zeiler and Fergus, 2014, arXiv 1311.2901; for text Li et al., 2016, arXiv 1612.08220.)

Log odds rather than probabilities, which near 0 and 1 hardly move. docs/decisions/0009-explaining.md has what [MASK]
was measured against.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from wenmo.tasks.embedding import normalized
from wenmo.tasks.zero_shot import CONTRADICTION, ENTAILMENT
from wenmo.tokenizer import Encoding, Word
from wenmo.types import Explanation, Part

SECOND = 1  # of two classes the one that is explained: sentiment.POSITIVE, similarity.SAME
MAX_UNITS = 128  # hidden one by one: an input costs at most so many forwards of its own length
_MAX_GROUP = 16  # words hidden together where a text has more than MAX_UNITS
_CLAUSE_ENDS = frozenset("。！？；，、：…!?;,:\n")


@dataclass(frozen=True, kw_only=True)
class Unit:
    """What is hidden at once: characters `start` to `end` of text number `text`, tokens `first` to `last` of the input.

    Neither `end` nor `last` is included. `words`: of how many words it is made.
    """

    text: int
    start: int
    end: int
    first: int
    last: int
    words: int = 1


def units(encoding: Encoding, texts: Sequence[str], words: Sequence[Sequence[Word]]) -> list[Unit]:
    """The units of an input's one or two texts, in order, MAX_UNITS at most; what was cut off has none.

    A unit is a word (a Chinese character is one). A text of more words is taken in groups, which end where a clause
    does, or after _MAX_GROUP words.
    """
    ends = (
        [len(encoding) - 1] if not encoding.segment_b else [len(encoding) - encoding.segment_b - 1, len(encoding) - 1]
    )
    single: list[list[Unit]] = []
    first = 1  # [CLS] stands at 0
    for text, (end, own) in enumerate(zip(ends, words, strict=False)):
        found = []
        for word in own:
            if first >= end:
                break
            last = min(first + word.tokens, end)
            found.append(Unit(text=text, start=word.start, end=word.end, first=first, last=last))
            first = last
        single.append(found)
        first = end + 1  # behind [SEP]
    count = sum(map(len, single))
    if count <= MAX_UNITS:
        return [unit for found in single for unit in found]
    # The last group of each text may be smaller than the others.
    least = -(-count // (MAX_UNITS + 1 - len(single)))
    return [group for text, found in enumerate(single) for group in _groups(found, texts[text], least=least)]


def _groups(words: Sequence[Unit], text: str, *, least: int) -> list[Unit]:
    """Words that follow one another as one unit, at least `least` of them but for the last ones."""
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


def hide(encoding: Encoding, unit: Unit, *, mask_id: int) -> Encoding:
    """`encoding` with each token of `unit` replaced by [MASK]: everything else stays in its place."""
    masks = (mask_id,) * (unit.last - unit.first)
    return replace(encoding, input_ids=(*encoding.input_ids[: unit.first], *masks, *encoding.input_ids[unit.last :]))


def two_class_odds(logits: np.ndarray, *, temperature: float) -> np.ndarray:
    """(N,) of logits (N, 2): of the second class, 正面 or 相似, over the first."""
    return (logits[:, SECOND] - logits[:, 1 - SECOND]).astype(np.float64) / temperature


def entailment_odds(logits: np.ndarray, *, temperature: float) -> np.ndarray:
    """(N,) of the logits (N, 3) of one label: that it holds, over that it does not."""
    return (logits[:, ENTAILMENT] - logits[:, CONTRADICTION]).astype(np.float64) / temperature


def label_odds(logits: np.ndarray, rival: np.ndarray, *, temperature: float) -> np.ndarray:
    """(N,) of the logits (N, 3) of two labels: of the one over the other, whatever other labels there are."""
    return (logits[:, ENTAILMENT] - rival[:, ENTAILMENT]).astype(np.float64) / temperature


def explanation(
    hidden: Sequence[Unit],
    odds: np.ndarray,
    encodings: Sequence[Encoding],
    texts: Sequence[str],
    *,
    label: str,
    rival: str | None,
    score: float,
) -> Explanation:
    """`odds` (1 + U,): log odds of the whole input, then with each of `hidden` away."""
    weights = odds[0] - odds[1:]
    return Explanation(
        label=label,
        rival=rival,
        score=score,
        log_odds=float(odds[0]),
        parts=tuple(
            tuple(
                Part(start=unit.start, end=unit.end, weight=float(weight))
                for unit, weight in zip(hidden, weights, strict=True)
                if unit.text == text
            )
            for text in range(len(texts))
        ),
        grouped=any(unit.words > 1 for unit in hidden),
        truncated=any(encoding.truncated for encoding in encodings),
    )


def unit_directions(states: np.ndarray, own: Sequence[Unit]) -> np.ndarray:
    """(U, H) of length 1: the mean of each unit's last-layer states, out of those (L, H) of the whole input."""
    rows = np.empty((len(own), states.shape[1]), dtype=np.float32)
    for index, unit in enumerate(own):
        rows[index] = states[unit.first : unit.last].mean(axis=0)
    return normalized(rows)
