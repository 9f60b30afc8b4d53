"""Predicted labels and probabilities as arrays, from an engine's results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wenmo.engine import Engine
from wenmo.evaluation.labelled import LabelledRows
from wenmo.tasks.spec import TaskSpec
from wenmo.tasks.table import TASKS
from wenmo.types import Result


def label_options(spec: TaskSpec, names: Sequence[str], **options: str) -> dict[str, Any]:
    """The options of `Engine.ask`: `names` as the labels and `options`, for a task that takes labels; else none."""
    return {"labels": names, **options} if spec.takes_labels else {}


def probabilities(engine: Engine, spec: TaskSpec, results: Sequence[Result], *, names: Sequence[str]) -> np.ndarray:
    """(N, labels): in the order of `names`, or for a task with roles in that of the checkpoint's logits.

    A label that was not scored, as in the zero-shot method two_stage, has the probability 0.
    """
    field = None if spec.result is None else spec.result.probability
    if field is not None:
        second = np.asarray([getattr(result, field) for result in results])
        return np.stack([1 - second, second], axis=1)
    order = names if spec.takes_labels or spec.any_labels else engine.model_info(spec.name).labels
    return np.asarray([[result.scores.get(name, 0.0) for name in order] for result in results])


def predict(
    engine: Engine, rows: LabelledRows, *, template: str, on_progress: Callable[[int, int], None]
) -> np.ndarray:
    """The labels that `engine` gives to `rows`, (N,) indices of `rows.names`. `template` is zero-shot's hypothesis."""
    spec = TASKS[rows.task]
    results = engine.ask(
        spec.name, rows.inputs, progress=on_progress, **label_options(spec, rows.names, template=template)
    )
    found = probabilities(engine, spec, results, names=rows.names)
    if spec.two_class:  # at exactly 0.5 the second label, as everywhere else
        return (found[:, 1] >= 0.5).astype(int)
    return found.argmax(axis=1)
