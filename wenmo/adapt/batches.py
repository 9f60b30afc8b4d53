"""From examples to batches: the batch sampler, which groups examples of nearly the same length, and the collator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch

from wenmo.adapt.dataset import Examples, TokenStore
from wenmo.tokenizer import Encoding, Tokenizer

# Batches are padded to multiples of 8 tokens: the CPU library compiles a kernel for each new shape of a matrix product,
# which took half of the training time with arbitrary shapes (7,000 tokens per second against 16,000).
_WIDTH_STEP = 8
_SORTED_EXAMPLES = 20_000  # sorted by length at a time
_Length = TypeVar("_Length", int, np.ndarray)


def _padded(length: _Length) -> _Length:
    return -(-length // _WIDTH_STEP) * _WIDTH_STEP


def plan_epoch(lengths: np.ndarray, *, tokens: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Batches of an epoch, in random order: for each the indices of its examples, whose lengths are nearly the same.

    `lengths` (N,) are those of the examples in tokens. A batch has at most `tokens` tokens, padding included, or a
    single example.
    """
    lengths = _padded(lengths)
    order = rng.permutation(len(lengths))
    batches: list[np.ndarray] = []
    for start in range(0, len(order), _SORTED_EXAMPLES):
        window = order[start : start + _SORTED_EXAMPLES]
        window = window[np.argsort(lengths[window], kind="stable")]
        begin = 0
        for end in range(1, len(window) + 1):
            if end == len(window) or (end + 1 - begin) * lengths[window[end]] > tokens:
                batches.append(window[begin:end])
                begin = end
    return [batches[index] for index in rng.permutation(len(batches))]


def evaluation_batches(lengths: np.ndarray, *, tokens: int) -> Iterator[np.ndarray]:
    """Batches with every example once, always the same ones; arguments as in `plan_epoch`."""
    yield from plan_epoch(lengths, tokens=tokens, rng=np.random.default_rng(0))


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A padded batch. `target` holds the probabilities to learn instead of the labels, see Examples."""

    input_ids: torch.Tensor  # (B, L) int64
    token_type_ids: torch.Tensor  # (B, L) int64
    attention_mask: torch.Tensor  # (B, L) int64
    label: torch.Tensor  # (B,) int64
    target: torch.Tensor | None = None  # (B, K) float32

    def to(self, device: torch.device) -> Batch:
        """The batch on `device`."""
        moved: dict[str, Any] = {name: tensor.to(device) for name, tensor in vars(self).items() if tensor is not None}
        return Batch(**moved)

    def tokens(self) -> int:
        """The number of tokens, without padding."""
        return int(self.attention_mask.sum())


def collate(
    pairs: Sequence[tuple[np.ndarray, np.ndarray | None]], label: np.ndarray, tokenizer: Tokenizer, *, max_length: int
) -> Batch:
    """The batch of texts (second None) or pairs of texts, given by their token ids, with special tokens added.

    Inputs are truncated to `max_length` tokens and padded to the longest, rounded up to a multiple of `_WIDTH_STEP`.
    """
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
    """`input_ids`, `token_type_ids`, `attention_mask`, each (B, L) int64."""
    width = _padded(max(len(encoding) for encoding in encodings))
    input_ids = torch.full((len(encodings), width), pad_id)
    token_type_ids = torch.zeros_like(input_ids)
    attention_mask = torch.zeros_like(input_ids)
    for row, encoding in enumerate(encodings):
        length = len(encoding)
        input_ids[row, :length] = torch.tensor(encoding.input_ids)
        token_type_ids[row, length - encoding.segment_b : length] = 1
        attention_mask[row, :length] = 1
    return input_ids, token_type_ids, attention_mask


def collate_examples(examples: Examples, store: TokenStore, tokenizer: Tokenizer, *, max_length: int) -> Batch:
    """The batch of `examples`, see `collate`."""
    pairs = [
        (store[first], None if second < 0 else store[second])
        for first, second in zip(examples.first.tolist(), examples.second.tolist(), strict=True)
    ]
    batch = collate(pairs, examples.label, tokenizer, max_length=max_length)
    return batch if examples.target is None else replace(batch, target=torch.from_numpy(examples.target))


def example_lengths(examples: Examples, store: TokenStore, *, max_length: int) -> np.ndarray:
    """The number of tokens of each example in a batch, without padding, (N,) int64."""
    lengths = np.append(store.lengths(), 0)  # index -1, no second text, has the length 0
    special = np.where(examples.second >= 0, 3, 2)
    return np.minimum(lengths[examples.first] + lengths[examples.second] + special, max_length)
