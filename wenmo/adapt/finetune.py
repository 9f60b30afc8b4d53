"""Fine-tuning the shared encoder: what a step of each kind learns from.

- `LabelledBatches`: texts or pairs with a label each; cross-entropy.
- `TopicBatches`: a text beside several hypotheses made of topic names, of which one is true; the softmax over the
  entailment logits, which is how a zero-shot answer is read off, and entailment against contradiction for each.
- `ContrastiveBatches`: sentences alone, mean-pooled; pairs of the same meaning end up near, others far.
- `ContrastiveTopicBatches`: texts and topic names alone, mean-pooled; a text ends up nearest to its own topic's name.

The first two are for classifiers, the others for the embedding model. The steps of all parts of a task are shuffled
together in every epoch. Where there are teachers (see teach.py), examples with a label learn from their targets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812 - torch's own convention
from transformers import BertForSequenceClassification

from wenmo.adapt.data import (
    Batch,
    Examples,
    TokenStore,
    TopicGroups,
    collate_examples,
    example_lengths,
    in_order,
    plan_epoch,
)
from wenmo.adapt.loop import Schedule, Step, epoch_rng, step_rng
from wenmo.tasks.zero_shot import CONTRADICTION, ENTAILMENT
from wenmo.tokenizer import Tokenizer


@dataclass(frozen=True, kw_only=True)
class Learner:
    """The model that is trained, and how its inputs are made."""

    model: BertForSequenceClassification
    store: TokenStore
    tokenizer: Tokenizer
    max_length: int
    label_smoothing: float

    def batch(self, examples: Examples) -> Batch:
        return collate_examples(examples, self.store, self.tokenizer, max_length=self.max_length).to(self.model.device)

    def lengths(self, examples: Examples) -> np.ndarray:
        return example_lengths(examples, self.store, max_length=self.max_length)

    def loss(
        self, batch: Batch, truth: torch.Tensor, read: Callable[[torch.Tensor], torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Cross-entropy of `read(logits)` against `truth` (ids or probabilities); and the logits (B, labels).

        `read` turns the logits (B, labels) of the classifier into those of the decision, (decisions, choices).
        """
        logits = classify(self.model, batch)
        choices = read(logits)
        return F.cross_entropy(choices, truth, label_smoothing=self.label_smoothing), logits


def classify(model: BertForSequenceClassification, batch: Batch) -> torch.Tensor:
    """The logits (B, labels), in float32."""
    logits: torch.Tensor = model(
        input_ids=batch.input_ids, token_type_ids=batch.token_type_ids, attention_mask=batch.attention_mask
    ).logits
    return logits.float()


class Part(Protocol):
    """One kind of steps."""

    def steps(self, learner: Learner, tokens: int, rng: np.random.Generator) -> list[Callable[[Schedule, int], Step]]:
        """Those of an epoch, of at most `tokens` pieces each; what a step draws depends on its number alone."""


@dataclass(frozen=True, kw_only=True)
class LabelledBatches:
    """`draw` gives an epoch's examples; `symmetric` swaps the two texts at random."""

    draw: Callable[[np.random.Generator], Examples]
    symmetric: bool = False

    def steps(self, learner: Learner, tokens: int, rng: np.random.Generator) -> list[Callable[[Schedule, int], Step]]:
        examples = self.draw(rng)

        def make(rows: np.ndarray) -> Callable[[Schedule, int], Step]:
            def step(schedule: Schedule, number: int) -> Step:
                chosen = examples.take(rows)
                if self.symmetric:
                    chosen = chosen.swapped(step_rng(schedule, number).random(len(rows)) < 0.5)
                batch = learner.batch(chosen)
                truth = batch.label if batch.target is None else batch.target
                return Step(loss=lambda: learner.loss(batch, truth, lambda logits: logits)[0], tokens=batch.tokens())

            return step

        return [make(rows) for rows in plan_epoch(learner.lengths(examples), tokens=tokens, rng=rng)]


@dataclass(frozen=True, kw_only=True)
class TopicBatches:
    """Groups of hypotheses for one text each, see TopicGroups."""

    groups: TopicGroups

    def steps(self, learner: Learner, tokens: int, rng: np.random.Generator) -> list[Callable[[Schedule, int], Step]]:
        def make(examples: Examples, count: int) -> Callable[[Schedule, int], Step]:
            def step(schedule: Schedule, number: int) -> Step:
                batch = learner.batch(examples)
                true = torch.zeros(len(examples) // count, dtype=torch.long, device=batch.label.device)

                def loss() -> torch.Tensor:
                    # The true hypothesis is the first of its group; the model cannot see that, it reads each alone.
                    best, logits = learner.loss(
                        batch, true, lambda logits: logits[:, ENTAILMENT].reshape(len(true), count)
                    )
                    alone = logits[:, [ENTAILMENT, CONTRADICTION]].reshape(len(true), count, 2)
                    false = torch.ones(count, dtype=torch.long, device=true.device)
                    false[0] = 0
                    each = F.cross_entropy(alone.flatten(0, 1), false.repeat(len(true)))
                    # Neutral has no part in either reading; kept small, so that its logit does not drift.
                    return best + 0.5 * each + 0.01 * logits.square().mean()

                return Step(loss=loss, tokens=batch.tokens())

            return step

        steps = []
        for examples, count in self.groups.draw(rng):
            longest = learner.lengths(examples).reshape(-1, count).max(axis=1)
            for texts in plan_epoch(longest, tokens=tokens // count, rng=rng):
                rows = (texts[:, None] * count + np.arange(count)).reshape(-1)
                steps.append(make(examples.take(rows), count))
        return steps


def finetuning_steps(
    learner: Learner, parts: Sequence[Part], schedule: Schedule
) -> Callable[[int], Iterator[Callable[[int], Step]]]:
    """The `epoch_steps` of the loop: the steps of all parts, shuffled."""

    def epoch_steps(epoch: int) -> Iterator[Callable[[int], Step]]:
        rng = epoch_rng(schedule, epoch)
        steps = [step for part in parts for step in part.steps(learner, schedule.batch_tokens, rng)]
        for index in rng.permutation(len(steps)):
            yield lambda number, make=steps[index]: make(schedule, number)  # type: ignore[misc]

    return epoch_steps


def held_out_accuracy(learner: Learner, examples: Examples, *, batch_tokens: int) -> dict[str, float]:
    """Share of the development examples that are answered correctly, and their mean loss."""
    correct, loss = 0, 0.0
    for rows in in_order(learner.lengths(examples), tokens=batch_tokens):
        batch = learner.batch(examples.take(rows))
        logits = classify(learner.model, batch)
        correct += int((logits.argmax(-1) == batch.label).sum())
        loss += float(F.cross_entropy(logits, batch.label, reduction="sum"))
    return {"dev_accuracy": correct / len(examples), "dev_loss": loss / len(examples)}
