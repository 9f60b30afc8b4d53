"""A real redis-server of the test's own, and a proxy before it that can be slow."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Literal

import pytest
import redis

from tests.waiting import free_port, until


class RedisServer:
    """On a free port of the loopback, without persistence, its folder in `folder`."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._folder = folder
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """On the same port again after `stop`, on another one where the port was taken in the meantime."""
        for _ in range(5):
            self.port = self.port or free_port()
            self._process = subprocess.Popen(
                ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self._folder),
                 "--save", "", "--appendonly", "no", *self._arguments],
                stdout=subprocess.DEVNULL,
            )  # fmt: skip
            if self._answers():
                return
            self.stop()
            self.port = 0
        raise RuntimeError("redis-server does not start")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def admin(self) -> redis.Redis:
        return redis.Redis(port=self.port, socket_timeout=10)

    def _answers(self) -> bool:
        """Waits for the first answer; False where the process ends before."""
        process = self._process
        assert process is not None
        until(lambda: process.poll() is not None or self._ping())
        return process.poll() is None

    def _ping(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1) as sock:
            sock.sendall(b"PING\r\n")
            return sock.recv(64)[:1] in (b"+", b"-")  # -NOAUTH where a password is asked for
        return False


class Proxy:
    """Passes bytes between its own port and `port`; counts the connections.

    `mode`: "pass" what comes; "hold" it for ever; be "late" with the server's answers, or "trickle" them by bytes.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self.mode: Literal["pass", "hold", "late", "trickle"] = "pass"
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        for each in (self._listener, *self._open):
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                server = socket.create_connection(("127.0.0.1", self._target))
                self._open += [client, server]
                threading.Thread(target=self._pump, args=(client, server), daemon=True).start()
                threading.Thread(target=self._pump, args=(server, client, True), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, answers: bool = False) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self.mode == "trickle" and answers:
                    for byte in data:
                        time.sleep(0.005)
                        target.sendall(bytes([byte]))
                elif self.mode != "hold":
                    if self.mode == "late" and answers:
                        time.sleep(0.1)
                    target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)


def require_redis() -> None:
    """Skips the test where there is no redis-server, unless WENMO_REQUIRE_REDIS=1 says that there must be one."""
    if shutil.which("redis-server") is None:
        if os.environ.get("WENMO_REQUIRE_REDIS") == "1":
            pytest.fail("no redis-server here, and WENMO_REQUIRE_REDIS=1")
        pytest.skip("no redis-server here: install it")
