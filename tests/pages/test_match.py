"""The match page: two lists and one, pasted or from files; the threshold, the filter, corrections, the downloads."""

from __future__ import annotations

import json

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import OpenPage, shown, submit
from tests.tables import Row
from wenmo import Engine
from wenmo.ui.charts.tiles import TILES_SHOWN, tiles
from wenmo.ui.match import lists, pairing
from wenmo.ui.match.examples import TWO
from wenmo.ui.match.pairing import Matches
from wenmo.ui.text import TEXTS

QUESTIONS = "id,问题,备注\n1,密码忘了怎么找回,急\n2,,空\n3,发票在哪里开,\n"
FAQ = "问题,答案\n忘记密码怎么办,点找回\n如何开具发票,点发票\n<b>粗</b>,=1+1\n"


def at(app: AppTest, threshold: float) -> AppTest:
    app.slider(key="match_threshold").set_value(threshold).run()
    assert not app.exception
    return app


def by_files(app: AppTest) -> AppTest:
    app.button_group(key="source").set_value("files").run()
    app.file_uploader(key="match_left_file").upload("问.csv", QUESTIONS.encode(), "text/csv").run()
    app.file_uploader(key="match_right_file").upload("答.csv", FAQ.encode(), "text/csv").run()
    assert not app.exception
    app.button(key="match_start").click().run()
    assert not app.exception and not app.error
    return app


def test_two_pasted_lists(open_page: OpenPage, golden_engine: Engine) -> None:
    app = open_page("match")
    assert TEXTS["match.empty"].zh in shown(app)
    app.button(key="match_example_0").click().run()
    assert not app.exception and not app.error
    left, right = (str(TWO[0].fields[name]).split("\n") for name in ("match_left", "match_right"))
    found = golden_engine.search(left, right, top_k=2, rerank=pairing._RERANK)
    table = at(app, 0.05).dataframe[0].value
    assert table.iloc[:, 0].tolist() == left
    assert table.iloc[:, 2].tolist() == pytest.approx([100 * (hits[0].similarity or 0.0) for hits in found], abs=0.01)
    best = [hits[0].similarity or 0.0 for hits in found]
    for threshold in (0.05, 0.5, 0.95):
        at(app, threshold)
        share = sum(value >= threshold for value in best) / len(best)
        (metric,) = [each for each in app.metric if each.label == TEXTS["match.share"].zh]
        assert metric.value == f"{share:.1%}"


def test_two_files(open_page: OpenPage) -> None:
    app = by_files(open_page("match"))
    assert app.selectbox[0].value == "问题"
    assert TEXTS["match.share"].zh in shown(app)
    app.button_group(key="match_filter").set_value("unmatched").run()
    assert not app.exception


@pytest.fixture
def found() -> tuple[lists.Listing, lists.Listing, Matches]:
    left = lists.Listing(texts=("甲", "", "丙"), columns={"匹配": [1, 2, 3]})
    right = lists.Listing(texts=("一", "二"), columns={"答案": ["A", "B"]})
    nan = np.nan
    matches = Matches(
        best=np.array([0, -1, 1]),
        similarity=np.array([0.9, nan, 0.3]),
        cosine=np.array([0.8, nan, 0.2]),
        second=np.array([1, -1, 0]),
        second_similarity=np.array([0.1, nan, 0.25]),
    )
    return left, right, matches


def test_the_download_has_all_columns_and_what_was_corrected(
    found: tuple[lists.Listing, lists.Listing, Matches],
) -> None:
    left, right, matches = found
    chosen, corrected = np.array([0, -1, 0]), {2: 0}
    other, next_best = np.array([1, -1, 1]), np.array([0.1, np.nan, 0.3])
    named = pairing._download(left, right, matches, chosen, other, next_best, corrected)
    assert named[TEXTS["match.table.left"].zh] == ["甲", "", "丙"]
    assert named["匹配"] == [1, 2, 3] and named["匹配_"] == ["一", None, "一"]
    assert named["答案"] == ["A", None, "A"]
    assert named[TEXTS["match.table.by_hand"].zh] == [False, False, True]
    assert named[TEXTS["match.table.similarity"].zh] == [0.9, None, 0.3]


def test_one_list(open_page: OpenPage, golden_engine: Engine) -> None:
    app = open_page("match")
    app.button_group(key="lists").set_value("one").run()
    assert TEXTS["match.list_empty"].zh in shown(app)
    app.text_area(key="match_list").set_value("甲乙\n\n甲乙\n丙\n<b>x</b>")
    submit(app)
    app.slider(key="match_group_threshold").set_value(1.0).run()
    assert not app.exception and not app.error
    (chart,) = (json.loads(chart.proto.spec) for chart in app.get("plotly_chart"))
    assert chart["data"][0]["labels"] == ["甲乙"] and chart["data"][0]["values"] == [2]
    table = app.dataframe[0].value
    assert table.iloc[:, 1].tolist() == ["甲乙", "甲乙"] and table.iloc[:, 2].tolist() == [1, 2]
    (group,) = golden_engine.group(["甲乙", "甲乙", "丙", "<b>x</b>"], 1.0)
    assert group.members == (0, 1)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", "text\n", "没有数据行"),
        ("a.csv", "text\n  \n \n", "没有文本"),
        ("a.csv", "", "空文件"),
        ("a.parquet", "no parquet", "无法读取"),
        ("a.csv", "text\n" + "甲\n" * (pairing.MAX_LEFT + 1), f"{pairing.MAX_LEFT:,}"),
    ],
)
def test_files_that_cannot_be_used(open_page: OpenPage, name: str, content: str, says: str) -> None:
    app = open_page("match")
    app.button_group(key="source").set_value("files").run()
    app.file_uploader(key="match_left_file").upload(name, content.encode(), "text/plain").run()
    assert not app.exception
    assert any(says in error.value for error in app.error)


def test_the_column_is_guessed() -> None:
    rows: list[Row] = [{"id": "1", "问题": "短", "答案": "很长很长的答案"}]
    assert lists.guess_column(("id", "问题", "答案"), rows) == "问题"
    assert lists.guess_column(("id", "Text", "b"), rows) == "Text"
    assert lists.guess_column(("id", "x", "答案"), rows) == "答案"


def test_tiles_write_texts_literally_and_are_not_too_many() -> None:
    groups = [["<b>粗</b>", "#000001"] + ["字"] * 20, *[["甲", "乙"]] * 50]
    figure = tiles(groups, [[1.0] * len(group) for group in groups])
    (trace,) = figure.data
    assert len(trace.labels) == TILES_SHOWN and trace.values[0] == 22
    assert trace.labels[0] == "&lt;b&gt;粗&lt;/b&gt;"
    assert "&#35;000001" in trace.customdata[0] and trace.customdata[0].endswith("… 14")
