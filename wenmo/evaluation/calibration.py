"""Temperature scaling (Guo et al., 2017, arXiv 1706.04599): one number divides the
logits, so that probabilities are true.

It is written into the checkpoint's configuration.json, from where the engine reads it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np


def store_temperatures(folder: Path, temperatures: Mapping[str, float]) -> None:
    """Write them into the configuration.json of the checkpoint in `folder`."""
    path = folder / "configuration.json"
    configuration = json.loads(path.read_text(encoding="utf-8"))
    configuration["calibration"] = dict(temperatures)
    path.write_text(json.dumps(configuration, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def fit_temperature(logits: np.ndarray, label: np.ndarray, weight: np.ndarray) -> float:
    """The temperature in [0.1, 10] with the lowest weighted cross-entropy, to three decimals.

    `logits` (N, K), `label` (N,), `weight` (N,). The loss has a single minimum, so the range is narrowed five times.
    """
    low, high = np.log(0.1), np.log(10.0)
    for _ in range(5):
        tried = np.linspace(low, high, 21)
        losses = [_cross_entropy(logits / np.exp(value), label, weight) for value in tried]
        best = int(np.argmin(losses))
        low, high = tried[max(best - 1, 0)], tried[min(best + 1, 20)]
    return round(float(np.exp(tried[best])), 3)


def _cross_entropy(logits: np.ndarray, label: np.ndarray, weight: np.ndarray) -> float:
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probability = shifted[np.arange(len(label)), label] - np.log(np.exp(shifted).sum(axis=1))
    return float(-(weight * log_probability).sum() / weight.sum())
