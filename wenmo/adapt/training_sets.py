"""From a user's labelled rows to what a run trains on: an objective, the metrics on the dev rows, the lengths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from wenmo.adapt.batches import evaluation_batches
from wenmo.adapt.dataset import Examples, LabelSet, TopicSampler, resample
from wenmo.adapt.linear_probe import fit_classifier
from wenmo.adapt.objectives import (
    ClassificationObjective,
    Objective,
    TopicObjective,
    TrainableModel,
    held_out_accuracy,
)
from wenmo.evaluation.labelled import LabelledRows
from wenmo.evaluation.split import Split
from wenmo.tasks.table import TASKS
from wenmo.tasks.zero_shot import ENTAILMENT

_GROUP = 6  # hypotheses that zero-shot learns to tell apart for a text: its own topic's and five others
_DEV_TOKENS = 8192  # of a batch
_DEV_HYPOTHESES = 4_000  # zero-shot reads a dev text once per topic: with many topics, fewer texts
_MAX_RATE = 4  # an epoch repeats the rows of a rare label up to so many times; more would be learnt by heart


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """`dev_metrics` computes `dev_loss` and `dev_accuracy`.

    `lengths` (N,) are the tokens that the training examples have in a batch; of zero-shot, those of a text with its
    whole group of hypotheses. `begin`, which is called with a function for its progress, gives a new classifier the
    weights to begin with.
    """

    objective: Objective
    dev_metrics: Callable[[], dict[str, float]]
    lengths: np.ndarray
    begin: Callable[[Callable[[int, int], None]], None] | None = None


def training_set(
    trainable: TrainableModel, rows: LabelledRows, split: Split, *, template: str, seed: int
) -> TrainingSet:
    """Tokenise `rows` into the store of `trainable`. `template` is the hypothesis of zero-shot."""
    if TASKS[rows.task].takes_labels:
        return _topics(trainable, rows, split, template=template, seed=seed)
    return _classes(trainable, rows, split)


def resampling_rates(label: np.ndarray) -> dict[int, float]:
    """How often an epoch repeats the rows of each label, so that rare labels weigh about as much as frequent ones."""
    counts = np.bincount(label).tolist()
    return {index: float(min(_MAX_RATE, round(max(counts) / count))) for index, count in enumerate(counts) if count}


def _balanced(label: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The rows of an epoch, those of rare labels several times."""
    return resample(np.arange(len(label)), label.tolist(), resampling_rates(label), rng)


def _classes(trainable: TrainableModel, rows: LabelledRows, split: Split) -> TrainingSet:
    """For tasks whose labels are the checkpoint's own."""
    pairs = TASKS[rows.task].inputs == "pair"
    if pairs:
        first, second = (trainable.store.add(texts) for texts in zip(*rows.inputs, strict=True))
        examples = Examples(first=first, second=second, label=rows.label)
    else:
        examples = Examples.single(trainable.store.add(rows.inputs), rows.label)
    learnt, dev = examples.take(split.train), examples.take(split.dev)
    return TrainingSet(
        objective=ClassificationObjective(draw=lambda rng: learnt.take(_balanced(learnt.label, rng)), symmetric=pairs),
        dev_metrics=lambda: held_out_accuracy(trainable, dev, batch_tokens=_DEV_TOKENS),
        lengths=trainable.lengths(learnt),
        begin=partial(fit_classifier, trainable, learnt, dev) if TASKS[rows.task].any_labels else None,
    )


def _topics(trainable: TrainableModel, rows: LabelledRows, split: Split, *, template: str, seed: int) -> TrainingSet:
    """For zero-shot: each text with hypotheses made of the topics."""
    store = trainable.store
    texts = store.add(rows.inputs)
    train = split.train[_balanced(rows.label[split.train], np.random.default_rng(seed))]
    groups = TopicSampler(
        {"own": LabelSet(texts=texts[train], label=rows.label[train], names=[[name] for name in rows.names])},
        store,
        draw={"own": len(train)},
        templates=[template],
        group=_GROUP,
    )
    count = len(rows.names)
    hypotheses = store.add([template.format(name) for name in rows.names])
    # Shuffled, so that a file that is sorted by topic has all of its topics in the dev texts that are kept.
    dev = np.random.default_rng(seed).permutation(split.dev)[: max(1, _DEV_HYPOTHESES // count)]
    questions = Examples(
        first=np.repeat(texts[dev], count),
        second=np.tile(hypotheses, len(dev)),
        label=np.zeros(len(dev) * count, np.int64),
    )
    truth = torch.from_numpy(rows.label[dev])

    def dev_metrics() -> dict[str, float]:
        entailment = torch.empty(len(questions))
        for chosen in evaluation_batches(trainable.lengths(questions), tokens=_DEV_TOKENS):
            entailment[chosen] = trainable.logits(trainable.batch(questions.take(chosen)))[:, ENTAILMENT].cpu()
        choices = entailment.reshape(len(dev), count)
        return {
            "dev_accuracy": float((choices.argmax(1) == truth).float().mean()),
            "dev_loss": float(F.cross_entropy(choices, truth)),
        }

    alone = trainable.lengths(Examples.single(texts[train], rows.label[train]))
    return TrainingSet(
        objective=TopicObjective(groups=groups),
        dev_metrics=dev_metrics,
        lengths=(alone + 8) * min(_GROUP, count),  # a hypothesis takes about 8 tokens
    )
