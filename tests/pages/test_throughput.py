"""The Throughput page runs a real race and shows its figures; texts come from a file where one is given."""

from __future__ import annotations

import io
import json

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import OpenPage, shown
from wenmo.ui.shell import answers
from wenmo.ui.shell.one_at_a_time import alone
from wenmo.ui.text import TEXTS
from wenmo.ui.throughput import race


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch of texts, and bars from the first moment on."""
    monkeypatch.setattr(race, "_TARGET_S", 0.0)
    monkeypatch.setattr(race, "_REDRAW_S", 0.0)
    monkeypatch.setattr(answers, "_PATIENCE_S", 0.0)


def _start(app: AppTest) -> AppTest:
    app.button(key="throughput_start").click().run()
    assert not app.exception
    return app


def test_a_race_over_sample_reviews(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(race.st, "progress", lambda value, text="", **_: drawn.append(text) or _Bar())
    app = open_page("throughput")
    assert TEXTS["throughput.empty"].zh in shown(app)
    app = _start(app)
    assert not app.error
    for step in ("one_by_one", "fixed"):
        assert TEXTS[f"throughput.step.{step}"].zh in drawn
    assert TEXTS["throughput.ours"].zh in drawn
    table = app.dataframe[0].value
    assert table.iloc[:, 1].tolist() == [37, 500, 909]
    assert table.iloc[:, 3].tolist() == pytest.approx([1, 500 / 37, 909 / 37])
    here = table.iloc[:, 2]
    assert (here > 0).all()
    assert table.iloc[:, 4].tolist() == pytest.approx((here / here[0]).tolist())
    metrics = {metric.label: metric.value for metric in app.metric}
    assert metrics[TEXTS["throughput.agreeing"].zh] == "100%"
    steps, padding = (json.loads(chart.proto.spec) for chart in app.get("plotly_chart"))
    assert steps["layout"]["yaxis"]["ticktext"][0] == TEXTS["throughput.step.one_by_one"].zh
    assert len(steps["data"][0]["text"]) in (5, 6)  # one core has no workers side by side
    assert padding["data"][1]["text"][-1] == "0%"  # packed
    assert "32 条文本" in shown(app)


def test_the_result_stays_until_the_next_race(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wenmo.lab.throughput.invented_reviews", lambda count: ["笔很好用", "纸太薄了"])
    app = _start(open_page("throughput"))
    before = app.dataframe[0].value
    app.session_state["lang"] = "en"
    app.run()
    assert app.dataframe[0].value.iloc[:, 2].tolist() == before.iloc[:, 2].tolist()
    assert TEXTS["throughput.step.fixed"].en in app.dataframe[0].value.iloc[1, 0]
    _start(app)
    assert app.dataframe[0].value.iloc[:, 2].tolist() != before.iloc[:, 2].tolist()


def test_a_file_of_ones_own(open_page: OpenPage) -> None:
    app = open_page("throughput")
    app.session_state["source"] = "file"
    app.run()
    assert app.button(key="throughput_start").disabled
    buffer = io.BytesIO()
    pd.DataFrame({"编号": ["a", "b"], "评论": ["笔很好用", "纸太薄了"]}).to_csv(buffer, index=False)
    app.file_uploader(key="throughput_file").upload("评论.csv", buffer.getvalue(), "text/csv").run()
    assert app.selectbox(key="throughput_column").options == ["评论", "编号"]
    assert TEXTS["throughput.file_note"].zh.format(count=2) in shown(app)
    _start(app)
    assert "2 条文本" in shown(app)


def test_a_file_that_cannot_be_read_is_told(open_page: OpenPage) -> None:
    app = open_page("throughput")
    app.session_state["source"] = "file"
    app.run()
    app.file_uploader(key="throughput_file").upload("a.csv", b"", "text/csv").run()
    assert not app.exception
    assert "空文件" in app.error[0].value
    assert app.button(key="throughput_start").disabled


def test_one_race_at_a_time(open_page: OpenPage) -> None:
    """Two would measure each other; the second visitor is told, and may come again."""
    app = open_page("throughput")
    with alone("race"):
        _start(app)
        assert "另一位访客" in app.error[0].value
    _start(app)
    assert not app.error and app.metric


class _Bar:
    def progress(self, value: float, text: str = "") -> None: ...
