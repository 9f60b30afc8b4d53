"""The facade: `texts -> task.encode -> runtime (plans batches, forwards) -> task.decode -> results`.

One engine serves a whole process. Models are loaded when a task is first used, each once; after that nothing in an
engine changes, so any number of threads may call it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from wenmo.errors import InputError
from wenmo.models.registry import DEFAULT_MODELS, locate
from wenmo.tasks import sentiment as sentiment_task
from wenmo.tasks import similarity as similarity_task
from wenmo.tasks import zero_shot as zero_shot_task
from wenmo.tasks.encode import encode_pairs, encode_texts
from wenmo.types import TASKS, Precision, Reading, Resolved, SentimentResult, SimilarityResult, TaskName, ZeroShotResult

if TYPE_CHECKING:
    from wenmo.inference.runtime import Runtime
    from wenmo.inference.tokenizer import Tokenizer
    from wenmo.models.checkpoint import Checkpoint

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """What is loaded for a task.

    `name` is what was asked for, `max_length` counts pieces. `temperatures` are those that the engine divides logits
    by before it makes probabilities of them: the checkpoint's, or 1 where it has none or the engine is uncalibrated.
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


@dataclass(frozen=True, kw_only=True)
class _Loaded:
    """What the engine keeps of a checkpoint: the weights are the runtime's."""

    info: ModelInfo
    tokenizer: Tokenizer
    runtime: Runtime

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
    that a checkpoint carries, as ModelScope does, which knows none. `make_runtime` replaces what computes the forward.

    Raises DeviceError at once for a device or precision that cannot be; the errors of loading a model
    (ModelNotFoundError, DownloadError, CheckpointError) at the first use of its task. Every task method raises
    InputError for what it cannot work on, and answers an empty list with an empty list.
    """

    def __init__(
        self,
        *,
        device: str = "auto",
        precision: str = "auto",
        models: Mapping[str, str | Path] | None = None,
        sequence_length: int | None = None,
        calibrated: bool = True,
        make_runtime: Callable[[Checkpoint], Runtime] | None = None,
    ) -> None:
        from wenmo.inference.precision import resolve_device, resolve_precision

        unknown = [name for name in models or {} if name not in TASKS]
        if unknown:
            raise InputError(
                f"No such task: {', '.join(unknown)}. `models` takes {', '.join(TASKS)}.",
                f"没有这样的任务：{'、'.join(unknown)}。`models` 的键为 {'、'.join(TASKS)}。",
            )
        self.device: Resolved[str] = resolve_device(device)
        self.precision: Resolved[Precision] = resolve_precision(precision, self.device.value)
        self.model_names: Mapping[TaskName, str] = {
            task: str((models or {}).get(task) or DEFAULT_MODELS[task]) for task in TASKS
        }
        self._sequence_length = sequence_length
        self.calibrated = calibrated
        self._make_runtime = make_runtime or self._torch_runtime
        self._loaded: dict[TaskName, _Loaded] = {}
        self._locks = {task: threading.Lock() for task in TASKS}

    def similarity(self, pairs: Sequence[tuple[str, str]]) -> list[SimilarityResult]:
        """Whether the two sentences of each pair mean the same, read together by a cross-encoder."""
        results: list[SimilarityResult] = []
        for window in _windows(_pairs(pairs)):
            model = self._model("similarity")
            encodings = encode_pairs(model.tokenizer, window, max_length=model.max_length)
            results += similarity_task.decode(
                model.runtime.logits(encodings),
                encodings,
                labels=model.labels,
                temperature=model.temperatures["similarity"],
            )
        return results

    def sentiment(self, texts: Sequence[str]) -> list[SentimentResult]:
        """The mood of each text."""
        results: list[SentimentResult] = []
        for window in _windows(_texts(texts)):
            model = self._model("sentiment")
            encodings = encode_texts(model.tokenizer, window, max_length=model.max_length)
            results += sentiment_task.decode(
                model.runtime.logits(encodings),
                encodings,
                labels=model.labels,
                temperature=model.temperatures["sentiment"],
            )
        return results

    def zero_shot(
        self,
        texts: Sequence[str],
        *,
        labels: Sequence[str] | str,
        template: str = zero_shot_task.DEFAULT_TEMPLATE,
        multi_label: bool = False,
    ) -> list[ZeroShotResult]:
        """Which of `labels` fits each text. `labels`: a list, or one text split at `,` and `，`."""
        parsed = zero_shot_task.parse_labels(labels)
        zero_shot_task.check_template(template)
        results: list[ZeroShotResult] = []
        for window in _windows(_texts(texts), encodings_each=len(parsed.names)):
            model = self._model("zero_shot")
            encodings = zero_shot_task.encode(
                model.tokenizer, window, parsed.names, template=template, max_length=model.max_length
            )
            results += zero_shot_task.decode(
                model.runtime.logits(encodings),
                encodings,
                labels=parsed,
                multi_label=multi_label,
                temperatures=model.temperatures,
            )
        return results

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """(N, H) float32: the mean of the last layer of the embedding model over a text's pieces. Not normalised.

        For search, clusters and near-duplicates: one forward a text instead of one a pair. Weaker than `similarity`.
        `models={"embedding": …}` takes a checkpoint of any task; those that were not trained for vectors, such as
        ModelScope's similarity models, put all their cosines near 1.
        """
        checked = _texts(texts)
        model = self._model("embedding")
        vectors = [
            model.runtime.vectors(encode_texts(model.tokenizer, window, max_length=model.max_length))
            for window in _windows(checked)
        ]
        return np.concatenate(vectors) if vectors else np.empty((0, model.info.hidden_size), dtype=np.float32)

    def cosine_similarity(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        """(N,) float32 in [-1, 1]: cosine of the `embed` vectors of each pair. Not the cross-encoder's probability."""
        checked = _pairs(pairs)
        if not checked:
            return np.empty(0, dtype=np.float32)
        vectors = self.embed([text for pair in checked for text in pair])
        unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return np.clip(np.sum(unit[0::2] * unit[1::2], axis=1), -1.0, 1.0)

    def nli(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        """(N, 3) float32 logits of the zero-shot model for (premise, hypothesis).

        In the order entailment, neutral, contradiction.
        """
        logits = [np.empty((0, 3), dtype=np.float32)]
        for window in _windows(_pairs(pairs)):
            model = self._model("zero_shot")
            logits.append(model.runtime.logits(encode_pairs(model.tokenizer, window, max_length=model.max_length)))
        return np.concatenate(logits)

    def model_info(self, task: TaskName) -> ModelInfo:
        """What is loaded for `task`; loads it first where it is not."""
        if task not in TASKS:
            raise InputError(
                f"No such task: {task!r}. Choose from {', '.join(TASKS)}.",
                f"没有这样的任务：{task!r}。可选：{'、'.join(TASKS)}。",
            )
        return self._model(task).info

    def loaded_tasks(self) -> tuple[TaskName, ...]:
        """The tasks whose models are in memory."""
        return tuple(task for task in TASKS if task in self._loaded)

    def close(self) -> None:
        """Let go of the models. A later call loads them again."""
        for task in TASKS:
            with self._locks[task]:
                self._loaded.pop(task, None)

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _model(self, task: TaskName) -> _Loaded:
        loaded = self._loaded.get(task)
        if loaded is None:
            with self._locks[task]:
                loaded = self._loaded.get(task)
                if loaded is None:
                    loaded = self._loaded[task] = self._load(task)
        return loaded

    def _load(self, task: TaskName) -> _Loaded:
        from wenmo.models.checkpoint import load_checkpoint  # brings torch: not before it is needed

        folder = locate(self.model_names[task])
        checkpoint = load_checkpoint(folder, task=task, sequence_length=self._sequence_length)
        info = ModelInfo(
            name=self.model_names[task],
            folder=checkpoint.folder,
            task=task,
            labels=checkpoint.labels,
            layers=checkpoint.shape.num_hidden_layers,
            hidden_size=checkpoint.shape.hidden_size,
            parameters=checkpoint.parameters,
            max_length=checkpoint.max_length,
            temperatures=checkpoint.temperatures if self.calibrated else dict.fromkeys(checkpoint.temperatures, 1.0),
        )
        return _Loaded(info=info, tokenizer=checkpoint.tokenizer, runtime=self._make_runtime(checkpoint))

    def _torch_runtime(self, checkpoint: Checkpoint) -> Runtime:
        import torch

        from wenmo.inference.precision import computes_natively
        from wenmo.inference.runtime import TorchRuntime

        return TorchRuntime(
            checkpoint,
            device=torch.device(self.device.value),
            precision=self.precision.value,
            native=computes_natively(self.precision.value, self.device.value),
        )


# Encodings held at once: enough to sort by length, few enough that a million texts take no more memory than these.
_WINDOW_ENCODINGS = 4096


def _windows(items: list[T], *, encodings_each: int = 1) -> Iterator[list[T]]:
    """Slices of `items` that make at most _WINDOW_ENCODINGS encodings (or one item's)."""
    size = max(1, _WINDOW_ENCODINGS // encodings_each)
    for start in range(0, len(items), size):
        yield items[start : start + size]


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
