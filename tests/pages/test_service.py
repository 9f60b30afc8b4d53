"""The Service page shows the figures that engine and routes count, and says what to do where there are none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.pages.conftest import OpenPage, shown
from wenmo.api.routes import create_api
from wenmo.ui.service import snippets
from wenmo.ui.service.article_benchmark import last_run
from wenmo.ui.shell.runtime import get_engine, get_metrics
from wenmo.ui.text import TEXTS


@pytest.fixture(autouse=True)
def _fresh_metrics() -> Iterator[None]:
    get_metrics.cache_clear()
    yield
    get_metrics.cache_clear()


def _metric(app: object, key: str) -> str:
    return str(next(each.value for each in app.metric if each.label == TEXTS[key].zh))  # type: ignore[attr-defined]


def test_without_calls_it_offers_one(open_page: OpenPage) -> None:
    app = open_page("service")
    assert TEXTS["service.no_calls"].zh in shown(app)
    app.button(key="service_send").click().run()
    app.run()
    assert not app.exception and TEXTS["service.no_calls"].zh not in shown(app)
    assert get_engine().scheduler_statistics()["sentiment"].calls == 1
    assert "自启动以来 1 次前向，共 1 条输入，平均每次 1.0 条；0 个请求" in shown(app)


def test_calls_over_rest_are_shown(open_page: OpenPage) -> None:
    """Two calls, of which the cache answers one, and one that is refused."""
    with TestClient(create_api(get_engine, metrics=get_metrics())) as client:
        for texts in (["墨", "笔"], ["墨", "笔"], []):
            client.post("/v1/sentiment", json={"texts": texts})
    app = open_page("service")
    assert (_metric(app, "service.calls"), _metric(app, "service.hit_rate")) == ("3", "50%")
    (latency, *_) = app.dataframe
    assert latency.value.iloc[:, 0].tolist() == [
        TEXTS[f"service.phase.{name}"].zh for name in ("rest", "waited", "computed")
    ]
    assert latency.value.iloc[:, -1].tolist() == [2, 1, 1]
    assert (latency.value["p99"] >= latency.value["p50"]).all()
    figure = json.loads(app.get("plotly_chart")[0].proto.spec)
    assert figure["layout"]["xaxis"]["ticktext"] == ["1", "2"]
    assert list(figure["data"][0]["text"]) == ["", "1"]


def test_an_engine_that_cannot_start_is_told(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WENMO_DEVICE", "abacus")
    app = open_page("service")
    assert TEXTS["service.not_ready"].zh in shown(app)
    assert any("abacus" in error.value for error in app.error)


def test_a_token_is_asked_for_and_never_shown(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "a-secret-of-24-characters"
    monkeypatch.setenv("WENMO_API_TOKEN", secret)
    app = open_page("service")
    codes = [code.value for code in app.code]
    assert all("WENMO_API_TOKEN" in code for code in codes[:2])
    assert secret not in shown(app) + "".join(codes)


def test_each_route_can_be_chosen(open_page: OpenPage) -> None:
    app = open_page("service")
    for route in snippets.BODIES:
        app.selectbox(key="service_route").select(route).run()
        assert not app.exception
        assert all(route in code.value for code in app.code[:2])


def _report() -> dict[str, object]:
    return {
        "machine": "some *processor*, 2 cores",
        "taken": "2026-11-20T10:11:12+00:00",
        "acceleration": {
            "article": "一",
            "clients": 7,
            "rows": [
                {"what": "mean_latency_ms", "published": [820, 240], "before": 90.5, "after": 12.25},
                {"what": "f1", "published": [96.7, 95.2], "before": None, "after": None},
            ],
        },
        "cpu": {
            "article": "二",
            "rows": [
                {
                    "stage": "joined",
                    "published": {"first_s": 8.5, "mean_latency_ms": 320},
                    "measured": {"first_s": 0.5, "mean_latency_ms": None},
                }
            ],
        },
    }


def test_the_last_benchmark_is_shown(open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "2026-11-20-articles.json").write_text(json.dumps(_report()), encoding="utf-8")
    run = last_run(tmp_path)
    monkeypatch.setattr("wenmo.ui.service.articles.last_run", lambda: run)
    app = open_page("service")
    first, second = app.dataframe[-2:]
    assert first.value.iloc[0].tolist() == [TEXTS["service.figure.mean_latency_ms"].zh, 820, 240, 90.5, 12.25]
    assert first.value.iloc[1, 3:].isna().all()  # not measured is not 0
    assert second.value.iloc[0].tolist() == [TEXTS["service.stage.joined"].zh, "8.5 / 0.5", "320 / –"]
    assert "some \\*processor\\*" in shown(app)


def test_where_nothing_was_measured_the_command_stands(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wenmo.ui.service.articles.last_run", lambda: None)
    app = open_page("service")
    assert TEXTS["service.articles_empty"].zh in shown(app)
    assert "python -m wenmo bench articles" in [code.value for code in app.code]


def test_the_newest_run_that_can_be_read(tmp_path: Path) -> None:
    """A file that is half written hides neither the page nor the run before it."""
    assert last_run(tmp_path) is None
    older = _report() | {"taken": "2026-11-19T00:00:00+00:00"}
    (tmp_path / "2026-11-19-articles.json").write_text(json.dumps(older), encoding="utf-8")
    (tmp_path / "2026-11-20-articles.json").write_text(json.dumps(_report()), encoding="utf-8")
    (tmp_path / "2026-11-21-articles.json").write_text(json.dumps(_report())[:100], encoding="utf-8")
    (tmp_path / "2026-11-22-articles.json").write_text("[]", encoding="utf-8")
    run = last_run(tmp_path)
    assert run is not None and run.taken.startswith("2026-11-20")
