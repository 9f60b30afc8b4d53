"""The chunks of a job answered by Ray actors: on the cores of this machine, or on the machines of a cluster.

The job itself stays in this process, the driver: it reads, cuts, formats and writes, so that shards, manifest and
resuming are those of `job.py`, and inputs and outputs need not be seen by any other machine. Texts travel to the actors
and answers back. An actor has an engine of its own, loaded once, on `cores` threads or a GPU. Two chunks are with it at
a time, one of them waiting, so that it is never idle and nothing piles up.

An actor that dies takes its chunks with it: they are asked of others, and another actor is started in its place,
wherever there is room. A cluster may so shrink, grow, or come up slowly: who is there works.

Not covered: the driver's own death, after which `--resume` goes on; and files larger than one driver can read and
write in time (docs/cluster.md says when that is), which are cut into several jobs.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future
from concurrent.futures import TimeoutError as NotYetError
from concurrent.futures import wait as wait_for
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from wenmo.errors import DeviceError, InputError, WenmoError
from wenmo.jobs.answer import Answered
from wenmo.jobs.backend import EngineBackend, Question
from wenmo.tables.table import Chunk
from wenmo.types import TaskName

if TYPE_CHECKING:
    from wenmo.settings import Settings

log = logging.getLogger(__name__)

_PLACES = 2  # chunks with an actor: one that it works on, one that waits
_MOST_DEATHS = 5  # of actors over one chunk, or one after another while they start: then it is no accident
_POLL_S = 0.5
_LONG_S = 30.0  # to wait for a worker before that is told
_OBJECT_STORE_BYTES = 256 << 20  # of a Ray of our own; what does not fit waits on the disk


class Answerer:
    """What an actor is."""

    def __init__(self, settings: Settings, cores: int) -> None:
        self._settings, self._cores = settings, cores

    def load(self, models: Sequence[TaskName]) -> tuple[int, dict[str, Any]]:
        import torch

        torch.set_num_threads(self._cores)
        from wenmo.engine.build import build_engine

        self._backend = EngineBackend(build_engine(self._settings, repeatable=True))
        return self._backend.load(models)

    def answer(self, question: Question, chunk: Chunk, columns: Sequence[str]) -> Answered:
        return self._backend.answer(question, chunk, columns, progress=lambda done, of: None)


@dataclass(kw_only=True, eq=False)
class _Worker:
    actor: Any
    loaded: Future[tuple[int, dict[str, Any]]]
    dead: bool = False


class RayBackend:
    """Actors on the Ray cluster at `address`, or on one that is started on this machine and ended by `close`.

    `address`: as `ray.init` takes it (host:port, auto, ray://…), or RAY_ADDRESS. `actors`: as many as there are GPUs,
    or else cores; those for which there is no room yet are waited for. `cores`: threads of an actor, which share one
    copy of the model. Nothing is started before `load`. For one job.
    """

    def __init__(
        self, settings: Settings, *, address: str | None = None, actors: int | None = None, cores: int = 1
    ) -> None:
        import_ray()
        # A job is no service: the secrets of one stay here.
        self._settings = settings.on_other_machines().model_copy(update={"redis_url": None, "api_token": None})
        self._address = address or os.environ.get("RAY_ADDRESS") or "local"
        self._count = actors or 0
        self._cores = cores
        self._lock = threading.Lock()
        self._workers: list[_Worker] = []
        self._starting: list[_Worker] = []
        self._places: SimpleQueue[_Worker] = SimpleQueue()
        self._failed_starts = 0
        self._facts: tuple[int, dict[str, Any]] | None = None
        self._owns_ray = self._told_of_waiting = False

    def __enter__(self) -> RayBackend:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the actors, and the Ray that was started for them."""
        import ray

        for worker in self._workers:
            with suppress(Exception):  # whatever Ray is: they end with their driver at the latest
                ray.kill(worker.actor)
        self._workers = []
        if self._owns_ray:
            ray.shutdown()
            self._owns_ray = False

    @property
    def at_once(self) -> int:
        return _PLACES * self._count

    def load(self, models: Sequence[TaskName]) -> tuple[int, dict[str, Any]]:
        """As soon as one actor is ready. Raises InputError where Ray cannot be reached, and what loading raises."""
        self._connect()
        self._models = tuple(models)
        gpus = self._gpus()
        self._count = self._count or self._room(gpus)
        self._make_actor = import_ray().remote(
            num_cpus=self._cores,
            num_gpus=gpus,
            max_concurrency=1 if self._cores == 1 and not gpus else 2,  # two: the next one is tokenised meanwhile
        )(Answerer)
        for _ in range(self._count):
            self._start()
        since = time.monotonic()
        while self._facts is None:
            wait_for([worker.loaded for worker in self._starting], timeout=_POLL_S, return_when=FIRST_COMPLETED)
            self._look()
            self._tell_of_waiting(since)
        return self._facts

    def answer(
        self, question: Question, chunk: Chunk, columns: Sequence[str], *, progress: Callable[[int, int], None]
    ) -> Answered:
        from ray.exceptions import RayError, RayTaskError

        needed = chunk.only(columns)
        for _ in range(_MOST_DEATHS):
            worker = self._take(lambda: progress(0, len(chunk)))
            answer = worker.actor.answer.remote(question, needed, columns).future()
            try:
                while True:
                    try:
                        answered: Answered = answer.result(_POLL_S)
                        self._places.put(worker)
                        return answered
                    except NotYetError as error:
                        if isinstance(error, RayError):  # not ours: raised in the actor
                            raise
                        progress(0, len(chunk))
            except RayTaskError as error:
                raise _cause(error) from None
            except RayError:  # the actor is dead, or its answer was lost with its machine
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
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anyone
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

    def _gpus(self) -> int:
        """Of each actor."""
        there = import_ray().cluster_resources().get("GPU", 0) >= 1
        return int(self._settings.device.startswith("cuda") or (self._settings.device == "auto" and there))

    def _room(self, gpus: int) -> int:
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

    def _start(self) -> None:
        actor = self._make_actor.remote(self._settings, self._cores)
        worker = _Worker(actor=actor, loaded=actor.load.remote(self._models).future())
        self._workers.append(worker)
        self._starting.append(worker)

    def _look(self) -> None:
        """Let those that have loaded begin. Raises what kept one from loading."""
        from ray.exceptions import RayError, RayTaskError

        with self._lock:
            for worker in [each for each in self._starting if each.loaded.done()]:
                self._starting.remove(worker)
                try:
                    facts = worker.loaded.result()
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
                    self._start()
                    continue
                self._failed_starts = 0
                self._facts = self._facts or facts
                if facts != self._facts:
                    raise InputError(
                        f"The machines would answer differently: one has {self._facts[1]}, another {facts[1]}. Say "
                        "--device and --precision, and put the same model on all.",
                        f"各机器的结果会不一致：一台为 {self._facts[1]}，另一台为 {facts[1]}。请指定 --device 与 "
                        "--precision，并使用相同的模型。",
                    )
                for _ in range(_PLACES):
                    self._places.put(worker)

    def _take(self, progress: Callable[[], None]) -> _Worker:
        """One with a free place, as soon as there is one."""
        since = time.monotonic()
        while True:
            self._look()
            try:
                worker = self._places.get(timeout=_POLL_S)
            except Empty:
                if self._starting:  # else all are at work
                    self._tell_of_waiting(since)
                progress()
            else:
                if not worker.dead:
                    return worker

    def _tell_of_waiting(self, since: float) -> None:
        """Once in the log, when a worker is waited for since long."""
        with self._lock:
            if self._told_of_waiting or time.monotonic() - since < _LONG_S:
                return
            self._told_of_waiting = True
        log.warning("still waiting for room for a worker of %d cores: is the cluster large enough?", self._cores)

    def _replace(self, worker: _Worker) -> None:
        with self._lock:
            if not worker.dead:
                worker.dead = True
                self._workers.remove(worker)
                with suppress(Exception):  # it may be out of reach and alive
                    import_ray().kill(worker.actor)
                self._start()


def import_ray() -> Any:
    """The module. Raises InputError where it is not installed."""
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
    """What was raised in the actor, without Ray's wrapping; a bug with it, for its traceback."""
    return error.cause if isinstance(error.cause, WenmoError) else error
