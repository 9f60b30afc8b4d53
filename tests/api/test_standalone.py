"""`python -m wenmo serve --api-only` as its users meet it: processes of their own, over loopback."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx2
import psutil
import pytest

import wenmo
from tests.conftest import GOLDEN_MODELS as MODELS
from tests.serving import assert_problem, connect, run, serving
from tests.waiting import WAIT_S, until

Service = tuple[httpx2.Client, subprocess.Popen[bytes]]
API = ("-m", "wenmo", "serve", "--api-only")
READY = "/health/ready"

# A service in which each forward takes a while, so that calls are under way when something happens.
SLOW = """
import sys, time
from wenmo.__main__ import main
from wenmo.inference import torch_runtime

class SlowRuntime(torch_runtime.TorchRuntime):
    def logits(self, encodings, **more):
        time.sleep(2)
        return super().logits(encodings, **more)

torch_runtime.TorchRuntime = SlowRuntime
if __name__ == "__main__":
    sys.exit(main(["serve", "--api-only", *sys.argv[1:]]))
"""


@pytest.fixture(scope="module")
def engine(golden_engine: wenmo.Engine) -> wenmo.Engine:
    return golden_engine


def ask(client: httpx2.Client, text: str) -> httpx2.Response:
    """Over a connection of its own, so that any worker may answer."""
    return client.post("/api/v1/sentiment", json={"texts": [text]}, headers={"Connection": "close"})


def is_right(response: httpx2.Response, expected: wenmo.SentimentResult) -> bool:
    # Another process, other company in its batch: the last bits may differ.
    return bool(response.json()["results"][0]["scores"] == pytest.approx(dict(expected.scores), abs=1e-5))


def workers_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Those that live; multiprocessing's resource tracker is a child, too."""
    found = []
    for child in psutil.Process(process.pid).children():
        with suppress(psutil.NoSuchProcess):  # as is one that has died and was not yet waited for
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


def calls_in(client: httpx2.Client) -> tuple[str, int]:
    """The worker that answers, and how many calls have come as far as its scheduler."""
    text = client.get("/metrics", headers={"Connection": "close"}).text
    counts = re.findall(r"^wenmo_calls_total\{(.*?)task=.*\} (\d+)", text, re.MULTILINE)
    return counts[0][0] if counts else "", sum(int(float(count)) for _, count in counts)


def test_the_service_alone_has_the_addresses_it_has_beside_the_pages(tmp_path: Path, engine: wenmo.Engine) -> None:
    with serving(tmp_path, program=API, health=READY) as (client, process):
        assert set(client.get("/api/health/ready").json()["loaded"]) == set(MODELS)  # before anyone asked
        assert is_right(ask(client, "墨色温润"), engine.sentiment(["墨色温润"])[0])
        assert client.post("/analyze", json={"text": "墨色温润"}).json()["text"] == "墨色温润"
        assert client.post("/v1/sentiment", json={"texts": ["墨"]}).status_code == 200
        assert client.get("/api/openapi.json").json()["servers"] == [{"url": "/api"}]
        assert "<code>POST /api/v1/sentiment</code>" in client.get("/api/docs").text
        for path in ("/", "/compare", "/_stcore/health"):
            assert_problem(client.get(path), 404)
        loaded = Path(f"/proc/{process.pid}/maps")
        assert not loaded.exists() or "streamlit" not in loaded.read_text()
        assert "pid=" not in client.get("/metrics").text
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT_S) == 0


def test_streamlit_is_not_imported(tmp_path: Path) -> None:
    code = "import sys, wenmo.api.standalone; sys.exit('streamlit' in sys.modules)"
    assert run(tmp_path, "-c", code).returncode == 0


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("workers")
    environment = {"WENMO_REQUESTS_PER_MINUTE": "100000", "WENMO_PRELOAD": "sentiment", "OMP_NUM_THREADS": "1"}
    program = (*API, "--workers", "2")
    with serving(folder, program=program, health=READY, environment=environment) as (client, process):
        yield client, process


def test_two_workers_answer_as_the_engine_and_are_counted_apart(two_workers: Service, engine: wenmo.Engine) -> None:
    client, process = two_workers
    assert len(workers_of(process)) == 2
    given = [f"第{number}方砚台" for number in range(60)]
    expected = engine.sentiment(given)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda text: ask(client, text), given))
    assert all(is_right(answer, result) for answer, result in zip(answers, expected, strict=True))
    pids = {str(worker.pid) for worker in workers_of(process)}
    seen: set[str] = set()

    def both_seen() -> bool:
        text = client.get("/metrics", headers={"Connection": "close"}).text
        told = set(re.findall(r'^wenmo_cache_bytes\{pid="(\d+)"\}', text, re.MULTILINE))
        assert len(told) == 1
        seen.update(told)
        return seen == pids

    until(both_seen)


