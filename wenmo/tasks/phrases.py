"""The phrases that one set of texts has more often than another: what good reviews praise, what bad ones complain of.

Chinese writes no spaces, and a segmenter's dictionary lacks the names of products. So phrases are runs of 2 to 4
characters (words, where letters are Latin) that repeat from text to text; each text counts once.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_RUN = re.compile(r"[\u3400-\u9fff]+|[A-Za-z][A-Za-z'-]+")
_LENGTHS = (2, 3, 4)
_MOST_COUNTED = 200_000  # different phrases held at a time; beyond it the rare ones are dropped
_LEAST = 2  # texts in which a phrase must be
_WHOLE = 0.7  # a phrase is part of a longer one if that has so much of its texts
# Characters at which no phrase begins or ends: they join words.
_JOINING = frozenset(
    "的了是我你他她它们这那就都也很还在有和与把被给让不没吗呢吧啊呀嘛着过到说要会能可个么之而但又再太更最"
)


@dataclass(frozen=True, kw_only=True)
class Phrase:
    """A phrase that is in `count` texts of its own set, and in `other` texts of the other one."""

    text: str
    count: int
    other: int


def distinct_phrases(own: Iterable[str], other: Iterable[str], *, limit: int) -> list[Phrase]:
    """The phrases that are typical of `own`: often there, and more often than chance would have it against `other`."""
    (mine, of_mine), (theirs, of_theirs) = _counts(own), _counts(other)
    scored = []
    for text, count in mine.items():
        rate, expected = count / max(of_mine, 1), (theirs[text] + 0.5) / (of_theirs + 1)
        if count >= _LEAST and rate > expected:
            scored.append((count * math.log(rate / expected), text))
    shown: list[str] = []
    for _, text in sorted(scored, key=lambda each: (-each[0], -len(each[1]), each[1])):
        if len(shown) >= limit:
            break
        if not any(_overlaps(text, kept, mine) for kept in shown):
            shown.append(text)
    return [Phrase(text=text, count=mine[text], other=theirs[text]) for text in shown]


def _overlaps(text: str, kept: str, counts: Counter[str]) -> bool:
    """Whether they are the same thing said: one is a part of the other, and mostly there with it."""
    short, long = sorted((text, kept), key=len)
    if short in long:
        return counts[long] >= _WHOLE * counts[short] or text == long
    return any(text[-size:] == kept[:size] or kept[-size:] == text[:size] for size in range(2, len(short)))


def _counts(texts: Iterable[str]) -> tuple[Counter[str], int]:
    """In how many texts each phrase is, and the number of texts."""
    counts: Counter[str] = Counter()
    of = 0
    for text in texts:
        of += 1
        counts.update(set(_phrases(text)))
        if len(counts) > _MOST_COUNTED:
            counts = Counter({phrase: count for phrase, count in counts.items() if count >= _LEAST})
    return counts, of


def _phrases(text: str) -> Iterator[str]:
    for run in _RUN.findall(text):
        if run[0].isascii():
            yield run.casefold()
            continue
        for length in _LENGTHS:
            for start in range(len(run) - length + 1):
                phrase = run[start : start + length]
                if phrase[0] not in _JOINING and phrase[-1] not in _JOINING:
                    yield phrase
