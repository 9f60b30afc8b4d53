"""What goes wrong while the service is called over real HTTP: no answer is lost or swapped, nobody hangs."""

from __future__ import annotations

import json
import random
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx2
import numpy as np
import psutil
import pytest

import wenmo
from tests.conftest import GOLDEN_MODELS as MODELS
from tests.fakes import FailingRuntime, LengthRuntime
from tests.serving import JSON, serving_here
from tests.waiting import WAIT_S, until
from wenmo.api.routes import create_api
from wenmo.inference.runtime import OnBatch
from wenmo.models.checkpoint import Checkpoint
from wenmo.tokenizer import Encoding
from wenmo.types import Resolved, SchedulerLimits


def texts(count: int) -> list[str]:
    """Different ones of different lengths, the same in every run."""
    drawn = random.Random(7)
    return [
        f"{number}" + "".join(drawn.choices("山水墨纸笔砚云雨风月", k=drawn.randint(1, 60))) for number in range(count)
    ]


def scores(body: dict[str, Any]) -> list[dict[str, float]]:
    return [result["scores"] for result in body["results"]]


def in_reach(expected: dict[str, float]) -> Any:
    # A batch in other company adds up in another order: 1e-5 is what that can do, and far less than lies between texts.
    return pytest.approx(expected, abs=1e-5)


@pytest.fixture(scope="module")
def engine(golden_engine: wenmo.Engine) -> wenmo.Engine:
    return golden_engine


