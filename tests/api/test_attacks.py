"""What one caller can do to the others: slow, unfinished, swollen bodies, foreign names, a server that must end."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import anyio
import httpx2
import pytest
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect

import wenmo
from tests.serving import JSON, assert_problem, post, serving, serving_here
from tests.waiting import WAIT_S, until
from wenmo.api import bodies
from wenmo.api.allowed_hosts import AllowedHosts
from wenmo.api.bodies import MAX_VALUES, Bodies, BodyRefused, ClientGone, _values
from wenmo.api.preload import Preload
from wenmo.api.routes import create_api
from wenmo.api.schemas import MAX_BODY_BYTES

# --- bodies ---


def _receive(*parts: bytes, end: bool = True, gone: bool = False) -> bodies.Receive:
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    if end:
        messages.append({"type": "http.request", "body": b"", "more_body": False})
    if gone:
        messages.append({"type": "http.disconnect"})
    coming: Iterator[Message] = iter(messages)

    async def receive() -> Message:
        for message in coming:
            return message
        await anyio.sleep_forever()
        raise AssertionError

    return receive


def test_a_body_is_read_in_one_piece_and_given_back() -> None:
    held = Bodies()
    body = anyio.run(held.read, _receive(b'{"texts":', b'["a"]}'))
    assert body == b'{"texts":["a"]}' and held._held_bytes == len(body)
    held.release(body)
    assert held._held_bytes == 0


@pytest.mark.parametrize(
    ("receive", "status"),
    [
        (_receive(b"{", end=False), 408),
        (_receive(b"x" * MAX_BODY_BYTES, b"y"), 413),
        (_receive(b"[" + b"1," * MAX_VALUES + b"1]"), 422),
    ],
    ids=["unfinished", "long", "many values"],
)
def test_a_body_that_is_refused_holds_nothing(receive: bodies.Receive, status: int) -> None:
    held = Bodies(start_s=0.2)
    with pytest.raises(BodyRefused) as refused:
        anyio.run(held.read, receive)
    assert refused.value.status == status and held._held_bytes == 0


def test_the_room_for_all_bodies_is_bounded() -> None:
    held = Bodies(max_held_bytes=100)
    first = anyio.run(held.read, _receive(b"x" * 60))
    with pytest.raises(BodyRefused) as refused:
        anyio.run(held.read, _receive(b"y" * 60))
    assert refused.value.status == 503
    held.release(first)
    assert anyio.run(held.read, _receive(b"y" * 60))


def test_a_client_that_leaves_gives_its_room_back() -> None:
    held = Bodies()
    with pytest.raises(ClientGone):
        anyio.run(held.read, _receive(b"abc", end=False, gone=True))
    assert held._held_bytes == 0


@pytest.mark.parametrize(
    "text",
    ["," * 50_000, '"' * 50_000, "\\" * 50_000, '[{"a":' * 10_000, '","' * 20_000, "，、" * 20_000],
    ids=["commas", "quotes", "backslashes", "brackets", "both", "Chinese"],
)
def test_what_stands_in_a_text_is_no_value(text: str) -> None:
    body = json.dumps({"texts": [text, text]}).encode()
    assert _values(bytearray(body)) <= 4


def test_values_are_counted_in_linear_time_whatever_comes() -> None:
    """An unterminated string that looks like many: with backtracking this would take hours."""
    assert _values(bytearray(b'"' + b'\\"' * 4_000_000)) == 1
    assert _values(bytearray(b'{"a":' * 1_000_000)) > 1_000_000


@pytest.mark.parametrize(
    "body",
    [
        {"texts": ["a"], "labels": [1] * 1_000_000},
        {"texts": ["a"], **{str(number): 1 for number in range(300_000)}},
        {"texts": [[["a"]]] * 400_000},
    ],
    ids=["labels", "unknown keys", "nested"],
)
def test_a_swollen_body_is_refused_before_it_is_parsed(golden_engine: wenmo.Engine, body: object) -> None:
    with TestClient(create_api(lambda: golden_engine)) as client:
        refused = assert_problem(post(client, "/v1/zero-shot", body), 422)
    assert "10,000 values" in refused["detail"]


def test_the_largest_honest_call_is_let_in(golden_engine: wenmo.Engine) -> None:
    pairs = [["，" * 200, "," * 200]] * 256
    with TestClient(create_api(lambda: golden_engine)) as client:
        assert post(client, "/v1/similarity", {"pairs": pairs}).status_code == 200


@contextmanager
def _unfinished(client: httpx2.Client, path: str) -> Iterator[socket.socket]:
    """A call whose body does not end."""
    with socket.create_connection((client.base_url.host, client.base_url.port)) as connection:
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
        )
        connection.sendall(head.encode() + b"{")
        yield connection


def test_unfinished_bodies_take_no_place(golden_engine: wenmo.Engine) -> None:
    with serving_here(create_api(lambda: golden_engine, calls_at_once=2)) as client, ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(_unfinished(client, "/v1/sentiment"))
        answer = client.post("/v1/sentiment", json={"texts": ["墨色温润"]})
        assert answer.status_code == 200, answer.text


def test_an_unfinished_body_is_told_so(golden_engine: wenmo.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bodies.__init__, "__kwdefaults__", {"start_s": 0.3, "max_held_bytes": 1000})
    with (
        serving_here(create_api(lambda: golden_engine)) as client,
        _unfinished(client, "/v1/sentiment") as connection,
    ):
        connection.settimeout(WAIT_S)
        assert connection.recv(100).startswith(b"HTTP/1.1 408")


# --- names ---


def _named(*names: str) -> TestClient:
    async def home(_request: object) -> PlainTextResponse:
        return PlainTextResponse("here")

    async def stream(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.close()

    app = Starlette(
        routes=[Route("/", home), WebSocketRoute("/stream", stream)],
        middleware=[Middleware(AllowedHosts, names=names)],
    )
    return TestClient(app)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8501", 200),
        ("127.0.0.1", 200),
        ("192.168.1.5:8501", 200),
        ("[::1]:8501", 200),
        ("wenmo", 200),
        ("app.localhost", 200),
        ("wenmo.example.org", 200),
        ("WENMO.example.org:443", 200),
        ("a.teams.example.org", 200),
        ("evil.example", 421),
        ("evil.example:8501", 421),
        ("teams.example.org", 421),
        ("wenmo.example.org.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
    ],
)
def test_only_expected_names_are_answered(host: str, status: int) -> None:
    client = _named("wenmo.example.org", "*.teams.example.org")
    response = client.get("/", headers={"Host": host})
    assert response.status_code == status
    if status == 421:
        assert "WENMO_ALLOWED_HOSTS" in assert_problem(response, 421)["detail"]
        with pytest.raises(WebSocketDisconnect), client.websocket_connect("/stream", headers={"Host": host}):
            pass
    else:
        with client.websocket_connect("/stream", headers={"Host": host}):
            pass


def test_all_names_where_the_operator_says_so() -> None:
    assert _named("*").get("/", headers={"Host": "any.example"}).status_code == 200


def test_the_app_refuses_a_foreign_name(tmp_path: Path) -> None:
    """Pages and REST alike; a websocket under the name, with the origin of the same site, does not open."""
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import connect

    with serving(tmp_path) as (client, _):
        foreign = {"Host": "evil.example"}
        assert client.get("/", headers=foreign).status_code == 421
        assert client.get("/api/health", headers=foreign).status_code == 421
        assert client.get("/api/health").status_code == 200
        port = client.base_url.port
        with pytest.raises(InvalidStatus):
            connect(
                f"ws://evil.example:{port}/_stcore/stream",
                sock=socket.create_connection(("127.0.0.1", port)),
                origin=f"http://evil.example:{port}",  # type: ignore[arg-type]
                proxy=None,
            )


# --- what is told, and the end ---


def test_readiness_tells_no_path(tmp_path: Path) -> None:
    secret = tmp_path / "secret-model"

    def engine() -> wenmo.Engine:
        raise wenmo.CheckpointError(f"{secret} has no vocab.txt.", f"{secret} 里没有 vocab.txt。")

    preload = Preload(engine, ["sentiment"], retry_s=60)
    with TestClient(create_api(engine)) as plain, TestClient(create_api(engine, preload=preload)) as loading:
        preload.start()
        until(lambda: preload.error is not None)
        for client in (plain, loading):
            told = assert_problem(client.get("/health/ready"), 503)["detail"]
            assert "secret" not in told and "log" in told
        preload.stop()


@pytest.mark.parametrize("options", [(), ("--api-only",)], ids=["pages", "REST"])
def test_an_unfinished_body_does_not_keep_it_alive(tmp_path: Path, options: tuple[str, ...]) -> None:
    path = "/v1/sentiment" if options else "/api/v1/sentiment"
    health = "/health/live" if options else "/_stcore/health"
    with (
        serving(
            tmp_path,
            program=("-m", "wenmo", "serve", *options),
            health=health,
            environment={"WENMO_WAIT_S": "1", "WENMO_PRELOAD": ""},
        ) as (client, process),
        _unfinished(client, path),
    ):
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        process.wait(1 + 10 + 10)  # WENMO_WAIT_S, ten seconds, and what a loaded machine takes


def test_a_model_that_waits_for_its_hub_does_not_keep_it_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    stuck = threading.Event()

    def engine() -> wenmo.Engine:
        stuck.wait(WAIT_S)
        raise wenmo.DownloadError("away", "不在")

    monkeypatch.setattr("wenmo.api.preload._STOP_S", 0.1)
    preload = Preload(engine, ["sentiment"])
    preload.start()
    preload.stop()
    assert preload._thread.is_alive()  # left behind: it is a daemon
    stuck.set()
    preload._thread.join(WAIT_S)


def test_health_is_answered_beside_a_large_call(golden_engine: wenmo.Engine) -> None:
    """A body of the greatest size is read and refused while others are answered."""
    large = json.dumps({"texts": ["a"], "labels": [1] * 4_000_000}).encode()[: MAX_BODY_BYTES - 1]
    with serving_here(create_api(lambda: golden_engine)) as client:
        sender = threading.Thread(target=lambda: client.post("/v1/zero-shot", content=large, headers=JSON))
        sender.start()
        while sender.is_alive():
            assert client.get("/health/live").status_code == 200
        sender.join()
