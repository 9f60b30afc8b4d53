"""A classifier with labels of the user's own on the encoder of any checkpoint, before it has learnt anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from wenmo.models.checkpoint import Checkpoint, load_checkpoint
from wenmo.models.shape import expected_shapes
from wenmo.tasks.spec import TaskSpec

_SPREAD = 0.02  # of the initial weights, as BERT's


def with_new_head(folder: Path, spec: TaskSpec, labels: Sequence[str], *, seed: int) -> Checkpoint:
    """The checkpoint in `folder` with a new classifier for `labels`; its pooler, if it has one, is kept.

    The classifier's weights are random, see `linear_probe.py` for those that it begins with.

    Raises CheckpointError for a folder that cannot be read. Its own labels do not matter.
    """
    start = load_checkpoint(folder, task="embedding")
    generator = torch.Generator().manual_seed(seed)
    weights = {name: each for name, each in start.weights.items() if name.startswith("bert.")}
    for name, size in expected_shapes(start.shape, labels=len(labels)).items():
        if name == "bert.pooler.dense.weight" and name not in weights:
            weights[name] = torch.eye(*size)  # an encoder of vectors has none: [CLS] passes through
        elif name not in weights:
            weights[name] = torch.randn(size, generator=generator) * (_SPREAD if len(size) > 1 else 0.0)
    return replace(
        start,
        task=spec.name,
        labels=tuple(labels),
        weights=weights,
        temperatures=dict.fromkeys(spec.calibrations, 1.0),
        parameters=sum(each.numel() for each in weights.values()),
    )
