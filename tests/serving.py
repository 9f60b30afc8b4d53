"""The service as its callers meet it: in a process of its own or in a thread of this one, and what it answers."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import uvicorn
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from tests.conftest import GOLDEN_MODELS as MODELS
from tests.conftest import ROOT
from tests.waiting import WAIT_S, free_port, until

if TYPE_CHECKING:
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

ENVIRONMENT = {
    **os.environ,
    **{f"WENMO_{task.upper()}_MODEL": folder for task, folder in MODELS.items()},
    "WENMO_DEVICE": "cpu",
    "WENMO_PRECISION": "fp32",
    "PYTHONPATH": str(ROOT),
    "PYTHONUNBUFFERED": "1",
    "LC_ALL": "C.UTF-8",  # the messages of the command line in English
}
JSON = {"Content-Type": "application/json"}


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What Python says with these arguments, and how it ends: a server that does not start, a few lines of code."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )


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
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=WAIT_S, trust_env=False) as client:
            until_healthy(client, health, process, folder / "server.log")
            yield client, process
    finally:
        process.kill()
        process.wait()


def until_healthy(client: httpx2.Client, path: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Waits until `path` answers 200. Fails with what stands in `log` when `process` ends before."""

    def said() -> str:
        return log.read_text(encoding="utf-8")

    def healthy() -> bool:
        assert process.poll() is None, said()
        try:
            return client.get(path).status_code == 200
        except httpx2.TransportError:
            return False

    until(healthy, every_s=0.05, told=said)


@contextmanager
def serving_here(api: ASGIApp) -> Iterator[httpx2.Client]:
    """The same HTTP server, in a thread of this process: for a test that holds the other end of the engine."""
    server = uvicorn.Server(uvicorn.Config(api, log_level="warning"))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            until(lambda: server.started or not thread.is_alive())
            yield connect(f"http://127.0.0.1:{listening.getsockname()[1]}")
        finally:
            server.should_exit = True
            thread.join(WAIT_S)
            assert not thread.is_alive()


def connect(url: str) -> httpx2.Client:
    """A client for many calls at once, which are patient."""
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
    return httpx2.Client(base_url=url, timeout=WAIT_S, trust_env=False, limits=limits)


def post(client: TestClient, path: str, body: object, **headers: str) -> httpx2.Response:
    # Escaped to ASCII: the only way in which a lone surrogate can travel.
    return client.post(path, content=json.dumps(body).encode("ascii"), headers={**JSON, **headers})


def assert_problem(response: httpx2.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["status"] == status
    assert body["type"] and body["title"] and body["detail"]
    return body


def run_page(client: httpx2.Client) -> list[ForwardMsg]:
    """What a browser is sent when it opens the first page, up to the end of the script."""
    from streamlit.proto.BackMsg_pb2 import BackMsg  # brings Streamlit, which the tests of REST alone do not need
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
    from websockets.sync.client import connect as connect_websocket

    messages = []
    url = f"ws://{client.base_url.host}:{client.base_url.port}/_stcore/stream"
    with connect_websocket(url, subprotocols=["streamlit"], max_size=None, proxy=None) as stream:  # type: ignore[list-item]
        request = BackMsg()
        request.rerun_script.SetInParent()
        stream.send(request.SerializeToString())
        while True:
            received = stream.recv(timeout=WAIT_S)
            assert isinstance(received, bytes)
            message = ForwardMsg.FromString(received)
            messages.append(message)
            if message.WhichOneof("type") == "script_finished":
                return messages
