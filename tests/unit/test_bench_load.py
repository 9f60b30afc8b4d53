"""That the load is what it says, and that like is compared with like. Times are never asserted."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from benchmarks import articles, load, services
from benchmarks.client import NO_ANSWER, Call, Load, drive, summary
from benchmarks.services import Service, running
from wenmo.__main__ import main

TEXTS = ["墨色温润，包装也用心", "纸太薄了，一写就透", "一般"]


def _call(start_s: float, end_s: float, *, status: int = 200, body: int = 0, positive: float | None = None) -> Call:
    answer = None if positive is None else json.dumps({"label": "Positive", "confidence": positive})
    return Call(body=body, status=status, start_s=start_s, end_s=end_s, answer=answer)


def test_what_counts_by_hand() -> None:
    """Two seconds. The first call began while warming up: it counts nowhere, but as answered in the time measured."""
    calls = [
        _call(-0.5, 0.5),
        _call(0.0, 0.1),
        _call(0.1, 0.4),
        _call(1.9, 2.1),  # answered after the end: its time counts, its answer is none of these two seconds'
        _call(1.0, 1.1, status=503),
        _call(1.0, 1.1, status=NO_ANSWER),
    ]
    figures = summary(calls, seconds=2.0)
    assert figures["requests_per_s"] == 1.5
    assert figures["by_status"] == {"200": 3, "503": 1, "none": 1}
    assert figures["answered"].count == 3
    assert figures["answered"].p50_ms == pytest.approx(200)


def test_a_wrong_answer_is_seen() -> None:
    expected = [0.9, 0.2]
    right = [_call(0, 1, positive=0.9), _call(0, 1, body=1, positive=0.2), _call(0, 1, status=503)]
    assert load.wrong_answers(right, expected) == 0
    assert load.wrong_answers([*right, _call(0, 1, body=1, positive=0.9)], expected) == 1
    negative = Call(body=1, status=200, start_s=0, end_s=1, answer=json.dumps({"label": "Negative", "confidence": 0.8}))
    assert load.wrong_answers([negative], expected) == 0


def test_turns_are_put_together() -> None:
    def one(per_s: float, *calls: Call, late: float | None = None) -> Load:
        figures = summary(calls, seconds=1.0) | {"requests_per_s": per_s}
        return Load(**figures, cpu_share=per_s / 100, late_p99_ms=late, calls=calls)

    loads = [one(10, _call(0, 0.1, positive=0.5)), one(30, _call(0, 0.3, positive=0.5), _call(0, 1, status=429))]
    found = load.turns("x", loads, [0.5], clients=2)
    assert (found.requests_per_s, found.lowest, found.highest) == (20, 10, 30)
    assert (found.by_status, found.wrong, found.generator_cpu_share) == ({"200": 2, "429": 1}, 0, 0.3)
    assert found.answered is not None and found.answered.p50_ms == pytest.approx(200)


def test_the_greatest_concurrency() -> None:
    for limit in (0, 1, 3, 7, 50, 200):
        tried: list[int] = []

        def sustains(clients: int, limit: int = limit, tried: list[int] = tried) -> bool:
            tried.append(clients)
            return clients <= limit

        found = articles.greatest_concurrency(sustains)
        assert limit - max(1, limit // 8) <= found <= limit
        assert len(tried) <= 9
    assert articles.greatest_concurrency(lambda clients: True, most=40) == 40


def test_no_text_of_the_articles_comes_twice() -> None:
    texts = articles._Texts()
    taken = texts.take(500) + texts.take(500)
    assert len(set(taken)) == 1000


class _Stalled(BaseHTTPRequestHandler):
    """Answers nobody until two seconds after the first call."""

    seen = 0
    until: float | None = None
    lock = threading.Lock()

    def do_POST(self) -> None:
        with self.lock:
            _Stalled.seen += 1
            _Stalled.until = self.until or time.monotonic() + 2.0
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(max(0.0, _Stalled.until - time.monotonic()))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None: ...


@pytest.mark.parametrize(("how", "least", "most"), [({"rate": 40.0}, 20, 60), ({"clients": 3}, 3, 3)])
def test_an_open_load_does_not_wait_for_answers(how: dict[str, float], least: int, most: int) -> None:
    """A service that stalls for longer than the load lasts: with a rate it is asked all the same (no coordinated
    omission), by clients once each."""
    _Stalled.seen, _Stalled.until = 0, None
    with ThreadingHTTPServer(("127.0.0.1", 0), _Stalled) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/"
        seen = drive(url, [{}], seconds=1.0, warm_s=0.0, **how)  # type: ignore[arg-type]
        server.shutdown()
        thread.join()
    assert least <= _Stalled.seen <= most
    assert seen.by_status == {"200": _Stalled.seen} and len(seen.calls) == _Stalled.seen


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("model")
    services.export_model("bundled", "sentiment", place)
    return place


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[Service]:
    settings = {"device": "cpu", "precision": "fp32", "cache_mib": 0, "calibrated": 0}
    with running(services.wenmo(folder, **settings)) as started:
        yield started


def test_every_answer_under_load_is_the_engines_own(service: Service, folder: Path) -> None:
    bodies = [{"text": text} for text in TEXTS]
    seen = drive(service.url + load.PATH, bodies, seconds=1.0, clients=4, warm_s=0.0)
    assert set(seen.by_status) == {"200"} and len(seen.calls) >= len(TEXTS)
    assert load.wrong_answers(seen.calls, load._direct(folder, TEXTS, "fp32")) == 0
    assert service.resident_mib() > 50


def test_forward_inputs_are_read_from_the_metrics(service: Service) -> None:
    """With no cache each text is a row of a forward; equal ones in one call are counted as given."""
    before = load.forward_inputs(service.get("/api/metrics").decode(), "sentiment")
    service.post("/api/v1/sentiment", {"texts": TEXTS})
    after = load.forward_inputs(service.get("/api/metrics").decode(), "sentiment")
    assert after - before == len(TEXTS)
    assert load.forward_inputs(service.get("/api/metrics").decode(), "similarity") == 0


def test_the_original_answers_as_the_engine(folder: Path) -> None:
    """Else its speed would be that of another model."""
    expected = load._direct(folder, TEXTS, "fp32")
    with running(services.original("original", folder)) as started:
        seen = drive(started.url + load.PATH, [{"text": text} for text in TEXTS], seconds=0.5, clients=2, warm_s=0.0)
    assert len(seen.calls) >= 2 and load.wrong_answers(seen.calls, expected) == 0


def test_labels_asked_again_cost_no_row() -> None:
    """The target of the cache over real HTTP: ten rows for ten labels, none again, one for one label more."""
    found = load.repeated_labels(clients=2, seconds=0.5, count=3)
    assert (found["rows_at_first"], found["rows_again"], found["rows_for_one_label_more"]) == (10, 0, 1)


def test_a_service_that_does_not_come_up_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="WENMO_CACHE_MIB"), running(services.wenmo(cache_mib=-1)):
        pass


def test_without_what_it_needs_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert main(["bench", "load"]) == 2
    assert "requirements-dev.txt" in capsys.readouterr().err
