"""The facade: `texts -> task.encode -> runtime (plans batches, forwards) -> task.decode -> results`.

One engine serves a whole process. Models are loaded when a task is first used, each once; after that nothing in an
engine changes, so any number of threads may call it.
"""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar, cast

import numpy as np

from wenmo.errors import ForwardError, InputError
from wenmo.memory.events import EventLog, ObservedRuntime
from wenmo.models.local import DEFAULT_MODELS_FOLDER
from wenmo.models.registry import DEFAULT_MODELS, locate
from wenmo.tasks import explain as explain_task
from wenmo.tasks import sentiment as sentiment_task
from wenmo.tasks import similarity as similarity_task
from wenmo.tasks import zero_shot as zero_shot_task
from wenmo.tasks.encode import encode_pairs, encode_texts
from wenmo.tasks.scores import softmax
from wenmo.types import (
    READINGS,
    TASKS,
    Alignment,
    Explanation,
    Precision,
    Reading,
    Resolved,
    SchedulerLimits,
    SentimentResult,
    SimilarityResult,
    TaskName,
    ZeroShotMethod,
    ZeroShotResult,
)

if TYPE_CHECKING:
    from wenmo.inference.runtime import ModelRuntime, Runtime
    from wenmo.inference.tokenizer import Encoding, Tokenizer
    from wenmo.inference.workers import WorkerPool
    from wenmo.models.checkpoint import Checkpoint
    from wenmo.serving.cache import CacheStatistics, SharedStore
    from wenmo.serving.scheduler import ScheduledRuntime, SchedulerStatistics

T = TypeVar("T")
R = TypeVar("R")
Progress = Callable[[int, int], None]  # items done, of how many


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """What is loaded for a task.

    `name` is what was asked for, `max_length` counts pieces. `temperatures` are those that the engine divides logits
    by before it makes probabilities of them: the checkpoint's, or 1 where it has none or the engine is uncalibrated.
    `weights_mib` is what the weights take on the device, None where the runtime cannot tell.
    """

    name: str
    folder: Path
    task: TaskName
    labels: tuple[str, ...]
    layers: int
    hidden_size: int
    parameters: int
    max_length: int
    temperatures: Mapping[Reading, float]
    weights_mib: float | None


@dataclass(frozen=True, kw_only=True)
class _Loaded:
    """What the engine keeps of a checkpoint: the weights are the runtime's."""

    info: ModelInfo
    tokenizer: Tokenizer
    runtime: Runtime  # keeps results and joins calls
    bulk: ModelRuntime  # for long lists: no part of them queues or is turned away, and they would only flush the cache
    scheduler: ScheduledRuntime

    @property
    def labels(self) -> tuple[str, ...]:
        return self.info.labels

    @property
    def temperatures(self) -> Mapping[Reading, float]:
        return self.info.temperatures

    @property
    def max_length(self) -> int:
        return self.info.max_length


