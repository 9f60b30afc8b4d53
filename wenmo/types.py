"""What passes between the stages and comes out at the end: frozen, keyword-only, explained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Generic, Literal, TypeVar

T = TypeVar("T")

TaskName = str  # a key of `wenmo.tasks.table.TASKS`
NLI = "nli"  # no task: the zero-shot model's three-way answer, which can be evaluated

# How zero-shot judges labels: each by the inference model; by its vector; or by the model, where its vector is near.
ZeroShotMethod = Literal["nli", "embedding", "two_stage"]
ZERO_SHOT_METHODS: tuple[ZeroShotMethod, ...] = ("nli", "embedding", "two_stage")

Precision = Literal["fp32", "fp16", "bf16", "int8"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "bf16", "int8")


@dataclass(frozen=True, kw_only=True)
class Resolved(Generic[T]):
    """A decision and why it was taken, in both languages: the screen shows it."""

    value: T
    reason: str
    reason_zh: str


@dataclass(frozen=True, kw_only=True)
class SchedulerLimits:
    """`waiting_tokens` may wait at once, each for `wait_s` at most; what is more is turned away with BusyError."""

    waiting_tokens: int = 65_536
    wait_s: float = 30.0


@dataclass(frozen=True, kw_only=True)
class Result:
    """What every task answers for one input.

    `scores` maps each label, in the checkpoint's own names, to its probability, best first; `label` and `score` are the
    best of them. `truncated` tells that the model did not see all of the text. `logits` are the raw outputs in the
    order of the checkpoint's ids (zero-shot: three a label, in the order of the labels), for parity checks.
    `probability` names the field that holds the probability of the last label, where a task has one that says all.
    """

    probability: ClassVar[str | None] = None

    label: str
    score: float
    scores: Mapping[str, float]
    truncated: bool
    logits: tuple[tuple[float, ...], ...] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class SimilarityResult(Result):
    """Cross-encoder: both sentences were read together. `similarity` is the probability of the "same meaning" label."""

    probability = "similarity"

    similarity: float = field(metadata={"description": "Probability that both sentences say the same."})


@dataclass(frozen=True, kw_only=True)
class SentimentResult(Result):
    """`positive` is the probability of the positive label."""

    probability = "positive"

    positive: float = field(metadata={"description": "Probability of the positive label."})


@dataclass(frozen=True, kw_only=True)
class ZeroShotResult(Result):
    """`multi_label` tells how the scores were normalised: over the labels (False) or for each label alone (True).

    `dropped_labels` are the labels that were blank or given twice, as they were typed. `method` is how the labels were
    judged. With two_stage, `scores` and `logits` are of the labels whose vectors are nearest to the text's, in the
    order in which they were given; with embedding, each label's only logit is its cosine with the text.
    """

    multi_label: bool
    dropped_labels: tuple[str, ...] = field(
        metadata={"description": "Labels that were blank or given twice, as typed."}
    )
    method: ZeroShotMethod = "nli"


@dataclass(frozen=True, kw_only=True)
class Part:
    """Characters `start` to `end` (not included) of a text, and by how much the log odds fall when they are hidden."""

    start: int
    end: int
    weight: float


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What each part of the input does for `label`, in the order of the text; see `wenmo.tasks.explain`.

    `score` is the probability of `label`. `log_odds` is what the weights are changes of: ln of the odds of `label`
    over `rival`, calibrated as the score is; `rival` is None where the label is judged alone. `parts` has one tuple a
    text: two for a pair. `grouped` tells that the text was too long for single characters and went by groups of
    words; `truncated`, that the model did not see all of it. What no part covers was not seen, or is white space.
    """

    label: str
    rival: str | None
    score: float
    log_odds: float
    parts: tuple[tuple[Part, ...], ...]
    grouped: bool
    truncated: bool


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """Which part of one sentence stands for which of the other, to the embedding model.

    `first` and `second` are the (start, end) of each one's parts, `cosines` (len(first), len(second)) how alike they
    are in their sentences: cosines of last-layer states, whose means over all tokens are the vectors of `embed`.
    """

    first: tuple[tuple[int, int], ...]
    second: tuple[tuple[int, int], ...]
    cosines: tuple[tuple[float, ...], ...]
    truncated: bool
