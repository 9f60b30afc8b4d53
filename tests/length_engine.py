"""An engine whose answers can be checked by hand, and a job over it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from tests.conftest import GOLDEN
from wenmo.engine import Engine, ModelInfo
from wenmo.jobs.backend import EngineBackend
from wenmo.jobs.job import run_job
from wenmo.jobs.options import RunOptions
from wenmo.jobs.summary import JobSummary
from wenmo.tasks.labels import parse_labels
from wenmo.tasks.table import TASKS
from wenmo.tasks.zero_shot import check_template
from wenmo.types import Resolved, SentimentResult, SimilarityResult, TaskName, ZeroShotMethod, ZeroShotResult

Progress = Callable[[int, int], None]


class LengthEngine:
    """Answers that one can check by hand: a text of n characters has 1 / (n + 1) of "短" and is cut beyond 10."""

    device = Resolved(value="cpu", reason="", reason_zh="")
    precision = Resolved(value="fp32", reason="", reason_zh="")
    calibrated = False

    def __init__(self) -> None:
        self.calls: list[int] = []

    def model_info(self, task: TaskName) -> ModelInfo:
        """Of the golden model: a real folder, for the fingerprint."""
        return ModelInfo(
            name="length",
            folder=GOLDEN / task,
            task=task,
            labels=("短", "长"),
            layers=1,
            hidden_size=1,
            vector_size=1,
            parameters=1,
            weights_mib=None,
            max_length=10,
            temperatures={},
            precision=self.precision,
            arithmetic="",
        )

    def ask(
        self, task: str, inputs: Sequence[Any], *, progress: Progress | None = None, **options: Any
    ) -> Sequence[Any]:
        answers: Sequence[Any] = getattr(self, task)(inputs, progress=progress, **options)
        return answers

    def sentiment(self, texts: Sequence[str], *, progress: Progress | None = None) -> list[SentimentResult]:
        self.calls.append(len(texts))
        results = []
        for text in texts:
            short = 1 / (len(text) + 1)
            scores = dict(sorted({"短": short, "长": 1 - short}.items(), key=lambda item: -item[1]))
            label = next(iter(scores))
            results.append(
                SentimentResult(
                    label=label,
                    score=scores[label],
                    scores=scores,
                    truncated=len(text) > 10,
                    logits=((float(len(text)), -0.1),),
                    positive=short,
                )
            )
        if progress is not None:
            progress(len(results), len(results))
        return results

    def similarity(
        self, pairs: Sequence[tuple[str, str]], *, progress: Progress | None = None
    ) -> list[SimilarityResult]:
        self.calls.append(len(pairs))
        results = []
        for first, second in pairs:
            label, other = ("同", "异") if first == second else ("异", "同")
            results.append(
                SimilarityResult(
                    label=label,
                    score=0.75,
                    scores={label: 0.75, other: 0.25},
                    truncated=False,
                    logits=((float(len(first)), float(len(second))),),
                    similarity=0.75 if first == second else 0.25,
                )
            )
        if progress is not None:
            progress(len(results), len(results))
        return results

    @property
    def model_names(self) -> dict[TaskName, str]:
        return dict.fromkeys(TASKS, "length")

    def zero_shot(
        self,
        texts: Sequence[str],
        *,
        labels: Sequence[str] | str,
        template: str = "{}",
        multi_label: bool = False,
        method: ZeroShotMethod = "auto",
        progress: Progress | None = None,
    ) -> list[ZeroShotResult]:
        """The label that stands in the text, else the first."""
        parsed = parse_labels(labels)
        check_template(template)
        self.calls.append(len(texts))
        results = []
        for text in texts:
            best = next((label for label in parsed.names if template.format(label) in text), parsed.names[0])
            ranked = [best, *(label for label in parsed.names if label != best)]
            results.append(
                ZeroShotResult(
                    label=best,
                    score=1.0,
                    scores={label: 1.0 / place for place, label in enumerate(ranked, start=1)},
                    truncated=False,
                    logits=tuple((float(place), 0.0, float(multi_label)) for place in range(len(ranked))),
                    multi_label=multi_label,
                    dropped_labels=parsed.dropped,
                    method=method,
                )
            )
        if progress is not None:
            progress(len(results), len(results))
        return results


def run(
    task: TaskName,
    source: Path,
    target: Path,
    *,
    engine: Any = None,
    resume: bool = False,
    restart: bool = False,
    shard_rows: int | None = None,
    progress: Any = None,
    **options: Any,
) -> JobSummary:
    return run_job(
        EngineBackend(cast("Engine", engine or LengthEngine())),
        task,
        source,
        target,
        RunOptions(**options),
        resume=resume,
        restart=restart,
        shard_rows=shard_rows,
        progress=progress,
    )
