"""Training objectives of the shared encoder: the batches of each, and their loss.

- `ClassificationObjective`: cross-entropy of labelled texts or pairs.
- `TopicObjective`: zero-shot classification of a text as one of several topics, by entailment.

An epoch shuffles the steps of all objectives of a run together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812 - torch's own convention
from transformers import BertForSequenceClassification

from wenmo.adapt.batches import Batch, collate_examples, evaluation_batches, example_lengths, plan_epoch
from wenmo.adapt.dataset import Examples, TokenStore, TopicSampler
from wenmo.adapt.training_loop import MakeStep, Schedule, Step, epoch_rng
from wenmo.tasks.zero_shot import CONTRADICTION, ENTAILMENT
from wenmo.tokenizer import Tokenizer


@dataclass(frozen=True, kw_only=True)
class TrainableModel:
    """A model in training, with the tokenised texts that its batches are made of."""

    model: BertForSequenceClassification
    store: TokenStore
    tokenizer: Tokenizer
    max_length: int  # tokens of an input, special ones included
    label_smoothing: float

    def batch(self, examples: Examples) -> Batch:
        """The batch of `examples`, on the model's device."""
        return collate_examples(examples, self.store, self.tokenizer, max_length=self.max_length).to(self.model.device)

    def lengths(self, examples: Examples) -> np.ndarray:
        """The number of tokens of each example in a batch, (N,) int64."""
        return example_lengths(examples, self.store, max_length=self.max_length)

    def logits(self, batch: Batch) -> torch.Tensor:
        """The logits of the classifier, (B, labels) float32."""
        logits: torch.Tensor = self.model(**self._inputs(batch)).logits
        return logits.float()

    def pooled(self, batch: Batch) -> torch.Tensor:
        """What the classifier makes them of, (B, H) float32."""
        pooled: torch.Tensor = self.model.bert(**self._inputs(batch)).pooler_output
        return pooled.float()

    def _inputs(self, batch: Batch) -> dict[str, torch.Tensor]:
        return {
            "input_ids": batch.input_ids,
            "token_type_ids": batch.token_type_ids.clamp(max=self.model.config.type_vocab_size - 1),  # it may have one
            "attention_mask": batch.attention_mask,
        }

    def cross_entropy(self, logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        """Mean cross-entropy with label smoothing; `truth` is (N,) classes or (N, K) probabilities."""
        return F.cross_entropy(logits, truth, label_smoothing=self.label_smoothing)


class Objective(Protocol):
    """Something to learn: it splits an epoch's examples into steps."""

    def steps(self, trainable: TrainableModel, tokens: int, rng: np.random.Generator) -> list[MakeStep]:
        """The steps of an epoch, of at most `tokens` tokens each; `rng` has the epoch's random numbers."""


@dataclass(frozen=True, kw_only=True)
class ClassificationObjective:
    """Cross-entropy of labelled texts or pairs, with the targets of teachers where there are any.

    `draw` samples an epoch's examples. `symmetric` swaps the texts of a pair at random.
    """

    draw: Callable[[np.random.Generator], Examples]
    symmetric: bool = False

    def steps(self, trainable: TrainableModel, tokens: int, rng: np.random.Generator) -> list[MakeStep]:
        examples = self.draw(rng)
        return [
            partial(self._step, trainable, examples, rows)
            for rows in plan_epoch(trainable.lengths(examples), tokens=tokens, rng=rng)
        ]

    def _step(self, trainable: TrainableModel, examples: Examples, rows: np.ndarray, rng: np.random.Generator) -> Step:
        chosen = examples.take(rows)
        if self.symmetric:
            chosen = chosen.swapped(rng.random(len(rows)) < 0.5)
        batch = trainable.batch(chosen)
        truth = batch.label if batch.target is None else batch.target
        return Step(
            loss=lambda: trainable.cross_entropy(trainable.logits(batch), truth),
            tokens=batch.tokens(),
        )


@dataclass(frozen=True, kw_only=True)
class TopicObjective:
    """Zero-shot classification: a text with a group of hypotheses, one of which is true, see TopicSampler.

    The loss is made of what zero-shot answers are computed from: the softmax over the entailment logits of a group, and
    for each hypothesis alone entailment against contradiction.
    """

    groups: TopicSampler

    def steps(self, trainable: TrainableModel, tokens: int, rng: np.random.Generator) -> list[MakeStep]:
        steps: list[MakeStep] = []
        for examples, size in self.groups.draw(rng):
            longest = trainable.lengths(examples).reshape(-1, size).max(axis=1)
            for groups in plan_epoch(longest, tokens=tokens // size, rng=rng):
                rows = (groups[:, None] * size + np.arange(size)).reshape(-1)
                steps.append(partial(self._step, trainable, examples.take(rows), size))
        return steps

    def _step(self, trainable: TrainableModel, examples: Examples, size: int, rng: np.random.Generator) -> Step:
        batch = trainable.batch(examples)
        return Step(loss=lambda: self._loss(trainable, batch, size), tokens=batch.tokens())

    @staticmethod
    def _loss(trainable: TrainableModel, batch: Batch, size: int) -> torch.Tensor:
        # The first of each group is true. The model cannot learn that from the position: it reads each pair alone.
        logits = trainable.logits(batch)  # (groups * size, 3)
        place = torch.arange(len(logits), device=logits.device) % size
        choices = logits[:, ENTAILMENT].reshape(-1, size)
        best = trainable.cross_entropy(choices, place[::size])
        each = F.cross_entropy(logits[:, [ENTAILMENT, CONTRADICTION]], (place > 0).long())
        # The last term keeps all logits small: no other holds that of "neutral" in place.
        return best + 0.5 * each + 0.01 * logits.square().mean()


def shuffled_steps(
    trainable: TrainableModel, objectives: Sequence[Objective], schedule: Schedule
) -> Callable[[int], Iterator[MakeStep]]:
    """The `epoch_steps` of `training_loop.train`: the steps of all objectives in random order."""

    def epoch_steps(epoch: int) -> Iterator[MakeStep]:
        rng = epoch_rng(schedule, epoch)
        steps = [step for each in objectives for step in each.steps(trainable, schedule.batch_tokens, rng)]
        for index in rng.permutation(len(steps)):
            yield steps[index]

    return epoch_steps


def held_out_accuracy(trainable: TrainableModel, examples: Examples, *, batch_tokens: int) -> dict[str, float]:
    """`dev_accuracy`, a share of 1, and `dev_loss`, the mean cross-entropy, of labelled `examples`."""
    correct, loss = 0, 0.0
    for rows in evaluation_batches(trainable.lengths(examples), tokens=batch_tokens):
        batch = trainable.batch(examples.take(rows))
        logits = trainable.logits(batch)
        correct += int((logits.argmax(-1) == batch.label).sum())
        loss += float(F.cross_entropy(logits, batch.label, reduction="sum"))
    return {"dev_accuracy": correct / len(examples), "dev_loss": loss / len(examples)}
