"""What a run of adapting learns from a file: steps, figures on the development rows, the lengths of its inputs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from wenmo.adapt.data import Examples, LabelSet, TopicGroups, drawn_rows, in_order
from wenmo.adapt.finetune import LabelledBatches, Learner, Part, TopicBatches, classify, held_out_accuracy
from wenmo.evaluation.labelled import LabelledRows, Split
from wenmo.tasks.table import TASKS
from wenmo.tasks.zero_shot import ENTAILMENT

_TOPICS_A_TEXT = 6  # hypotheses that a text is learnt beside: its own topic and five others
_DEV_TOKENS = 8192
_DEV_HYPOTHESES = 4_000  # a zero-shot text is asked about every topic: fewer texts where there are many topics
_RAREST_TIMES = 4  # a rare label's rows are drawn up to so many times an epoch

Lesson = tuple[Part, Callable[[], dict[str, float]], np.ndarray]


def times_drawn(label: np.ndarray) -> dict[str, float]:
    """How often the rows of each label are drawn an epoch, so that a rare one weighs about as much as the others."""
    counts = np.bincount(label)
    return {
        str(index): float(min(_RAREST_TIMES, round(counts.max() / count)))
        for index, count in enumerate(counts.tolist())
        if count
    }


def _drawn(label: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Row numbers (N,) of an epoch."""
    return drawn_rows(np.arange(len(label)), [str(value) for value in label.tolist()], times_drawn(label), rng)


def two_classes(learner: Learner, rows: LabelledRows, split: Split) -> Lesson:
    """The steps of a classifier, its dev figures, and the lengths of what it learns."""
    pairs = TASKS[rows.task].inputs == "pair"
    texts = list(zip(*rows.inputs, strict=True)) if pairs else [rows.inputs]
    first = learner.store.add(texts[0])
    second = learner.store.add(texts[1]) if pairs else np.full(len(first), -1, np.int32)
    examples = Examples(first=first, second=second, label=rows.label)
    learnt, dev = examples.take(split.train), examples.take(split.dev)
    part = LabelledBatches(draw=lambda rng: learnt.take(_drawn(learnt.label, rng)), symmetric=pairs)
    return part, lambda: held_out_accuracy(learner, dev, batch_tokens=_DEV_TOKENS), learner.lengths(learnt)


def topics(learner: Learner, rows: LabelledRows, split: Split, *, template: str, seed: int) -> Lesson:
    """The same for zero-shot: each text beside hypotheses made of the topics."""
    first = learner.store.add(rows.inputs)
    drawn = split.train[_drawn(rows.label[split.train], np.random.default_rng(seed))]
    groups = TopicGroups(
        {"own": LabelSet(texts=first[drawn], label=rows.label[drawn], names=[[name] for name in rows.names])},
        learner.store,
        draw={"own": len(drawn)},
        templates=[template],
        group=_TOPICS_A_TEXT,
    )
    count = len(rows.names)
    hypotheses = learner.store.add([template.format(name) for name in rows.names])
    dev = np.random.default_rng(seed).permutation(split.dev)[: max(1, _DEV_HYPOTHESES // count)]  # not by file order
    asked = Examples(
        first=np.repeat(first[dev], count),
        second=np.tile(hypotheses, len(dev)),
        label=np.zeros(len(dev) * count, np.int64),
    )
    truth = torch.from_numpy(rows.label[dev])

    def report() -> dict[str, float]:
        entailment = torch.empty(len(asked))
        for chosen in in_order(learner.lengths(asked), tokens=_DEV_TOKENS):
            entailment[chosen] = classify(learner.model, learner.batch(asked.take(chosen)))[:, ENTAILMENT].cpu()
        choices = entailment.reshape(len(dev), count)
        return {
            "dev_accuracy": float((choices.argmax(1) == truth).float().mean()),
            "dev_loss": float(F.cross_entropy(choices, truth)),
        }

    examples = Examples(first=first[drawn], second=np.full(len(drawn), -1, np.int32), label=rows.label[drawn])
    group = min(_TOPICS_A_TEXT, count)
    return TopicBatches(groups=groups), report, learner.lengths(examples) * group + 8 * group
