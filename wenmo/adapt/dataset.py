"""Training data as token ids, and what an epoch samples from it.

Texts are tokenised once, into a `TokenStore`. `Examples` are arrays of indices into it, with labels. Sampling depends
only on the random numbers that are passed in, so that a run can be resumed.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from wenmo.tokenizer import Tokenizer

Group = TypeVar("Group", bound=Hashable)

NO_LABEL = -100  # ignored by torch's cross_entropy


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Texts or pairs of texts, as indices into a TokenStore, with their labels.

    `second` is -1 for single texts. `label` may be NO_LABEL. `target` holds the probabilities to learn instead of the
    label, if there are any: those of a teacher.
    """

    first: np.ndarray  # (N,) int32
    second: np.ndarray  # (N,) int32
    label: np.ndarray  # (N,) int64
    target: np.ndarray | None = None  # (N, K) float32

    @staticmethod
    def single(texts: np.ndarray, label: np.ndarray) -> Examples:
        """Single texts (N,) with their labels (N,)."""
        return Examples(first=texts, second=np.full(len(texts), -1, np.int32), label=label)

    @staticmethod
    def join(parts: Sequence[Examples]) -> Examples:
        """The concatenation of `parts`, without targets."""
        return Examples(
            first=np.concatenate([part.first for part in parts]),
            second=np.concatenate([part.second for part in parts]),
            label=np.concatenate([part.label for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.first)

    def take(self, indices: np.ndarray) -> Examples:
        """The examples at `indices`."""
        target = None if self.target is None else self.target[indices]
        return Examples(
            first=self.first[indices], second=self.second[indices], label=self.label[indices], target=target
        )

    def swapped(self, where: np.ndarray) -> Examples:
        """The same examples, with first and second text exchanged where `where` (N,) is true."""
        return replace(
            self, first=np.where(where, self.second, self.first), second=np.where(where, self.first, self.second)
        )

    def separated(self) -> Examples:
        """2 N single texts: all first texts, then all second ones, each with the label of its pair; no targets."""
        return Examples.single(np.concatenate([self.first, self.second]), np.concatenate([self.label, self.label]))


class TokenStore:
    """The token ids of texts, by index: without special tokens, at most `max_tokens` of a text."""

    def __init__(self, tokenizer: Tokenizer, *, max_tokens: int) -> None:
        self._tokenizer = tokenizer
        self._max_tokens = max_tokens
        self._token_ids: list[np.ndarray] = []

    def add(self, texts: Sequence[str]) -> np.ndarray:
        """Tokenise `texts`; returns their indices, (N,) int32."""
        start = len(self._token_ids)
        for offset in range(0, len(texts), 10_000):
            for ids in self._tokenizer.tokenize(texts[offset : offset + 10_000], limit=self._max_tokens):
                self._token_ids.append(np.asarray(ids, dtype=np.uint16))
        return np.arange(start, len(self._token_ids), dtype=np.int32)

    def __getitem__(self, index: int) -> np.ndarray:
        """(L,) uint16."""
        return self._token_ids[index]

    def lengths(self) -> np.ndarray:
        """The number of tokens of each text, (number of texts,) int64."""
        return np.fromiter((len(ids) for ids in self._token_ids), dtype=np.int64, count=len(self._token_ids))


def resample(
    rows: np.ndarray, groups: Sequence[Group], rates: Mapping[Group, float], rng: np.random.Generator
) -> np.ndarray:
    """`rows` repeated at the rate of their group: at 2.5 each row twice, and half of them a third time.

    `groups[row]` is the group of a row; the rate of a group that is not in `rates` is 1.
    """
    wanted = np.asarray([rates.get(groups[row], 1.0) for row in rows])
    return np.repeat(rows, (wanted + rng.random(len(rows))).astype(int))


@dataclass(frozen=True, kw_only=True)
class LabelSet:
    """Texts labelled with topics. `names` has the wordings of each topic, its name first."""

    texts: np.ndarray  # (N,) int32, indices into a TokenStore
    label: np.ndarray  # (N,), indices into `names`
    names: Sequence[Sequence[str]]


class TopicSampler:
    """Samples, for each text, a group of hypotheses in one template: its own topic's, then those of other topics.

    The others are of the same label set and drawn anew in each epoch, so that the model learns to read names rather
    than to know them. Topics have their own names in 7 of 10 groups and one of their other wordings in the rest.
    """

    def __init__(
        self,
        sets: Mapping[str, LabelSet],
        store: TokenStore,
        *,
        draw: Mapping[str, int],
        templates: Sequence[str],
        group: int = 1,
    ) -> None:
        """`draw` is the number of texts per epoch from each label set.

        `group` is the number of hypotheses per text, or all topics of a label set that has fewer; `draw_alone` ignores
        it.
        """
        self._sets = {task: sets[task] for task in sorted(draw)}
        self._draw = draw
        self._group = group
        self._templates = len(templates)
        # By label set and topic, the indices in the store of its hypotheses, (wordings, templates).
        self._hypotheses: dict[str, list[np.ndarray]] = {
            task: [
                store.add([template.format(word) for word in words for template in templates]).reshape(len(words), -1)
                for words in label_set.names
            ]
            for task, label_set in self._sets.items()
        }

    def draw(self, rng: np.random.Generator) -> Iterator[tuple[Examples, int]]:
        """An epoch's pairs of text and hypothesis, by label set, with the size of its groups.

        The pairs of a group follow each other, that of the true topic first. Their labels are 0 and mean nothing.
        """
        for task, label_set in self._sets.items():
            rows = self._rows(task, rng)
            topics = len(label_set.names)
            size = min(self._group, topics)
            second = np.empty((len(rows), size), dtype=np.int32)
            for index, row in enumerate(rows):
                true = int(label_set.label[row])
                others = rng.choice(topics - 1, size - 1, replace=False)
                others += others >= true
                template = int(rng.integers(self._templates))
                other_wording = rng.random() >= 0.7
                # The same for all of a group, so that topics with equally many wordings are worded alike.
                wording = int(rng.integers(1 << 30))
                for column, topic in enumerate((true, *others.tolist())):
                    words = self._hypotheses[task][topic]
                    second[index, column] = words[wording % len(words) if other_wording else 0, template]
            first = np.repeat(label_set.texts[rows], size)
            yield Examples(first=first, second=second.reshape(-1), label=np.zeros(len(first), np.int64)), size

    def draw_alone(self, rng: np.random.Generator) -> Iterator[tuple[Examples, Sequence[np.ndarray]]]:
        """An epoch's single texts, by label set, labelled with their topics.

        With them, for each topic the indices in the store of its hypotheses, (wordings, templates).
        """
        for task, label_set in self._sets.items():
            rows = self._rows(task, rng)
            yield Examples.single(label_set.texts[rows], label_set.label[rows]), self._hypotheses[task]

    def _rows(self, task: str, rng: np.random.Generator) -> np.ndarray:
        """The texts that an epoch draws from a label set: each as often as the others, give or take one."""
        wanted, available = self._draw[task], len(self._sets[task].texts)
        return np.concatenate([rng.permutation(available) for _ in range(-(-wanted // available))])[:wanted]
