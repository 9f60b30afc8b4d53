"""The REST routes through a client, on the golden checkpoints: answers equal the engine's, and no body makes a 500."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pynvml
import pytest
from fastapi.testclient import TestClient

import wenmo
from tests.conftest import GOLDEN_MODELS as MODELS
from tests.fakenvml import GIB, Device, FakeNvml
from tests.serving import JSON, assert_problem, post
from wenmo.api.error_handlers import MAX_ERRORS_LISTED
from wenmo.api.metrics import Metrics
from wenmo.api.problems import PROBLEM_TYPES
from wenmo.api.routes import create_api
from wenmo.api.schemas import (
    MAX_ANALYZE_CHARACTERS,
    MAX_BODY_BYTES,
    MAX_CHARACTERS,
    MAX_LABEL_CHARACTERS,
    MAX_LABELS,
    MAX_TEXTS,
)
from wenmo.errors import WenmoError

ROUTES = ("/v1/similarity", "/v1/sentiment", "/v1/zero-shot", "/v1/embed", "/v1/rerank")

# Texts that are legal, whatever they look like.
TEXTS = ["雨后的院子很清静", "", "   ", "墨", "😀🖌️", "a\x00b\x07", "<b>粗</b> **体**", "\ud800", "\udfff墨", "长" * 600]


@pytest.fixture(scope="module")
def engine(golden_engine: wenmo.Engine) -> wenmo.Engine:
    return golden_engine


@pytest.fixture(scope="module")
def client(engine: wenmo.Engine) -> Iterator[TestClient]:
    # A server's failure is to be seen as the client sees it, not as an exception of the test.
    with TestClient(create_api(lambda: engine), raise_server_exceptions=False) as client:
        yield client


# --- answers ---


def test_similarity_equals_the_engine(client: TestClient, engine: wenmo.Engine) -> None:
    pairs = [(text, "院子里下过雨") for text in TEXTS]
    body = post(client, "/v1/similarity", {"pairs": pairs}).json()
    assert body["results"] == [
        {
            "label": result.label,
            "score": result.score,
            "scores": dict(result.scores),
            "truncated": result.truncated,
            "similarity": result.similarity,
            **({"unknown": result.unknown} if result.unknown else {}),
        }
        for result in engine.similarity(pairs)
    ]
    assert body["model"] == MODELS["similarity"]
    assert body["precision"] == "fp32"
    assert [result["truncated"] for result in body["results"]] == [False] * (len(TEXTS) - 1) + [True]


def test_sentiment_equals_the_engine(client: TestClient, engine: wenmo.Engine) -> None:
    body = post(client, "/v1/sentiment", {"texts": TEXTS}).json()
    expected = engine.sentiment(TEXTS)
    assert [result["scores"] for result in body["results"]] == [dict(result.scores) for result in expected]
    assert [result["positive"] for result in body["results"]] == [result.positive for result in expected]
    assert body["model"] == MODELS["sentiment"]


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize(
    "labels", [["天气", "器物"], "天气， 器物,,食物", ["天气", " ", "天气"], ["\ud800", "<i>器物</i>"], ["天气"]]
)
def test_zero_shot_equals_the_engine(
    client: TestClient, engine: wenmo.Engine, labels: list[str] | str, multi_label: bool
) -> None:
    request = {"texts": TEXTS, "labels": labels, "template": "说的是{}", "multi_label": multi_label}
    body = post(client, "/v1/zero-shot", request).json()
    expected = engine.zero_shot(TEXTS, labels=labels, template="说的是{}", multi_label=multi_label)
    # As lists: the order of the scores, best first, is part of the answer.
    assert [list(result["scores"].items()) for result in body["results"]] == [
        list(result.scores.items()) for result in expected
    ]
    assert [result["dropped_labels"] for result in body["results"]] == [list(r.dropped_labels) for r in expected]
    assert [result["multi_label"] for result in body["results"]] == [result.multi_label for result in expected]
    assert body["model"] == MODELS["zero_shot"]


def test_rerank_orders_by_the_engines_similarity(client: TestClient, engine: wenmo.Engine) -> None:
    documents = [*TEXTS, "院子里下过雨"]
    scores = [result.similarity for result in engine.similarity([("雨后的院子", text) for text in documents])]
    body = post(client, "/v1/rerank", {"query": "雨后的院子", "documents": documents}).json()
    order = sorted(range(len(documents)), key=lambda index: -scores[index])
    assert body["results"] == [
        {"index": index, "relevance_score": scores[index], "truncated": len(documents[index]) > 500} for index in order
    ]
    request = {"query": "雨后的院子", "documents": documents, "top_n": 2, "return_documents": True, "model": "any"}
    body = post(client, "/v1/rerank", request).json()
    assert [result["document"]["text"] for result in body["results"]] == [documents[index] for index in order[:2]]
    assert_problem(post(client, "/v1/rerank", {**request, "top_n": 0}), 422)


@pytest.mark.parametrize(
    "more",
    [
        {
            "return_len": "true",
            "rank_fields": ["text"],
            "max_chunks_per_doc": 10,
            "raw_scores": False,
            "truncate": None,
        },
        {"model": None, "top_n": None, "return_documents": None},
        {"model": {"name": "x"}, "top_n": "2", "return_documents": "true"},
        {"top_k": 2, "return_text": 1},
        {"top_n": 100, "return_documents": "False"},
    ],
)
def test_rerank_takes_the_bodies_of_other_services(
    client: TestClient, engine: wenmo.Engine, more: dict[str, Any]
) -> None:
    documents = ["发票在哪里下载", {"text": "营业时间是几点", "id": 7}, {"text": "如何申请电子发票"}]
    texts = ["发票在哪里下载", "营业时间是几点", "如何申请电子发票"]
    similar = [result.similarity for result in engine.similarity([("怎么开发票", text) for text in texts])]
    order = sorted(range(3), key=lambda index: -similar[index])
    count = int(more.get("top_n") or more.get("top_k") or 3)
    repeats = str(more.get("return_documents", more.get("return_text"))).lower() in ("true", "1")
    for name in ("documents", "texts"):
        response = post(client, "/v1/rerank", {"query": "怎么开发票", name: documents, **more})
        assert response.status_code == 200, response.text
        results = response.json()["results"]
        assert [result["index"] for result in results] == order[:count]
        assert [result.get("document") for result in results] == [
            {"text": texts[index]} if repeats else None for index in order[:count]
        ]


@pytest.mark.parametrize(
    "more",
    [
        {"documents": [None]},
        {"documents": [{"title": "无"}]},
        {"documents": [{"text": 5}]},
        {"documents": [5]},
        {"documents": "一篇"},
        {"documents": None},
        {"query": None},
        {"top_n": "two"},
        {"top_n": 1.5},
        {"top_n": -1},
        {"return_documents": "perhaps"},
        {"return_documents": []},
    ],
)
def test_rerank_names_what_does_not_fit(client: TestClient, more: dict[str, Any]) -> None:
    body = post(client, "/v1/rerank", {"query": "怎么开发票", "documents": ["一篇"], **more})
    problem = assert_problem(body, 422)
    assert problem["errors"][0]["pointer"].startswith("#/" + next(iter(more)))


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready", "/metrics", "/docs"])
def test_head_is_answered_as_get_is(client: TestClient, path: str) -> None:
    head, get = client.head(path), client.get(path)
    assert (head.status_code, head.headers["content-type"]) == (get.status_code, get.headers["content-type"])


def test_a_slash_at_the_end_is_no_other_address(client: TestClient, engine: wenmo.Engine) -> None:
    """Not even by a redirect, whose address would be the one behind a proxy."""
    for path in (*ROUTES, "/analyze"):
        body = {"texts": ["墨"], "labels": ["甲"], "text": "墨", "pairs": [["墨", "砚"]], "query": "墨"}
        fields = {"/v1/similarity": ["pairs"], "/v1/zero-shot": ["texts", "labels"], "/v1/rerank": ["query", "texts"]}
        asked = {name: body[name] for name in fields.get(path, ["text"] if path == "/analyze" else ["texts"])}
        plain, slashed = post(client, path, asked), post(client, f"{path}/", asked)
        assert (slashed.status_code, slashed.json()) == (200, plain.json())
    for path in ("/health/live/", "/health/ready//", "/metrics/"):
        assert client.get(path, follow_redirects=False).status_code == 200
    assert_problem(client.get("/made/up/", follow_redirects=False), 404)
    with TestClient(create_api(lambda: engine, token="correct-horse-battery")) as guarded:
        assert guarded.get("/health/live/").status_code == 200
        assert guarded.get("/metrics/").status_code == 401


def test_texts_times_labels_are_bounded(client: TestClient) -> None:
    """256 texts and 200 labels are each allowed: together they would be 51,200 forwards in one call."""
    request = {"texts": ["墨"] * 200, "labels": [str(number) for number in range(21)]}
    problem = assert_problem(post(client, "/v1/zero-shot", request), 422)
    assert "4200" in problem["detail"]


# --- who may call ---


def test_with_a_token_only_who_brings_it_is_let_in(engine: wenmo.Engine) -> None:
    token = "correct-horse-battery"
    with TestClient(create_api(lambda: engine, token=token)) as guarded:
        for wrong in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {token}"}):
            response = post(guarded, "/v1/sentiment", {"texts": ["墨"]}, **wrong)
            assert_problem(response, 401)
            assert response.headers["WWW-Authenticate"] == "Bearer"
        assert post(guarded, "/v1/sentiment", {"texts": ["墨"]}, Authorization=f"Bearer {token}").status_code == 200
        assert guarded.get("/openapi.json").status_code == 401
        assert guarded.get("/health/live").status_code == guarded.get("/health/ready").status_code == 200


def test_a_call_is_known_by_its_id(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="wenmo.api")
    response = post(client, "/v1/sentiment", {"texts": ["只此一句"]}, **{"X-Request-ID": "order-7"})
    assert response.headers["X-Request-ID"] == "order-7"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "POST /v1/sentiment 200" in caplog.text and "order-7" in caplog.text and "只此一句" not in caplog.text
    made_up = post(client, "/v1/sentiment", {"texts": ["墨"]}, **{"X-Request-ID": "a b\x7f"}).headers["X-Request-ID"]
    assert len(made_up) == 32 and made_up.isalnum()


def test_metrics_count_what_was_called(engine: wenmo.Engine) -> None:
    with TestClient(create_api(lambda: engine)) as fresh:
        for text in ("一度", "一度", "另一度"):
            post(fresh, "/v1/sentiment", {"texts": [text]})
        fresh.get("/no/such/place")
        fresh.get("/v1/sentiment/made/up")
        before = engine.cache_statistics()
        lines = fresh.get("/metrics").text.splitlines()
    figures = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert figures['wenmo_http_request_seconds_count{route="/v1/sentiment",status="200"}'] == "3.0"
    assert figures['wenmo_http_request_seconds_count{route="other",status="404"}'] == "2.0"
    assert float(figures["wenmo_cache_hits_total"]) == before.hits >= 1
    assert float(figures['wenmo_calls_total{task="sentiment"}']) >= 2
    assert float(figures["wenmo_resident_memory_bytes"]) > 2**20
    assert figures['wenmo_model_loaded{precision="fp32",task="sentiment"}'] == "1.0"


def test_metrics_count_forwards_by_size(engine: wenmo.Engine) -> None:
    """The same figures as the scheduler's own statistics, with Prometheus' cumulative buckets."""
    with TestClient(create_api(lambda: engine)) as fresh:
        post(fresh, "/v1/sentiment", {"texts": ["论笔", "论墨", "论纸", "论砚"]})
        inputs = engine.scheduler_statistics()["sentiment"].inputs_per_forward
        lines = fresh.get("/metrics").text.splitlines()
    figures = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert float(figures['wenmo_forward_inputs_sum{task="sentiment"}']) == inputs.total >= 4
    assert float(figures['wenmo_forward_inputs_count{task="sentiment"}']) == inputs.count >= 1
    assert float(figures['wenmo_forward_inputs_bucket{le="2",task="sentiment"}']) == sum(inputs.counts[:2])
    assert float(figures['wenmo_forward_inputs_bucket{le="4",task="sentiment"}']) == sum(inputs.counts[:3])
    assert float(figures['wenmo_forward_inputs_bucket{le="+Inf",task="sentiment"}']) == inputs.count


def test_calls_are_counted_for_who_brings_the_metrics(engine: wenmo.Engine) -> None:
    """The Service page reads what the routes count; asking after health or for nothing is no work."""
    metrics = Metrics(lambda: engine)
    with TestClient(create_api(lambda: engine, metrics=metrics)) as fresh:
        post(fresh, "/v1/sentiment", {"texts": ["墨"]})
        post(fresh, "/v1/sentiment", {"texts": []})
        post(fresh, "/analyze", {"text": "墨"})
        fresh.get("/health")
        fresh.get("/no/such/place")
    calls = metrics.rest_calls()
    assert calls.by_status == {200: 2, 422: 1}
    assert len(calls.recent_s) == 2 and min(calls.recent_s) > 0


def test_metrics_tell_of_each_gpu_what_it_tells(engine: wenmo.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    cards = (Device(name="one", used=GIB, busy=25), Device(name='"two"', busy=pynvml.NVMLError_NotSupported()))
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml(*cards))
    with TestClient(create_api(lambda: engine)) as fresh:
        lines = fresh.get("/metrics").text.splitlines()
    figures = dict(line.rsplit(" ", 1) for line in lines if line.startswith("wenmo_gpu"))
    assert float(figures['wenmo_gpu_memory_used_bytes{gpu="0",name="one"}']) == GIB
    assert float(figures['wenmo_gpu_utilization_ratio{gpu="0",name="one"}']) == 0.25
    assert float(figures['wenmo_gpu_memory_total_bytes{gpu="1",name="\\"two\\""}']) == 16 * GIB
    assert not any("ratio" in name and 'gpu="1"' in name for name in figures)
    assert not any("reserved" in name for name in figures)


def test_ready_when_there_is_an_engine(client: TestClient) -> None:
    assert client.get("/health/ready").json()["status"] == "ok"


def test_not_ready_where_no_temporary_file_can_be_written(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> None:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/secret']")

    monkeypatch.setattr("wenmo.files.tempfile.TemporaryFile", nowhere)
    assert "secret" not in str(assert_problem(client.get("/health/ready"), 503))

    def failing() -> wenmo.Engine:
        raise wenmo.DeviceError("no such device", "没有该设备")

    with TestClient(create_api(failing)) as broken:
        told = assert_problem(broken.get("/health/ready"), 503)["detail"]
        assert "the log holds the cause" in told and "no such device" not in told  # anybody may ask


def test_so_many_calls_at_once_and_no_more(engine: wenmo.Engine) -> None:
    entered, hold = threading.Event(), threading.Event()

    def slow() -> wenmo.Engine:
        entered.set()
        assert hold.wait(30)
        return engine

    with TestClient(create_api(slow, calls_at_once=1)) as full, ThreadPoolExecutor(1) as pool:
        first = pool.submit(post, full, "/v1/sentiment", {"texts": ["墨"]})
        assert entered.wait(30)
        refused = post(full, "/v1/sentiment", {"texts": ["墨"]})
        hold.set()
        assert_problem(refused, 503)
        assert refused.headers["Retry-After"] == "1"
        assert first.result(30).status_code == 200
        assert post(full, "/v1/sentiment", {"texts": ["墨"]}).status_code == 200


def test_who_asks_after_its_health_takes_no_place(engine: wenmo.Engine) -> None:
    entered, hold = threading.Semaphore(0), threading.Event()

    def slow() -> wenmo.Engine:
        entered.release()
        assert hold.wait(30)
        return engine

    with TestClient(create_api(slow, calls_at_once=1)) as client, ThreadPoolExecutor(2) as pool:
        probe = pool.submit(client.get, "/health/ready")
        assert entered.acquire(timeout=30)
        call = pool.submit(post, client, "/v1/sentiment", {"texts": ["墨"]})
        assert entered.acquire(timeout=30)  # it was let in beside the probe
        hold.set()
        assert (probe.result(30).status_code, call.result(30).status_code) == (200, 200)


def test_the_answer_to_a_crash_bears_its_id() -> None:
    def broken() -> wenmo.Engine:
        raise ZeroDivisionError

    with TestClient(create_api(broken), raise_server_exceptions=False) as client:
        response = post(client, "/v1/sentiment", {"texts": ["墨"]}, **{"X-Request-ID": "order-8"})
    assert_problem(response, 500)
    assert response.headers["X-Request-ID"] == "order-8" and response.headers["Cache-Control"] == "no-store"


def test_no_caller_writes_lines_into_the_log(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="wenmo.api")
    client.get("/v1/%0D%0A%1B[31mforged")
    assert "forged" in caplog.text and "\r" not in caplog.text and "\x1b" not in caplog.text


def test_zero_shot_takes_as_many_labels_as_it_says(client: TestClient) -> None:
    labels = [f"类{index}" for index in range(MAX_LABELS)]
    body = post(client, "/v1/zero-shot", {"texts": ["墨"], "labels": labels}).json()
    assert set(body["results"][0]["scores"]) == set(labels)


def test_embed_equals_the_engine(client: TestClient, engine: wenmo.Engine) -> None:
    body = post(client, "/v1/embed", {"texts": TEXTS}).json()
    assert [result["embedding"] for result in body["results"]] == engine.embed(TEXTS).tolist()
    assert body["model"] == MODELS["similarity"]


def test_analyze_answers_as_the_article_says(client: TestClient, engine: wenmo.Engine) -> None:
    labels = set()
    for text in [*TEXTS[:-1], "很好", "字" * MAX_ANALYZE_CHARACTERS]:
        response = post(client, "/analyze", {"text": text})
        positive = engine.sentiment([text])[0].positive
        assert response.status_code == 200
        assert response.json() == {
            "label": "Positive" if positive >= 0.5 else "Negative",
            "confidence": max(positive, 1 - positive),
            "text": text,
        }
        labels.add(response.json()["label"])
    assert labels == {"Positive", "Negative"}  # both branches were walked


def test_a_longest_text_is_answered(client: TestClient) -> None:
    # Characters of four bytes: the limit counts characters.
    body = post(client, "/v1/sentiment", {"texts": ["𠮷" * MAX_CHARACTERS]}).json()
    assert body["results"][0]["truncated"] is True


def test_health_builds_no_engine() -> None:
    def no_engine() -> wenmo.Engine:
        raise AssertionError("health asked for the engine")

    with TestClient(create_api(no_engine)) as client:
        assert client.get("/health").json() == {"status": "ok"}


def test_examples_of_the_schema_are_answered(client: TestClient) -> None:
    schema = client.get("/openapi.json").json()
    components = schema["components"]["schemas"]
    for path in ROUTES:
        content = schema["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        properties = components[content["schema"]["$ref"].rsplit("/", 1)[1]]["properties"]
        body = {name: field["examples"][0] for name, field in properties.items()}
        assert post(client, path, body).status_code == 200, path
    analyze = schema["paths"]["/analyze"]["post"]["requestBody"]["content"]["application/json"]
    assert post(client, "/analyze", analyze["schema"]["examples"][0]).status_code == 200


# --- bodies that do not fit ---

ONE = {"texts": ["墨"], "labels": ["器物"]}


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/v1/similarity", {}, "#/pairs"),
        ("/v1/similarity", {"pairs": []}, "#/pairs"),
        ("/v1/similarity", {"pairs": None}, "#/pairs"),
        ("/v1/similarity", {"pairs": "墨"}, "#/pairs"),
        ("/v1/similarity", {"pairs": ["墨纸"]}, "#/pairs/0"),
        ("/v1/similarity", {"pairs": [["墨"]]}, "#/pairs/0/1"),
        ("/v1/similarity", {"pairs": [["墨", "纸", "笔"]]}, "#/pairs/0"),
        ("/v1/similarity", {"pairs": [["墨", "纸"], ["墨", 1]]}, "#/pairs/1/1"),
        ("/v1/similarity", {"pairs": [["墨", "纸"]] * (MAX_TEXTS + 1)}, "#/pairs"),
        ("/v1/similarity", {"pairs": [["墨", "墨" * (MAX_CHARACTERS + 1)]]}, "#/pairs/0/1"),
        ("/v1/sentiment", {}, "#/texts"),
        ("/v1/sentiment", {"texts": []}, "#/texts"),
        ("/v1/sentiment", {"texts": "墨"}, "#/texts"),
        ("/v1/sentiment", {"texts": {"0": "墨"}}, "#/texts"),
        ("/v1/sentiment", {"texts": ["墨", None]}, "#/texts/1"),
        ("/v1/sentiment", {"texts": [["墨"]]}, "#/texts/0"),
        ("/v1/sentiment", {"texts": [float("nan")]}, "#/texts/0"),
        ("/v1/sentiment", {"texts": [float("inf")]}, "#/texts/0"),
        ("/v1/sentiment", {"texts": ["墨"] * (MAX_TEXTS + 1)}, "#/texts"),
        ("/v1/sentiment", {"texts": ["墨" * (MAX_CHARACTERS + 1)]}, "#/texts/0"),
        ("/v1/sentiment", {"texts": ["\ud800" * (MAX_CHARACTERS + 1)]}, "#/texts/0"),
        ("/v1/sentiment", {"texts": ["墨"], "text": "墨"}, "#/text"),
        ("/v1/sentiment", {"texts": ["墨"], "{0.x}": 1}, "#/{0.x}"),
        ("/v1/sentiment", {"texts": ["墨"], "\ud800": 1}, "#"),
        ("/v1/sentiment", None, "#"),
        ("/v1/sentiment", [["墨"]], "#"),
        ("/v1/sentiment", "墨", "#"),
        ("/v1/zero-shot", {"texts": ["墨"]}, "#/labels"),
        ("/v1/zero-shot", {**ONE, "texts": []}, "#/texts"),
        ("/v1/zero-shot", {**ONE, "labels": 7}, "#/labels"),
        ("/v1/zero-shot", {**ONE, "labels": ["器物", 7]}, "#/labels/1"),
        ("/v1/zero-shot", {**ONE, "labels": [f"{n}" for n in range(MAX_LABELS + 1)]}, "#/labels"),
        ("/v1/zero-shot", {**ONE, "labels": "，".join(f"{n}" for n in range(MAX_LABELS + 1))}, "#/labels"),
        ("/v1/zero-shot", {**ONE, "labels": ["器" * (MAX_LABEL_CHARACTERS + 1)]}, "#/labels"),
        ("/v1/zero-shot", {**ONE, "labels": "物," + "器" * (MAX_LABEL_CHARACTERS + 1)}, "#/labels"),
        ("/v1/zero-shot", {**ONE, "template": None}, "#/template"),
        ("/v1/zero-shot", {**ONE, "template": "{}" + "是" * MAX_LABEL_CHARACTERS}, "#/template"),
        ("/v1/zero-shot", {**ONE, "multi_label": "yes"}, "#/multi_label"),
        ("/v1/zero-shot", {**ONE, "multilabel": True}, "#/multilabel"),
        ("/v1/embed", {"texts": [1]}, "#/texts/0"),
    ],
)
def test_a_body_that_does_not_fit_is_told_where(client: TestClient, path: str, body: object, pointer: str) -> None:
    for language in ("en", "zh"):
        told = assert_problem(post(client, path, body, **{"Accept-Language": language}), 422)
        assert told["errors"][0]["pointer"] == pointer
        assert pointer in told["detail"]


@pytest.mark.parametrize(
    "change",
    [
        {"labels": []},
        {"labels": ""},
        {"labels": ["", " "]},
        {"labels": "，,  ，"},
        {"template": ""},
        {"template": "没有位置"},
        {"template": "{}和{}"},
        {"template": "{0.__class__}"},
        {"template": "{"},
        {"template": "\ud800"},
    ],
)
def test_what_the_engine_refuses_is_422(client: TestClient, engine: wenmo.Engine, change: dict[str, Any]) -> None:
    with pytest.raises(wenmo.InputError) as refused:
        engine.zero_shot(**{**ONE, **change})
    body = assert_problem(post(client, "/v1/zero-shot", {**ONE, **change}), 422)
    assert body["type"] == "urn:wenmo:problem:input"
    assert body["detail"] == refused.value.text("en")


@pytest.mark.parametrize("path", [*ROUTES, "/analyze"])
@pytest.mark.parametrize(
    "content",
    [b"{", b"\xff\xfe", b'{"texts": ["\xff"]}', b"[" * 9_000, b'{"texts": [' + b"9" * 5000 + b"]}"],
    ids=["cut", "no text", "not UTF-8", "too deep", "too long a number"],
)
def test_what_is_not_json_is_400(client: TestClient, path: str, content: bytes) -> None:
    assert_problem(client.post(path, content=content, headers=JSON), 400)


@pytest.mark.parametrize("path", ROUTES)
def test_no_body_or_no_json_type_is_422(client: TestClient, path: str) -> None:
    assert_problem(client.post(path), 422)
    # A page of another site can send text/plain without asking: so it must not be read as JSON.
    assert_problem(client.post(path, content=b'{"texts": ["a"]}', headers={"Content-Type": "text/plain"}), 422)


@pytest.mark.parametrize(
    "body", [{}, {"text": None}, {"text": 1}, {"text": ["墨"]}, {"texts": ["墨"]}, [], None, "墨", 1]
)
def test_analyze_without_a_text_is_400(client: TestClient, body: object) -> None:
    assert_problem(post(client, "/analyze", body), 400)


def test_analyze_without_a_body_or_json_type_is_400(client: TestClient) -> None:
    assert_problem(client.post("/analyze"), 400)
    assert_problem(client.post("/analyze", content=b'{"text": "a"}', headers={"Content-Type": "text/plain"}), 400)


def test_analyze_of_a_long_text_is_413(client: TestClient) -> None:
    body = assert_problem(post(client, "/analyze", {"text": "字" * (MAX_ANALYZE_CHARACTERS + 1)}), 413)
    assert str(MAX_ANALYZE_CHARACTERS + 1) in body["detail"]
    assert str(MAX_ANALYZE_CHARACTERS) in body["detail"]


@pytest.mark.parametrize("path", [*ROUTES, "/analyze"])
def test_a_body_over_the_limit_is_413(client: TestClient, path: str) -> None:
    half = b" " * (MAX_BODY_BYTES // 2 + 1)
    assert_problem(client.post(path, content=half * 2, headers=JSON), 413)  # told by its Content-Length
    assert_problem(client.post(path, content=iter([half, half]), headers=JSON), 413)  # found while it is read


def test_wrong_address_and_wrong_method(client: TestClient) -> None:
    assert_problem(client.get("/nowhere"), 404)
    response = client.get("/v1/sentiment")
    assert_problem(response, 405)
    assert response.headers["allow"] == "POST"


def test_only_the_first_errors_are_told(client: TestClient) -> None:
    body = assert_problem(post(client, "/v1/sentiment", {"texts": [1] * MAX_TEXTS}), 422)
    assert len(body["errors"]) == MAX_ERRORS_LISTED


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("zh", "zh"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        (" ZH-Hant", "zh"),
        ("en", "en"),
        ("de, zh", "en"),
        ("*", "en"),
        ("", "en"),
    ],
)
def test_the_language_of_the_detail(client: TestClient, accepted: str, language: str) -> None:
    calls = [
        ("/v1/sentiment", {"texts": []}),
        ("/v1/zero-shot", {**ONE, "template": "无"}),
        ("/analyze", {}),
        ("/analyze", {"text": "字" * (MAX_ANALYZE_CHARACTERS + 1)}),
        ("/nowhere", {}),
    ]
    for path, body in calls:
        response = post(client, path, body, **{"Accept-Language": accepted})
        detail = response.json()["detail"]
        assert response.headers["content-language"] == language
        assert ("\u4e00" <= detail[0] <= "\u9fff") == (language == "zh"), detail


# --- failures of the server ---


def error_tree(root: type[WenmoError]) -> set[type[WenmoError]]:
    return {root}.union(*(error_tree(child) for child in root.__subclasses__()))


def test_every_error_has_a_status() -> None:
    tree = {cls for cls in error_tree(WenmoError) if cls.__module__.startswith("wenmo.")}
    assert set(PROBLEM_TYPES) == tree
    assert len({kind.name for kind in PROBLEM_TYPES.values()}) == len(PROBLEM_TYPES)


@pytest.mark.parametrize("cls", PROBLEM_TYPES)
def test_an_error_comes_as_its_problem(cls: type[WenmoError]) -> None:
    error = cls.__new__(cls)  # whatever else it takes, it has a text in both languages
    WenmoError.__init__(error, "what, why, how \ud800", "何事、何故、如何 \ud800")

    def failing() -> wenmo.Engine:
        raise error

    kind = PROBLEM_TYPES[cls]
    with TestClient(create_api(failing), raise_server_exceptions=False) as client:
        body = assert_problem(post(client, "/v1/sentiment", {"texts": ["墨"]}), kind.status)
        assert body == {
            "type": f"urn:wenmo:problem:{kind.name}",
            "title": kind.en,
            "status": kind.status,
            "detail": "what, why, how \ud800",
        }
        body = post(client, "/v1/sentiment", {"texts": ["墨"]}, **{"Accept-Language": "zh-CN"}).json()
        assert (body["title"], body["detail"]) == (kind.zh, "何事、何故、如何 \ud800")


def test_a_busy_service_says_when_to_come_back() -> None:
    def failing() -> wenmo.Engine:
        raise wenmo.BusyError("full", "满了", retry_after_s=1.2)

    with TestClient(create_api(failing)) as client:
        response = post(client, "/v1/sentiment", {"texts": ["墨"]})
        assert_problem(response, 503)
        assert response.headers["Retry-After"] == "2"


def test_an_error_of_a_later_kind_comes_as_its_parent() -> None:
    class LaterError(wenmo.DownloadError):
        pass

    def failing() -> wenmo.Engine:
        raise LaterError("en", "zh")

    with TestClient(create_api(failing)) as client:
        assert_problem(post(client, "/v1/sentiment", {"texts": ["墨"]}), 503)


def test_a_missing_model_is_the_servers_fault(tmp_path: Path) -> None:
    with (
        wenmo.Engine(models={"sentiment": str(tmp_path)}) as engine,
        TestClient(create_api(lambda: engine), raise_server_exceptions=False) as client,
    ):
        body = assert_problem(post(client, "/v1/sentiment", {"texts": ["墨"]}), 500)
        assert body["type"] == "urn:wenmo:problem:checkpoint"


def test_a_bug_is_a_problem_without_its_secrets() -> None:
    def failing() -> wenmo.Engine:
        raise RuntimeError("a secret")

    with TestClient(create_api(failing), raise_server_exceptions=False) as client:
        response = post(client, "/v1/sentiment", {"texts": ["墨"]})
        assert_problem(response, 500)
        assert "secret" not in response.text
