"""Starts the real service in a process of its own, as its users do."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx2
import uvicorn
from starlette.types import ASGIApp

from tests.conftest import GOLDEN_MODELS as MODELS

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {
    **os.environ,
    **{f"WENMO_{task.upper()}_MODEL": folder for task, folder in MODELS.items()},
    "WENMO_DEVICE": "cpu",
    "WENMO_PRECISION": "fp32",
    "PYTHONPATH": str(ROOT),
    "PYTHONUNBUFFERED": "1",
    "LC_ALL": "C.UTF-8",  # the messages of the command line in English
}
START_S = END_S = 120.0  # generous: they end a wait that would be endless, they measure nothing


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(
    folder: Path,
    *,
    python: Path | str = sys.executable,
    program: tuple[str, ...] = ("-m", "wenmo", "serve"),
    port_option: str = "--port",
    health: str = "/_stcore/health",
    environment: Mapping[str, str] | None = None,
) -> Iterator[tuple[httpx2.Client, subprocess.Popen[bytes]]]:
    """A server in its own process, with `folder` as working folder; its log is in server.log there."""
    port = free_port()
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [python, *program, port_option, str(port)],
            cwd=folder,
            env={**ENVIRONMENT, **(environment or {})},
            stdout=log,
            stderr=log,
        )
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=START_S, trust_env=False) as client:
            until = time.monotonic() + START_S
            while not _is_healthy(client, health):
                said = (folder / "server.log").read_text(encoding="utf-8")
                assert process.poll() is None, said
                assert time.monotonic() < until, said
                time.sleep(0.1)
            yield client, process
    finally:
        process.kill()
        process.wait()


def _is_healthy(client: httpx2.Client, health: str) -> bool:
    try:
        return client.get(health).status_code == 200
    except httpx2.TransportError:
        return False


@contextmanager
def serving_here(api: ASGIApp) -> Iterator[httpx2.Client]:
    """The same HTTP server, in a thread of this process: for a test that holds the other end of the engine."""
    server = uvicorn.Server(uvicorn.Config(api, log_level="warning"))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield connect(f"http://127.0.0.1:{listening.getsockname()[1]}")
        finally:
            server.should_exit = True
            thread.join(END_S)
            assert not thread.is_alive()


def connect(url: str) -> httpx2.Client:
    """A client for many calls at once, which are patient."""
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
    return httpx2.Client(base_url=url, timeout=START_S, trust_env=False, limits=limits)
