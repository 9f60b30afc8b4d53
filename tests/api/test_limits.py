"""Who is let in how often, from where, and under which headers: the rate limit, CORS, bodies, /docs."""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient

import wenmo
from tests.serving import assert_problem, post
from wenmo.api.preload import Preload
from wenmo.api.rate_limit import TokenBuckets, client_of
from wenmo.api.routes import create_api
from wenmo.api.schemas import MAX_BODY_BYTES

BODY = {"texts": ["墨"]}


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def engine(golden_engine: wenmo.Engine) -> wenmo.Engine:
    return golden_engine


# --- the rate ---


def test_a_bucket_holds_a_minutes_worth_and_is_refilled_evenly() -> None:
    clock = Clock()
    buckets = TokenBuckets(6, clock=clock)
    assert [buckets.take("a") for _ in range(7)] == [0.0] * 6 + [10.0]  # one token every ten seconds
    assert buckets.take("b") == 0.0  # another client's is its own
    clock.now += 4
    assert buckets.take("a") == pytest.approx(6.0)
    clock.now += 6
    assert buckets.take("a") == 0.0
    assert buckets.take("a") > 0
    clock.now += 3600  # however long one waits, no more than a minute's worth
    assert [buckets.take("a") == 0.0 for _ in range(7)] == [True] * 6 + [False]


def test_a_refused_call_costs_no_token() -> None:
    """Else a client that keeps on trying would never be let in again."""
    clock = Clock()
    buckets = TokenBuckets(1, clock=clock)
    buckets.take("a")
    for _ in range(10):
        clock.now += 5
        buckets.take("a")
    clock.now += 11
    assert buckets.take("a") == 0.0


def test_only_so_many_clients_are_remembered() -> None:
    buckets = TokenBuckets(1, clients=100, clock=Clock())
    for number in range(10_000):
        buckets.take(str(number))
    assert buckets.take("9999") > 0
    assert buckets.take("0") == 0.0  # forgotten, and begins anew
    assert len(buckets._buckets) == 100


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("unix", "unix", True),
    ],
)
def test_a_client_is_an_address_or_an_ipv6_network(one: str, other: str, same: bool) -> None:
    assert (client_of({"client": (one, 1)}) == client_of({"client": (other, 2)})) is same
    assert client_of({"client": None}) == client_of({})


def test_who_calls_too_often_is_told_when_to_come_back(engine: wenmo.Engine) -> None:
    with TestClient(create_api(lambda: engine, requests_per_minute=2)) as client:
        assert [post(client, "/v1/sentiment", BODY).status_code for _ in range(3)] == [200, 200, 429]
        for accepted in ("en", "zh"):
            refused = post(client, "/v1/sentiment", BODY, **{"Accept-Language": accepted})
            assert assert_problem(refused, 429)["type"] == "urn:wenmo:problem:rate-limited"
            assert 1 <= int(refused.headers["Retry-After"]) <= 30
        # No header of the caller's choosing makes it somebody else.
        forged = {"X-Forwarded-For": "192.0.2.7", "Forwarded": "for=192.0.2.7", "X-Real-IP": "192.0.2.7"}
        assert post(client, "/v1/sentiment", BODY, **forged).status_code == 429
        assert [client.get("/health/live").status_code for _ in range(20)] == [200] * 20
        assert client.get("/health/ready").status_code == 200
    with TestClient(create_api(lambda: engine, requests_per_minute=2), client=("192.0.2.9", 1)) as other:
        assert post(other, "/v1/sentiment", BODY).status_code == 200


def test_guesses_at_the_token_are_limited_too(engine: wenmo.Engine) -> None:
    api = create_api(lambda: engine, token="correct-horse-battery", requests_per_minute=3)
    with TestClient(api) as client:
        statuses = [post(client, "/v1/sentiment", BODY, Authorization=f"Bearer {n}").status_code for n in range(5)]
    assert statuses == [401, 401, 401, 429, 429]


def test_no_limit_unless_asked_for(engine: wenmo.Engine) -> None:
    with TestClient(create_api(lambda: engine)) as client:
        assert {post(client, "/v1/sentiment", BODY).status_code for _ in range(300)} == {200}


# --- pages of other sites ---

SITE = "https://app.example.org"
PREFLIGHT = {
    "Origin": SITE,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type",
}


def test_other_sites_are_shut_out_by_default(engine: wenmo.Engine) -> None:
    with TestClient(create_api(lambda: engine)) as client:
        for response in (
            client.options("/v1/sentiment", headers=PREFLIGHT),
            post(client, "/v1/sentiment", BODY, Origin=SITE),
        ):
            assert not [name for name in response.headers if name.startswith("access-control")]


