"""Splits labelled rows into train, dev and test rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Split:
    """Sorted row indices of three parts that share no row: to train on, to decide when to stop, to test on."""

    train: np.ndarray
    dev: np.ndarray
    test: np.ndarray


def split_rows(
    label: np.ndarray,
    *,
    seed: int,
    most_dev: int = 500,
    most_test: int = 1_000,
    shares: tuple[float, float] = (0.15, 0.25),
) -> Split:
    """A stratified random split of rows with the labels `label` (N,), the same for the same `seed`.

    `shares` are those of the dev and the test rows, lower where they would be more than `most_dev` and `most_test`
    rows. Each label has at least one row in each of these two.
    """
    rng = np.random.default_rng(seed)
    dev_share, test_share = min(shares[0], most_dev / len(label)), min(shares[1], most_test / len(label))
    parts: tuple[list[np.ndarray], ...] = ([], [], [])
    for value in np.unique(label):
        rows = rng.permutation(np.flatnonzero(label == value))
        test, dev = (max(1, round(share * len(rows))) for share in (test_share, dev_share))
        for part, chosen in zip(parts, np.split(rows, [test, test + dev]), strict=True):
            part.append(chosen)
    test_rows, dev_rows, train_rows = (np.sort(np.concatenate(part)) for part in parts)
    return Split(train=train_rows, dev=dev_rows, test=test_rows)
