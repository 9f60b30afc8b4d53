"""`serve run wenmo.cluster:app` on a real Ray: over HTTP it answers as an engine, and replicas follow the load."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from tests.conftest import ROOT
from tests.ray_cluster import local_ray, processes, require_ray
from tests.serving import ENVIRONMENT, assert_problem, connect, until_healthy
from tests.waiting import WAIT_S, free_port, until
from wenmo import Engine
from wenmo.errors import InputError
from wenmo.tasks.table import TASKS

TOKEN = "a-token-of-the-test"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """A service that may grow from one replica to two."""
    with local_ray():
        import ray
        from ray import serve

        port = free_port()
        serve.start(http_options={"host": "127.0.0.1", "port": port})
        arguments = ("max_replicas=2", "target_ongoing_requests=2", "upscale_delay_s=0.5")
        environment = {
            **ENVIRONMENT,
            "RAY_AUTH_MODE": os.environ["RAY_AUTH_MODE"],  # which `ray.init` has set: who has the user's token may come
            "RAY_ADDRESS": ray.get_runtime_context().gcs_address,
            "WENMO_API_TOKEN": TOKEN,
            "WENMO_CACHE_MIB": "0",
        }
        log_file = tmp_path_factory.mktemp("serve") / "log"
        with log_file.open("wb") as log:
            command = [sys.executable, "-m", "ray.serve.scripts", "run", "wenmo.cluster:app", *arguments]
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            with connect(f"http://127.0.0.1:{port}") as client:
                until_healthy(client, "/health/ready", process, log_file)
                client.headers["Authorization"] = f"Bearer {TOKEN}"
                yield client
            process.send_signal(signal.SIGINT)
            process.wait(WAIT_S)
        finally:
            process.kill()
            process.wait()
            serve.shutdown()


def test_it_answers_as_the_engine(client: httpx2.Client, golden_engine: Engine) -> None:
    texts, pairs = ["墨色温润", "纸太薄，一写就洇"], [["今天天气真好", "天气不错"]]
    sentiment = client.post("/v1/sentiment", json={"texts": texts}).json()["results"]
    for answer, expected in zip(sentiment, golden_engine.sentiment(texts), strict=True):
        assert answer["label"] == expected.label
        assert answer["scores"] == pytest.approx(dict(expected.scores), abs=1e-5)
    (similar,) = client.post("/api/v1/similarity", json={"pairs": pairs}).json()["results"]
    (expected_pair,) = golden_engine.similarity([("今天天气真好", "天气不错")])
    assert similar["similarity"] == pytest.approx(expected_pair.similarity, abs=1e-5)
    zero_shot = client.post("/v1/zero-shot", json={"texts": texts, "labels": ["文具", "天气"]}).json()["results"]
    for answer, expected_labels in zip(zero_shot, golden_engine.zero_shot(texts, labels="文具,天气"), strict=True):
        assert answer["scores"] == pytest.approx(dict(expected_labels.scores), abs=1e-5)
    assert client.post("/analyze", json={"text": texts[0]}).json()["text"] == texts[0]


def test_models_are_loaded_before_the_first_call_and_guards_are_in_place(client: httpx2.Client) -> None:
    assert set(client.get("/health/ready").json()["loaded"]) == set(TASKS)
    assert_problem(client.post("/v1/sentiment", json={"texts": ["墨"]}, headers={"Authorization": "Bearer no"}), 401)
    assert_problem(client.post("/v1/sentiment", json={"texts": "墨"}), 422)
    assert 'pid="' in client.get("/metrics").text


def test_replicas_follow_the_calls_that_wait_and_each_answers_rightly(
    client: httpx2.Client, golden_engine: Engine
) -> None:
    assert len(processes("ServeReplica")) == 1
    texts = [f"第{number}方砚台" for number in range(16)]
    expected = [dict(result.scores) for result in golden_engine.sentiment(texts)]
    wrong: list[httpx2.Response] = []
    stop = threading.Event()

    def keep_calling(number: int) -> None:
        while not stop.is_set():
            response = client.post("/v1/sentiment", json={"texts": [texts[number]] * 200})
            if response.status_code != 200 or any(
                result["scores"] != pytest.approx(expected[number], abs=1e-5) for result in response.json()["results"]
            ):
                wrong.append(response)

    with ThreadPoolExecutor(len(texts)) as pool:
        calls = [pool.submit(keep_calling, number) for number in range(len(texts))]
        try:
            until(lambda: len(processes("ServeReplica")) == 2, every_s=0.2)
        finally:
            stop.set()
        for call in calls:
            call.result(WAIT_S)
    assert not wrong


@pytest.mark.parametrize("arguments", [{"replicas": "2"}, {"cores": "0"}, {"min_replicas": "8"}])
def test_arguments_that_cannot_be_used_are_named(arguments: dict[str, str]) -> None:
    require_ray()
    from wenmo.cluster import app

    with pytest.raises(InputError, match=f"{next(iter(arguments))}.*max_replicas"):
        app(arguments)
