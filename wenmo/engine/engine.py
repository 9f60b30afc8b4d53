"""The facade: a method per task, and the state of the models."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wenmo.engine import explaining, searching
from wenmo.engine import zero_shot_methods as zero_shot
from wenmo.engine.loading import LoadedModel, LoadOptions, ModelInfo, Models, cpu_workers, resolve
from wenmo.engine.pipeline import OnProgress, embed, encode_for_vectors, encode_pairs, rows, run_pipeline
from wenmo.errors import InputError
from wenmo.models.label_names import parse_label_names
from wenmo.models.local import DEFAULT_MODELS_FOLDER
from wenmo.search.index import Index
from wenmo.tasks import zero_shot as zero_shot_task
from wenmo.tasks.embedding import normalized
from wenmo.tasks.encode import tell_unknown
from wenmo.tasks.inputs import checked_pairs, checked_texts
from wenmo.tasks.labels import parse_labels
from wenmo.tasks.table import TASKS, row_tasks, task_spec
from wenmo.telemetry.events import EventLog
from wenmo.types import (
    RUNTIMES,
    Alignment,
    ClassifyResult,
    Duplicates,
    Explanation,
    Hit,
    Resolved,
    RuntimeName,
    SchedulerLimits,
    SentimentResult,
    SimilarityResult,
    TaskName,
    TextGroup,
    ZeroShotMethod,
    ZeroShotResult,
)

if TYPE_CHECKING:
    from wenmo.inference.runtime import ModelRuntime
    from wenmo.models.checkpoint import Checkpoint
    from wenmo.serving.cache import CacheStatistics, SharedStore
    from wenmo.serving.scheduler import SchedulerStatistics
    from wenmo.tokenizer import Encoding


_MEASURED: Resolved[str] = Resolved(
    value="auto", reason="measured for each model when it is first used", reason_zh="每个模型首次使用时实测决定"
)


class Engine:
    """Sentence similarity, sentiment and classification over StructBERT and other BERT models.

    - `device`: auto, cpu, cuda or cuda:N. `precision`: auto, fp32, fp16, bf16 or int8 (CPU only). auto: fp16 on a GPU;
      on a CPU it is, for each model, the quickest with the answers of fp32, measured once (`ModelInfo.precision`).
    - `models`: for each task a bundled name, a local name, a hub id (iic/...) or a folder; bundled models by default.
      Local models are in `models_folder`.
    - `label_names`: for each task, what the labels of its model are called, in the order of their ids, where the model
      only has LABEL_0, LABEL_1, ...: a list, or one text split at `,` and `，`. Remembered for the model's folder.
    - `sequence_length`: the maximum number of tokens for checkpoints without one of their own; 512 by default.
    - `calibrated=False` ignores the temperatures of a checkpoint, as ModelScope does.
    - `cache_mib`: memory for cached results; 0 turns both caches off. Lists of 4,096 inputs or more bypass the cache,
      which they would only flush. `shared_cache`: a second level for several processes, such as a RedisStore.
    - `runtime`: torch, or onnx for folders that `wenmo export` has written: ONNX Runtime computes them, without torch.
      There are no bundled models of this kind, and `precision` is that of the files.
    - `limits` of the queue of small calls, which share batches; calls beyond them raise BusyError.
    - `make_runtime` replaces the forward pass. Runtimes with different arithmetic must be different classes.
    - `events`: the log of loading and computing; by default the engine has one of its own.
    - `repeatable`, for jobs: on a CPU, batches depend only on the inputs of a call, and nothing is cached, so that
      results are the same to the last bit whatever the number of cores and other calls. Short lists then use one core.

    Raises DeviceError for an unavailable device or precision. The first use of a task raises the errors of loading its
    model: ModelNotFoundError, DownloadError, CheckpointError. Task methods raise InputError for invalid inputs, and
    return an empty list for an empty list. In a child that was forked off after the engine was made they raise
    WenmoError: use spawn, or make the engine in the child.

    Task methods call `progress(done, of)` after every batch, in the calling thread; an exception from it stops the work
    and is passed on. If some inputs cannot be computed, for example because memory runs out, the others are, and
    ForwardError carries their results.
    """

    def __init__(
        self,
        *,
        device: str = "auto",
        precision: str = "auto",
        models: Mapping[str, str | Path] | None = None,
        label_names: Mapping[str, Sequence[str] | str] | None = None,
        sequence_length: int | None = None,
        calibrated: bool = True,
        cache_mib: float = 64.0,
        shared_cache: SharedStore | None = None,
        limits: SchedulerLimits | None = None,
        runtime: RuntimeName = "torch",
        make_runtime: Callable[[Checkpoint], ModelRuntime] | None = None,
        events: EventLog | None = None,
        models_folder: Path = DEFAULT_MODELS_FOLDER,
        repeatable: bool = False,
    ) -> None:
        from wenmo.serving.cache import ResultCache

        unknown = [name for name in (*(models or {}), *(label_names or {})) if name not in TASKS]
        if unknown:
            raise InputError(
                f"No such task: {', '.join(unknown)}. `models` and `label_names` take {', '.join(TASKS)}.",
                f"没有这样的任务：{'、'.join(unknown)}。`models` 与 `label_names` 的键为 {'、'.join(TASKS)}。",
            )
        if runtime not in RUNTIMES:
            raise InputError(
                f"Unknown runtime {runtime!r}. Use {' or '.join(RUNTIMES)}.",
                f"未知运行时 {runtime!r}。可用：{'、'.join(RUNTIMES)}。",
            )
        self.device: Resolved[str]
        self.device, resolved = resolve(runtime, device, precision, measured=make_runtime is None)
        self.precision: Resolved[Any] = resolved or _MEASURED
        self.calibrated = calibrated
        self.events = EventLog() if events is None else events
        self.events.engine_started(self.device, self.precision)
        self._cache = ResultCache(cache_mib, shared=shared_cache)
        bundled = {task: spec.bundled if runtime == "torch" else "" for task, spec in TASKS.items()}
        names = {task: str((models or {}).get(task) or bundled[task]) for task in TASKS}
        self._models = Models(
            names,
            LoadOptions(
                runtime=runtime,
                device=self.device.value,
                precision=resolved,
                sequence_length=sequence_length,
                calibrated=calibrated,
                cache=self._cache,
                limits=limits,
                make_runtime=make_runtime,
                workers=None if make_runtime else cpu_workers(self.device.value, runtime),
                events=self.events,
                models_folder=models_folder,
                repeatable=repeatable,
                label_names={
                    (task, names[task]): parse_label_names(given) for task, given in (label_names or {}).items()
                },
            ),
        )

    @property
    def model_names(self) -> Mapping[TaskName, str]:
        """The name of each task's model, as it was given."""
        return self._models.names

    def ask(self, task: str, inputs: Sequence[Any], *, progress: OnProgress | None = None, **options: Any) -> list[Any]:
        """The results of a task for `inputs`, texts or pairs, as from the task's own method.

        `options` are those of `zero_shot`, for tasks that take labels. Raises InputError for an unknown task, one
        without a result per input (embedding), and options that the task does not take.
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
        """The results of a task whose labels are the checkpoint's own."""
        spec = TASKS[task]

        def encode(model: LoadedModel, window: list[Any]) -> list[Encoding]:
            return spec.encode(model.tokenizer, window, max_length=model.info.max_length)

        def decode(model: LoadedModel, logits: np.ndarray, encodings: list[Encoding]) -> list[Any]:
            info = model.info
            results = spec.decode(logits, encodings, labels=info.labels, temperatures=info.temperatures)
            return tell_unknown(results, encodings, model.tokenizer)

        checked = checked_pairs(inputs) if spec.inputs == "pair" else checked_texts(inputs)
        return run_pipeline(self._models, task, checked, encode, decode, progress=progress)

    def similarity(
        self, pairs: Sequence[tuple[str, str]], *, progress: OnProgress | None = None
    ) -> list[SimilarityResult]:
        """Whether the two sentences of each pair mean the same, by a cross-encoder."""
        return self._answer("similarity", pairs, progress=progress)

    def sentiment(self, texts: Sequence[str], *, progress: OnProgress | None = None) -> list[SentimentResult]:
        """Whether each text is positive or negative."""
        return self._answer("sentiment", texts, progress=progress)

    def classify(self, texts: Sequence[str], *, progress: OnProgress | None = None) -> list[ClassifyResult]:
        """Which of its own labels a classifier gives to each text.

        No such model is bundled: name one by `models={"classify": …}`. Raises ModelNotFoundError without one.
        """
        return self._answer("classify", texts, progress=progress)

    def zero_shot(
        self,
        texts: Sequence[str],
        *,
        labels: Sequence[str] | str,
        template: str = zero_shot_task.DEFAULT_TEMPLATE,
        multi_label: bool = False,
        method: ZeroShotMethod = "auto",
        shortlist: int = zero_shot_task.SHORTLIST,
        progress: OnProgress | None = None,
    ) -> list[ZeroShotResult]:
        """Which of `labels` fits each text. `labels`: a list, or one text, see `split_labels`.

        Each label is inserted into `template`. `multi_label`: labels are judged independently. `method`: nli judges
        each label by the zero-shot model, one forward per label, as ModelScope does. embedding takes the label whose
        vector is nearest to the text's, one forward per text. ensemble asks both and is right most often; neither of
        these two supports `multi_label`. two_stage judges only the `shortlist` labels with the nearest vectors, and
        equals nli if there are no more. auto is ensemble for the bundled models and nli for others, see
        `chosen_method`.
        """
        parsed = parse_labels(labels)
        count = len(parsed.names)
        zero_shot_task.check_template(template)
        zero_shot_task.check_method(method, labels=count, multi_label=multi_label, shortlist=shortlist)
        method = zero_shot_task.chosen_method(method, models=self.model_names, labels=count, multi_label=multi_label)
        checked = checked_texts(texts)
        if method == "embedding":
            return zero_shot.nearest_label(self._models, checked, parsed, template, progress=progress)
        if method == "ensemble":
            return zero_shot.ensemble(self._models, checked, parsed, template, progress=progress)
        if method == "two_stage" and len(parsed.names) > shortlist:
            return zero_shot.two_stage(
                self._models, checked, parsed, template, multi_label=multi_label, shortlist=shortlist, progress=progress
            )
        questions = [zero_shot_task.Question(text=text, labels=parsed.names) for text in checked]
        return zero_shot.judge(
            self._models, questions, parsed, template, multi_label=multi_label, method=method, progress=progress
        )

    def embed(
        self, texts: Sequence[str], *, prompt_name: str | None = None, progress: OnProgress | None = None
    ) -> np.ndarray:
        """(N, V) float32: the embedding model's last layer pooled as its files say; the bundled model's mean.

        `prompt_name` names one of the model's prompts, such as "query", to put before each text. Vectors are normalised
        only where the model's files say so.

        For search, clustering and near-duplicates: one forward per text instead of one per pair, and less accurate than
        `similarity`. `models={"embedding": …}` accepts a checkpoint of any task; the cosines of those not trained for
        vectors, such as ModelScope's similarity models, are all close to 1.
        """
        return embed(self._models, checked_texts(texts), prompt_name=prompt_name, progress=progress)

    def cosine_similarity(self, pairs: Sequence[tuple[str, str]], *, progress: OnProgress | None = None) -> np.ndarray:
        """(N,) float32 in [-1, 1]: cosine of the `embed` vectors of each pair. Not the cross-encoder's probability."""

        def encode(model: LoadedModel, window: list[tuple[str, str]]) -> list[Encoding]:
            return encode_for_vectors(model, [text for pair in window for text in pair])

        def decode(model: LoadedModel, vectors: np.ndarray, encodings: list[Encoding]) -> list[float]:
            unit = normalized(vectors)
            return np.clip(np.sum(unit[0::2] * unit[1::2], axis=1), -1.0, 1.0).tolist()

        checked = checked_pairs(pairs)
        cosines = run_pipeline(
            self._models, "embedding", checked, encode, decode, encodings_each=2, vectors=True, progress=progress
        )
        return np.asarray(cosines, dtype=np.float32)

    def build_index(self, texts: Sequence[str], *, progress: OnProgress | None = None) -> Index:
        """An index of `texts` for `search`: their vectors, bound to the embedding model. Keep it with `Index.save`."""
        return searching.build_index(self._models, checked_texts(texts), progress=progress)

    def extend_index(self, index: Index, texts: Sequence[str], *, progress: OnProgress | None = None) -> None:
        """Add `texts` to `index`, and to the folder that it was saved to or opened from.

        Raises InputError for an index of another model, and where another process writes or has written to the folder.
        """
        searching.extend_index(self._models, index, checked_texts(texts), progress=progress)

    def search(
        self,
        queries: Sequence[str],
        corpus: Sequence[str] | Index,
        *,
        top_k: int = 5,
        rerank: int = 10,
        progress: OnProgress | None = None,
    ) -> list[list[Hit]]:
        """The `top_k` texts of `corpus` that say what each query says, best first.

        Vectors choose the `rerank` nearest (at least `top_k`), and the cross-encoder judges and orders these. With
        `rerank=0` the cosines alone decide: faster, and weaker. A blank query finds nothing, and a blank text is never
        found, so that there may be fewer than `top_k`. `corpus` is a list, or an index that was made once. `progress`
        counts the forwards. Raises InputError for an index of another model.
        """
        return searching.search(
            self._models,
            self.similarity,
            checked_texts(queries),
            _texts_or_index(corpus),
            top_k=top_k,
            rerank=rerank,
            progress=progress,
        )

    def deduplicate(
        self, texts: Sequence[str] | Index, threshold: float = 0.9, *, progress: OnProgress | None = None
    ) -> Duplicates:
        """Which texts are near-duplicates of one before them: the cosine to it is at least `threshold`.

        Each text is compared with those that were kept before it, so nothing chains. The vectors alone decide, which
        hardly tell a statement from its negation. A blank text is nobody's duplicate. An index has the vectors already.
        """
        return searching.deduplicate(self._models, _texts_or_index(texts), threshold, progress=progress)

    def group(
        self,
        texts: Sequence[str] | Index,
        threshold: float = 0.8,
        *,
        smallest: int = 2,
        progress: OnProgress | None = None,
    ) -> list[TextGroup]:
        """Groups of texts that are near to a representative, by cosines of at least `threshold`; the largest first.

        Texts with the most others near to them represent. Groups with fewer than `smallest` members are left out.
        """
        return searching.group(self._models, _texts_or_index(texts), threshold, smallest=smallest, progress=progress)

    def nli(self, pairs: Sequence[tuple[str, str]], *, progress: OnProgress | None = None) -> np.ndarray:
        """(N, 3) float32 logits of the zero-shot model for (premise, hypothesis).

        In the order entailment, neutral, contradiction; (N, 2), without neutral, for a model of two classes.
        """
        logits = run_pipeline(self._models, "zero_shot", checked_pairs(pairs), encode_pairs, rows, progress=progress)
        return np.stack(logits) if logits else np.empty((0, len(self.model_info("zero_shot").labels)), np.float32)

    def explain_similarity(self, pair: tuple[str, str], *, progress: OnProgress | None = None) -> Explanation:
        """Which parts of both sentences support "same meaning" and which oppose it; see `wenmo.tasks.explain`.

        Takes one forward per part, of which there are at most `wenmo.tasks.explain.MAX_UNITS`.
        """
        return explaining.explain_two_class(self._models, "similarity", checked_pairs([pair])[0], progress=progress)

    def explain_sentiment(self, text: str, *, progress: OnProgress | None = None) -> Explanation:
        """Which parts of the text support "positive" and which oppose it."""
        return explaining.explain_two_class(self._models, "sentiment", (checked_texts([text])[0],), progress=progress)

    def explain_classify(
        self, text: str, *, label: str | None = None, progress: OnProgress | None = None
    ) -> Explanation:
        """Which parts of the text support `label` (None: the best one), and which oppose it.

        The log odds are of `label` against the best other label. Raises InputError when the model has no such label.
        """
        (checked,) = checked_texts([text])
        return explaining.explain_class(self._models, "classify", checked, label=label, progress=progress)

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
        """Which parts of the text support `label` (None: the best one) under the method nli, and which oppose it.

        The log odds are of `label` against the best other label; with `multi_label`, or a single label, of its being
        true against its being false. Raises InputError when `label` is not among `labels`.
        """
        (result,) = self.zero_shot([text], labels=labels, template=template, multi_label=multi_label, method="nli")
        label = result.label if label is None else label
        if label not in result.scores:
            raise InputError(
                f"{label!r} is none of the labels: {', '.join(result.scores)}. Choose one of them.",
                f"“{label}”不在标签之中：{'、'.join(result.scores)}。请从中选择。",
            )
        return explaining.explain_label(self._models, text, result, label=label, template=template, progress=progress)

    def align(self, pair: tuple[str, str]) -> Alignment:
        """Which parts of the two sentences correspond, according to the embedding model.

        This explains `cosine_similarity`, not the cross-encoder of `similarity`.
        """
        return explaining.align(self._models, checked_pairs([pair])[0])

    def model_info(self, task: TaskName) -> ModelInfo:
        """The model of `task`; loads it if necessary."""
        return self._models.get(task_spec(task).name).info

    def count_tokens(self, task: TaskName, inputs: Sequence[Any]) -> int:
        """How many tokens the model of `task` reads of `inputs`, texts or pairs, in all; loads it if necessary."""
        spec, model = task_spec(task), self._models.get(task_spec(task).name)
        checked = checked_pairs(inputs) if spec.inputs == "pair" else checked_texts(inputs)
        return sum(map(len, spec.encode(model.tokenizer, checked, max_length=model.info.max_length)))

    def batch_tokens(self, task: TaskName) -> Resolved[int]:
        """The most tokens that a batch of `task` may have, and why; loads the model if necessary."""
        return self._models.get(task).runtime.batch_tokens()

    def cache_statistics(self) -> CacheStatistics:
        """Hits, misses and size of the cache."""
        return self._cache.statistics()

    def scheduler_statistics(self) -> dict[TaskName, SchedulerStatistics]:
        """How the calls of each loaded task shared forwards, and what waits now."""
        return {task: model.scheduler.statistics() for task, model in self._models.in_memory().items()}

    def loaded_tasks(self) -> tuple[TaskName, ...]:
        """The tasks whose models are in memory."""
        return tuple(self._models.in_memory())

    def with_models(self, models: Mapping[TaskName, str]) -> Engine:
        """This engine with other models for some tasks.

        Everything else is shared: the other models, the cache, the workers. Closing it releases only its own models.
        """
        other = copy.copy(self)
        other._models = self._models.with_names(models)
        return other

    def close(self) -> None:
        """Release the models and the connections of the shared cache. A later call loads and connects again."""
        self._models.close()
        if not self._models.borrows:  # otherwise the cache is another engine's
            self._cache.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _texts_or_index(given: Sequence[str] | Index) -> list[str] | Index:
    return given if isinstance(given, Index) else checked_texts(given)
