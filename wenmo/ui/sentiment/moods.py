"""The three moods of the page, each with a face, read from the probability of positive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

Face = Literal["😄", "😐", "😠"]
NAMES: dict[Face, str] = {"😄": "glad", "😐": "neutral", "😠": "angry"}


def face_of(positive: float) -> Face:
    """The face for a probability of positive. Near the middle, where the model is not sure, it is neutral."""
    if 0.4 <= positive <= 0.6:
        return "😐"
    return "😄" if positive > 0.6 else "😠"


def count_moods(positives: Sequence[float]) -> dict[str, int]:
    """How many of the probabilities have each mood, by its name."""
    faces = [face_of(positive) for positive in positives]
    return {name: faces.count(face) for face, name in NAMES.items()}
