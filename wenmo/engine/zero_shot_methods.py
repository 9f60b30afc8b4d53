"""The methods of `Engine.zero_shot`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from wenmo.engine.loading import LoadedModel, Models
from wenmo.engine.pipeline import OnProgress, embed, encode_for_vectors, run_pipeline
from wenmo.errors import ForwardError
from wenmo.tasks import zero_shot as zero_shot_task
from wenmo.tasks.embedding import cosines
from wenmo.tasks.encode import tell_unknown
from wenmo.tasks.labels import Labels
from wenmo.types import ZeroShotMethod, ZeroShotResult

if TYPE_CHECKING:
    from wenmo.tokenizer import Encoding

R = TypeVar("R")


def two_stage(
    models: Models,
    texts: list[str],
    labels: Labels,
    template: str,
    *,
    multi_label: bool,
    shortlist: int,
    progress: OnProgress | None,
) -> list[ZeroShotResult]:
    """Select labels by their vectors, then judge these by the zero-shot model. Texts that fail do not affect others."""

    def select(near: np.ndarray) -> tuple[str, ...]:
        return tuple(labels.names[index] for index in zero_shot_task.nearest(near[None], shortlist)[0])

    def judge_selected(questions: list[zero_shot_task.Question]) -> list[ZeroShotResult]:
        return judge(
            models, questions, labels, template, multi_label=multi_label, method="two_stage", progress=progress
        )

    return _judge_after_vectors(models, texts, labels, template, select, judge_selected, progress=progress)


def ensemble(
    models: Models, texts: list[str], labels: Labels, template: str, *, progress: OnProgress | None
) -> list[ZeroShotResult]:
    """Judge all labels by the zero-shot model, and pool what it says with what the vectors say.

    Texts that fail do not affect others.
    """

    def judge_all(questions: list[zero_shot_task.Question]) -> list[ZeroShotResult]:
        return judge(models, questions, labels, template, multi_label=False, method="ensemble", progress=progress)

    def select(near: np.ndarray) -> tuple[str, ...]:
        return labels.names

    def pool(result: ZeroShotResult, near: np.ndarray) -> ZeroShotResult:
        return zero_shot_task.pooled(
            result,
            near,
            labels=labels,
            temperatures=models.get("zero_shot").info.temperatures,
            of_vectors=models.get("embedding").info.temperatures,
        )

    return _judge_after_vectors(models, texts, labels, template, select, judge_all, pool=pool, progress=progress)


def _judge_after_vectors(
    models: Models,
    texts: list[str],
    labels: Labels,
    template: str,
    select: Callable[[np.ndarray], tuple[str, ...]],
    judge_these: Callable[[list[zero_shot_task.Question]], list[ZeroShotResult]],
    *,
    pool: Callable[[ZeroShotResult, np.ndarray], ZeroShotResult] | None = None,
    progress: OnProgress | None,
) -> list[ZeroShotResult]:
    """`judge_these` labels of each text that `select` takes by the cosines (labels,), then `pool` with these.

    Raises ForwardError with the results of the other texts for those on which either model fails.
    """
    # Vectors take little of the time: their progress stays at 0, but the callback can stop them.
    comparing = None if progress is None else lambda done, of: progress(0, of)
    failed: dict[int, str] = {}
    cosines_of: Sequence[np.ndarray | None]
    try:
        cosines_of = _by_cosine(
            models, texts, labels, template, progress=comparing, decode=lambda near, *_, **__: list(near)
        )
    except ForwardError as failure:
        failed |= failure.failed
        cosines_of = failure.results
    compared = {index: near for index, near in enumerate(cosines_of) if near is not None}
    questions = [zero_shot_task.Question(text=texts[index], labels=select(near)) for index, near in compared.items()]
    judged: Sequence[ZeroShotResult | None]
    indices = list(compared)
    try:
        judged = judge_these(questions)
    except ForwardError as failure:
        failed |= {indices[index]: why for index, why in failure.failed.items()}
        judged = failure.results
    results: list[ZeroShotResult | None] = [None] * len(texts)
    for index, result in zip(indices, judged, strict=True):
        results[index] = result if result is None or pool is None else pool(result, compared[index])
    if failed:
        raise ForwardError(failed, results)
    return cast("list[ZeroShotResult]", results)


def judge(
    models: Models,
    questions: list[zero_shot_task.Question],
    labels: Labels,
    template: str,
    *,
    multi_label: bool,
    method: ZeroShotMethod,
    progress: OnProgress | None,
) -> list[ZeroShotResult]:
    """Judge the labels of each question by the zero-shot model."""
    if not questions:
        return []

    def encode(model: LoadedModel, window: list[zero_shot_task.Question]) -> list[Encoding]:
        return zero_shot_task.encode(model.tokenizer, window, template=template, max_length=model.info.max_length)

    remaining = iter(questions)  # windows are decoded in order

    def decode(model: LoadedModel, logits: np.ndarray, encodings: list[Encoding]) -> list[ZeroShotResult]:
        results = zero_shot_task.decode(
            logits,
            encodings,
            questions=list(islice(remaining, len(encodings) // each)),
            dropped=labels.dropped,
            multi_label=multi_label,
            method=method,
            temperatures=model.info.temperatures,
        )
        return tell_unknown(results, encodings, model.tokenizer, first_only=True)

    each = len(questions[0].labels)
    return run_pipeline(models, "zero_shot", questions, encode, decode, encodings_each=each, progress=progress)


def nearest_label(
    models: Models, texts: list[str], labels: Labels, template: str, *, progress: OnProgress | None
) -> list[ZeroShotResult]:
    """The label whose vector is nearest to each text's."""

    def decode(near: np.ndarray, encodings: list[Encoding], **options: Any) -> list[ZeroShotResult]:
        results = zero_shot_task.decode_vectors(near, encodings, **options)
        return tell_unknown(results, encodings, models.get("embedding").tokenizer)

    return _by_cosine(models, texts, labels, template, progress=progress, decode=decode)


def _by_cosine(
    models: Models,
    texts: list[str],
    labels: Labels,
    template: str,
    *,
    progress: OnProgress | None,
    decode: Callable[..., Sequence[R]],
) -> list[R]:
    """`decode` the cosines (texts, labels) of the texts with the hypotheses."""
    if not texts:
        return []
    try:
        label_vectors = embed(models, [template.format(label) for label in labels.names])
    except ForwardError as failure:  # no text can do without the labels' vectors
        why = next(iter(failure.failed.values()))
        raise ForwardError(dict.fromkeys(range(len(texts)), why), [None] * len(texts)) from failure

    def compare(model: LoadedModel, vectors: np.ndarray, encodings: list[Encoding]) -> Sequence[R]:
        near = cosines(vectors, label_vectors)
        return decode(near, encodings, labels=labels, temperatures=model.info.temperatures)

    return run_pipeline(models, "embedding", texts, encode_for_vectors, compare, vectors=True, progress=progress)
