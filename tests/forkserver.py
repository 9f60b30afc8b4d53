"""Runs `python -m wenmo` again and again without importing everything again: a line of JSON with arguments in, a fork.

Answers with the fork's process id, and when it has ended (or was killed) with its exit status. `limit_bytes` bounds the
files that it may write, which is how a full disk is made.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


class ForkServer:
    """The test's side. Use as a context manager."""

    def __enter__(self) -> ForkServer:
        self._running: int | None = None
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.forkserver"],
            cwd=ROOT,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        if self._running is not None:  # the test failed meanwhile
            os.kill(self._running, signal.SIGKILL)
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()

    def start(self, *arguments: str, output: Path, limit_bytes: int | None = None) -> int:
        """The process id of `wenmo ARGUMENTS`, whose stdout and stderr go to `output`."""
        assert self._process.stdin is not None
        request = {"arguments": arguments, "output": str(output), "limit_bytes": limit_bytes}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        self._running = self._answer()
        return self._running

    def wait(self) -> int:
        """The exit status of what was started last; -9 when it was killed."""
        status = self._answer()
        self._running = None
        return status

    def _answer(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())


def _serve() -> None:
    from wenmo.__main__ import main

    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        child = os.fork()
        if child == 0:
            output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(output, 1)
            os.dup2(output, 2)
            if request["limit_bytes"] is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (request["limit_bytes"], resource.RLIM_INFINITY))
            status = main(request["arguments"])
            sys.stdout.flush()
            os._exit(status)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    for module in ("pyarrow.parquet", "wenmo.inference.torch_runtime", "wenmo.jobs.job"):  # once, for all forks
        import_module(module)

    _serve()
