"""Uploaded files: on disk instead of in memory, few at a time, and with a budget for all sessions.

Streamlit keeps what is uploaded in memory until its session ends, two minutes after the browser has gone, and lets
anybody with a websocket upload as much as they like. `python -m wenmo serve` uses this instead; `streamlit run` cannot.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import anyio
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.runtime import Runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.stats import CACHE_MEMORY_FAMILY, CacheStat
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from wenmo.jobs.process_folder import ProcessFolder

ALL_MIB = 2048  # on disk, of all sessions
SESSION_MIB = 512
SESSION_FILES = 32
KEPT_S = 3600.0  # after its last use
AT_ONCE = 8  # that are coming in
START_S, LEAST_BYTES_PER_S = 10.0, 64 << 10
_ROUTE = "/_stcore/upload_file/"


@dataclass(kw_only=True)
class _Held:
    record: UploadedFileRec  # without its data
    path: Path
    size: int
    used_s: float


class Uploads(MemoryUploadedFileManager):
    """The files of all sessions, by session and id. Any thread may use it."""

    def __init__(self, upload_endpoint: str) -> None:
        super().__init__(upload_endpoint)
        self._folder = ProcessFolder("wenmo-uploads-")
        self._held: dict[str, dict[str, _Held]] = {}
        self._guard = threading.Lock()

    def held_bytes(self) -> int:
        with self._guard:
            return self._sum()

    def add_file(self, session_id: str, file: UploadedFileRec) -> None:
        """Keep a file. Raises HTTPException, which the route answers with, where there is no room or no session."""
        size = len(file.data)
        path = self._folder.path / secrets.token_hex(16)
        with self._guard:
            self._sweep()
            session = self._held.get(session_id, {})
            if Runtime.exists() and not Runtime.instance().is_active_session(session_id):
                raise HTTPException(400, "The page that uploads this has been closed.")
            if sum(held.size for held in session.values()) + size > SESSION_MIB << 20 or len(session) >= SESSION_FILES:
                raise HTTPException(413, "This page holds too many files. Remove some, or load the page anew.")
            if self._sum() + size > ALL_MIB << 20:
                raise no_room()
            held = _Held(record=file._replace(data=b""), path=path, size=size, used_s=time.monotonic())
            replaced = session.pop(file.file_id, None)
            self._held[session_id] = {**session, file.file_id: held}
        if replaced is not None:
            replaced.path.unlink(missing_ok=True)
        try:
            path.write_bytes(file.data)
        except OSError as error:
            self.remove_file(session_id, file.file_id)
            raise HTTPException(507, "There is no room on the disk.") from error

    def get_files(self, session_id: str, file_ids: Sequence[str]) -> list[UploadedFileRec]:
        with self._guard:
            session = self._held.get(session_id, {})
            wanted = [session[file_id] for file_id in file_ids if file_id in session]
            for held in wanted:
                held.used_s = time.monotonic()
        found = []
        for held in wanted:
            try:
                found.append(held.record._replace(data=held.path.read_bytes()))
            except FileNotFoundError:  # removed a moment ago
                continue
        return found

    def remove_file(self, session_id: str, file_id: str) -> None:
        with self._guard:
            held = self._held.get(session_id, {}).pop(file_id, None)
        if held is not None:
            held.path.unlink(missing_ok=True)

    def remove_session_files(self, session_id: str) -> None:
        with self._guard:
            session = self._held.pop(session_id, {})
        for held in session.values():
            held.path.unlink(missing_ok=True)

    def get_stats(self, family_names: Sequence[str] | None = None) -> dict[str, list[CacheStat]]:
        stat = CacheStat(category_name="UploadedFileManager", cache_name="", byte_length=self.held_bytes())
        return {CACHE_MEMORY_FAMILY: [stat]} if stat.byte_length else {}

    def close(self) -> None:
        """Delete all files."""
        self._folder.delete()

    def _sum(self) -> int:
        return sum(held.size for session in self._held.values() for held in session.values())

    def _sweep(self) -> None:
        """Delete what nobody has used for KEPT_S. The guard must be held."""
        oldest = time.monotonic() - KEPT_S
        for session_id, session in list(self._held.items()):
            for file_id, held in list(session.items()):
                if held.used_s < oldest:
                    session.pop(file_id).path.unlink(missing_ok=True)
            if not session:
                del self._held[session_id]


def no_room() -> HTTPException:
    return HTTPException(503, "There is no room for more files just now.", headers={"Retry-After": "60"})


class UploadGate:
    """ASGI middleware before the route of uploads: few at a time, each with a size that has room, none too slow.

    Where nothing is held back, Streamlit's own limit for a file and its check of the origin follow.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._coming: list[int] = []  # their sizes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "PUT" or _ROUTE not in scope["path"]:
            await self._app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "")
        if not (length.isascii() and length.isdigit()):
            await PlainTextResponse("An upload has to say its length.", 411)(scope, receive, send)
            return
        size = int(length)
        held = cast("Uploads", Runtime.instance().uploaded_file_mgr).held_bytes() if Runtime.exists() else 0
        if len(self._coming) >= AT_ONCE or held + sum(self._coming) + size > ALL_MIB << 20:
            refusal = no_room()
            await PlainTextResponse(refusal.detail, refusal.status_code, refusal.headers)(scope, receive, send)
            return
        self._coming.append(size)
        try:
            await self._app(scope, _in_time(receive), send)
        finally:
            self._coming.remove(size)


def _in_time(receive: Receive) -> Receive:
    """`receive` for a body that must come at LEAST_BYTES_PER_S, with START_S more."""
    begun, received = time.monotonic(), 0

    async def limited() -> Message:
        nonlocal received
        left = begun + START_S + received / LEAST_BYTES_PER_S - time.monotonic()
        with anyio.move_on_after(max(left, 0)) as waited:
            message = await receive()
            received += len(message.get("body", b""))
            return message
        assert waited.cancelled_caught
        raise HTTPException(408, "The upload is too slow.")

    return limited
