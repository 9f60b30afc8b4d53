"""The data pack as pieces: which texts a stage learns from, and how they become batches.

A stage's examples are three arrays of equal length (`Examples`): the index of the first text, of the second (or -1) and
the label. Texts are tokenised once into a `TokenStore`. Batches hold examples of nearly the same length, so that almost
no padding is computed; their order depends on nothing but (seed, epoch), so that a run can be resumed at any batch.

Only files named train or pretrain are trained on; dev files give the progress figures and temperatures, test files are
never read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from wenmo.tokenizer import Encoding, Tokenizer

NO_LABEL = -100  # torch's cross_entropy ignores it


@dataclass(frozen=True, kw_only=True)
class Examples:
    """`first` and `second` index a TokenStore (`second` is -1 for single texts); `label` may be NO_LABEL.

    Where there are teachers, `target` has the probabilities that are to be learnt instead of the label.
    """

    first: np.ndarray  # (N,) int32
    second: np.ndarray  # (N,) int32
    label: np.ndarray  # (N,) int64
    target: np.ndarray | None = None  # (N, K) float32

    def __len__(self) -> int:
        return len(self.first)

    def take(self, indices: np.ndarray) -> Examples:
        target = None if self.target is None else self.target[indices]
        return Examples(
            first=self.first[indices], second=self.second[indices], label=self.label[indices], target=target
        )

    def swapped(self, where: np.ndarray) -> Examples:
        """First and second text exchanged `where` (N,) is true."""
        return replace(
            self, first=np.where(where, self.second, self.first), second=np.where(where, self.first, self.second)
        )

    def separated(self) -> Examples:
        """2 N single texts: all first ones, then all second ones; both keep the label of their pair, without target."""
        return Examples(
            first=np.concatenate([self.first, self.second]),
            second=np.full(2 * len(self), -1, np.int32),
            label=np.concatenate([self.label, self.label]),
        )

    @staticmethod
    def join(parts: Sequence[Examples]) -> Examples:
        """One part after the other, without targets."""
        return Examples(
            first=np.concatenate([part.first for part in parts]),
            second=np.concatenate([part.second for part in parts]),
            label=np.concatenate([part.label for part in parts]),
        )


class TokenStore:
    """The pieces of every text of a stage, cut to `max_tokens`, addressed by index."""

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
        return self._token_ids[index]

    def lengths(self) -> np.ndarray:
        """(number of texts,) int64."""
        return np.fromiter((len(ids) for ids in self._token_ids), dtype=np.int64, count=len(self._token_ids))


def drawn_rows(
    rows: np.ndarray, sources: Sequence[str], times: Mapping[str, float], rng: np.random.Generator
) -> np.ndarray:
    """An epoch's draw of `rows`: each source as often as `times` says, 2.5 being twice, and half of them once more."""
    wanted = np.asarray([times.get(sources[row], 1.0) for row in rows])
    return np.repeat(rows, (wanted + rng.random(len(rows))).astype(int))


@dataclass(frozen=True, kw_only=True)
class LabelSet:
    """Texts that each have one of `names`; for a name several wordings may stand, the first of them being the name."""

    texts: np.ndarray  # (N,) int32, indices of a TokenStore
    label: np.ndarray  # (N,), indices of `names`
    names: Sequence[Sequence[str]]


