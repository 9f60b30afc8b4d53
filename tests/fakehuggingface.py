"""Hugging Face's hub on the loopback, small but real: its own client downloads from it over HTTP.

It speaks what the client needs: a model's revision, its tree, and a file's head and bytes, whole or from an offset on.
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
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
_INFO = re.compile(r"/api/models/(?P<id>[^/]+/[^/]+)(/revision/[^/]+)?")
_TREE = re.compile(r"/api/models/(?P<id>[^/]+/[^/]+)/tree/[^/]+(/.*)?")
_FILE = re.compile(r"/(?P<id>[^/]+/[^/]+)/resolve/[^/]+/(?P<file>.+)")


@dataclass(frozen=True, kw_only=True)
class Request:
    """`first_byte` is None without a Range."""

    method: str
    path: str
    first_byte: int | None


@dataclass(kw_only=True)
class FakeHuggingFace:
    """Serves `models`: id -> folder. Use as a context manager; the fields may be changed while it runs."""

    models: Mapping[str, Path]
    cut_after_bytes: dict[str, int] = field(default_factory=dict)  # file -> no byte behind this one ever arrives
    cut_once: dict[str, int] = field(default_factory=dict)  # the same, for the first request of the file
    status: int | None = None  # answer everything with this HTTP status
    requests: list[Request] = field(default_factory=list)

    def __enter__(self) -> FakeHuggingFace:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def files_asked_for(self) -> list[tuple[str, int | None]]:
        """The files whose bytes were asked for, each with the first byte."""
        found = [(_FILE.fullmatch(request.path), request) for request in self.requests if request.method == "GET"]
        return [(match["file"], request.first_byte) for match, request in found if match]


def _handler(hub: FakeHuggingFace) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def _answer(self) -> None:
            path = unquote(urlsplit(self.path).path)
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            first_byte = int(asked[1]) if asked else None
            hub.requests.append(Request(method=self.command, path=path, first_byte=first_byte))
            if hub.status is not None:
                return self._json(hub.status, {"error": "told to fail"})
            for route, answer in ((_TREE, self._tree), (_INFO, self._info), (_FILE, self._file)):
                match = route.fullmatch(path)
                if match is None:
                    continue
                folder = hub.models.get(match["id"])
                if folder is None:
                    return self._json(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
                return answer(folder, match, first_byte)
            return self._json(404, {"error": "no such path"})

        def _info(self, folder: Path, match: re.Match[str], _: int | None) -> None:
            files = [{"rfilename": name} for name in _files(folder)]
            self._json(200, {"id": match["id"], "modelId": match["id"], "sha": COMMIT, "siblings": files, "tags": []})

        def _tree(self, folder: Path, match: re.Match[str], _: int | None) -> None:
            tree = [
                {"type": "file", "path": name, "size": (folder / name).stat().st_size, "oid": _etag(folder / name)}
                for name in _files(folder)
            ]
            self._json(200, tree)

        def _file(self, folder: Path, match: re.Match[str], first_byte: int | None) -> None:
            path = folder / match["file"]
            if not path.is_file():
                return self._json(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound"})
            data, start = path.read_bytes(), first_byte or 0
            self.send_response(200 if first_byte is None else 206)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{_etag(path)}"')
            self.send_header("Content-Length", str(len(data) - start))
            if first_byte is not None:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.end_headers()
            if self.command == "GET":
                end = hub.cut_once.pop(path.name, None) or hub.cut_after_bytes.get(path.name, len(data))
                self.wfile.write(data[start:end])
                self.close_connection = True

        def _json(self, status: int, content: Any, headers: Mapping[str, str] | None = None) -> None:
            data = json.dumps(content).encode()
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _etag(path: Path) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()
