"""The models of an engine: each is loaded once, when its task is first used, and connected to cache and scheduler."""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from wenmo.errors import InputError, ModelNotFoundError, WenmoError
from wenmo.models.label_names import remember, remembered
from wenmo.models.registry import find_folder, locate
from wenmo.tasks.spec import TaskSpec
from wenmo.tasks.table import TASKS
from wenmo.telemetry.events import EventLog
from wenmo.telemetry.process import give_back_memory
from wenmo.types import Precision, Resolved, RuntimeName, SchedulerLimits, TaskName

if TYPE_CHECKING:
    from wenmo.inference.runtime import ModelRuntime, Runtime
    from wenmo.inference.workers import Workers
    from wenmo.models.checkpoint import Checkpoint
    from wenmo.serving.cache import ResultCache
    from wenmo.serving.scheduler import ScheduledRuntime
    from wenmo.tokenizer import Tokenizer


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """The loaded model of a task.

    `name` is as it was given; `max_length` counts tokens. Logits are divided by `temperatures` before the softmax:
    those of the checkpoint, or 1 if it has none or the engine is uncalibrated. `weights_mib` is the size of the weights
    on the device, None if the runtime does not know it. `labels` are in the order of the logits. `prompts` are texts to
    put before others when vectors are made of them, by name. `digest` is that of all that answers depend on: equal ones
    are equal models, whatever their folders hold by now. `precision` is the one asked for, or with auto the one
    chosen. Models of equal digest and `arithmetic` give equal bits.
    """

    name: str
    folder: Path
    task: TaskName
    labels: tuple[str, ...]
    layers: int
    hidden_size: int
    vector_size: int
    parameters: int
    max_length: int
    temperatures: Mapping[str, float]
    weights_mib: float | None
    prompts: Mapping[str, str] = field(default_factory=dict)
    default_prompt: str | None = None
    digest: str = ""
    precision: Resolved[Precision]
    arithmetic: str

    def prompt(self, name: str | None) -> str:
        """The text that is put before texts under this name; None: the default, which is none for most models.

        Raises InputError for a name that the model does not have.
        """
        name = self.default_prompt if name is None else name
        if name is None:
            return ""
        if name not in self.prompts:
            known = ", ".join(self.prompts) or "-"
            raise InputError(
                f"The model {self.name} has no prompt {name!r}. It has: {known}.",
                f"模型 {self.name} 没有名为 {name!r} 的提示。可用：{known}。",
            )
        return self.prompts[name]


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A checkpoint in use; its weights are in the runtime."""

    info: ModelInfo
    tokenizer: Tokenizer
    runtime: Runtime  # with cache and scheduler
    bulk: ModelRuntime  # without them, for long lists
    scheduler: ScheduledRuntime


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """The options that all models of an engine have in common, see `Engine`."""

    runtime: RuntimeName
    device: str
    precision: Resolved[Precision] | None  # None: each model's own, see auto_precision.py
    sequence_length: int | None
    calibrated: bool
    cache: ResultCache
    limits: SchedulerLimits | None
    make_runtime: Callable[[Checkpoint], ModelRuntime] | None
    workers: Workers | None
    events: EventLog
    models_folder: Path
    repeatable: bool
    label_names: Mapping[tuple[TaskName, str], tuple[str, ...]]  # by the name of the model, too
    process: int = field(default_factory=os.getpid)  # the one whose threads compute

    def check_process(self) -> None:
        """Raises WenmoError in a process that was forked off: it has none of the threads, and locks may be held."""
        if os.getpid() != self.process:
            raise WenmoError(
                "This engine was made before the process was forked, and its threads are not in the child. Start "
                'processes with multiprocessing.get_context("spawn"), or make an engine in each of them.',
                '此引擎在进程 fork 之前创建，子进程中没有它的线程。请用 multiprocessing.get_context("spawn") '
                "启动进程，或在每个子进程中各自创建引擎。",
            )

    def precision_of(self, checkpoint: Checkpoint, spec: TaskSpec, fingerprint: str) -> Resolved[Precision]:
        """The precision to compute a model in; with auto, the first time, this takes seconds."""
        if self.precision is not None:
            return self.precision
        from wenmo.engine import auto_precision

        return auto_precision.decide(
            checkpoint, spec, fingerprint, make=lambda precision: self.runtime_of(checkpoint, precision)
        )

    def namespace(self, fingerprint: str, runtime: Runtime, precision: Precision) -> str:
        """A name of results that is equal in all processes for equal weights and arithmetic, and only for these."""
        from wenmo.version import __version__

        kind = f"{type(runtime).__module__}.{type(runtime).__qualname__}"
        return f"{__version__}/{kind}/{self.arithmetic(precision)}/{fingerprint}"

    def arithmetic(self, precision: Precision) -> str:
        """Where it is equal, so are results, up to the order of sums."""
        if self.runtime == "onnx":
            return f"{self.device.partition(':')[0]} {precision}"
        from wenmo.inference.precision import arithmetic

        return arithmetic(precision, self.device)

    def processor(self) -> str:
        """The instructions that the CPU computes with: others add in another order."""
        if self.runtime == "onnx":
            return platform.machine()
        from wenmo.inference.precision import cpu_kind

        return cpu_kind()

    def runtime_of(self, checkpoint: Checkpoint, precision: Precision) -> ModelRuntime:
        """The runtime that computes `checkpoint`."""
        if self.make_runtime is not None:
            return self.make_runtime(checkpoint)
        if self.runtime == "onnx":
            from wenmo.inference.onnx_runtime import OnnxRuntime

            return OnnxRuntime(
                checkpoint,
                device=self.device,
                precision=precision,
                workers=self.workers,
                repeatable=self.repeatable,
            )
        import torch

        from wenmo.inference.precision import computes_natively
        from wenmo.inference.torch_runtime import TorchRuntime
        from wenmo.inference.workers import WorkerPool

        assert self.workers is None or isinstance(self.workers, WorkerPool)
        return TorchRuntime(
            checkpoint,
            device=torch.device(self.device),
            precision=precision,
            native=computes_natively(precision, self.device),
            workers=self.workers,
            repeatable=self.repeatable,
        )


class Models:
    """The model of each task, loaded on first use under its name in `names`.

    Names of folders are looked up now, and never again: what comes to lie under such a name later is another model.
    If `lender` has a model of the same name for a task, that one is used.
    """

    def __init__(self, names: Mapping[TaskName, str], options: LoadOptions, *, lender: Models | None = None) -> None:
        self.names = names
        self._folders = {
            task: folder
            for task, name in names.items()
            if name and (folder := find_folder(name, models_folder=options.models_folder)) is not None
        }
        self._options = options
        self._lender = lender
        self._loaded: dict[TaskName, LoadedModel] = {}
        self._locks = {task: threading.Lock() for task in TASKS}

    @property
    def borrows(self) -> bool:
        return self._lender is not None

    def get(self, task: TaskName) -> LoadedModel:
        """The model of `task`, loaded if necessary. Calls for other tasks do not wait while one loads.

        Raises WenmoError in a child that was forked off after the engine was made.
        """
        self._options.check_process()
        owner = self._owner(task)
        if owner is not self:
            return owner.get(task)
        loaded = self._loaded.get(task)
        if loaded is None:
            with self._locks[task]:
                loaded = self._loaded.get(task)
                if loaded is None:
                    loaded = self._loaded[task] = self._load(task)
                    give_back_memory()  # the file's matrices, and the weights of the precisions that auto measured
        return loaded

    def in_memory(self) -> dict[TaskName, LoadedModel]:
        """The loaded models, including those of the lender."""
        models = {task: self._owner(task)._loaded.get(task) for task in TASKS}
        return {task: model for task, model in models.items() if model is not None}

    def with_names(self, names: Mapping[TaskName, str]) -> Models:
        """These models, with others for some tasks. The result borrows the rest from this object."""
        return Models({**self.names, **names}, self._options, lender=self)

    def close(self) -> None:
        """Release the models, except borrowed ones. A later `get` loads them again."""
        if os.getpid() != self._options.process:
            return  # a forked child, whose memory goes with it; a lock may be held for ever
        for task in TASKS:
            with self._locks[task]:
                loaded = self._loaded.pop(task, None)
                if loaded is not None:
                    self._options.events.model_released(
                        loaded.info.name, weights_mib=loaded.info.weights_mib, on_cpu=self._options.device == "cpu"
                    )

    def _owner(self, task: TaskName) -> Models:
        if self._lender is not None and self._lender.names[task] == self.names[task]:
            return self._lender._owner(task)
        return self

    def _load(self, task: TaskName) -> LoadedModel:
        from wenmo.models.checkpoint import load_checkpoint
        from wenmo.models.fingerprint import content_digest, fingerprint
        from wenmo.serving.cache import CachedRuntime
        from wenmo.serving.observed import ObservedRuntime
        from wenmo.serving.scheduler import ScheduledRuntime

        options = self._options
        spec = TASKS[task]
        if not self.names[task]:
            raise _no_model(spec, onnx=options.runtime == "onnx")
        folder = self._folders.get(task) or locate(self.names[task], models_folder=options.models_folder)
        started = time.monotonic()
        given = options.label_names.get((task, self.names[task]))
        names = given or remembered(folder, options.models_folder)
        checkpoint = load_checkpoint(
            folder,
            task=task,
            sequence_length=options.sequence_length,
            label_names=names,
            onnx=options.runtime == "onnx",
        )
        if given is not None:
            remember(folder, given, options.models_folder)
        weights = fingerprint(checkpoint)  # first: a runtime may take the weights over
        precision = options.precision_of(checkpoint, spec, weights)
        computing = options.runtime_of(checkpoint, precision.value)
        info = ModelInfo(
            name=self.names[task],
            folder=checkpoint.folder,
            task=task,
            labels=checkpoint.labels if spec.outputs == "logits" else (),
            layers=checkpoint.shape.num_hidden_layers,
            hidden_size=checkpoint.shape.hidden_size,
            vector_size=checkpoint.vector_head.width(checkpoint.shape.hidden_size),
            parameters=checkpoint.parameters,
            max_length=checkpoint.max_length,
            temperatures={
                name: checkpoint.temperatures.get(name, 1.0) if options.calibrated else 1.0
                for name in spec.calibrations
            },
            weights_mib=getattr(computing, "weights_mib", None),
            prompts=checkpoint.prompts,
            default_prompt=checkpoint.default_prompt,
            digest=content_digest(checkpoint, weights),
            precision=precision,
            arithmetic=f"{options.arithmetic(precision.value)} {options.processor()}",
        )
        plain = ObservedRuntime(computing, task, options.events)
        leaders = options.workers.count if options.workers else 1
        scheduler = ScheduledRuntime(plain, options.limits, leaders=leaders)
        namespace = options.namespace(weights, computing, precision.value)
        cached = CachedRuntime(scheduler, options.cache, namespace) if options.cache.max_mib > 0 else scheduler
        options.events.model_loaded(
            info.name,
            precision=precision.value,
            weights_mib=info.weights_mib,
            seconds=time.monotonic() - started,
            on_cpu=options.device == "cpu",
        )
        return LoadedModel(
            info=info,
            tokenizer=checkpoint.tokenizer,
            runtime=plain if options.repeatable else cached,
            bulk=plain,
            scheduler=scheduler,
        )


def _no_model(spec: TaskSpec, *, onnx: bool) -> ModelNotFoundError:
    if onnx and spec.bundled:
        return ModelNotFoundError(
            f"runtime='onnx' needs an exported model for {spec.name}: `wenmo export {spec.bundled} FOLDER --to onnx`, "
            f"then models={{{spec.name!r}: FOLDER}} in Python, --model on the command line, "
            f"WENMO_{spec.name.upper()}_MODEL for a server.",
            f"runtime='onnx' 需要导出的 {spec.name} 模型：`wenmo export {spec.bundled} 文件夹 --to onnx`，"
            f"然后 Python 中用 models={{{spec.name!r}: 文件夹}}，命令行用 --model，"
            f"服务用 WENMO_{spec.name.upper()}_MODEL。",
        )
    example = spec.hub_ids[0] if spec.hub_ids else "owner/name"
    return ModelNotFoundError(
        f"No model is bundled for {spec.name}, and none was named. Name a folder or a hub id, such as {example}: "
        f"models={{{spec.name!r}: …}} in Python, --model on the command line, WENMO_{spec.name.upper()}_MODEL for a "
        f"server, the Models page; or make one with `wenmo train adapt --task {spec.slug}`.",
        f"{spec.name} 没有自带的模型，也没有指定模型。请给出文件夹或模型 ID（如 {example}）："
        f"Python 中用 models={{{spec.name!r}: …}}，命令行用 --model，服务用 WENMO_{spec.name.upper()}_MODEL，"
        f"或在“模型”页选择；也可以用 `wenmo train adapt --task {spec.slug}` 训练一个。",
    )


def cpu_workers(device: str, runtime: RuntimeName) -> Workers | None:
    """A worker per core, shared by all models; None on a GPU, and with a single core."""
    if runtime == "onnx":
        from wenmo.inference.onnx_runtime import cpu_workers

        return cpu_workers(device)
    import torch

    from wenmo.inference.workers import WorkerPool

    count = torch.get_num_threads() if device == "cpu" else 1
    return WorkerPool(count) if count > 1 else None


def resolve(
    runtime: RuntimeName, device: str, precision: str, *, measured: bool
) -> tuple[Resolved[str], Resolved[Precision] | None]:
    """The device and the precision that an engine uses. Raises DeviceError.

    None: each model's own, which is measured when it is loaded, for auto on a CPU where that is allowed (`measured`).
    """
    if runtime == "onnx":
        from wenmo.inference import onnx_runtime

        return onnx_runtime.resolve_device(device), onnx_runtime.resolve_precision(precision)
    from wenmo.inference.precision import resolve_device, resolve_precision

    resolved = resolve_device(device)
    if precision == "auto" and resolved.value == "cpu" and measured:
        return resolved, None
    return resolved, resolve_precision(precision, resolved.value)
