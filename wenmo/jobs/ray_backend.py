"""Computes the chunks of a job with Ray actors, on the cores of this machine or on the machines of a cluster.

The job stays in this process, the driver, which reads, splits, formats and writes. So shards, manifest and resuming are
those of `job.py`, and no other machine needs access to the files: texts are sent to the actors, and results back. Each
actor has an engine of its own, loaded once, on `cores` threads or a GPU. It is sent two chunks at a time: the second
waits there, so that the actor is never idle.

When an actor dies, its chunks are sent to others, and a new actor is started wherever there is room. So a cluster may
shrink, grow or start slowly; the actors that exist do the work.

Not covered: the death of the driver, after which the job must be resumed; and files too large for one driver to read
and write in time (docs/cluster.md has figures), which must be split into several jobs.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future
from concurrent.futures import TimeoutError as NotYetError
from concurrent.futures import wait as wait_for
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from wenmo.errors import DeviceError, InputError, WenmoError
from wenmo.jobs.backend import EngineBackend
from wenmo.jobs.chunk import ChunkResults
from wenmo.jobs.options import RunSpec
from wenmo.tables.table import Chunk
from wenmo.types import TaskName

if TYPE_CHECKING:
    from wenmo.settings import Settings

log = logging.getLogger(__name__)

_CHUNKS_PER_ACTOR = 2  # one is computed, one waits
_MOST_DEATHS = 5  # of actors on the same chunk, or in a row while they start; more are no accident
_POLL_S = 0.5
_LONG_WAIT_S = 30.0  # of waiting for an actor, after which a warning is logged
_OBJECT_STORE_BYTES = 256 << 20  # of a Ray that is started here; what does not fit is spilled to disk


class EngineActor:
    """The class of the actors: an engine that computes chunks."""

    def __init__(self, settings: Settings, cores: int) -> None:
        self._settings, self._cores = settings, cores

    def load(self, models: Sequence[TaskName]) -> tuple[int, dict[str, Any]]:
        import torch

        torch.set_num_threads(self._cores)
        from wenmo.engine.build import build_engine

        self._backend = EngineBackend(build_engine(self._settings, repeatable=True))
        return self._backend.load(models)

    def run_chunk(self, spec: RunSpec, chunk: Chunk, columns: Sequence[str]) -> ChunkResults:
        return self._backend.run_chunk(spec, chunk, columns, progress=lambda done, total: None)


@dataclass(kw_only=True, eq=False)
class _Worker:
    """An actor. `loaded` is what its `load` returns, `dead` tells that it has been replaced."""

    actor: Any
    loaded: Future[tuple[int, dict[str, Any]]]
    dead: bool = False


class RayBackend:
    """Actors on the Ray cluster at `address`, or on one that is started on this machine and ended by `close`.

    `address` is as for `ray.init` (host:port, auto, ray://…); None means RAY_ADDRESS, and without that a Ray of this
    machine. `actors` is their number, None means one for each GPU, or else for each `cores` cores; actors for which
    there is no room yet start when there is. `cores` is the number of threads of an actor, which share one copy of the
    model. Nothing is started before `load`. A backend serves one job. Raises InputError where Ray is not installed.
    """

    def __init__(
        self, settings: Settings, *, address: str | None = None, actors: int | None = None, cores: int = 1
    ) -> None:
        import_ray()
        # The actors serve nobody, so they need no secrets of the service.
        self._settings = settings.on_other_machines().model_copy(update={"redis_url": None, "api_token": None})
        self._address = address or os.environ.get("RAY_ADDRESS") or "local"
        self._count = actors or 0
        self._cores = cores
        self._lock = threading.Lock()
        self._workers: list[_Worker] = []
        self._starting: list[_Worker] = []
        self._free: SimpleQueue[_Worker] = SimpleQueue()  # a worker is in it once for each chunk that it can take
        self._failed_starts = 0
        self._model: tuple[int, dict[str, Any]] | None = None  # parameters and fingerprint: those of all actors
        self._owns_ray = self._has_warned = False

    def __enter__(self) -> RayBackend:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the actors, and Ray if it was started for them."""
        import ray

        for worker in self._workers:
            with suppress(Exception):  # whatever state Ray is in: actors end with their driver at the latest
                ray.kill(worker.actor)
        self._workers = []
        if self._owns_ray:
            ray.shutdown()
            self._owns_ray = False

    @property
    def model_names(self) -> Mapping[TaskName, str]:
        return self._settings.models

    @property
    def concurrency(self) -> int:
        return _CHUNKS_PER_ACTOR * self._count

    def load(self, models: Sequence[TaskName]) -> tuple[int, dict[str, Any]]:
        """Start the actors, and return as soon as one is ready.

        Raises InputError when Ray cannot be reached, DeviceError when it has no room, and what loading a model raises.
        """
        self._connect()
        self._models = tuple(models)
        gpus = self._gpus_per_actor()
        self._count = self._count or self._room_for_actors(gpus)
        self._make_actor = import_ray().remote(
            num_cpus=self._cores,
            num_gpus=gpus,
            max_concurrency=1 if self._cores == 1 and not gpus else 2,  # two: one is tokenised meanwhile
        )(EngineActor)
        for _ in range(self._count):
            self._start_worker()
        since = time.monotonic()
        while self._model is None:
            wait_for([worker.loaded for worker in self._starting], timeout=_POLL_S, return_when=FIRST_COMPLETED)
            self._admit_loaded()
            self._warn_of_long_wait(since)
        return self._model

    def run_chunk(
        self, spec: RunSpec, chunk: Chunk, columns: Sequence[str], *, progress: Callable[[int, int], None]
    ) -> ChunkResults:
        from ray.exceptions import RayError, RayTaskError

        needed = chunk.only(columns)
        for _ in range(_MOST_DEATHS):
            worker = self._free_worker(lambda: progress(0, len(chunk)))
            future = worker.actor.run_chunk.remote(spec, needed, columns).future()
            try:
                while True:
                    try:
                        results: ChunkResults = future.result(_POLL_S)
                        self._free.put(worker)
                        return results
                    except NotYetError as error:
                        if isinstance(error, RayError):  # a time-out within the actor, not this wait's
                            raise
                        progress(0, len(chunk))
            except RayTaskError as error:
                raise _cause(error) from None
            except RayError:  # the actor is dead, or its results were lost with its machine
                self._replace(worker)
        raise WenmoError(
            f"{_MOST_DEATHS} workers died over the same rows. Ray's log says why (memory, mostly): give each more of "
            "it with fewer --actors, and run again with --resume.",
            f"已有 {_MOST_DEATHS} 个工作进程在同一批数据上终止。原因见 Ray 日志（多为内存不足）："
            "请减少 --actors 使每个进程有更多内存，再加 --resume 运行。",
        )

    def _connect(self) -> None:
        ray = import_ray()
        if ray.is_initialized():
            return
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray sends usage statistics unless told not to
        local: dict[str, Any] = {}
        if self._address == "local":
            local = {
                "num_cpus": self._count * self._cores or None,
                "object_store_memory": _OBJECT_STORE_BYTES,
                "include_dashboard": False,
            }
        try:
            ray.init(address=self._address, logging_level="warning", **local)
        except (ray.exceptions.RayError, ConnectionError, RuntimeError, ValueError) as error:
            raise InputError(
                f"Ray cannot be reached or started at {self._address}: {error}. Start it (`ray start --head`), correct "
                "--address, or leave that out.",
                f"无法连接或启动 Ray（{self._address}）：{error}。请先启动（`ray start --head`），"
                "更正 --address 或去掉它。",
            ) from error
        self._owns_ray = True

    def _gpus_per_actor(self) -> int:
        has_gpu = import_ray().cluster_resources().get("GPU", 0) >= 1
        return int(self._settings.device.startswith("cuda") or (self._settings.device == "auto" and has_gpu))

    def _room_for_actors(self, gpus: int) -> int:
        """How many actors of `gpus` GPUs the cluster has room for. Raises DeviceError for none."""
        resources = import_ray().cluster_resources()
        room = int(resources.get("GPU", 0)) if gpus else int(resources.get("CPU", 0)) // self._cores
        if room < 1:
            raise DeviceError(
                f"The Ray cluster has no room for a worker of {self._cores} cores{' and a GPU' * gpus} now. Add "
                "machines, or say with --actors how many workers to wait for.",
                f"Ray 集群目前容不下一个需要 {self._cores} 个核{'和 1 块 GPU' * gpus}的工作进程。请增加机器，"
                "或用 --actors 指定要等待的数量。",
            )
        return room

    def _start_worker(self) -> None:
        actor = self._make_actor.remote(self._settings, self._cores)
        worker = _Worker(actor=actor, loaded=actor.load.remote(self._models).future())
        self._workers.append(worker)
        self._starting.append(worker)

    def _admit_loaded(self) -> None:
        """Let the workers that have loaded their models take chunks. Raises what kept one from loading."""
        from ray.exceptions import RayError, RayTaskError

        with self._lock:
            for worker in [each for each in self._starting if each.loaded.done()]:
                self._starting.remove(worker)
                try:
                    model = worker.loaded.result()
                except RayTaskError as error:
                    raise _cause(error) from None
                except RayError as error:
                    self._workers.remove(worker)
                    self._failed_starts += 1
                    if self._failed_starts >= _MOST_DEATHS:
                        raise WenmoError(
                            f"Workers die while they start: {error}. Correct that, and run again with --resume.",
                            f"工作进程在启动时终止：{error}。请排除原因后加 --resume 运行。",
                        ) from error
                    self._start_worker()
                    continue
                self._failed_starts = 0
                self._model = self._model or model
                if model != self._model:
                    raise InputError(
                        f"The machines would answer differently: one has {self._model[1]}, another {model[1]}. Say "
                        "--device and --precision, and put the same model on all.",
                        f"各机器的结果会不一致：一台为 {self._model[1]}，另一台为 {model[1]}。请指定 --device 与 "
                        "--precision，并使用相同的模型。",
                    )
                for _ in range(_CHUNKS_PER_ACTOR):
                    self._free.put(worker)

    def _free_worker(self, progress: Callable[[], None]) -> _Worker:
        """Wait for a worker that can take a chunk. `progress` is called meanwhile; it may raise, to stop."""
        since = time.monotonic()
        while True:
            self._admit_loaded()
            try:
                worker = self._free.get(timeout=_POLL_S)
            except Empty:
                if self._starting:  # else all are at work
                    self._warn_of_long_wait(since)
                progress()
            else:
                if not worker.dead:
                    return worker

    def _warn_of_long_wait(self, since: float) -> None:
        """Log a warning, once, when the wait for a worker has been long."""
        with self._lock:
            if self._has_warned or time.monotonic() - since < _LONG_WAIT_S:
                return
            self._has_warned = True
        log.warning("still waiting for room for a worker of %d cores: is the cluster large enough?", self._cores)

    def _replace(self, worker: _Worker) -> None:
        """Start another worker in place of one that is dead or out of reach."""
        with self._lock:
            if not worker.dead:
                worker.dead = True
                self._workers.remove(worker)
                with suppress(Exception):  # it may be alive, but out of reach
                    import_ray().kill(worker.actor)
                self._start_worker()


def import_ray() -> Any:
    """The module `ray`. Raises InputError where it is not installed."""
    try:
        import ray
    except ImportError:
        raise InputError(
            "Ray is not installed. Run `pip install 'wenmo[cluster]'`; in a checkout, "
            "`pip install -r requirements-cluster.txt`.",
            "尚未安装 Ray。请运行 `pip install 'wenmo[cluster]'`；在仓库中则运行 "
            "`pip install -r requirements-cluster.txt`。",
        ) from None
    return ray


def _cause(error: Any) -> Exception:
    """The WenmoError that was raised in an actor. A bug stays in Ray's wrapper, which has its traceback."""
    return error.cause if isinstance(error.cause, WenmoError) else error