class HeldRuntime(LengthRuntime):
    """Computes inputs of more than `long` pieces only when `hold` is set; counts those that wait."""

    def __init__(self, checkpoint: Checkpoint, *, tokens: int = 1) -> None:
        super().__init__(checkpoint)
        self.hold = threading.Event()
        self.held = 0
        self.seen: list[int] = []
        self._tokens = tokens

    def logits(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
        with self._lock:
            self.seen += map(len, encodings)
            self.held += max(map(len, encodings)) > 20
        if max(map(len, encodings)) > 20:
            assert self.hold.wait(WAIT_S)
        return super().logits(encodings, on_batch=on_batch)

    def batch_tokens(self) -> Resolved[int]:
        return Resolved(value=self._tokens, reason="a test", reason_zh="测试")


class Held:
    """A service on HeldRuntime."""

    def __init__(self, *, tokens: int = 1, limits: SchedulerLimits | None = None, **options: Any) -> None:
        self.engine = wenmo.Engine(
            device="cpu", precision="fp32", models=MODELS, cache_mib=0, limits=limits, make_runtime=self._make(tokens)
        )
        self.engine.model_info("sentiment")
        self.api = create_api(lambda: self.engine, **options)

    def _make(self, tokens: int) -> Any:
        def make(checkpoint: Checkpoint) -> HeldRuntime:
            self.runtime = HeldRuntime(checkpoint, tokens=tokens)
            return self.runtime

        return make

    def waiting(self) -> int:
        return self.engine.scheduler_statistics()["sentiment"].waiting


LONG, SHORT = {"texts": ["长" * 30]}, {"texts": ["短"]}


def test_two_hundred_calls_at_once_each_get_their_own_answer(engine: wenmo.Engine) -> None:
    """Calls of all kinds join batches; a swapped row would be another text's probability."""
    given = texts(200)
    moods = engine.sentiment(given)
    pairs = [(text, "山水") for text in given]
    alike = engine.similarity(pairs)
    sorted_out = engine.zero_shot(given, labels=["天气", "器物"])
    with (
        wenmo.Engine(device="cpu", precision="fp32", models=MODELS, cache_mib=0) as served,
        serving_here(create_api(lambda: served, calls_at_once=200)) as client,
        ThreadPoolExecutor(200) as pool,
    ):

        def call(index: int) -> tuple[dict[str, float], dict[str, float]]:
            if index % 3 == 0:
                response = client.post("/v1/sentiment", json={"texts": [given[index]]})
                expected = moods[index].scores
            elif index % 3 == 1:
                response = client.post("/v1/similarity", json={"pairs": [pairs[index]]})
                expected = alike[index].scores
            else:
                response = client.post("/v1/zero-shot", json={"texts": [given[index]], "labels": ["天气", "器物"]})
                expected = sorted_out[index].scores
            response.raise_for_status()
            return scores(response.json())[0], dict(expected)

        answers = list(pool.map(call, range(200)))
        joined = sum(statistics.joined for statistics in served.scheduler_statistics().values())
    for got, expected in answers:
        assert got == in_reach(expected)
    assert len({json.dumps(got) for got, _ in answers}) > 150  # the answers do differ
    assert joined > 0


def test_small_calls_and_health_pass_sixty_long_ones() -> None:
    """Every call that is let in has a thread: with the usual forty, the next call would wait for the first to end."""
    held = Held()
    with serving_here(held.api) as client, ThreadPoolExecutor(60) as pool:
        long = [pool.submit(client.post, "/v1/sentiment", json=LONG) for _ in range(60)]
        try:
            until(lambda: held.runtime.held == 60)
            assert client.get("/health/live").status_code == client.get("/health/ready").status_code == 200
            assert client.get("/metrics").status_code == 200
            assert client.post("/v1/sentiment", json=SHORT).status_code == 200
            assert not any(call.done() for call in long)
        finally:
            held.runtime.hold.set()
        assert {call.result(WAIT_S).status_code for call in long} == {200}


def test_overload_is_answered_with_results_or_503() -> None:
    """Ten times what the bounds let in: no other status, no answer missing, and afterwards everything is as before."""
    held = Held(tokens=60, limits=SchedulerLimits(waiting_tokens=200, wait_s=WAIT_S), calls_at_once=40)
    with serving_here(held.api) as client, ThreadPoolExecutor(400) as pool:
        calls = [pool.submit(client.post, "/v1/sentiment", json=LONG) for _ in range(400)]
        try:
            until(lambda: sum(call.done() for call in calls) >= 360)  # turned away while the others wait
        finally:
            held.runtime.hold.set()
        responses = [call.result(WAIT_S) for call in calls]
        statuses = Counter(response.status_code for response in responses)
        assert set(statuses) == {200, 503}
        assert statuses[200] >= 1
        assert all("Retry-After" in response.headers for response in responses if response.status_code == 503)
        assert client.post("/v1/sentiment", json=LONG).status_code == 200
    assert held.waiting() == 0


def test_who_goes_away_leaves_the_queue() -> None:
    """Three wait behind a long one, two hang up: they are not computed, the third is."""
    held = Held(tokens=60)
    with serving_here(held.api) as client, ThreadPoolExecutor(2) as pool:
        leader = pool.submit(client.post, "/v1/sentiment", json=LONG)
        until(lambda: held.runtime.held == 1)
        gone = [send(client, "/v1/sentiment", {"texts": ["走" * (3 + number)]}) for number in range(2)]
        until(lambda: held.waiting() == 2)
        stays = pool.submit(client.post, "/v1/sentiment", json={"texts": ["留" * 8]})
        until(lambda: held.waiting() == 3)
        for connection in gone:
            connection.close()
        until(lambda: held.waiting() == 1)
        held.runtime.hold.set()
        assert stays.result(WAIT_S).status_code == leader.result(WAIT_S).status_code == 200
        assert 'status="499"' in client.get("/metrics").text
    assert sorted(held.runtime.seen) == [10, 32]  # with [CLS] and [SEP]


def send(client: httpx2.Client, path: str, body: object) -> socket.socket:
    """A whole request over a connection of its own, whose answer is not waited for."""
    content = json.dumps(body).encode()
    connection = socket.create_connection((client.base_url.host, client.base_url.port))
    head = (
        f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    connection.sendall(head.encode() + content)
    return connection


def test_who_goes_away_in_the_middle_of_a_body_leaves_nothing_behind(engine: wenmo.Engine) -> None:
    with serving_here(create_api(lambda: engine, calls_at_once=3)) as client:
        for _ in range(10):
            connection = socket.create_connection((client.base_url.host, client.base_url.port))
            connection.sendall(
                b"POST /v1/sentiment HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                b'Content-Length: 1000\r\n\r\n{"texts": ["'
            )
            connection.close()
        # Until the server has seen that they are gone.
        until(lambda: client.post("/v1/sentiment", json=SHORT).status_code == 200)
        with ThreadPoolExecutor(3) as pool:  # all three places are free again
            calls = list(pool.map(lambda _: client.post("/v1/sentiment", json=SHORT), range(3)))
    assert {call.status_code for call in calls} == {200}


def test_a_model_that_fails_for_one_input_fails_for_its_caller_alone() -> None:
    """FailingRuntime cannot compute inputs of five pieces: three characters."""
    with (
        wenmo.Engine(
            device="cpu", precision="fp32", models=MODELS, cache_mib=0, make_runtime=FailingRuntime
        ) as failing,
        serving_here(create_api(lambda: failing)) as client,
        ThreadPoolExecutor(40) as pool,
    ):
        given = ["字" * (1 + number % 5) for number in range(100)]
        calls: list[Future[httpx2.Response]] = [
            pool.submit(client.post, "/v1/sentiment", json={"texts": [text]}) for text in given
        ]
        statuses = [call.result(WAIT_S).status_code for call in calls]
        told = calls[2].result().json()
    assert statuses == [503 if len(text) == 3 else 200 for text in given]
    assert told["type"] == "urn:wenmo:problem:forward" and "five" in told["detail"]


DEEP = b'{"texts": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"
MALFORMED = {
    "nothing": (b"", 422),
    "cut off": (b'{"texts": ["a"', 400),
    "NaN": (b'{"texts": [NaN]}', 422),
    "a NaN beside": (b'{"texts": ["a"], "x": -Infinity}', 422),
    "a huge number": (b'{"texts": [1e999999]}', 422),
    "a long number": (b'{"texts": [' + b"9" * 100_000 + b"]}", 400),
    "invalid UTF-8": (b'{"texts": ["\xc3\x28"]}', 400),
    "UTF-16": ('{"texts": ["a"]}'.encode("utf-16"), (200, 400)),
    "a byte order mark": (b'\xef\xbb\xbf{"texts": ["a"]}', (200, 400)),
    "a lone surrogate": (b'{"texts": ["\\ud800"]}', 200),
    "a surrogate as bytes": (b'{"texts": ["\xed\xa0\x80"]}', (200, 400)),
    "a key twice": (b'{"texts": 1, "texts": ["a"]}', 200),  # as Python's json: the last one counts
    "a key twice, the bad one last": (b'{"texts": ["a"], "texts": 1}', 422),
    "deep": (b"[" * 9_000 + b"]" * 9_000, (400, 422)),
    "too deep": (DEEP, 422),  # refused before it is parsed
    "a NUL": (b'{"texts": ["\\u0000"]}', 200),
    "a raw NUL": (b'{"texts": ["\x00"]}', 400),
    "two values": (b'{"texts": ["a"]}{"texts": ["b"]}', 400),
    "a form": (b"texts=a", 400),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_body_is_refused_and_the_connection_goes_on(malformed: httpx2.Client, name: str) -> None:
    content, expected = MALFORMED[name]
    response = malformed.post("/v1/sentiment", content=content, headers=JSON)
    assert response.status_code in (expected if isinstance(expected, tuple) else (expected,)), response.text
    if response.status_code != 200:
        assert response.headers["Content-Type"] == "application/problem+json"
    assert malformed.post("/v1/sentiment", json=SHORT).status_code == 200


@pytest.fixture(scope="module")
def malformed(engine: wenmo.Engine) -> Iterator[httpx2.Client]:
    with serving_here(create_api(lambda: engine)) as client:
        yield client


@pytest.mark.parametrize(
    "kind",
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/json; charset=utf-16",
        "application/",
        "\x80/\xff",
        "a" * 10_000,
    ],
)
def test_no_content_type_breaks_it(malformed: httpx2.Client, kind: str) -> None:
    headers = {"Content-Type": kind.encode("latin-1")}
    for path in ("/v1/sentiment", "/analyze"):
        response = malformed.post(path, content=b'{"texts": ["a"], "text": "a"}', headers=headers)
        assert response.status_code in (200, 400, 422), response.text


@pytest.mark.parametrize(
    "head",
    [
        b"POST /v1/sentiment HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/sentiment HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /v1/sentiment HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"POST /v1/sentiment HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\n" + b"X: x\r\n" * 100_000 + b"\r\n",
        b"GET /" + b"x" * 1_000_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"NONSENSE\r\n\r\n",
    ],
    ids=["negative", "two lengths", "long length", "no chunk", "header", "headers", "path", "TLS", "nonsense"],
)
def test_what_is_no_http_is_refused(malformed: httpx2.Client, head: bytes) -> None:
    with socket.create_connection((malformed.base_url.host, malformed.base_url.port), WAIT_S) as connection:
        try:
            connection.sendall(head)
            answer = connection.recv(1000)
        except (ConnectionResetError, BrokenPipeError):  # it had read enough
            answer = b""
    assert answer == b"" or answer.split(b" ", 2)[1] in (b"400", b"413", b"431"), answer
    assert malformed.post("/v1/sentiment", json=SHORT).status_code == 200


def test_a_body_in_chunks_is_bounded(malformed: httpx2.Client) -> None:
    """Without a Content-Length nobody knows how long it gets: what is over the limit is read, but not kept."""
    before = psutil.Process().memory_info().rss
    response = malformed.post("/v1/sentiment", content=(b" " * 2**20 for _ in range(256)), headers=JSON)
    assert response.status_code == 413
    assert response.headers["Content-Type"] == "application/problem+json"
    assert psutil.Process().memory_info().rss - before < 100 * 2**20
    assert malformed.post("/v1/sentiment", json=SHORT).status_code == 200


def test_the_refusal_of_a_long_body_is_read_by_who_sends_all_of_it(malformed: httpx2.Client) -> None:
    """A server that hung up at once would cut its own answer off."""
    response = malformed.post("/v1/sentiment", content=b" " * 64 * 2**20, headers=JSON)
    assert response.status_code == 413
    assert response.headers["Content-Type"] == "application/problem+json"
