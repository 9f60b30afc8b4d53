"""A model hub on the loopback, small but real: ModelScope's own client downloads from it over HTTP.

It speaks the two requests that the client needs, as the hub does: the list of files with sizes and SHA-256, and a
file's bytes, whole or from an offset on (`Range`). It can also fail in the ways in which networks and hubs fail.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

_ROUTE = re.compile(r"/api/v1/models/(?P<id>[^/]+/[^/]+)/(?P<what>repo/files|repo)")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the client asked for. `file` is None for the list of files, `first_byte` None without a Range."""

    path: str
    file: str | None
    first_byte: int | None


@dataclass(kw_only=True)
class FakeHub:
    """Serves `models`: hub id -> folder. Use as a context manager; the fields may be changed while it runs."""

    models: Mapping[str, Path]
    cut_after_bytes: dict[str, int] = field(default_factory=dict)  # file -> no byte behind this one ever arrives
    wrong_bytes: set[str] = field(default_factory=set)  # files whose first byte is not what the list says
    status: int | None = None  # answer everything with this HTTP status
    body: bytes | None = None  # answer everything with 200 and this
    requests: list[Request] = field(default_factory=list)

    def __enter__(self) -> FakeHub:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()  # from here on connections are refused

    def files_asked_for(self) -> list[str]:
        """Names of the files whose bytes were asked for, in the order of the requests."""
        return [request.file for request in self.requests if request.file is not None]


def _handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            file = parse_qs(url.query).get("FilePath", [None])[0]
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            first_byte = int(asked[1]) if asked else None
            hub.requests.append(Request(path=url.path, file=file, first_byte=first_byte))
            if hub.status is not None:
                return self._json(hub.status, {"Code": hub.status, "Message": "told to fail", "Success": False})
            if hub.body is not None:
                return self._bytes(hub.body)
            route = _ROUTE.fullmatch(url.path)
            folder = hub.models.get(route["id"]) if route else None
            if route is None or folder is None:
                return self._json(404, {"Code": 10010205001, "Message": "模型不存在", "Success": False})
            if route["what"] == "repo/files":
                files = [_listed(path) for path in sorted(folder.iterdir())]
                return self._json(200, {"Code": 200, "Data": {"Files": files}, "Success": True})
            if file is None or not (folder / file).is_file():
                return self._json(404, {"Code": 404, "Message": "no such file", "Success": False})
            return self._file(folder / file, first_byte)

        def _file(self, path: Path, first_byte: int | None) -> None:
            data = path.read_bytes()
            if path.name in hub.wrong_bytes:
                data = bytes([data[0] ^ 1]) + data[1:]
            start = first_byte or 0
            self.send_response(200 if first_byte is None else 206)
            self.send_header("Content-Length", str(len(data) - start))
            if first_byte is not None:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.end_headers()
            self.wfile.write(data[start : hub.cut_after_bytes.get(path.name, len(data))])
            self.close_connection = True

        def _json(self, status: int, content: dict[str, Any]) -> None:
            self._bytes(json.dumps(content).encode(), status)

        def _bytes(self, data: bytes, status: int = 200) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


def _listed(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    return {
        "Path": path.name,
        "Name": path.name,
        "Type": "blob",
        "Size": len(data),
        "Sha256": hashlib.sha256(data).hexdigest(),
    }
