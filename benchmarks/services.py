"""Services to measure, each in a process of its own on a free port: started, waited for, weighed, ended."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from wenmo.lab.padded import export
from wenmo.lab.throughput import ShapeName, checkpoint_of
from wenmo.models.checkpoint import Checkpoint
from wenmo.tasks.table import TASKS
from wenmo.types import TaskName

ROOT = Path(__file__).resolve().parents[1]
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open  # loopback, whatever proxy is set
START_S = 120.0  # to wait for a service
END_S = 5.0  # to let it end by itself; nothing of it is kept, and LitServe takes half a minute


@dataclass(frozen=True, kw_only=True)
class Command:
    """How a service is started: `arguments` and the port's option for `python`, and its settings, all of them."""

    name: str
    arguments: Sequence[str]
    health: str
    environment: Mapping[str, str] = field(default_factory=dict)
    python: str = sys.executable


@dataclass(frozen=True, kw_only=True)
class Service:
    """One that answers. `ready_s` is from the start of its process until its health was good."""

    url: str
    process: psutil.Process
    ready_s: float

    def resident_mib(self) -> float:
        """Of all its processes; what they share is counted for each."""
        everyone = [self.process, *self.process.children(recursive=True)]
        return sum(each.memory_info().rss for each in everyone) / 2**20

    def get(self, path: str) -> bytes:
        with _open(self.url + path, timeout=START_S) as response:
            return response.read()

    def post(self, path: str, body: Any) -> Any:
        """The answer to one call. Raises HTTPError for another status than 200."""
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with _open(request, timeout=START_S) as response:
            return json.loads(response.read())


def wenmo(folder: Path | None = None, *, task: TaskName = "sentiment", **settings: object) -> Command:
    """`wenmo serve`, as it is shipped or with the model in `folder`; `settings` such as precision="int8"."""
    given = {f"WENMO_{name.upper()}": str(value) for name, value in settings.items() if value is not None}
    if folder is not None:
        given[f"WENMO_{task.upper()}_MODEL"] = str(folder)
    return Command(name="wenmo", arguments=("-m", "wenmo", "serve"), health="/api/health/ready", environment=given)


def original(name: str, folder: Path, *options: str, precision: str | None = None) -> Command:
    """A service of `benchmarks.original`."""
    return Command(
        name=name,
        arguments=("-m", "benchmarks.original", str(folder), *options),
        health="/health",
        environment={} if precision is None else {"WENMO_PRECISION": precision},
    )


def litserve(name: str, folder: Path, *options: str, python: str, precision: str) -> Command:
    """The service of `benchmarks.litserve_peer`, run by a `python` that has LitServe."""
    return Command(
        name=name,
        arguments=("-m", "benchmarks.litserve_peer", str(folder), *options),
        health="/health",
        environment={"WENMO_PRECISION": precision},
        python=python,
    )


@contextmanager
def running(command: Command) -> Iterator[Service]:
    """The service, ended afterwards. Raises RuntimeError, with what it said, when it does not come up."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WENMO_")}
    start = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [command.python, *command.arguments, "--port", str(port)],
            cwd=ROOT,
            env={**inherited, **command.environment},
            stdout=log,
            stderr=log,
        )
        everyone = [psutil.Process(process.pid)]
        try:
            while not _answers(url + command.health):
                if process.poll() is not None or time.perf_counter() - start > START_S:
                    log.seek(0)
                    said = log.read().decode(errors="replace")
                    raise RuntimeError(f"{command.name} did not come up:\n{said}")
                time.sleep(0.02)
            yield Service(url=url, process=everyone[0], ready_s=time.perf_counter() - start)
        finally:
            with suppress(psutil.NoSuchProcess):
                everyone += everyone[0].children(recursive=True)
            process.terminate()
            _, left = psutil.wait_procs(everyone, timeout=END_S)
            for each in left:
                with suppress(psutil.NoSuchProcess):
                    each.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        with _open(url, timeout=START_S) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def export_model(shape: ShapeName, task: TaskName, folder: Path) -> Checkpoint:
    """A model that both transformers and wenmo load from `folder`, so that all services have the same weights.

    Without the temperatures of a bundled one, which transformers does not know.
    """
    checkpoint = checkpoint_of(shape, task)
    export(checkpoint, folder)
    configuration = {"framework": "pytorch", "task": TASKS[task].hub_task}
    (folder / "configuration.json").write_text(json.dumps(configuration), encoding="utf-8")
    mapping = {name: index for index, name in enumerate(checkpoint.labels)}
    (folder / "label_mapping.json").write_text(json.dumps(mapping), encoding="utf-8")
    return checkpoint