def test_a_site_that_is_named_may_call_and_read_refusals(engine: wenmo.Engine) -> None:
    api = create_api(lambda: engine, token="correct-horse-battery", cors_origins=[SITE])
    with TestClient(api) as client:
        preflight = client.options("/v1/sentiment", headers=PREFLIGHT)
        assert preflight.status_code == 200
        refused = post(client, "/v1/sentiment", BODY, Origin=SITE)
        assert_problem(refused, 401)
        for response in (preflight, refused):
            assert response.headers["Access-Control-Allow-Origin"] == SITE
            assert "Access-Control-Allow-Credentials" not in response.headers
        other = client.options("/v1/sentiment", headers={**PREFLIGHT, "Origin": "https://app.example.org.evil.test"})
        assert other.status_code == 400 and "Access-Control-Allow-Origin" not in other.headers


# --- bodies and headers ---


@pytest.mark.parametrize("path", ["/v1/sentiment", "/analyze", "/nowhere"])
def test_a_body_is_refused_by_its_announced_length_alone(engine: wenmo.Engine, path: str) -> None:
    with TestClient(create_api(lambda: engine)) as client:
        request = client.build_request("POST", path, content=b"{}", headers={"Content-Type": "application/json"})
        request.headers["Content-Length"] = str(MAX_BODY_BYTES + 1)
        assert_problem(client.send(request), 413)
        request.headers["Content-Length"] = "9" * 19
        assert_problem(client.send(request), 413)


def test_every_answer_bears_the_headers_that_keep_browsers_from_guessing(engine: wenmo.Engine) -> None:
    with TestClient(create_api(lambda: engine, token="correct-horse-battery")) as client:
        for path in ("/v1/sentiment", "/health", "/nowhere", "/docs"):
            headers = client.get(path).headers
            assert headers["X-Content-Type-Options"] == "nosniff", path
            assert headers["Referrer-Policy"] == "no-referrer"
            assert headers["Cache-Control"] == "no-store"
            assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
            assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_the_page_of_the_routes_loads_nothing_from_elsewhere(engine: wenmo.Engine) -> None:
    with TestClient(create_api(lambda: engine)) as client:
        response = client.get("/docs")
        schema = client.get("/openapi.json").json()
    assert response.headers["Content-Type"].startswith("text/html")
    assert "script-src" not in response.headers["Content-Security-Policy"]  # so default-src 'none' holds for scripts
    assert "unsafe" not in response.headers["Content-Security-Policy"]
    assert not re.search(r"<script|https?://|//|\bsrc=|@import|url\(", response.text)
    assert 'href="openapi.json"' in response.text
    for path, operations in schema["paths"].items():
        for method in operations:
            assert f"<code>{method.upper()} {path}</code>" in response.text


# --- readiness ---


def test_ready_only_when_the_models_are_loaded(engine: wenmo.Engine) -> None:
    preload = Preload(lambda: engine, ["similarity", "sentiment"])
    with TestClient(create_api(lambda: engine, preload=preload)) as client:
        waiting = client.get("/health/ready")
        assert "similarity, sentiment" in assert_problem(waiting, 503)["detail"]
        assert waiting.headers["Retry-After"] == "1"
        assert client.get("/health/live").status_code == 200
        preload.start()
        preload._thread.join(60)
        assert {"similarity", "sentiment"} <= set(client.get("/health/ready").json()["loaded"])


def test_a_model_that_cannot_be_loaded_is_tried_again(engine: wenmo.Engine) -> None:
    """The hub may be away for a while; the other models do not wait for it."""
    asked: list[str] = []

    class Flaky:
        def model_info(self, task: str) -> object:
            asked.append(task)
            if task == "similarity" and asked.count("similarity") < 3:
                raise wenmo.DownloadError("the hub is away", "无法连接")
            return engine.model_info(task)  # type: ignore[arg-type]

    preload = Preload(lambda: Flaky(), ["similarity", "sentiment"], retry_s=0.01)  # type: ignore[arg-type, return-value]
    preload._attempt()
    assert preload.missing == ("similarity",)
    with TestClient(create_api(lambda: engine, preload=preload)) as client:
        told = assert_problem(client.get("/health/ready"), 503)["detail"]
        assert "similarity. The last attempt failed" in told and "hub" not in told  # anybody may ask
        preload.start()
        preload._thread.join(60)
        assert client.get("/health/ready").status_code == 200
    assert asked == ["similarity", "sentiment", "similarity", "similarity"]
    preload.stop()
