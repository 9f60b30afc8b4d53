"""Why a model answered as it did: asked again with each part of the text hidden in turn.

What is hidden, and how the answers are read, is in `wenmo.tasks.explain`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wenmo.engine.loading import Models
from wenmo.engine.pipeline import OnProgress, encode_pairs, encode_texts, rows, run_pipeline
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
    """What in a text, or in the two of a pair, speaks for the second of the task's labels, and what for the first."""
    model = models.get(task)
    encoded = encode_texts(model, list(texts)) if len(texts) == 1 else encode_pairs(model, [(texts[0], texts[1])])
    units, logits = _hide_in_turn(models, task, encoded, texts, progress=progress)
    temperature = model.temperatures[TASKS[task].calibrations[0]]
    odds = explain_task.two_class_odds(logits[0], temperature=temperature)
    score = float(softmax(logits[0, 0], temperature=temperature)[explain_task.SECOND])
    rival, label = model.labels
    return explain_task.explanation(units, odds, encoded, texts, label=label, rival=rival, score=score)


def explain_label(
    models: Models,
    text: str,
    result: ZeroShotResult,
    *,
    label: str,
    template: str,
    progress: OnProgress | None,
) -> Explanation:
    """What in `text` speaks for `label`, one of those of `result`."""
    # Best first: the best of the others.
    rival = None if result.multi_label else next(name for name in result.scores if name != label)
    model = models.get("zero_shot")
    question = zero_shot_task.Question(text=text, labels=(label,) if rival is None else (label, rival))
    bases = zero_shot_task.encode(model.tokenizer, [question], template=template, max_length=model.max_length)
    units, logits = _hide_in_turn(models, "zero_shot", bases, (text,), progress=progress)
    if rival is None:
        odds = explain_task.entailment_odds(logits[0], temperature=model.temperatures["multi_label"])
    else:
        odds = explain_task.label_odds(logits[0], logits[1], temperature=model.temperatures["single_label"])
    return explain_task.explanation(units, odds, bases, (text,), label=label, rival=rival, score=result.scores[label])


def align(models: Models, pair: tuple[str, str]) -> Alignment:
    """The cosines between the parts of both sentences, by the embedding model's last layer."""
    model = models.get("embedding")
    encodings = encode_texts(model, list(pair))
    sides = []
    for text, encoding in zip(pair, encodings, strict=True):
        words = model.tokenizer.words(text, limit=model.max_length)
        units = explain_task.units(encoding, (text,), (words,))
        sides.append((units, explain_task.unit_directions(model.bulk.states(encoding), units)))
    (first, ours), (second, theirs) = sides
    return Alignment(
        first=tuple((unit.start, unit.end) for unit in first),
        second=tuple((unit.start, unit.end) for unit in second),
        cosines=tuple(tuple(row) for row in np.clip(ours @ theirs.T, -1.0, 1.0).tolist()),
        truncated=any(encoding.truncated for encoding in encodings),
    )


def _hide_in_turn(
    models: Models, task: TaskName, bases: list[Encoding], texts: tuple[str, ...], *, progress: OnProgress | None
) -> tuple[list[explain_task.Unit], np.ndarray]:
    """The units of `texts`, and logits (len(bases), 1 + units, classes): each base whole, then without each unit.

    All `bases` begin with the tokens of `texts`.
    """
    model = models.get(task)
    words = [model.tokenizer.words(text, limit=model.max_length) for text in texts]
    shortest = min(bases, key=lambda base: len(base) - base.segment_b)  # a longer label leaves less of a long text
    units = explain_task.units(shortest, texts, words)
    mask_id = model.tokenizer.mask_id
    variants = [
        variant
        for base in bases
        for variant in (base, *(explain_task.hide(base, unit, mask_id=mask_id) for unit in units))
    ]
    logits = run_pipeline(models, task, variants, lambda _, window: window, rows, progress=progress)
    return units, np.stack(logits).reshape(len(bases), 1 + len(units), -1)
