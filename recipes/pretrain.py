"""Pretraining of the shared encoder, after StructBERT (Wang et al., 2019, arXiv 1908.04577).

Three objectives in one forward:
- masked characters: 15% of the tokens, of which 80% become [MASK], 10% another token, 10% stay;
- word structure: of the remaining positions 5% begin a run of three that is shuffled; the original tokens are restored;
- sentence structure: the two halves of a passage follow each other (0), are swapped (1), or come from two passages (2).

Pairs from the similarity and NLI training sets take part with the first two objectives only: a character masked in one
sentence can be read off the other, which teaches the alignment that both tasks live on.

Not done: whole-word masking (needs a segmenter), dropout (so few tokens are seen that nothing is learnt by heart).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention
from transformers import BertConfig, BertModel

from wenmo.adapt.batches import Batch, collate, plan_epoch
from wenmo.adapt.dataset import NO_LABEL, Examples, TokenStore
from wenmo.adapt.training_loop import MakeStep, Schedule, Step, epoch_rng
from wenmo.tokenizer import Tokenizer

NEXT, PREVIOUS, RANDOM = 0, 1, 2


class Pretraining(nn.Module):
    """A BERT encoder with a masked-language head tied to the input layer and a three-way sentence head."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.bert = BertModel(config)
        hidden = config.hidden_size
        self.transform = nn.Sequential(nn.Linear(hidden, hidden), nn.GELU(), nn.LayerNorm(hidden))
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.sentence = nn.Linear(hidden, 3)
        init_positions(self.bert)

    def forward(
        self, batch: Batch, positions: torch.Tensor, originals: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """`positions` (P,) index the flattened (B * L) batch; `originals` (P,) are restored there, NO_LABEL are not."""
        device = self.bias.device
        batch, positions, originals = batch.to(device), positions.to(device), originals.to(device)
        output = self.bert(
            input_ids=batch.input_ids, token_type_ids=batch.token_type_ids, attention_mask=batch.attention_mask
        )
        chosen = output.last_hidden_state.flatten(0, 1)[positions]  # (P, H)
        table = self.bert.embeddings.word_embeddings.weight
        logits = F.linear(self.transform(chosen), table, self.bias)  # (P, V)
        restored = F.cross_entropy(logits.float(), originals, ignore_index=NO_LABEL, reduction="sum") / (
            originals != NO_LABEL
        ).sum().clamp(min=1)
        order = F.cross_entropy(
            self.sentence(output.pooler_output).float(), batch.label, ignore_index=NO_LABEL, reduction="sum"
        )
        # Not the built-in mean: a batch of pairs has no labelled row, and 0 / 0 would poison the weights.
        return restored, order / (batch.label != NO_LABEL).sum().clamp(min=1)


def init_positions(bert: BertModel) -> None:
    """Start the position table from sinusoids at the size of the other embeddings.

    Few training texts are longer than 128 tokens; with random vectors the later places would stay noise.
    """
    table = bert.embeddings.position_embeddings.weight
    places, hidden = table.shape
    place = torch.arange(places, dtype=torch.float32)[:, None]
    rate = torch.exp(-torch.arange(0, hidden, 2, dtype=torch.float32) * (np.log(10_000.0) / hidden))
    with torch.no_grad():
        table[:, 0::2] = torch.sin(place * rate) * 0.02 * 2**0.5
        table[:, 1::2] = torch.cos(place * rate) * 0.02 * 2**0.5


def corrupt(batch: Batch, tokenizer: Tokenizer, rng: np.random.Generator) -> tuple[Batch, torch.Tensor, torch.Tensor]:
    """Mask and shuffle; returns the batch to read, the flat positions to restore and the tokens that stood there."""
    ids = batch.input_ids.numpy().copy()
    original = batch.input_ids.numpy()
    ordinary = (ids != tokenizer.cls_id) & (ids != tokenizer.sep_id) & (batch.attention_mask.numpy() == 1)
    draw = rng.random(ids.shape)
    masked = ordinary & (draw < 0.15)
    how = rng.random(ids.shape)
    ids[masked & (how < 0.8)] = tokenizer.mask_id
    swapped = masked & (how >= 0.9)
    ids[swapped] = rng.integers(tokenizer.vocab_size, size=int(swapped.sum()))
    # A run of three may start where none of the three is masked or special and no other run has started.
    free = ordinary & ~masked
    starts = free.copy()
    starts[:, :-2] &= free[:, 1:-1] & free[:, 2:]
    starts[:, -2:] = False
    starts &= rng.random(ids.shape) < 0.05
    starts[:, 1:] &= ~starts[:, :-1]
    starts[:, 2:] &= ~starts[:, :-2]
    rows, columns = np.nonzero(starts)
    if len(rows):
        orders = np.argsort(rng.random((len(rows), 3)), axis=1)
        trigram = original[rows[:, None], columns[:, None] + np.arange(3)]
        ids[rows[:, None], columns[:, None] + np.arange(3)] = np.take_along_axis(trigram, orders, axis=1)
        for offset in range(3):
            masked[rows, columns + offset] = True
    positions = np.flatnonzero(masked)
    # Up to the next multiple of 256, so that few shapes occur; the surplus places count for nothing in the loss.
    surplus = 256 - len(positions) % 256
    originals = np.append(original.reshape(-1)[positions], np.full(surplus, NO_LABEL))
    positions = np.append(positions, np.zeros(surplus, dtype=np.int64))
    corrupted = Batch(
        input_ids=torch.from_numpy(ids),
        token_type_ids=batch.token_type_ids,
        attention_mask=batch.attention_mask,
        label=batch.label,
    )
    return corrupted, torch.from_numpy(positions), torch.from_numpy(originals)


def _assemble(
    examples: Examples,
    rows: np.ndarray,
    store: TokenStore,
    tokenizer: Tokenizer,
    rng: np.random.Generator,
    *,
    max_length: int,
) -> Batch:
    """Passages split into two halves with a sentence label; given pairs in either order without one."""
    pairs: list[tuple[np.ndarray, np.ndarray | None]] = []
    label = np.full(len(rows), NO_LABEL, dtype=np.int64)
    for place, row in enumerate(rows):
        first = store[int(examples.first[row])]
        second = int(examples.second[row])
        if second >= 0:
            pair = (first, store[second])
            pairs.append(pair if rng.random() < 0.5 else (pair[1], pair[0]))
            continue
        room = max_length - 3
        if len(first) > room:
            start = int(rng.integers(len(first) - room + 1))
            first = first[start : start + room]
        if len(first) < 12:
            pairs.append((first, None))
            continue
        middle = int(rng.integers(len(first) // 3, len(first) * 2 // 3 + 1))
        head, tail = first[:middle], first[middle:]
        kind = int(rng.integers(3))
        if kind == RANDOM:
            other = store[int(examples.first[rng.integers(len(examples))])]
            tail = other[-len(tail) :]
        pairs.append((tail, head) if kind == PREVIOUS else (head, tail))
        label[place] = kind
    return collate(pairs, label, tokenizer, max_length=max_length)


def pretraining_steps(
    module: Pretraining,
    examples: Examples,
    lengths: np.ndarray,
    store: TokenStore,
    tokenizer: Tokenizer,
    schedule: Schedule,
    *,
    max_length: int,
) -> Callable[[int], Iterator[MakeStep]]:
    """The `epoch_steps` of the loop."""

    def epoch_steps(epoch: int) -> Iterator[MakeStep]:
        for rows in plan_epoch(lengths, tokens=schedule.batch_tokens, rng=epoch_rng(schedule, epoch)):

            def make_step(rng: np.random.Generator, rows: np.ndarray = rows) -> Step:
                batch = _assemble(examples, rows, store, tokenizer, rng, max_length=max_length)
                corrupted, positions, originals = corrupt(batch, tokenizer, rng)

                def loss() -> torch.Tensor:
                    restored, order = module(corrupted, positions, originals)
                    return restored + 0.2 * order

                return Step(loss=loss, tokens=int(batch.attention_mask.sum()))

            yield make_step

    return epoch_steps


def held_out_loss(
    module: Pretraining, examples: Examples, store: TokenStore, tokenizer: Tokenizer, *, max_length: int
) -> dict[str, float]:
    """Mean losses on passages that are not trained on, with fixed masks."""
    rng = np.random.default_rng(0)
    batch = _assemble(examples, np.arange(len(examples)), store, tokenizer, rng, max_length=max_length)
    restored, order = module(*corrupt(batch, tokenizer, rng))
    return {"held_out_restore": float(restored), "held_out_order": float(order)}


def pretraining_texts(folder: Path) -> list[tuple[Path, tuple[str, ...]]]:
    """The training files of the data pack and their text columns; pairs have two."""
    return [
        (folder / "similarity" / "train.parquet", ("text_a", "text_b")),
        (folder / "nli" / "train.parquet", ("premise", "hypothesis")),
        (folder / "sentiment" / "train.parquet", ("text",)),
        (folder / "topics" / "train.parquet", ("text",)),
        (folder / "text" / "pretrain.parquet", ("text",)),
    ]