class Engine:
    """Sentence similarity, sentiment and zero-shot classification over StructBERT.

    `device`: auto, cpu, cuda, cuda:N. `precision`: auto, fp32, fp16, bf16, int8 (on a CPU). `models`: for each task a
    bundled name, a hub id (iic/...) or a folder; tasks not named use the bundled models. `sequence_length` bounds the
    pieces of an input for checkpoints that do not say themselves (512). `calibrated=False` leaves out the temperatures
    that a checkpoint carries, as ModelScope does, which knows none. Results are kept, up to `cache_mib`, and not
    computed again (but for lists of 4,096 inputs and more, which would only flush the others). What is not there is
    looked for in `shared_cache`, a RedisStore, say, where engines in other processes put theirs; `cache_mib=0` uses
    neither. Small calls of many threads are computed together, within `limits`, beyond which they raise BusyError.
    `make_runtime` replaces what computes the forward; runtimes that compute differently are different classes. What
    loads and what is computed is told to `events`, by default a log of the engine's own. Local models, called by their
    names like bundled ones, are in `models_folder`.

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
        self.events = EventLog() if events is None else events
        self.events.engine_started(self.device, self.precision)
        self.model_names: Mapping[TaskName, str] = {
            task: str((models or {}).get(task) or DEFAULT_MODELS[task]) for task in TASKS
        }
        self._sequence_length = sequence_length
        self.calibrated = calibrated
        self._make_runtime = make_runtime
        self._shares = shared_cache is not None
        self._cache = ResultCache(cache_mib, shared=shared_cache)
        self._limits = limits
        self._models_folder = models_folder
        self._lender: Engine | None = None  # see with_models
        self._loaded: dict[TaskName, _Loaded] = {}
        self._locks = {task: threading.Lock() for task in TASKS}
        self._workers = None if make_runtime else self._one_worker_a_core()

    def similarity(
        self, pairs: Sequence[tuple[str, str]], *, progress: Progress | None = None
    ) -> list[SimilarityResult]:
        """Whether the two sentences of each pair mean the same, read together by a cross-encoder."""

        def decode(model: _Loaded, logits: np.ndarray, encodings: list[Encoding]) -> list[SimilarityResult]:
            temperature = model.temperatures["similarity"]
            return similarity_task.decode(logits, encodings, labels=model.labels, temperature=temperature)

        return self._answers("similarity", _pairs(pairs), _encode_pairs, decode, progress=progress)

    def sentiment(self, texts: Sequence[str], *, progress: Progress | None = None) -> list[SentimentResult]:
        """The mood of each text."""

        def decode(model: _Loaded, logits: np.ndarray, encodings: list[Encoding]) -> list[SentimentResult]:
            temperature = model.temperatures["sentiment"]
            return sentiment_task.decode(logits, encodings, labels=model.labels, temperature=temperature)

        return self._answers("sentiment", _texts(texts), _encode_texts, decode, progress=progress)

    def zero_shot(
        self,
        texts: Sequence[str],
        *,
        labels: Sequence[str] | str,
        template: str = zero_shot_task.DEFAULT_TEMPLATE,
        multi_label: bool = False,
        method: ZeroShotMethod = "nli",
        shortlist: int = zero_shot_task.SHORTLIST,
        progress: Progress | None = None,
    ) -> list[ZeroShotResult]:
        """Which of `labels` fits each text. `labels`: a list, or one text split at `,` and `，`.

        `method`: nli has the zero-shot model judge every label, a forward each. embedding takes the label whose vector
        is nearest to the text's: a forward a text, however many labels there are, and weaker; not with `multi_label`.
        two_stage has the `shortlist` nearest labels judged, and is nli where there are no more than these.
        """
        parsed = zero_shot_task.parse_labels(labels)
        zero_shot_task.check_template(template)
        zero_shot_task.check_method(method, multi_label=multi_label, shortlist=shortlist)
        checked = _texts(texts)
        if method == "embedding":
            return self._nearest(checked, parsed, template, progress=progress, decode=zero_shot_task.decode_vectors)
        if method == "two_stage" and len(parsed.names) > shortlist:
            return self._two_stages(checked, parsed, template, multi_label, shortlist, progress)
        questions = [zero_shot_task.Question(text=text, labels=parsed.names) for text in checked]
        return self._judged(questions, parsed, template, multi_label=multi_label, method=method, progress=progress)

    def _two_stages(
        self,
        texts: list[str],
        labels: zero_shot_task.Labels,
        template: str,
        multi_label: bool,
        shortlist: int,
        progress: Progress | None,
    ) -> list[ZeroShotResult]:
        """Vectors choose, the zero-shot model judges; what fails in either loses no other text."""

        def choose(near: np.ndarray, encodings: list[Encoding], **_: object) -> list[tuple[str, ...]]:
            return [tuple(labels.names[index] for index in row) for row in zero_shot_task.nearest(near, shortlist)]

        # The first of the two walks takes a small part of the time: it can be stopped, and moves no bar.
        started = None if progress is None else lambda done, of: progress(0, of)
        failed: dict[int, str] = {}
        chosen: Sequence[tuple[str, ...] | None]
        try:
            chosen = self._nearest(texts, labels, template, progress=started, decode=choose)
        except ForwardError as failure:
            failed |= failure.failed
            chosen = failure.results
        places = [index for index, names in enumerate(chosen) if names is not None]
        questions = [
            zero_shot_task.Question(text=text, labels=names)
            for text, names in zip(texts, chosen, strict=True)
            if names is not None
        ]
        judged: Sequence[ZeroShotResult | None]
        try:
            judged = self._judged(
                questions, labels, template, multi_label=multi_label, method="two_stage", progress=progress
            )
        except ForwardError as failure:
            failed |= {places[index]: why for index, why in failure.failed.items()}
            judged = failure.results
        results: list[ZeroShotResult | None] = [None] * len(texts)
        for place, result in zip(places, judged, strict=True):
            results[place] = result
        if failed:
            raise ForwardError(failed, results)
        return cast("list[ZeroShotResult]", results)

    def _judged(
        self,
        questions: list[zero_shot_task.Question],
        labels: zero_shot_task.Labels,
        template: str,
        *,
        multi_label: bool,
        method: ZeroShotMethod,
        progress: Progress | None,
    ) -> list[ZeroShotResult]:
        """Each question's labels by the zero-shot model."""
        if not questions:
            return []

        def encode(model: _Loaded, window: list[zero_shot_task.Question]) -> list[Encoding]:
            return zero_shot_task.encode(model.tokenizer, window, template=template, max_length=model.max_length)

        waiting = iter(questions)  # windows are decoded in order

        def decode(model: _Loaded, logits: np.ndarray, encodings: list[Encoding]) -> list[ZeroShotResult]:
            return zero_shot_task.decode(
                logits,
                encodings,
                questions=list(islice(waiting, len(encodings) // each)),
                dropped=labels.dropped,
                multi_label=multi_label,
                method=method,
                temperatures=model.temperatures,
            )

        each = len(questions[0].labels)
        return self._answers("zero_shot", questions, encode, decode, encodings_each=each, progress=progress)

    def _nearest(
        self,
        texts: list[str],
        labels: zero_shot_task.Labels,
        template: str,
        *,
        progress: Progress | None,
        decode: Callable[..., Sequence[R]],
    ) -> list[R]:
        """What `decode` makes of the cosines (texts, labels) of the texts with the hypotheses."""
        if not texts:
            return []
        try:
            of_labels = self.embed([template.format(label) for label in labels.names])
        except ForwardError as failure:  # without a label's vector no text can be answered
            why = next(iter(failure.failed.values()))
            raise ForwardError(dict.fromkeys(range(len(texts)), why), [None] * len(texts)) from failure

        def compare(model: _Loaded, vectors: np.ndarray, encodings: list[Encoding]) -> Sequence[R]:
            near = zero_shot_task.cosines(vectors, of_labels)
            return decode(near, encodings, labels=labels, temperatures=model.temperatures)

        return self._answers("embedding", texts, _encode_texts, compare, vectors=True, progress=progress)

    def embed(self, texts: Sequence[str], *, progress: Progress | None = None) -> np.ndarray:
        """(N, H) float32: the mean of the last layer of the embedding model over a text's pieces. Not normalised.

        For search, clusters and near-duplicates: one forward a text instead of one a pair. Weaker than `similarity`.
        `models={"embedding": …}` takes a checkpoint of any task; those that were not trained for vectors, such as
        ModelScope's similarity models, put all their cosines near 1.
        """
        checked = _texts(texts)
        vectors = self._answers("embedding", checked, _encode_texts, _rows, vectors=True, progress=progress)
        return np.stack(vectors) if vectors else self._no_rows(self._model("embedding").info.hidden_size)

    def cosine_similarity(self, pairs: Sequence[tuple[str, str]], *, progress: Progress | None = None) -> np.ndarray:
        """(N,) float32 in [-1, 1]: cosine of the `embed` vectors of each pair. Not the cross-encoder's probability."""

        def encode(model: _Loaded, window: list[tuple[str, str]]) -> list[Encoding]:
            return _encode_texts(model, [text for pair in window for text in pair])

        def decode(model: _Loaded, vectors: np.ndarray, encodings: list[Encoding]) -> list[float]:
            unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
            return np.clip(np.sum(unit[0::2] * unit[1::2], axis=1), -1.0, 1.0).tolist()

        checked = _pairs(pairs)
        cosines = self._answers("embedding", checked, encode, decode, encodings_each=2, vectors=True, progress=progress)
        return np.asarray(cosines, dtype=np.float32)

    def nli(self, pairs: Sequence[tuple[str, str]], *, progress: Progress | None = None) -> np.ndarray:
        """(N, 3) float32 logits of the zero-shot model for (premise, hypothesis).

        In the order entailment, neutral, contradiction.
        """
        logits = self._answers("zero_shot", _pairs(pairs), _encode_pairs, _rows, progress=progress)
        return np.stack(logits) if logits else self._no_rows(3)

    def explain_similarity(self, pair: tuple[str, str], *, progress: Progress | None = None) -> Explanation:
        """What in both sentences carries "the same meaning" and what pulls against it; see `wenmo.tasks.explain`.

        One forward for each part, at most `MAX_UNITS` there.
        """
        return self._explain_two_class("similarity", _pairs([pair])[0], progress=progress)

    def explain_sentiment(self, text: str, *, progress: Progress | None = None) -> Explanation:
        """What in the text pulls up, to positive, and what pulls down."""
        return self._explain_two_class("sentiment", (_texts([text])[0],), progress=progress)

    def explain_zero_shot(
        self,
        text: str,
        *,
        labels: Sequence[str] | str,
        label: str | None = None,
        template: str = zero_shot_task.DEFAULT_TEMPLATE,
        multi_label: bool = False,
        progress: Progress | None = None,
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
        # Best first: the best of the others.
        rival = None if result.multi_label else next(name for name in result.scores if name != chosen)
        model = self._model("zero_shot")
        question = zero_shot_task.Question(text=text, labels=(chosen,) if rival is None else (chosen, rival))
        bases = zero_shot_task.encode(model.tokenizer, [question], template=template, max_length=model.max_length)
        units, logits = self._hide_in_turn("zero_shot", bases, (text,), progress=progress)
        if rival is None:
            odds = explain_task.entailment_odds(logits[0], temperature=model.temperatures["multi_label"])
        else:
            odds = explain_task.label_odds(logits[0], logits[1], temperature=model.temperatures["single_label"])
        return explain_task.explanation(
            units, odds, bases, (text,), label=chosen, rival=rival, score=result.scores[chosen]
        )

    def align(self, pair: tuple[str, str]) -> Alignment:
        """Which part of the first sentence stands for which of the second, to the embedding model.

        Not what the cross-encoder of `similarity` goes by: what `cosine_similarity` is made of.
        """
        (checked,) = _pairs([pair])
        model = self._model("embedding")
        encodings = _encode_texts(model, list(checked))
        sides = []
        for text, encoding in zip(checked, encodings, strict=True):
            words = model.tokenizer.words(text, limit=model.max_length)
            units = explain_task.units(encoding, (text,), (words,))
            sides.append((units, explain_task.unit_directions(model.bulk.states(encoding), units)))
        (first, rows), (second, columns) = sides
        return Alignment(
            first=tuple((unit.start, unit.end) for unit in first),
            second=tuple((unit.start, unit.end) for unit in second),
            cosines=tuple(tuple(row) for row in np.clip(rows @ columns.T, -1.0, 1.0).tolist()),
            truncated=any(encoding.truncated for encoding in encodings),
        )

    def model_info(self, task: TaskName) -> ModelInfo:
        """What is loaded for `task`; loads it first where it is not."""
        if task not in TASKS:
            raise InputError(
                f"No such task: {task!r}. Choose from {', '.join(TASKS)}.",
                f"没有这样的任务：{task!r}。可选：{'、'.join(TASKS)}。",
            )
        return self._model(task).info

    def batch_tokens(self, task: TaskName) -> Resolved[int]:
        """Pieces that a batch of `task` takes at most, and why; loads the model first where it is not."""
        return self._model(task).runtime.batch_tokens()

    def cache_statistics(self) -> CacheStatistics:
        """What was found among earlier results, and what that saved."""
        return self._cache.statistics()

    def scheduler_statistics(self) -> dict[TaskName, SchedulerStatistics]:
        """For each loaded task how its calls were joined, and what waits now."""
        return {task: loaded.scheduler.statistics() for task, loaded in list(self._loaded.items())}

    def loaded_tasks(self) -> tuple[TaskName, ...]:
        """The tasks whose models are in memory."""
        return tuple(task for task in TASKS if task in self._owner(task)._loaded)

    def with_models(self, models: Mapping[TaskName, str]) -> Engine:
        """This engine with other models for some tasks.

        All else is shared: the other models, the cache, the workers. Closing it lets go of its own models alone.
        """
        other = copy.copy(self)
        other.model_names = {**self.model_names, **models}
        other._lender = self
        other._loaded = {}
        other._locks = {task: threading.Lock() for task in TASKS}
        return other

    def close(self) -> None:
        """Let go of the models and of the shared cache's connections. A later call takes them up again."""
        for task in TASKS:
            with self._locks[task]:
                loaded = self._loaded.pop(task, None)
                if loaded is not None:
                    self.events.model_released(
                        loaded.info.name, weights_mib=loaded.info.weights_mib, on_cpu=self.device.value == "cpu"
                    )
        if self._lender is None:  # else it is another's
            self._cache.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answers(
        self,
        task: TaskName,
        items: list[T],
        encode: Callable[[_Loaded, list[T]], list[Encoding]],
        decode: Callable[[_Loaded, np.ndarray, list[Encoding]], Sequence[R]],
        *,
        encodings_each: int = 1,
        vectors: bool = False,
        progress: Progress | None,
    ) -> list[R]:
        """The one way through: window by window, the next one tokenised while the runtime computes this one."""
        if not items:
            return []
        from wenmo.inference.runtime import PartialOutputError

        model = self._model(task)
        runtime = model.bulk if len(items) * encodings_each >= _WINDOW_ENCODINGS else model.runtime
        forward = runtime.vectors if vectors else runtime.logits
        results: list[R | None] = []
        failed: dict[int, str] = {}
        cause: Exception | None = None
        done = 0

        def on_batch(encodings: int) -> None:
            nonlocal done
            done += encodings
            if progress is not None:
                progress(done // encodings_each, len(items))

        windows = _windows(items, encodings_each=encodings_each)
        with closing(_prefetch(partial(encode, model), windows)) as encoded:
            for encodings in encoded:
                lost: set[int] = set()
                try:
                    output = forward(encodings, on_batch=on_batch)
                except PartialOutputError as failure:
                    output = failure.output
                    for index, error in failure.failed.items():
                        cause = error
                        lost.add(index // encodings_each)
                        why = str(error).partition("\n")[0] or type(error).__name__
                        failed[len(results) + index // encodings_each] = why
                answers = decode(model, output, encodings)
                results += [None if index in lost else answer for index, answer in enumerate(answers)]
        if failed:
            raise ForwardError(failed, results) from cause
        return cast("list[R]", results)

    def _explain_two_class(
        self, task: Literal["similarity", "sentiment"], texts: tuple[str, ...], *, progress: Progress | None
    ) -> Explanation:
        model = self._model(task)
        encoded = _encode_texts(model, list(texts)) if len(texts) == 1 else _encode_pairs(model, [(texts[0], texts[1])])
        units, logits = self._hide_in_turn(task, encoded, texts, progress=progress)
        temperature = model.temperatures[task]
        odds = explain_task.two_class_odds(logits[0], temperature=temperature)
        score = float(softmax(logits[0, 0], temperature=temperature)[explain_task.SECOND])
        rival, label = model.labels
        return explain_task.explanation(units, odds, encoded, texts, label=label, rival=rival, score=score)

    def _hide_in_turn(
        self, task: TaskName, bases: list[Encoding], texts: tuple[str, ...], *, progress: Progress | None
    ) -> tuple[list[explain_task.Unit], np.ndarray]:
        """The units of `texts`, and logits (len(bases), 1 + units, classes): each base whole, then without each unit.

        All `bases` begin with the pieces of `texts`.
        """
        model = self._model(task)
        words = [model.tokenizer.words(text, limit=model.max_length) for text in texts]
        shortest = min(bases, key=lambda base: len(base) - base.segment_b)  # a longer label leaves less of a long text
        units = explain_task.units(shortest, texts, words)
        mask_id = model.tokenizer.mask_id
        variants = [
            variant
            for base in bases
            for variant in (base, *(explain_task.hide(base, unit, mask_id=mask_id) for unit in units))
        ]
        rows = self._answers(task, variants, lambda _, window: window, _rows, progress=progress)
        return units, np.stack(rows).reshape(len(bases), 1 + len(units), -1)

    @staticmethod
    def _no_rows(width: int) -> np.ndarray:
        return np.empty((0, width), dtype=np.float32)

    def _owner(self, task: TaskName) -> Engine:
        """The engine that keeps the model of `task`: another one where it is shared."""
        if self._lender is not None and self._lender.model_names[task] == self.model_names[task]:
            return self._lender._owner(task)
        return self

    def _model(self, task: TaskName) -> _Loaded:
        owner = self._owner(task)
        if owner is not self:
            return owner._model(task)
        loaded = self._loaded.get(task)
        if loaded is None:
            with self._locks[task]:
                loaded = self._loaded.get(task)
                if loaded is None:
                    loaded = self._loaded[task] = self._load(task)
        return loaded

    def _load(self, task: TaskName) -> _Loaded:
        from wenmo.models.checkpoint import load_checkpoint  # brings torch: not before it is needed
        from wenmo.serving.cache import CachedRuntime
        from wenmo.serving.scheduler import ScheduledRuntime

        folder = locate(self.model_names[task], models_folder=self._models_folder)
        started = time.monotonic()
        checkpoint = load_checkpoint(folder, task=task, sequence_length=self._sequence_length)
        computing = (self._make_runtime or self._torch_runtime)(checkpoint)
        info = ModelInfo(
            name=self.model_names[task],
            folder=checkpoint.folder,
            task=task,
            labels=() if task == "embedding" else checkpoint.labels,
            layers=checkpoint.shape.num_hidden_layers,
            hidden_size=checkpoint.shape.hidden_size,
            parameters=checkpoint.parameters,
            max_length=checkpoint.max_length,
            temperatures={
                reading: checkpoint.temperatures.get(reading, 1.0) if self.calibrated else 1.0
                for reading in READINGS[task]
            },
            weights_mib=getattr(computing, "weights_mib", None),
        )
        plain = ObservedRuntime(computing, task, self.events)
        scheduler = ScheduledRuntime(plain, self._limits)
        if self._shares:
            namespace = self._shared_namespace(checkpoint, computing)
        else:  # the folder's time, too: a name may come to mean another model
            namespace = f"{task} {folder} {folder.stat().st_mtime_ns}"
        cached = CachedRuntime(scheduler, self._cache, namespace) if self._cache.max_mib > 0 else scheduler
        self.events.model_loaded(
            info.name,
            weights_mib=info.weights_mib,
            seconds=time.monotonic() - started,
            on_cpu=self.device.value == "cpu",
        )
        return _Loaded(info=info, tokenizer=checkpoint.tokenizer, runtime=cached, bulk=plain, scheduler=scheduler)

    def _shared_namespace(self, checkpoint: Checkpoint, runtime: Runtime) -> str:
        """The same in any process for what computes the same, and only for that."""
        from wenmo import __version__
        from wenmo.inference.precision import arithmetic
        from wenmo.models.fingerprint import fingerprint

        kind = f"{type(runtime).__module__}.{type(runtime).__qualname__}"
        return f"{__version__}/{kind}/{arithmetic(self.precision.value, self.device.value)}/{fingerprint(checkpoint)}"

    def _torch_runtime(self, checkpoint: Checkpoint) -> ModelRuntime:
        import torch

        from wenmo.inference.precision import computes_natively
        from wenmo.inference.runtime import TorchRuntime

        return TorchRuntime(
            checkpoint,
            device=torch.device(self.device.value),
            precision=self.precision.value,
            native=computes_natively(self.precision.value, self.device.value),
            workers=self._workers,
        )

    def _one_worker_a_core(self) -> WorkerPool | None:
        """Shared by all models; None on a GPU, and where there is but one core to use."""
        import torch

        from wenmo.inference.workers import WorkerPool

        count = torch.get_num_threads() if self.device.value == "cpu" else 1
        return WorkerPool(count) if count > 1 else None


# Encodings held at once: enough to sort by length, few enough that a million texts' take no more memory than these.
_WINDOW_ENCODINGS = 4096


def _windows(items: list[T], *, encodings_each: int) -> Iterator[list[T]]:
    """Slices of `items` that make at most _WINDOW_ENCODINGS encodings (or one item's)."""
    size = max(1, _WINDOW_ENCODINGS // encodings_each)
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _prefetch(work: Callable[[T], R], items: Iterator[T]) -> Generator[R]:
    """`work` of each item in order; that of the next one is done in a thread while the caller is at this one."""
    current, following = next(items), next(items, None)
    if following is None:  # most calls: no thread for them
        yield work(current)
        return
    with ThreadPoolExecutor(1, thread_name_prefix="wenmo-prefetch") as helper:
        upcoming = helper.submit(work, current)
        while following is not None:
            result = upcoming.result()
            upcoming = helper.submit(work, following)
            following = next(items, None)
            yield result
        yield upcoming.result()


def _encode_texts(model: _Loaded, texts: list[str]) -> list[Encoding]:
    return encode_texts(model.tokenizer, texts, max_length=model.max_length)


def _encode_pairs(model: _Loaded, pairs: list[tuple[str, str]]) -> list[Encoding]:
    return encode_pairs(model.tokenizer, pairs, max_length=model.max_length)


def _rows(model: _Loaded, output: np.ndarray, encodings: list[Encoding]) -> list[np.ndarray]:
    return list(output)


def _texts(texts: Sequence[str]) -> list[str]:
    if isinstance(texts, (str, bytes)) or not hasattr(texts, "__iter__"):
        raise InputError(
            f"Pass a list of texts, not {type(texts).__name__}: [text].",
            f"请传入文本列表，而不是 {type(texts).__name__}：[文本]。",
        )
    checked = list(texts)
    for index, text in enumerate(checked):
        if not isinstance(text, str):
            raise InputError(
                f"Text {index + 1} is {type(text).__name__}, not a string.",
                f"第 {index + 1} 条不是文本，而是 {type(text).__name__}。",
            )
    return checked


def _pairs(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    if isinstance(pairs, (str, bytes)) or not hasattr(pairs, "__iter__"):
        raise InputError(
            f"Pass a list of pairs, not {type(pairs).__name__}: [(first, second)].",
            f"请传入句对列表，而不是 {type(pairs).__name__}：[(句子一, 句子二)]。",
        )
    checked: list[tuple[str, str]] = []
    for index, pair in enumerate(pairs):
        is_pair = isinstance(pair, (tuple, list)) and len(pair) == 2 and all(isinstance(text, str) for text in pair)
        if not is_pair:
            raise InputError(
                f"Item {index + 1} is not a pair of two strings. Pass [(first, second), ...].",
                f"第 {index + 1} 项不是两个文本组成的句对。请传入 [(句子一, 句子二), …]。",
            )
        checked.append((pair[0], pair[1]))
    return checked
