"""Temperature scaling (Guo et al., 2017, arXiv 1706.04599): the logits are divided by one fitted number.

A checkpoint has its temperatures in configuration.json, where the engine reads them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from wenmo.engine import Engine
from wenmo.evaluation.labelled import LabelledRows
from wenmo.evaluation.predict import label_options
from wenmo.models.config_files import CONFIGURATION_FILE
from wenmo.tasks.table import TASKS
from wenmo.tasks.zero_shot import CONTRADICTION, ENTAILMENT


def store_temperatures(folder: Path, temperatures: Mapping[str, float]) -> None:
    """Write `temperatures` into the configuration.json of the checkpoint in `folder`."""
    path = folder / CONFIGURATION_FILE
    configuration = json.loads(path.read_text(encoding="utf-8"))
    configuration["calibration"] = dict(temperatures)
    path.write_text(json.dumps(configuration, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def fit_temperatures(
    folder: Path, rows: LabelledRows, *, template: str, device: str, on_progress: Callable[[int, int], None]
) -> dict[str, float]:
    """The temperatures of the checkpoint in `folder`, fitted on `rows`, which must not have been trained on.

    Each label has the same weight. Labels are smoothed to (n + 1) / (n + 2), n being the number of rows, because a few
    correct answers do not prove certainty (Laplace's rule of succession, as in Platt, 1999).
    """
    spec = TASKS[rows.task]
    with Engine(models={rows.task: folder}, device=device, precision="fp32", calibrated=False, cache_mib=0) as engine:
        options = label_options(spec, rows.names, template=template)
        results = engine.ask(spec.name, rows.inputs, progress=on_progress, **options)
    if not spec.takes_labels:
        return {spec.calibrations[0]: _fit_smoothed(np.asarray([each.logits[0] for each in results]), rows.label)}
    nli = np.asarray([each.logits for each in results])  # (N, topics, 3)
    entailed = np.arange(len(rows.names)) == rows.label[:, None]  # (N, topics)
    alone = nli[:, :, [CONTRADICTION, ENTAILMENT]].reshape(-1, 2)
    return {
        "single_label": _fit_smoothed(nli[:, :, ENTAILMENT], rows.label),
        "multi_label": _fit_smoothed(alone, entailed.reshape(-1).astype(int), rows=len(rows)),
    }


def fit_temperature(logits: np.ndarray, label: np.ndarray, weight: np.ndarray) -> float:
    """The temperature in [0.1, 10] with the lowest weighted cross-entropy, to three decimals.

    `logits` (N, K), `label` (N,), `weight` (N,). The loss has a single minimum, so a grid around the best of 21 values
    is refined five times.
    """
    low, high = np.log(0.1), np.log(10.0)
    for _ in range(5):
        tried = np.linspace(low, high, 21)
        losses = [_cross_entropy(logits / np.exp(value), label, weight) for value in tried]
        best = int(np.argmin(losses))
        low, high = tried[max(best - 1, 0)], tried[min(best + 1, 20)]
    return round(float(np.exp(tried[best])), 3)


def _fit_smoothed(logits: np.ndarray, label: np.ndarray, *, rows: int | None = None) -> float:
    """The temperature of logits (N, K), with labels (N,) smoothed for `rows` (N) rows, see `fit_temperatures`."""
    n, classes = rows or len(label), logits.shape[1]
    # A row with a smoothed label is the same as one row for each class, weighted by the smoothed share.
    every_class = np.tile(np.arange(classes), len(label))
    true_class = np.repeat(label, classes)
    share = np.where(every_class == true_class, (n + 1) / (n + 2), 1 / (n + 2) / (classes - 1))
    weight = share / np.bincount(label)[true_class]
    return fit_temperature(np.repeat(logits.astype(np.float64), classes, axis=0), every_class, weight)


def _cross_entropy(logits: np.ndarray, label: np.ndarray, weight: np.ndarray) -> float:
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probability = shifted[np.arange(len(label)), label] - np.log(np.exp(shifted).sum(axis=1))
    return float(-(weight * log_probability).sum() / weight.sum())
