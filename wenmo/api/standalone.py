"""`python -m wenmo serve --api-only`: the REST service without pages, in one process or in several workers.

Each worker is a process with an engine of its own and its share of the cores; engines that each used all cores would
only slow one another down. uvicorn supervises them: all workers listen on one socket, and one that dies is replaced. On
SIGTERM or SIGINT no new call is accepted, calls under way are answered, and every worker ends.

Workers do not share results (except through Redis) or the models' memory, and each counts calls and limits by itself.
One process is faster where one engine can use all cores. Workers help where Python itself is the bottleneck, and where
the service must survive the death of a process.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from math import ceil
from multiprocessing.connection import wait
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from wenmo.api.allowed_hosts import AllowedHosts
from wenmo.api.metrics import Metrics
from wenmo.api.preload import Preload
from wenmo.api.server_setup import (
    FORWARD_S,
    api_from_settings,
    check_address,
    end_within,
    log_calls,
    stop_on_sigterm,
    trust_no_proxy_unasked,
)
from wenmo.errors import WenmoError
from wenmo.files import check_temporary_folder
from wenmo.tasks.table import TASKS

if TYPE_CHECKING:
    from wenmo.engine import Engine
    from wenmo.settings import Settings

log = logging.getLogger(__name__)

_SILENT_WORKER_S = 30  # without a sign of life a worker counts as dead; starting on a busy machine takes seconds


def serve_api(settings: Settings) -> int:
    """Serve on `settings.host` and `settings.port` until SIGINT or SIGTERM, then finish the calls under way.

    Must run in the main thread. Returns the exit status. Raises InputError when the address cannot be listened on.
    """
    check_address(settings.host, settings.port)
    check_temporary_folder()
    trust_no_proxy_unasked()
    config = uvicorn.Config(
        partial(create_worker, settings),
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        http="h11",  # it limits the size of the headers; httptools, the default if installed, accepts megabytes
        access_log=False,  # the guard logs each call
        server_header=False,
        timeout_graceful_shutdown=ceil(settings.wait_s + FORWARD_S),
        timeout_worker_healthcheck=_SILENT_WORKER_S,
    )
    if settings.workers == 1:
        stop_on_sigterm()
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run()
        return 0
    supervisor = _Supervisor(config, [config.bind_socket()])
    supervisor.run()
    return 2 if any(worker.exitcode == STARTUP_FAILURE for worker in supervisor.processes) else 0


def create_worker(settings: Settings) -> Starlette:
    """The service of one worker. If there are several, the worker ends when its supervisor does."""
    log_calls()
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_terminate_after, args=(parent.sentinel,), daemon=True).start()
    engine = _build_engine(settings)
    return create_service(settings, engine, alone=settings.workers == 1)


def create_service(settings: Settings, engine: Engine, *, alone: bool) -> Starlette:
    """The service on `engine`: the routes at the root, and under /api, where they are beside the pages.

    The service closes the engine when it ends. Unless it is `alone`, its metrics have the process id as a label.
    """
    preload = Preload(lambda: engine, settings.to_preload(TASKS))
    labels = {} if alone else {"pid": str(os.getpid())}
    api = api_from_settings(settings, lambda: engine, preload=preload, metrics=Metrics(lambda: engine, labels=labels))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        if threading.current_thread() is threading.main_thread():
            end_within(settings.wait_s + FORWARD_S)
        preload.start()
        yield
        preload.stop()
        engine.close()

    return Starlette(
        routes=[Mount("/api", api), Mount("/", api)],
        lifespan=lifespan,
        middleware=[Middleware(AllowedHosts, names=settings.allowed_hosts)],
    )


def _build_engine(settings: Settings) -> Engine:
    try:
        if settings.workers > 1 and "OMP_NUM_THREADS" not in os.environ:
            _share_cores(settings)
        from wenmo.engine.build import build_engine

        engine = build_engine(settings)
    except WenmoError as error:
        if settings.workers == 1:
            raise
        print(f"wenmo: {error}", file=sys.stderr)
        sys.exit(STARTUP_FAILURE)  # tells the supervisor not to replace this worker, which would fail in the same way
    return engine


def _share_cores(settings: Settings) -> None:
    """Let this worker use its share of the cores."""
    if settings.runtime == "onnx":
        from wenmo.inference.workers import usable_cores

        os.environ["OMP_NUM_THREADS"] = str(max(1, usable_cores() // settings.workers))
        return
    import torch

    torch.set_num_threads(max(1, torch.get_num_threads() // settings.workers))


def _terminate_after(parent: int) -> None:
    """Terminate this worker when its supervisor has died: it would hold the port for ever.

    `parent` is the sentinel of the supervisor's process.
    """
    wait([parent])
    os.kill(os.getpid(), signal.SIGTERM)


class _Supervisor(Multiprocess):
    """uvicorn's supervisor, without two waits for nothing."""

    def keep_subprocess_alive(self) -> None:
        # While this process has the worker's end of the pipe open, too, the death of a worker that is being asked for a
        # sign of life is only noticed at the time-out.
        for worker in self.processes:
            worker.child_conn.close()
        super().keep_subprocess_alive()

    def terminate_all(self) -> None:
        # With the sockets open, a client that connects while the workers finish would wait for an answer in vain.
        for listening in self.sockets:
            listening.close()
        super().terminate_all()
