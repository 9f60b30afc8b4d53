"""How an engine's models answer the project's own everyday questions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wenmo.tasks.everyday import QuestionSet, rows

if TYPE_CHECKING:
    from wenmo.engine import Engine

UNSURE = 0.25  # a neutral text counts as right when the probability of praise is nearer to one half than this


@dataclass(frozen=True, kw_only=True)
class Answered:
    """One question. `expected` and `answered` are labels in Chinese, `probability` is that of `answered`.

    For a text that is neither praise nor blame `expected` is 中性, and `answered` is 中性 where the model is less than
    75% sure of either.
    """

    questions: QuestionSet
    kind: str
    text: str
    expected: str
    answered: str
    probability: float

    @property
    def right(self) -> bool:
        return self.answered == self.expected


def everyday(engine: Engine, *, progress: Callable[[int, int], None] | None = None) -> list[Answered]:
    """All questions in the order of their files. `progress` as in Engine, after each set."""
    found: list[Answered] = []
    of = sum(len(rows(name)) for name in ("reviews", "neutral", "pairs", "zero_shot"))

    def done() -> None:
        if progress is not None:
            progress(len(found), of)

    reviews = rows("reviews")
    for row, mood in zip(reviews, engine.sentiment([row["text"] for row in reviews]), strict=True):
        good = mood.positive > 0.5
        found.append(
            _answered(
                "reviews", row, row["text"], "正面" if good else "负面", mood.positive if good else 1 - mood.positive
            )
        )
    done()
    neutral = rows("neutral")
    for row, mood in zip(neutral, engine.sentiment([row["text"] for row in neutral]), strict=True):
        good = mood.positive > 0.5
        probability = mood.positive if good else 1 - mood.positive
        label = "中性" if probability < 0.5 + UNSURE else "正面" if good else "负面"
        found.append(_answered("neutral", {**row, "label": "中性"}, row["text"], label, probability))
    done()
    pairs = rows("pairs")
    judged = engine.similarity([(row["text_a"], row["text_b"]) for row in pairs])
    for row, pair in zip(pairs, judged, strict=True):
        same = pair.similarity > 0.5
        text = f"{row['text_a']} | {row['text_b']}"
        found.append(
            _answered("pairs", row, text, "相同" if same else "不同", pair.similarity if same else 1 - pair.similarity)
        )
    done()
    for row in rows("zero_shot"):
        (result,) = engine.zero_shot([row["text"]], labels=row["labels"].split("、"))
        found.append(_answered("zero_shot", row, row["text"], result.label, result.score))
    done()
    return found


def _answered(questions: QuestionSet, row: dict[str, str], text: str, answer: str, probability: float) -> Answered:
    return Answered(
        questions=questions,
        kind=row["kind"],
        text=text,
        expected=row["label"],
        answered=answer,
        probability=float(probability),
    )
