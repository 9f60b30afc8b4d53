"""Fine-tuning the shared encoder on one task: pairs, single texts, or entailment with topics as hypotheses."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812 - torch's own convention
from transformers import BertForSequenceClassification

from wenmo.inference.tokenizer import Tokenizer
from wenmo.training.data import (
    Examples,
    PieceStore,
    collate_examples,
    example_lengths,
    in_order,
    plan_epoch,
)
from wenmo.training.loop import Schedule, Step, epoch_rng, step_rng


def finetuning_steps(
    model: BertForSequenceClassification,
    draw: Callable[[np.random.Generator], Examples],
    store: PieceStore,
    tokenizer: Tokenizer,
    schedule: Schedule,
    *,
    max_length: int,
    label_smoothing: float,
    symmetric: bool,
) -> Callable[[int], Iterator[Callable[[int], Step]]]:
    """The `epoch_steps` of the loop. `draw` gives an epoch's examples; `symmetric` swaps the two texts at random."""

    def epoch_steps(epoch: int) -> Iterator[Callable[[int], Step]]:
        rng = epoch_rng(schedule, epoch)
        examples = draw(rng)
        lengths = example_lengths(examples, store, max_length=max_length)
        for rows in plan_epoch(lengths, tokens=schedule.batch_tokens, rng=rng):

            def make_step(step: int, rows: np.ndarray = rows) -> Step:
                chosen = examples.take(rows)
                if symmetric:
                    swap = step_rng(schedule, step).random(len(rows)) < 0.5
                    chosen = Examples(
                        first=np.where(swap, chosen.second, chosen.first),
                        second=np.where(swap, chosen.first, chosen.second),
                        label=chosen.label,
                    )
                batch = collate_examples(chosen, store, tokenizer, max_length=max_length).to(model.device)

                def loss() -> torch.Tensor:
                    logits = model(
                        input_ids=batch.input_ids,
                        token_type_ids=batch.token_type_ids,
                        attention_mask=batch.attention_mask,
                    ).logits
                    return F.cross_entropy(logits.float(), batch.label, label_smoothing=label_smoothing)

                return Step(loss=loss, tokens=int(batch.attention_mask.sum()))

            yield make_step

    return epoch_steps


def held_out_accuracy(
    model: BertForSequenceClassification,
    examples: Examples,
    store: PieceStore,
    tokenizer: Tokenizer,
    *,
    max_length: int,
    batch_tokens: int,
) -> dict[str, float]:
    """Share of the development examples that are answered correctly, and their mean loss."""
    correct, loss = 0, 0.0
    lengths = example_lengths(examples, store, max_length=max_length)
    for rows in in_order(lengths, tokens=batch_tokens):
        batch = collate_examples(examples.take(rows), store, tokenizer, max_length=max_length).to(model.device)
        logits = model(
            input_ids=batch.input_ids, token_type_ids=batch.token_type_ids, attention_mask=batch.attention_mask
        ).logits.float()
        correct += int((logits.argmax(-1) == batch.label).sum())
        loss += float(F.cross_entropy(logits, batch.label, reduction="sum"))
    return {"dev_accuracy": correct / len(examples), "dev_loss": loss / len(examples)}