def test_a_worker_that_is_killed_is_replaced_and_the_other_answers_on(
    two_workers: Service, engine: wenmo.Engine
) -> None:
    client, process = two_workers
    before = workers_of(process)
    expected = engine.sentiment(["留下来的"])[0]
    outcomes: list[bool | None] = []  # None is a connection that was cut
    stop = threading.Event()

    def keep_calling() -> None:
        while not stop.is_set():
            try:
                response = ask(client, "留下来的")
            except httpx2.TransportError:
                outcomes.append(None)
            else:
                outcomes.append(response.status_code == 200 and is_right(response, expected))

    with ThreadPoolExecutor(4) as pool:
        callers = [pool.submit(keep_calling) for _ in range(4)]
        try:
            until(lambda: len(outcomes) > 20)
            os.kill(before[0].pid, signal.SIGKILL)
            answered = len(outcomes)
            until(lambda: outcomes[answered:].count(True) > 20)  # the other one does
            until(lambda: len(workers_of(process)) == 2 and before[0] not in workers_of(process))
            (replacement,) = [worker for worker in workers_of(process) if worker not in before]
            until(lambda: f'pid="{replacement.pid}"' in client.get("/metrics", headers={"Connection": "close"}).text)
        finally:
            stop.set()
        for caller in callers:
            caller.result(WAIT_S)
    assert False not in outcomes  # whoever got an answer got the right one
    assert process.poll() is None


def test_workers_share_the_cores(tmp_path: Path) -> None:
    code = (
        "import os, torch\n"
        "from wenmo.settings import Settings\n"
        "from wenmo.api.standalone import create_worker\n"
        "for workers, given in ((1, None), (2, None), (8, None), (2, '7')):\n"
        "    torch.set_num_threads(7)\n"
        "    os.environ.pop('OMP_NUM_THREADS', None)\n"
        "    os.environ.update({'OMP_NUM_THREADS': given} if given else {})\n"
        "    create_worker(Settings.read(workers=workers))\n"
        "    print(torch.get_num_threads())\n"
    )
    ended = run(tmp_path, "-c", code)
    assert ended.stdout.split() == ["7", "3", "1", "7"], ended.stderr  # the last one: whoever sets it has decided


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_under_load_loses_no_call(tmp_path: Path, engine: wenmo.Engine, workers: int) -> None:
    """What was under way is answered, and rightly; who comes later is refused; every process ends, with status 0."""
    (tmp_path / "launch.py").write_text(SLOW, encoding="utf-8")
    given = [f"{number}" + "墨" * random.Random(number).randint(1, 40) for number in range(40)]
    expected = engine.sentiment(given)
    program = ("launch.py", "--workers", str(workers))
    with serving(tmp_path, program=program, health=READY, environment={"WENMO_CACHE_MIB": "0"}) as (probe, process):
        children = workers_of(process)
        assert len(children) == (workers if workers > 1 else 0)
        with connect(str(probe.base_url)) as client, ThreadPoolExecutor(len(given)) as pool:
            calls = [pool.submit(ask, client, text) for text in given]
            entered: dict[str, int] = {}  # a connection that was taken may not have been read yet; these have

            def all_entered() -> bool:
                entered.update([calls_in(probe)])
                return sum(entered.values()) == len(given)

            until(all_entered)
            process.send_signal(signal.SIGTERM)
            assert not all(call.done() for call in calls)
            answers = [call.result(WAIT_S) for call in calls]
        assert process.wait(WAIT_S) == 0
        assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
        with pytest.raises(httpx2.ConnectError):
            ask(probe, "太晚了")
    assert {answer.status_code for answer in answers} == {200}
    assert all(is_right(answer, result) for answer, result in zip(answers, expected, strict=True))
    said = (tmp_path / "server.log").read_text(encoding="utf-8")
    assert "Traceback" not in said, said


def test_workers_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    """They would go on holding the port, with nobody left to tell them to stop."""
    with serving(tmp_path, program=(*API, "--workers", "2"), health="/health/live") as (_, process):
        children = workers_of(process)
        process.kill()
        process.wait(WAIT_S)
        _, alive = psutil.wait_procs(children, WAIT_S)
    assert not alive


@pytest.mark.parametrize(
    ("arguments", "environment", "says"),
    [
        (["serve", "--workers", "2"], {}, "The app's pages are served by one process, not by 2"),
        (["serve"], {"WENMO_WORKERS": "3"}, "The app's pages are served by one process, not by 3"),
        (["serve", "--api-only", "--port", "99999"], {}, "A setting cannot be read. WENMO_PORT"),
        (["serve", "--api-only", "--host", "203.0.113.1"], {}, "Cannot listen on 203.0.113.1"),
        (["serve", "--api-only"], {"WENMO_DEVICE": "cuda:77"}, ""),
        (["serve", "--api-only", "--workers", "2"], {"WENMO_DEVICE": "cuda:77"}, ""),
    ],
)
def test_what_cannot_be_served_is_said_and_ends(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], says: str
) -> None:
    """A device that is not there must not be tried for ever by workers that are replaced and fail again."""
    port = [] if {"--port", "--host"} & set(arguments) or "--api-only" not in arguments else ["--port", "0"]
    ended = run(tmp_path, "-m", "wenmo", *arguments, *port, **environment)
    assert ended.returncode == 2, ended.stderr
    assert f"wenmo: {says}" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "cuda:77" in ended.stderr or says


def test_only_a_named_proxy_may_say_who_calls(tmp_path: Path) -> None:
    def statuses(client: httpx2.Client) -> list[int]:
        headers = [{"X-Forwarded-For": f"192.0.2.{number}"} for number in range(4)]
        return [client.post("/v1/sentiment", json={"texts": ["墨"]}, headers=each).status_code for each in headers]

    limited = {"WENMO_REQUESTS_PER_MINUTE": "2"}
    with serving(tmp_path, program=API, health=READY, environment=limited) as (client, _):
        assert statuses(client) == [200, 200, 429, 429]
    named = {**limited, "FORWARDED_ALLOW_IPS": "127.0.0.1"}
    with serving(tmp_path, program=API, health=READY, environment=named) as (client, _):
        assert statuses(client) == [200, 200, 200, 200]
