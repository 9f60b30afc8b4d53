"""The facade: what can be asked, and what is answered."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wenmo.engine import explaining
from wenmo.engine import zero_shot_methods as zero_shot
from wenmo.engine.loading import LoadedModel, Loading, ModelInfo, Models, one_worker_a_core
from wenmo.engine.pipeline import OnProgress, embed, encode_pairs, encode_texts, rows, run_pipeline
from wenmo.errors import InputError
from wenmo.models.local import DEFAULT_MODELS_FOLDER
from wenmo.tasks import zero_shot as zero_shot_task
from wenmo.tasks.embedding import normalized
from wenmo.tasks.inputs import checked_pairs, checked_texts
from wenmo.tasks.labels import parse_labels
from wenmo.tasks.table import TASKS, row_tasks, task_spec
from wenmo.telemetry.events import EventLog
from wenmo.types import (
    Alignment,
    Explanation,
    Precision,
    Resolved,
    SchedulerLimits,
    SentimentResult,
    SimilarityResult,
    TaskName,
    ZeroShotMethod,
    ZeroShotResult,
)

if TYPE_CHECKING:
    from wenmo.inference.runtime import ModelRuntime
    from wenmo.models.checkpoint import Checkpoint
    from wenmo.serving.cache import CacheStatistics, SharedStore
    from wenmo.serving.scheduler import SchedulerStatistics
    from wenmo.tokenizer import Encoding


class Engine:
    """Sentence similarity, sentiment and zero-shot classification over StructBERT.

    `device`: auto, cpu, cuda, cuda:N. `precision`: auto, fp32, fp16, bf16, int8 (on a CPU). `models`: for each task a
    bundled name, a hub id (iic/...) or a folder; tasks not named use the bundled models. `sequence_length` bounds the
    tokens of an input for checkpoints that do not say themselves (512). `calibrated=False` leaves out the temperatures
    that a checkpoint carries, as ModelScope does, which knows none. Results are kept, up to `cache_mib`, and not
    computed again (but for lists of 4,096 inputs and more, which would only flush the others). What is not there is
    looked for in `shared_cache`, a RedisStore, say, where engines in other processes put theirs; `cache_mib=0` uses
    neither. Small calls of many threads are computed together, within `limits`, beyond which they raise BusyError.
    `make_runtime` replaces what computes the forward; runtimes that compute differently are different classes. What
    loads and what is computed is told to `events`, by default a log of the engine's own. Local models, called by their
    names like bundled ones, are in `models_folder`. `repeatable`, for jobs: on a CPU what is computed together follows
    a call's inputs alone, and no result is kept, so that answers are the same to the last bit whoever else calls and
    however many cores there are; short lists then use one core.

    Raises DeviceError at once for a device or precision that cannot be; the errors of loading a model
    (ModelNotFoundError, DownloadError, CheckpointError) at the first use of its task. Every task method raises
    InputError for what it cannot work on, and answers an empty list with an empty list.

    A task method calls `progress(done, of)` after every batch, in the thread that called the method; an exception that
    it raises stops the work and comes out of the method. Where some inputs cannot be computed (memory), all others are,
    and ForwardError brings their results.
    """

    def __init__(
        self,
        *,
        device: str = "auto",
        precision: str = "auto",
        models: Mapping[str, str | Path] | None = None,
        sequence_length: int | None = None,
        calibrated: bool = True,
        cache_mib: float = 64.0,
        shared_cache: SharedStore | None = None,
        limits: SchedulerLimits | None = None,
        make_runtime: Callable[[Checkpoint], ModelRuntime] | None = None,
        events: EventLog | None = None,
        models_folder: Path = DEFAULT_MODELS_FOLDER,
        repeatable: bool = False,
    ) -> None:
        from wenmo.inference.precision import resolve_device, resolve_precision
        from wenmo.serving.cache import ResultCache

        unknown = [name for name in models or {} if name not in TASKS]
        if unknown:
            raise InputError(
                f"No such task: {', '.join(unknown)}. `models` takes {', '.join(TASKS)}.",
                f"没有这样的任务：{'、'.join(unknown)}。`models` 的键为 {'、'.join(TASKS)}。",
            )
        self.device: Resolved[str] = resolve_device(device)
        self.precision: Resolved[Precision] = resolve_precision(precision, self.device.value)
        self.calibrated = calibrated
        self.events = EventLog() if events is None else events
        self.events.engine_started(self.device, self.precision)
        self._cache = ResultCache(cache_mib, shared=shared_cache)
        self._models = Models(
            {task: str((models or {}).get(task) or spec.bundled) for task, spec in TASKS.items()},
            Loading(
                device=self.device.value,
                precision=self.precision.value,
                sequence_length=sequence_length,
                calibrated=calibrated,
                cache=self._cache,
                shares=shared_cache is not None,
                limits=limits,
                make_runtime=make_runtime,
                workers=None if make_runtime else one_worker_a_core(self.device.value),
                events=self.events,
                models_folder=models_folder,
                repeatable=repeatable,
            ),
        )

    @property
    def model_names(self) -> Mapping[TaskName, str]:
        """For each task the name of its model, as it was asked for."""
        return self._models.names

    def ask(self, task: str, inputs: Sequence[Any], *, progress: OnProgress | None = None, **options: Any) -> list[Any]:
        """What any of the tasks that answer a row says of `inputs`, texts or pairs, as the task's own method would.

        `options` are those of `zero_shot`, for tasks that take labels. Raises InputError for a task that there is not,
        that has no answer a row, or that takes no options.
        """
        spec = task_spec(task)
        if spec.result is None:
            raise InputError(
                f"The task {spec.name} has no answer for each text. Choose {', '.join(s.name for s in row_tasks())}.",
                f"任务 {spec.name} 不逐条给出答案。可选：{'、'.join(s.name for s in row_tasks())}。",
            )
        if spec.takes_labels:
            return self.zero_shot(inputs, progress=progress, **options)
        if options:
            raise InputError(
                f"The task {spec.name} takes no {', '.join(options)}. Leave it out.",
                f"任务 {spec.name} 不接受 {'、'.join(options)}。请去掉。",
            )
        return self._answer(spec.name, inputs, progress=progress)

    def _answer(self, task: str, inputs: Sequence[Any], *, progress: OnProgress | None) -> list[Any]:
        """One walk through the model of a task whose labels are the checkpoint's own."""
        spec = TASKS[task]

        def encode(model: LoadedModel, window: list[Any]) -> list[Encoding]:
            return spec.encode(model.tokenizer, window, max_length=model.max_length)

        def decode(model: LoadedModel, logits: np.ndarray, encodings: list[Encoding]) -> list[Any]:
            return spec.decode(logits, encodings, labels=model.labels, temperatures=model.temperatures)

        checked = checked_pairs(inputs) if spec.inputs == "pair" else checked_texts(inputs)
        return run_pipeline(self._models, task, checked, encode, decode, progress=progress)

    def similarity(
        self, pairs: Sequence[tuple[str, str]], *, progress: OnProgress | None = None
    ) -> list[SimilarityResult]:
        """Whether the two sentences of each pair mean the same, read together by a cross-encoder."""
        return self._answer("similarity", pairs, progress=progress)

    def sentiment(self, texts: Sequence[str], *, progress: OnProgress | None = None) -> list[SentimentResult]:
        """The mood of each text."""
        return self._answer("sentiment", texts, progress=progress)

    def zero_shot(
        self,
        texts: Sequence[str],
        *,
        labels: Sequence[str] | str,
        template: str = zero_shot_task.DEFAULT_TEMPLATE,
        multi_label: bool = False,
        method: ZeroShotMethod = "nli",
        shortlist: int = zero_shot_task.SHORTLIST,
        progress: OnProgress | None = None,
    ) -> list[ZeroShotResult]:
        """Which of `labels` fits each text. `labels`: a list, or one text split at `,` and `，`.

        `method`: nli has the zero-shot model judge every label, a forward each. embedding takes the label whose vector
        is nearest to the text's: a forward a text, however many labels there are, and weaker; not with `multi_label`.
        two_stage has the `shortlist` nearest labels judged, and is nli where there are no more than these.
        """
        parsed = parse_labels(labels)
        zero_shot_task.check_template(template)
        zero_shot_task.check_method(method, labels=len(parsed.names), multi_label=multi_label, shortlist=shortlist)
        checked = checked_texts(texts)
        if method == "embedding":
            return zero_shot.nearest_label(self._models, checked, parsed, template, progress=progress)
        if method == "two_stage" and len(parsed.names) > shortlist:
            return zero_shot.two_stage(
                self._models, checked, parsed, template, multi_label=multi_label, shortlist=shortlist, progress=progress
            )
        questions = [zero_shot_task.Question(text=text, labels=parsed.names) for text in checked]
        return zero_shot.judge(
            self._models, questions, parsed, template, multi_label=multi_label, method=method, progress=progress
        )

    def embed(self, texts: Sequence[str], *, progress: OnProgress | None = None) -> np.ndarray:
        """(N, H) float32: the mean of the last layer of the embedding model over a text's tokens. Not normalised.

        For search, clusters and near-duplicates: one forward a text instead of one a pair. Weaker than `similarity`.
        `models={"embedding": …}` takes a checkpoint of any task; those that were not trained for vectors, such as
        ModelScope's similarity models, put all their cosines near 1.
        """
        return embed(self._models, checked_texts(texts), progress=progress)

    def cosine_similarity(self, pairs: Sequence[tuple[str, str]], *, progress: OnProgress | None = None) -> np.ndarray:
        """(N,) float32 in [-1, 1]: cosine of the `embed` vectors of each pair. Not the cross-encoder's probability."""

        def encode(model: LoadedModel, window: list[tuple[str, str]]) -> list[Encoding]:
            return encode_texts(model, [text for pair in window for text in pair])

        def decode(model: LoadedModel, vectors: np.ndarray, encodings: list[Encoding]) -> list[float]:
            unit = normalized(vectors)
            return np.clip(np.sum(unit[0::2] * unit[1::2], axis=1), -1.0, 1.0).tolist()

        checked = checked_pairs(pairs)
        cosines = run_pipeline(
            self._models, "embedding", checked, encode, decode, encodings_each=2, vectors=True, progress=progress
        )
        return np.asarray(cosines, dtype=np.float32)

    def nli(self, pairs: Sequence[tuple[str, str]], *, progress: OnProgress | None = None) -> np.ndarray:
        """(N, 3) float32 logits of the zero-shot model for (premise, hypothesis).

        In the order entailment, neutral, contradiction.
        """
        logits = run_pipeline(self._models, "zero_shot", checked_pairs(pairs), encode_pairs, rows, progress=progress)
        return np.stack(logits) if logits else np.empty((0, 3), dtype=np.float32)

    def explain_similarity(self, pair: tuple[str, str], *, progress: OnProgress | None = None) -> Explanation:
        """What in both sentences carries "the same meaning" and what pulls against it; see `wenmo.tasks.explain`.

        One forward for each part, at most `MAX_UNITS` there.
        """
        return explaining.explain_two_class(self._models, "similarity", checked_pairs([pair])[0], progress=progress)

    def explain_sentiment(self, text: str, *, progress: OnProgress | None = None) -> Explanation:
        """What in the text pulls up, to positive, and what pulls down."""
        return explaining.explain_two_class(self._models, "sentiment", (checked_texts([text])[0],), progress=progress)

    def explain_zero_shot(
        self,
        text: str,
        *,
        labels: Sequence[str] | str,
        label: str | None = None,
        template: str = zero_shot_task.DEFAULT_TEMPLATE,
        multi_label: bool = False,
        progress: OnProgress | None = None,
    ) -> Explanation:
        """What in the text speaks for `label` (None: the best of `labels`), as `zero_shot` judges by its method nli.

        Where one label is to be true, for it and against the best of the others; with `multi_label`, for its being true
        and against its being false. Raises InputError when `label` is none of `labels`.
        """
        (result,) = self.zero_shot([text], labels=labels, template=template, multi_label=multi_label)
        chosen = result.label if label is None else label
        if chosen not in result.scores:
            raise InputError(
                f"{chosen!r} is none of the labels: {', '.join(result.scores)}. Choose one of them.",
                f"“{chosen}”不在标签之中：{'、'.join(result.scores)}。请从中选择。",
            )
        return explaining.explain_label(self._models, text, result, label=chosen, template=template, progress=progress)

    def align(self, pair: tuple[str, str]) -> Alignment:
        """Which part of the first sentence stands for which of the second, to the embedding model.

        Not what the cross-encoder of `similarity` goes by: what `cosine_similarity` is made of.
        """
        return explaining.align(self._models, checked_pairs([pair])[0])

    def model_info(self, task: TaskName) -> ModelInfo:
        """What is loaded for `task`; loads it first where it is not."""
        return self._models.get(task_spec(task).name).info

    def batch_tokens(self, task: TaskName) -> Resolved[int]:
        """Tokens that a batch of `task` takes at most, and why; loads the model first where it is not."""
        return self._models.get(task).runtime.batch_tokens()

    def cache_statistics(self) -> CacheStatistics:
        """What was found among earlier results, and what that saved."""
        return self._cache.statistics()

    def scheduler_statistics(self) -> dict[TaskName, SchedulerStatistics]:
        """For each loaded task how its calls were joined, and what waits now."""
        return {task: model.scheduler.statistics() for task, model in self._models.in_memory().items()}

    def loaded_tasks(self) -> tuple[TaskName, ...]:
        """The tasks whose models are in memory."""
        return tuple(self._models.in_memory())

    def with_models(self, models: Mapping[TaskName, str]) -> Engine:
        """This engine with other models for some tasks.

        All else is shared: the other models, the cache, the workers. Closing it lets go of its own models alone.
        """
        other = copy.copy(self)
        other._models = self._models.with_names(models)
        return other

    def close(self) -> None:
        """Let go of the models and of the shared cache's connections. A later call takes them up again."""
        self._models.close()
        if not self._models.borrows:  # else it is another's
            self._cache.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
