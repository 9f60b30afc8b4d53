"""Explanations: computing the variants of an input that `wenmo.tasks.explain` defines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wenmo.engine.loading import Models
from wenmo.engine.pipeline import OnProgress, encode_pairs, encode_texts, rows, run_pipeline
from wenmo.errors import InputError
from wenmo.tasks import explain as explain_task
from wenmo.tasks import zero_shot as zero_shot_task
from wenmo.tasks.scores import softmax
from wenmo.tasks.table import TASKS
from wenmo.types import Alignment, Explanation, TaskName, ZeroShotResult

if TYPE_CHECKING:
    from wenmo.tokenizer import Encoding


def explain_two_class(
    models: Models,
    task: TaskName,
    texts: tuple[str, ...],
    *,
    progress: OnProgress | None,
) -> Explanation:
    """Which parts of a text, or of the two of a pair, support the second of the task's two labels."""
    model = models.get(task)
    encoded = encode_texts(model, list(texts)) if len(texts) == 1 else encode_pairs(model, [(texts[0], texts[1])])
    units, logits = _mask_each_unit(models, task, encoded, texts, progress=progress)
    temperature = model.info.temperatures[TASKS[task].calibrations[0]]
    odds = explain_task.two_class_odds(logits[0], temperature=temperature)
    score = float(softmax(logits[0, 0], temperature=temperature)[explain_task.SECOND])
    rival, label = model.info.labels
    return explain_task.explanation(units, odds, encoded, texts, label=label, rival=rival, score=score)


def explain_class(
    models: Models, task: TaskName, text: str, *, label: str | None, progress: OnProgress | None
) -> Explanation:
    """Which parts of `text` support `label` (None: the best) of a task whose labels are the checkpoint's own."""
    model = models.get(task)
    labels = model.info.labels
    if label is not None and label not in labels:
        raise InputError(
            f"The model {model.info.name} has no label {label!r}. It has: {', '.join(labels)}.",
            f"模型 {model.info.name} 没有标签 {label!r}。可用：{'、'.join(labels)}。",
        )
    encoded = encode_texts(model, [text])
    units, logits = _mask_each_unit(models, task, encoded, (text,), progress=progress)
    order = np.argsort(-logits[0, 0], kind="stable").tolist()
    chosen = order[0] if label is None else labels.index(label)
    rival = next(index for index in order if index != chosen)
    temperature = model.info.temperatures[TASKS[task].calibrations[0]]
    odds = explain_task.class_odds(logits[0], chosen, rival, temperature=temperature)
    score = float(softmax(logits[0, 0], temperature=temperature)[chosen])
    return explain_task.explanation(
        units, odds, encoded, (text,), label=labels[chosen], rival=labels[rival], score=score
    )


def explain_label(
    models: Models,
    text: str,
    result: ZeroShotResult,
    *,
    label: str,
    template: str,
    progress: OnProgress | None,
) -> Explanation:
    """Which parts of `text` support `label`, one of the labels of `result`."""
    # The scores are in descending order, so the first other label is the best one.
    rival = None if result.multi_label else next(name for name in result.scores if name != label)
    model = models.get("zero_shot")
    question = zero_shot_task.Question(text=text, labels=(label,) if rival is None else (label, rival))
    bases = zero_shot_task.encode(model.tokenizer, [question], template=template, max_length=model.info.max_length)
    units, logits = _mask_each_unit(models, "zero_shot", bases, (text,), progress=progress)
    if rival is None:
        odds = explain_task.entailment_odds(logits[0], temperature=model.info.temperatures["multi_label"])
    else:
        odds = explain_task.label_odds(logits[0], logits[1], temperature=model.info.temperatures["single_label"])
    return explain_task.explanation(units, odds, bases, (text,), label=label, rival=rival, score=result.scores[label])


def align(models: Models, pair: tuple[str, str]) -> Alignment:
    """Cosines between the parts of both sentences, from the embedding model's last layer."""
    model = models.get("embedding")
    encodings = encode_texts(model, list(pair))
    sides = []
    for text, encoding in zip(pair, encodings, strict=True):
        words = model.tokenizer.words(text, limit=model.info.max_length)
        units = explain_task.units(encoding, (text,), (words,))
        sides.append((units, explain_task.unit_directions(model.bulk.states(encoding), units)))
    (first, first_directions), (second, second_directions) = sides
    return Alignment(
        first=tuple((unit.start, unit.end) for unit in first),
        second=tuple((unit.start, unit.end) for unit in second),
        cosines=tuple(tuple(row) for row in np.clip(first_directions @ second_directions.T, -1.0, 1.0).tolist()),
        truncated=any(encoding.truncated for encoding in encodings),
    )


def _mask_each_unit(
    models: Models, task: TaskName, bases: list[Encoding], texts: tuple[str, ...], *, progress: OnProgress | None
) -> tuple[list[explain_task.Unit], np.ndarray]:
    """The units of `texts`, and logits (len(bases), 1 + units, classes): of each base, then with each unit masked.

    All `bases` begin with the tokens of `texts`.
    """
    model = models.get(task)
    words = [model.tokenizer.words(text, limit=model.info.max_length) for text in texts]
    shortest = min(bases, key=lambda base: len(base) - base.segment_b)  # a longer label leaves less room for the text
    units = explain_task.units(shortest, texts, words)
    mask_id = model.tokenizer.mask_id
    variants = [
        variant
        for base in bases
        for variant in (base, *(explain_task.mask(base, unit, mask_id=mask_id) for unit in units))
    ]
    logits = run_pipeline(models, task, variants, lambda _, window: window, rows, progress=progress)
    return units, np.stack(logits).reshape(len(bases), 1 + len(units), -1)
