"""`python -m wenmo serve --api-only`: the REST service without pages, in one process or in several workers.

A worker is a process with an engine of its own, and with its share of the cores: N engines that each computed on every
core would only get in one another's way. uvicorn supervises: all workers listen on one socket, one that dies is
replaced, and on SIGTERM or SIGINT nobody new is let in, calls under way are answered, and every worker ends.

Not covered: workers share no results (Redis can), count calls and limits each by itself, and each holds its own copy of
the models. One process is faster where one engine can use all cores; workers help where Python itself is the limit, and
where one that dies must not take the service with it.
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
from starlette.routing import Mount
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from wenmo.api.metrics import Metrics
from wenmo.api.preload import Preload
from wenmo.api.process import api_of, check_address, log_calls, stop_on_sigterm, trust_no_proxy_unasked
from wenmo.errors import WenmoError
from wenmo.tasks.table import TASKS

if TYPE_CHECKING:
    from wenmo.engine import Engine
    from wenmo.settings import Settings

log = logging.getLogger(__name__)

_FORWARD_S = 10.0  # for a call that waited as long as a call may wait, and is being computed when the service ends
_SILENT_WORKER_S = 30  # after these the supervisor takes it for dead: starting on a busy machine takes seconds


def serve_api(settings: Settings) -> int:
    """Serve on `settings.host` and `settings.port` until SIGINT or SIGTERM; calls under way are finished first.

    Must run in the main thread. Returns the exit status. Raises InputError when the address cannot be listened on.
    """
    check_address(settings.host, settings.port)
    trust_no_proxy_unasked()
    config = uvicorn.Config(
        partial(create_worker, settings),
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        http="h11",  # it bounds a request's head; httptools, where it is installed, takes megabytes
        access_log=False,  # the guard logs each call
        server_header=False,
        timeout_graceful_shutdown=ceil(settings.wait_s + _FORWARD_S),
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
    """The service of one worker: the routes at the root, and under /api as beside the pages."""
    log_calls()
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    engine = _build_engine(settings)
    return create_service(settings, engine, alone=settings.workers == 1)


def create_service(settings: Settings, engine: Engine, *, alone: bool) -> Starlette:
    """The service on `engine`, which it closes at its end. Where it is not `alone`, its metrics bear its pid."""
    preload = Preload(lambda: engine, tuple(TASKS) if settings.preload is None else settings.preload)
    labels = {} if alone else {"pid": str(os.getpid())}
    api = api_of(settings, lambda: engine, preload=preload, metrics=Metrics(lambda: engine, labels=labels))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        preload.start()
        yield
        preload.stop()
        engine.close()

    return Starlette(routes=[Mount("/api", api), Mount("/", api)], lifespan=lifespan)


def _build_engine(settings: Settings) -> Engine:
    try:
        if settings.workers > 1 and "OMP_NUM_THREADS" not in os.environ:
            import torch

            torch.set_num_threads(max(1, torch.get_num_threads() // settings.workers))
        from wenmo.engine.build import build_engine

        engine = build_engine(settings)
    except WenmoError as error:
        if settings.workers == 1:
            raise
        print(f"wenmo: {error}", file=sys.stderr)
        sys.exit(STARTUP_FAILURE)  # tells the supervisor that another worker would fail alike
    return engine


def _end_with(parent: int) -> None:
    """Ask this worker to end when its supervisor is gone, killed say: else it would hold the port for ever."""
    wait([parent])
    os.kill(os.getpid(), signal.SIGTERM)


class _Supervisor(Multiprocess):
    def keep_subprocess_alive(self) -> None:
        for worker in self.processes:  # our copy of the worker's end of the pipe: while it is open, a worker that dies
            worker.child_conn.close()  # when it is being asked whether it lives is waited for until the time-out
        super().keep_subprocess_alive()

    def terminate_all(self) -> None:
        for listening in self.sockets:  # else whoever comes while the workers finish would be kept waiting, in vain
            listening.close()
        super().terminate_all()