class TopicGroups:
    """Topic texts beside hypotheses, drawn anew for each epoch, so that labels that were never seen can be scored.

    For each text a group of hypotheses in one template: its own label, then others of the same label set. A label is
    worded by its own name in 7 of 10 groups, else by one of its other wordings.
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
        """`draw`: texts an epoch by task; `group`: hypotheses a text, fewer where the label set is smaller.

        `draw_alone` has no groups.
        """
        self._sets = {task: sets[task] for task in sorted(draw)}
        self._draw = draw
        self._group = group
        self._hypotheses: dict[str, list[np.ndarray]] = {}  # task -> a name -> (wordings, templates)
        self._templates = len(templates)
        for task, label_set in self._sets.items():
            self._hypotheses[task] = [
                store.add([template.format(word) for word in words for template in templates]).reshape(len(words), -1)
                for words in label_set.names
            ]

    def draw(self, rng: np.random.Generator) -> Iterator[tuple[Examples, int]]:
        """For each task its examples, group after group with the true one first, and the size of its groups."""
        for task, label_set in self._sets.items():
            rows = self._rows(task, rng)
            names = len(label_set.names)
            count = min(self._group, names)
            first = np.repeat(label_set.texts[rows], count)
            second = np.empty((len(rows), count), dtype=np.int32)
            for place, row in enumerate(rows):
                true = int(label_set.label[row])
                others = rng.choice(names - 1, count - 1, replace=False)
                others += others >= true
                template = int(rng.integers(self._templates))
                other_wording = rng.random() >= 0.7
                seed = int(rng.integers(1 << 30))
                for column, name in enumerate((true, *others.tolist())):
                    words = self._hypotheses[task][name]
                    # One seed a group: where all names have as many wordings, the same one of each is taken.
                    word = seed % len(words) if other_wording else 0
                    second[place, column] = words[word, template]
            yield (
                Examples(first=first, second=second.reshape(-1), label=np.zeros(len(first), np.int64)),
                count,
            )

    def draw_alone(self, rng: np.random.Generator) -> Iterator[tuple[Examples, Sequence[np.ndarray]]]:
        """For each task its texts, labelled with their names' indices, and each name's (wordings, templates)."""
        for task, label_set in self._sets.items():
            rows = self._rows(task, rng)
            texts = Examples(
                first=label_set.texts[rows], second=np.full(len(rows), -1, np.int32), label=label_set.label[rows]
            )
            yield texts, self._hypotheses[task]

    def _rows(self, task: str, rng: np.random.Generator) -> np.ndarray:
        """An epoch's texts of a task, each as often as the others, give or take one."""
        wanted, there = self._draw[task], len(self._sets[task].texts)
        return np.concatenate([rng.permutation(there) for _ in range(-(-wanted // there))])[:wanted]


# Widths are multiples of 8 pieces: every new shape of a matrix product costs the CPU library a kernel compilation, and
# with free widths and batch sizes training spent half of its time there (7,000 against 16,000 pieces a second).
_WIDTH_STEP = 8


def _round_up(length: np.ndarray) -> np.ndarray:
    return -(-length // _WIDTH_STEP) * _WIDTH_STEP


def plan_epoch(lengths: np.ndarray, *, tokens: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Cut an epoch into batches of at most `tokens` pieces, padding counted.

    Shuffled; within windows of 20,000 examples sorted by length, so that a batch holds nearly equal lengths. Few
    shapes occur (see `_WIDTH_STEP`).
    """
    lengths = _round_up(lengths)
    order = rng.permutation(len(lengths))
    batches: list[np.ndarray] = []
    for start in range(0, len(order), 20_000):
        window = order[start : start + 20_000]
        window = window[np.argsort(lengths[window], kind="stable")]
        begin = 0
        for end in range(1, len(window) + 1):
            if end == len(window) or (end + 1 - begin) * lengths[window[end]] > tokens:
                batches.append(window[begin:end])
                begin = end
    return [batches[index] for index in rng.permutation(len(batches))]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A padded batch: `input_ids`, `token_type_ids`, `attention_mask` are (B, L) int64, `label` is (B,) int64.

    `target` is (B, K) float32 where there are teachers, see Examples.
    """

    input_ids: torch.Tensor
    token_type_ids: torch.Tensor
    attention_mask: torch.Tensor
    label: torch.Tensor
    target: torch.Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        return Batch(
            input_ids=self.input_ids.to(device),
            token_type_ids=self.token_type_ids.to(device),
            attention_mask=self.attention_mask.to(device),
            label=self.label.to(device),
            target=None if self.target is None else self.target.to(device),
        )

    def tokens(self) -> int:
        """Real pieces, padding not counted."""
        return int(self.attention_mask.sum())


def collate(
    pairs: Sequence[tuple[np.ndarray, np.ndarray | None]], label: np.ndarray, tokenizer: Tokenizer, *, max_length: int
) -> Batch:
    """Join each pair with its special pieces, cut it to `max_length` and pad to the longest."""
    encodings = [
        tokenizer.encode_single(first.tolist(), max_length=max_length)
        if second is None
        else tokenizer.encode_pair(first.tolist(), second.tolist(), max_length=max_length)
        for first, second in pairs
    ]
    input_ids, token_type_ids, attention_mask = _pad(encodings, pad_id=tokenizer.pad_id)
    return Batch(
        input_ids=input_ids,
        token_type_ids=token_type_ids,
        attention_mask=attention_mask,
        label=torch.from_numpy(np.asarray(label, dtype=np.int64)),
    )


def _pad(encodings: Sequence[Encoding], *, pad_id: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """`input_ids`, `token_type_ids`, `attention_mask`, each (B, L) int64.

    L is the longest length, rounded up to a multiple of `_WIDTH_STEP`.
    """
    width = -(-max(len(encoding) for encoding in encodings) // _WIDTH_STEP) * _WIDTH_STEP
    input_ids = torch.full((len(encodings), width), pad_id)
    token_type_ids = torch.zeros_like(input_ids)
    attention_mask = torch.zeros_like(input_ids)
    for row, encoding in enumerate(encodings):
        size = len(encoding)
        input_ids[row, :size] = torch.tensor(encoding.input_ids)
        token_type_ids[row, size - encoding.segment_b : size] = 1
        attention_mask[row, :size] = 1
    return input_ids, token_type_ids, attention_mask


def example_lengths(examples: Examples, store: TokenStore, *, max_length: int) -> np.ndarray:
    """Length of each example as the model will see it, (N,) int64."""
    lengths = np.append(store.lengths(), 0)  # index -1: no second text
    special = np.where(examples.second >= 0, 3, 2)
    return np.minimum(lengths[examples.first] + lengths[examples.second] + special, max_length)


def collate_examples(examples: Examples, store: TokenStore, tokenizer: Tokenizer, *, max_length: int) -> Batch:
    """The batch of these examples."""
    pairs = [
        (store[first], None if second < 0 else store[second])
        for first, second in zip(examples.first.tolist(), examples.second.tolist(), strict=True)
    ]
    batch = collate(pairs, examples.label, tokenizer, max_length=max_length)
    return batch if examples.target is None else replace(batch, target=torch.from_numpy(examples.target))


def in_order(lengths: np.ndarray, *, tokens: int) -> Iterator[np.ndarray]:
    """Batches for evaluation: every example once, sorted by length."""
    yield from plan_epoch(lengths, tokens=tokens, rng=np.random.default_rng(0))
