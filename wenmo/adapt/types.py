"""The options, progress and result of adapting a model. Imports no torch, so that pages can import it at once."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from wenmo.evaluation.metrics import AccuracyChange, ClassScore, Score
from wenmo.tasks.zero_shot import DEFAULT_TEMPLATE
from wenmo.types import Resolved, TaskName

Stage = Literal["before", "training", "after"]  # "before" and "after": the model answers held-out rows
StopReason = Literal["steps", "dev_loss", "time"]  # all epochs; the dev loss stopped falling; the time limit
TrainingPrecision = Literal["fp32", "bf16", "fp16"]


@dataclass(frozen=True, kw_only=True)
class AdaptOptions:
    """How to adapt a model.

    `learning_rate` None: chosen by the size of the model. `precision`: auto, fp32, bf16 or fp16. `checkpointing`: of
    activations, which saves memory and costs about one more forward pass. `max_length`: the tokens that training reads
    of an input. `time_limit_s` bounds training, without the evaluations before and after. `template`: the hypothesis of
    zero-shot, with one place {} for the label; use the adapted model with the same template.
    """

    epochs: int = 12
    learning_rate: float | None = None
    precision: str = "auto"
    checkpointing: bool = False
    device: str = "auto"
    max_length: int = 256
    time_limit_s: float = 3600.0
    template: str = DEFAULT_TEMPLATE
    seed: int = 1


@dataclass(frozen=True, kw_only=True)
class AdaptProgress:
    """The progress of a run: `step` of `of`, which are optimiser steps in training and rows before and after it.

    `loss` is that of a training step. `dev_loss` and `dev_accuracy` (a share of 1) are None unless just computed.
    `memory_mib` is the peak of the GPU's allocator since the last report, or without a GPU the resident set of the
    process; `memory_of` tells which.
    """

    stage: Stage
    step: int
    of: int
    loss: float | None = None
    dev_loss: float | None = None
    dev_accuracy: float | None = None
    tokens_per_s: float | None = None
    memory_mib: float
    memory_of: Literal["gpu", "process"]


@dataclass(frozen=True, kw_only=True)
class Adapted:
    """The result of a run: the new model, its accuracy before and after on the test rows, and how it was trained.

    `*_rows` count rows of the file, see LabelledRows; `*_labels` count the rows of each label in a part of the split.
    `before_is`: the model that was begun with, or the baseline of `wenmo.adapt.baseline`. `class_scores` and
    `class_scores_before` are by label; `confusion` counts the test rows by true label and by that of the new model, in
    the same order. `majority_share` is the accuracy of always answering the most frequent label. `best_step` is the
    step whose weights were kept; `seconds` are those of the whole run; `peak_memory_mib` is the highest `memory_mib` of
    the progress.
    """

    name: str
    folder: Path
    start_from: str
    task: TaskName
    distinct_rows: int
    skipped_rows: int
    repeated_rows: int
    contradicting_rows: int
    train_labels: dict[str, int]
    dev_labels: dict[str, int]
    test_labels: dict[str, int]
    before: Score
    after: Score
    difference: AccuracyChange
    before_is: Literal["model", "tfidf"]
    class_scores: dict[str, ClassScore]
    class_scores_before: dict[str, ClassScore]
    confusion: tuple[tuple[int, ...], ...]
    majority_share: float
    temperatures: dict[str, float]
    device: Resolved[str]
    precision: Resolved[TrainingPrecision]
    learning_rate: Resolved[float]
    options: AdaptOptions
    steps: int
    best_step: int
    ended: StopReason
    seconds: float
    peak_memory_mib: float
    tokens_per_s: float

    def figures(self) -> dict[str, object]:
        """The figures and settings for JSON, without any of the user's texts."""
        return {
            "name": self.name,
            "folder": str(self.folder),
            "task": self.task,
            "start_from": self.start_from,
            "rows": {
                "distinct": self.distinct_rows,
                "skipped": self.skipped_rows,
                "repeated": self.repeated_rows,
                "contradicting": self.contradicting_rows,
            },
            "train": self.train_labels,
            "dev": self.dev_labels,
            "test": self.test_labels,
            "before_is": self.before_is,
            "before": asdict(self.before),
            "after": asdict(self.after),
            "difference": asdict(self.difference),
            "f1": {name: score.f1 for name, score in self.class_scores.items()},
            "f1_before": {name: score.f1 for name, score in self.class_scores_before.items()},
            "confusion": self.confusion,
            "majority_share": self.majority_share,
            "temperatures": self.temperatures,
            "device": self.device.value,
            "precision": asdict(self.precision),
            "learning_rate": self.learning_rate.value,
            "checkpointing": self.options.checkpointing,
            "template": self.options.template,
            "steps": self.steps,
            "best_step": self.best_step,
            "ended": self.ended,
            "seconds": round(self.seconds, 3),
            "tokens_per_s": round(self.tokens_per_s),
            "peak_memory_mib": round(self.peak_memory_mib, 1),
        }
