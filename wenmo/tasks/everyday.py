"""The project's own everyday questions, assets/samples/everyday/, each with its obvious answer.

Invented, and for evaluation only: no model was trained on them, no threshold was fitted to them.
"""

from __future__ import annotations

import csv
from functools import cache
from typing import Literal

from wenmo.paths import ASSETS

QuestionSet = Literal["reviews", "neutral", "pairs", "zero_shot"]
FOLDER = ASSETS / "samples" / "everyday"


@cache
def rows(name: QuestionSet) -> tuple[dict[str, str], ...]:
    """The rows of a set: `label` is the answer (neutral texts have none), `kind` what makes it hard."""
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))
