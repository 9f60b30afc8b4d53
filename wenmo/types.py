"""Data types that several packages share, above all the results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Generic, Literal, TypeVar

T = TypeVar("T")

TaskName = str  # a key of `wenmo.tasks.table.TASKS`
NLI = "nli"  # not a task: the three classes of the zero-shot model, which can be evaluated

# Zero-shot by the NLI model, by the nearest vector, or by the NLI model over the labels with the nearest vectors.
ZeroShotMethod = Literal["auto", "nli", "ensemble", "two_stage", "embedding"]
ZERO_SHOT_METHODS: tuple[ZeroShotMethod, ...] = ("auto", "nli", "ensemble", "two_stage", "embedding")

Precision = Literal["fp32", "fp16", "bf16", "int8"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "bf16", "int8")


RuntimeName = Literal["torch", "onnx"]
RUNTIMES: tuple[RuntimeName, ...] = ("torch", "onnx")


@dataclass(frozen=True, kw_only=True)
class Resolved(Generic[T]):
    """A value that the program chose, and the reason that the screen shows for it."""

    value: T
    reason: str
    reason_zh: str


@dataclass(frozen=True, kw_only=True)
class SchedulerLimits:
    """Limits of the queue: calls beyond `waiting_tokens` in all, or `wait_s` each, are rejected with BusyError."""

    waiting_tokens: int = 65_536
    wait_s: float = 30.0


@dataclass(frozen=True, kw_only=True)
class Result:
    """The result for one input, of any task.

    `scores` maps each label, as the checkpoint names it, to its probability, best first; `label` and `score` are the
    best of them. `truncated`: the model did not see the whole text. `logits` are the raw outputs in the order of the
    label ids (zero-shot: three per label, in the order of the labels), for parity checks. `unknown` is the share of the
    text's tokens that the model does not know: they are all one to it. `probability` is the name of
    the field with the last label's probability, None for tasks whose scores a single probability does not sum up.
    """

    probability: ClassVar[str | None] = None

    label: str
    score: float
    scores: Mapping[str, float]
    truncated: bool
    logits: tuple[tuple[float, ...], ...] = field(repr=False)
    unknown: float = 0.0


@dataclass(frozen=True, kw_only=True)
class SimilarityResult(Result):
    """Cross-encoder result for a pair. `similarity` is the probability of the "same meaning" label."""

    probability = "similarity"

    similarity: float = field(metadata={"description": "Probability that both sentences say the same."})


@dataclass(frozen=True, kw_only=True)
class SentimentResult(Result):
    """`positive` is the probability of the positive label."""

    probability = "positive"

    positive: float = field(metadata={"description": "Probability of the positive label."})


@dataclass(frozen=True, kw_only=True)
class ClassifyResult(Result):
    """The result of a classifier with any labels of its own."""


@dataclass(frozen=True, kw_only=True)
class ZeroShotResult(Result):
    """`multi_label` is how the scores were normalised: over all labels (False) or for each label alone (True).

    `dropped_labels` are the blank and repeated labels, as typed. `method` is never auto, but what it chose. With
    two_stage, `scores` and `logits` cover only the labels whose vectors are nearest to the text's, `logits` in the
    order in which the labels were given. With embedding, the only logit of a label is its cosine with the text; with
    ensemble, the last of each label is.
    """

    multi_label: bool
    dropped_labels: tuple[str, ...] = field(
        metadata={"description": "Labels that were blank or given twice, as typed."}
    )
    method: ZeroShotMethod = "nli"


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A text of the corpus that a search has found, at `index`.

    `cosine` compares the vectors; `similarity` is the cross-encoder's probability of the same meaning, None where it
    was not asked. `truncated`: the cross-encoder did not see all of the two texts.
    """

    index: int
    cosine: float
    similarity: float | None = None
    truncated: bool = False


@dataclass(frozen=True, kw_only=True)
class Duplicates:
    """`kept` are the indices of the texts that remain, in order.

    `duplicate_of` (N) has the index of the kept text that each other one is near to, None for one that is kept;
    `cosines` (N) are to that text.
    """

    kept: tuple[int, ...]
    duplicate_of: tuple[int | None, ...]
    cosines: tuple[float | None, ...]


@dataclass(frozen=True, kw_only=True)
class TextGroup:
    """Texts near to `representative`, one of them. `members` are indices, the representative first, then the nearest.

    `cosines` are theirs to the representative, 1 for itself.
    """

    representative: int
    members: tuple[int, ...]
    cosines: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Part:
    """Characters `start` up to, not including, `end` of a text. Masking them lowers the log odds by `weight`."""

    start: int
    end: int
    weight: float


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """How much each part of the input contributes to `label`; see `wenmo.tasks.explain`.

    `score` is the probability of `label`. `log_odds` is ln of the odds of `label` against `rival`, calibrated like the
    score; weights are changes of it. `rival` is None where the label is judged alone. `parts` has one tuple per text
    (two for a pair), in the order of the text; characters outside of all parts are white space or were cut off.
    `grouped`: the text was long, so words were masked in groups. `truncated`: the model did not see the whole text.
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
    """Which parts of two sentences correspond, according to the embedding model.

    `first` and `second` are the (start, end) of each sentence's parts. `cosines` (len(first), len(second)) compares
    their last-layer states; the mean of these states over all tokens is the vector that `embed` returns.
    """

    first: tuple[tuple[int, int], ...]
    second: tuple[tuple[int, int], ...]
    cosines: tuple[tuple[float, ...], ...]
    truncated: bool
