"""The models of an engine: each is loaded when its task is first used, once, and wired to cache and scheduler."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wenmo.models.registry import locate
from wenmo.tasks.table import TASKS
from wenmo.telemetry.events import EventLog
from wenmo.types import Precision, SchedulerLimits, TaskName

if TYPE_CHECKING:
    from wenmo.inference.runtime import ModelRuntime, Runtime
    from wenmo.inference.workers import WorkerPool
    from wenmo.models.checkpoint import Checkpoint
    from wenmo.serving.cache import ResultCache
    from wenmo.serving.scheduler import ScheduledRuntime
    from wenmo.tokenizer import Tokenizer


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """What is loaded for a task.

    `name` is what was asked for, `max_length` counts tokens. `temperatures` are those that the engine divides logits
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
    temperatures: Mapping[str, float]
    weights_mib: float | None


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
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
    def temperatures(self) -> Mapping[str, float]:
        return self.info.temperatures

    @property
    def max_length(self) -> int:
        return self.info.max_length


@dataclass(frozen=True, kw_only=True)
class Loading:
    """How models are loaded: what all models of an engine have in common. The fields are `Engine`'s."""

    device: str
    precision: Precision
    sequence_length: int | None
    calibrated: bool
    cache: ResultCache
    shares: bool  # the cache has a shared one behind it
    limits: SchedulerLimits | None
    make_runtime: Callable[[Checkpoint], ModelRuntime] | None
    workers: WorkerPool | None
    events: EventLog
    models_folder: Path
    repeatable: bool

    def shared_namespace(self, checkpoint: Checkpoint, runtime: Runtime) -> str:
        """The same in any process for what computes the same, and only for that."""
        from wenmo.inference.precision import arithmetic
        from wenmo.models.fingerprint import fingerprint
        from wenmo.version import __version__

        kind = f"{type(runtime).__module__}.{type(runtime).__qualname__}"
        return f"{__version__}/{kind}/{arithmetic(self.precision, self.device)}/{fingerprint(checkpoint)}"

    def torch_runtime(self, checkpoint: Checkpoint) -> ModelRuntime:
        """What computes the forward where no `make_runtime` was given."""
        import torch

        from wenmo.inference.precision import computes_natively
        from wenmo.inference.runtime import TorchRuntime

        return TorchRuntime(
            checkpoint,
            device=torch.device(self.device),
            precision=self.precision,
            native=computes_natively(self.precision, self.device),
            workers=self.workers,
            repeatable=self.repeatable,
        )


class Models:
    """What is loaded for each task, by the model's name in `names`.

    `lender`: other models of the same kind, whose model is taken where it has the same name.
    """

    def __init__(self, names: Mapping[TaskName, str], loading: Loading, *, lender: Models | None = None) -> None:
        self.names = names
        self._loading = loading
        self._lender = lender
        self._loaded: dict[TaskName, LoadedModel] = {}
        self._locks = {task: threading.Lock() for task in TASKS}

    @property
    def borrows(self) -> bool:
        return self._lender is not None

    def get(self, task: TaskName) -> LoadedModel:
        """Loads the model first where it is not; calls for one task wait for one another, those for others do not."""
        owner = self._owner(task)
        if owner is not self:
            return owner.get(task)
        loaded = self._loaded.get(task)
        if loaded is None:
            with self._locks[task]:
                loaded = self._loaded.get(task)
                if loaded is None:
                    loaded = self._loaded[task] = self._load(task)
        return loaded

    def in_memory(self) -> dict[TaskName, LoadedModel]:
        """The models that are loaded, the lender's too."""
        owners = {task: self._owner(task) for task in TASKS}
        found = ((task, owner._loaded.get(task)) for task, owner in owners.items())
        return {task: loaded for task, loaded in found if loaded is not None}

    def with_names(self, names: Mapping[TaskName, str]) -> Models:
        """These models with others for some tasks; see `lender`."""
        return Models({**self.names, **names}, self._loading, lender=self)

    def close(self) -> None:
        """Let go of the own models. A later `get` loads them again."""
        for task in TASKS:
            with self._locks[task]:
                loaded = self._loaded.pop(task, None)
                if loaded is not None:
                    self._loading.events.model_released(
                        loaded.info.name, weights_mib=loaded.info.weights_mib, on_cpu=self._loading.device == "cpu"
                    )

    def _owner(self, task: TaskName) -> Models:
        if self._lender is not None and self._lender.names[task] == self.names[task]:
            return self._lender._owner(task)
        return self

    def _load(self, task: TaskName) -> LoadedModel:
        from wenmo.models.checkpoint import load_checkpoint  # brings torch: not before it is needed
        from wenmo.serving.cache import CachedRuntime
        from wenmo.serving.observed import ObservedRuntime
        from wenmo.serving.scheduler import ScheduledRuntime

        loading = self._loading
        spec = TASKS[task]
        folder = locate(self.names[task], models_folder=loading.models_folder)
        started = time.monotonic()
        checkpoint = load_checkpoint(folder, task=task, sequence_length=loading.sequence_length)
        computing = (loading.make_runtime or loading.torch_runtime)(checkpoint)
        info = ModelInfo(
            name=self.names[task],
            folder=checkpoint.folder,
            task=task,
            labels=checkpoint.labels if spec.outputs == "logits" else (),
            layers=checkpoint.shape.num_hidden_layers,
            hidden_size=checkpoint.shape.hidden_size,
            parameters=checkpoint.parameters,
            max_length=checkpoint.max_length,
            temperatures={
                name: checkpoint.temperatures.get(name, 1.0) if loading.calibrated else 1.0
                for name in spec.calibrations
            },
            weights_mib=getattr(computing, "weights_mib", None),
        )
        plain = ObservedRuntime(computing, task, loading.events)
        leaders = loading.workers.count if loading.workers else 1
        scheduler = ScheduledRuntime(plain, loading.limits, leaders=leaders)
        if loading.shares:
            namespace = loading.shared_namespace(checkpoint, computing)
        else:  # the folder's time, too: a name may come to mean another model
            namespace = f"{task} {folder} {folder.stat().st_mtime_ns}"
        cached = CachedRuntime(scheduler, loading.cache, namespace) if loading.cache.max_mib > 0 else scheduler
        loading.events.model_loaded(
            info.name,
            weights_mib=info.weights_mib,
            seconds=time.monotonic() - started,
            on_cpu=loading.device == "cpu",
        )
        return LoadedModel(
            info=info,
            tokenizer=checkpoint.tokenizer,
            runtime=plain if loading.repeatable else cached,
            bulk=plain,
            scheduler=scheduler,
        )


def one_worker_a_core(device: str) -> WorkerPool | None:
    """Shared by all models; None on a GPU, and where there is but one core to use."""
    import torch

    from wenmo.inference.workers import WorkerPool

    count = torch.get_num_threads() if device == "cpu" else 1
    return WorkerPool(count) if count > 1 else None
