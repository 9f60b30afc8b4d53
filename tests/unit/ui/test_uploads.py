"""Uploaded files are on disk, within a budget of all sessions, and go with their session, their age or the process."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import httpx2
import pytest
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from streamlit.runtime import Runtime
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from wenmo.ui.shell import uploads
from wenmo.ui.shell.uploads import UploadGate, Uploads

MIB = 2**20


@pytest.fixture(autouse=True)
def _no_runtime(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Runtime, "exists", lambda: False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def held() -> Iterator[Uploads]:
    made = Uploads("/upload")
    yield made
    made.close()


def _file(file_id: str, size: int = 10) -> UploadedFileRec:
    return UploadedFileRec(file_id=file_id, name="评论.csv", type="text/csv", data=b"x" * size)


def _on_disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_a_file_is_on_disk_and_comes_back(held: Uploads, tmp_path: Path) -> None:
    held.add_file("a", _file("1", MIB))
    held.add_file("a", _file("2"))
    assert _on_disk(tmp_path) == held.held_bytes() == MIB + 10
    assert held.get_files("a", ["2", "1", "3"]) == [_file("2"), _file("1", MIB)]
    assert held.get_files("b", ["1"]) == []  # nobody else's
    assert not held.file_storage  # in memory
    held.add_file("a", _file("1"))  # replaces it
    assert held.held_bytes() == _on_disk(tmp_path) == 20
    held.remove_file("a", "1")
    held.remove_file("a", "1")
    assert held.held_bytes() == _on_disk(tmp_path) == 10
    held.remove_session_files("a")
    assert held.held_bytes() == _on_disk(tmp_path) == 0 and held.get_stats() == {}
    held.add_file("a", _file("1"))
    held.close()
    assert not list(tmp_path.iterdir())


def test_all_sessions_have_one_budget(held: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "ALL_MIB", 3)
    monkeypatch.setattr(uploads, "SESSION_MIB", 2)
    held.add_file("a", _file("1", 2 * MIB))
    for session, status in (("a", 413), ("b", 503)):
        with pytest.raises(HTTPException) as refused:
            held.add_file(session, _file("2", 1 + MIB * (session == "b")))
        assert refused.value.status_code == status
    held.remove_session_files("a")
    held.add_file("b", _file("2", MIB))


def test_a_session_has_few_files(held: Uploads) -> None:
    for number in range(uploads.SESSION_FILES):
        held.add_file("a", _file(str(number)))
    with pytest.raises(HTTPException):
        held.add_file("a", _file("one more"))


def test_what_nobody_uses_is_swept(held: Uploads, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    held.add_file("a", _file("1"))
    monkeypatch.setattr(uploads, "KEPT_S", -1.0)
    held.add_file("b", _file("2"))
    assert held.get_files("a", ["1"]) == [] and held.held_bytes() == _on_disk(tmp_path) == 10


class _Closed:
    def is_active_session(self, _: str) -> bool:
        return False


def test_a_session_that_ended_meanwhile_leaves_nothing(held: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Runtime, "exists", lambda: True)
    monkeypatch.setattr(Runtime, "instance", _Closed)
    with pytest.raises(HTTPException):
        held.add_file("a", _file("1"))
    assert held.held_bytes() == 0


# --- the gate ---


async def _taken(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


def _client() -> TestClient:
    routes = [Route("/_stcore/upload_file/{session}/{file}", _taken, methods=["PUT"])]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(UploadGate)]))


def test_an_upload_says_its_length_and_has_room(monkeypatch: pytest.MonkeyPatch) -> None:
    client = _client()
    path = "/_stcore/upload_file/a/1"
    assert client.put(path, content=b"x" * 1000).text == "1000"
    assert client.put(path, content=iter([b"x"])).status_code == 411
    monkeypatch.setattr(uploads, "ALL_MIB", 0)
    refused = client.put(path, content=b"x")
    assert refused.status_code == 503 and refused.headers["retry-after"]


def test_a_slow_upload_ends_and_few_come_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "START_S", 0.3)
    monkeypatch.setattr(uploads, "AT_ONCE", 2)
    app = Starlette(
        routes=[Route("/_stcore/upload_file/{session}/{file}", _taken, methods=["PUT"])],
        middleware=[Middleware(UploadGate)],
    )

    async def slow() -> AsyncIterator[bytes]:
        yield b"x"
        await anyio.sleep(30)

    async def put_three() -> list[int]:
        statuses: list[int] = []
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://a") as client:

            async def put() -> None:
                url, length = "/_stcore/upload_file/a/1", {"Content-Length": "100"}
                statuses.append((await client.put(url, content=slow(), headers=length)).status_code)

            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(put)
        return statuses

    assert anyio.run(put_three) == [503, 408, 408]
