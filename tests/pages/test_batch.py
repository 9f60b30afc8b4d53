"""The Batch page: from a file to its results, for one visitor and beside others."""

from __future__ import annotations

import json
import threading

import pytest
from streamlit.testing.v1 import AppTest

from tests.conftest import ROOT
from tests.pages.conftest import TIMEOUT_S, OpenPage, shown
from tests.waiting import until
from wenmo import Engine
from wenmo.jobs.file_job import FileJob
from wenmo.types import ZeroShotMethod
from wenmo.ui.batch.job import SAMPLE
from wenmo.ui.shell.runtime import get_file_jobs
from wenmo.ui.text import TEXTS

REVIEWS = "评论,商品,情绪\n很好,茶,正面\n太差了,茶,负面\n=1+1,伞,说不清\n一般,伞,正面\n"


def _upload(app: AppTest, name: str, content: str | bytes) -> AppTest:
    data = content.encode() if isinstance(content, str) else content
    app.file_uploader(key="batch_file").upload(name, data, "text/plain").run()
    assert not app.exception
    return app


def _job(app: AppTest) -> FileJob:
    job = get_file_jobs().get(app.session_state["batch_job"])
    assert job is not None
    return job


def _run(app: AppTest) -> AppTest:
    app.button(key="batch_start").click().run()
    until(lambda: _job(app).status().state not in ("waiting", "running"))
    app.run()
    assert not app.exception
    return app


def _texts(app: AppTest) -> str:
    return shown(app) + "\n".join(str(info.value) for info in app.info)


def test_from_a_file_to_its_results(open_page: OpenPage, golden_engine: Engine) -> None:
    app = _upload(open_page("batch"), "我的评论.csv", REVIEWS)
    assert app.dataframe[0].value["评论"].tolist() == ["很好", "太差了", "=1+1", "一般"]
    assert (
        app.selectbox(key=next(box.key for box in app.selectbox if box.key.startswith("batch_text_"))).value == "评论"
    )
    app.button(key="batch_estimate").click().run()
    assert not app.exception and any("全部约需" in str(each.value) for each in app.markdown)
    _run(app)
    results = golden_engine.sentiment(["很好", "太差了", "=1+1", "一般"])
    values = {metric.label: metric.value for metric in app.main.metric}
    assert values[TEXTS["batch.rows"].zh] == "4" and values[TEXTS["batch.failed"].zh] == "0"
    assert values[TEXTS["batch.mean"].zh] == f"{sum(result.score for result in results) / 4:.1%}"
    by_score = sorted(results, key=lambda result: -result.score)
    surest = app.dataframe[0].value
    assert surest.iloc[:, 1].tolist() == pytest.approx([100 * result.score for result in by_score], abs=1e-4)
    table = app.dataframe[2].value
    assert table["评论"].tolist() == ["很好", "太差了", "=1+1", "一般"]
    assert table.iloc[:, 0].tolist() == [result.label for result in results]

    app.text_input(key="batch_filter_text").input("太").run()
    assert app.dataframe[2].value["评论"].tolist() == ["太差了"]
    app.text_input(key="batch_filter_text").input(".*").run()
    assert TEXTS["batch.matching"].zh.format(total=0) in shown(app)
    app.text_input(key="batch_filter_text").input("").run()
    app.multiselect(key="batch_filter_labels").select(results[0].label).run()
    assert len(app.dataframe[2].value) == sum(result.label == results[0].label for result in results)

    app.selectbox(key="batch_group_by").select("商品").run()
    assert not app.exception
    figure = json.loads(next(c.proto.spec for c in app.get("plotly_chart") if "batch_groups_chart" in c.proto.id))
    good, neutral, bad = (trace["x"] for trace in figure["data"])  # of tea, of umbrellas
    for place, of in enumerate((results[:2], results[2:])):
        assert good[place] == sum(result.positive > 0.6 for result in of) / 2
        assert bad[place] == sum(result.positive < 0.4 for result in of) / 2
        assert good[place] + neutral[place] + bad[place] == 1

    app.selectbox(key="batch_truth").select("情绪").run()
    assert not app.exception
    labels = [result.label for result in results]
    judged = [(labels[0], "正面"), (labels[1], "负面"), (labels[3], "正面")]  # "说不清" is none of the labels
    right = sum(label == truth for label, truth in judged)
    assert TEXTS["batch.accuracy_note"].zh.format(of=3, right=right) in shown(app)
    app.selectbox(key="batch_meaning_情绪_说不清").select("正面").run()
    assert TEXTS["batch.accuracy_note"].zh.format(of=4, right=right + (labels[2] == "正面")) in shown(app)


def test_rows_without_a_text_are_counted_with_their_reason(open_page: OpenPage) -> None:
    app = _upload(open_page("batch"), "a.jsonl", '{"text": "很好"}\n{"text": null}\nno json\n{"text": "好"}\n')
    _run(app)
    assert {metric.label: metric.value for metric in app.main.metric}[TEXTS["batch.failed"].zh] == "2"
    assert sorted(app.dataframe[0].value.iloc[:, 1].tolist()) == [1, 1]
    lines = [json.loads(line) for line in _job(app).errors.read_text(encoding="utf-8").splitlines()]
    assert [line["row"] for line in lines] == [2, 3]


@pytest.mark.parametrize("task", ["similarity", "zero_shot", "zero_shot by vectors"])
def test_the_other_tasks(open_page: OpenPage, golden_engine: Engine, task: str) -> None:
    pairs = [("今天天气真好", "天气不错"), ("账单", "退货")]
    content = "a,text_a,text_b\n" + "".join(f"x,{first},{second}\n" for first, second in pairs)
    app = _upload(open_page("batch"), "a.csv", content)
    task, _, by_vectors = task.partition(" ")
    app.session_state["batch_task"] = task
    app.run()
    if task == "zero_shot":
        assert TEXTS["batch.no_labels"].zh in shown(app)
        app.text_input(key="batch_labels").input("天气，账单").run()
        app.text_input(key="batch_template").input("没有位置").run()
        assert "模板" in app.error[0].value
        app.text_input(key="batch_template").input("说的是{}").run()
        box = next(box for box in app.selectbox if box.key.startswith("batch_text_"))
        box.select("text_a").run()
        texts = [first for first, _ in pairs]
        method: ZeroShotMethod = "embedding" if by_vectors else "nli"
        app.selectbox(key="batch_method").select(method).run()
        answers = golden_engine.zero_shot(texts, labels="天气，账单", template="说的是{}", method=method)
        expected = [answer.label for answer in answers]
    else:
        expected = [r.label for r in golden_engine.similarity(pairs)]
    _run(app)
    assert app.dataframe[2].value.iloc[:, 0].tolist() == expected


def test_encoding_and_separator_are_guessed_and_corrected(open_page: OpenPage) -> None:
    app = _upload(open_page("batch"), "a.csv", "评论;商品\n很好,真的;茶\n太差;伞\n".encode("gb18030"))
    assert app.dataframe[0].value["评论"].tolist() == ["很好,真的", "太差"]
    assert "GB18030".lower() in shown(app).lower()
    job = _job(app)
    app.selectbox(key=f"batch_delimiter_{job.id}").select(",").run()
    assert "评论;商品" in app.dataframe[0].value.columns
    app.selectbox(key=f"batch_encoding_{job.id}").select("utf-8").run()
    assert "编码不是" in app.error[0].value and "input.csv" not in app.error[0].value
    assert not [button for button in app.button if button.key == "batch_start"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b""),
        ("a.csv", b"text\n"),
        ("a.csv", b'text\n"open'),
        ("a.parquet", b"PAR1"),
        ("a.xlsx", b"PK\x03\x04"),
        ("a.jsonl", b"{"),
        ("<img src=x>**a**.csv", b""),
    ],
)
def test_what_cannot_be_read_is_told(open_page: OpenPage, name: str, content: bytes) -> None:
    """Never a traceback, and never a path of the server."""
    app = _upload(open_page("batch"), name, content)
    assert len(app.error) == 1
    assert "/tmp" not in app.error[0].value and "input." not in app.error[0].value
    assert "<img" not in app.error[0].value.replace(r"\<", "")


def test_a_reload_finds_the_job_and_another_visitor_does_not(open_page: OpenPage) -> None:
    app = _run(_upload(open_page("batch"), "a.csv", REVIEWS))
    job_id = app.session_state["batch_job"]
    assert app.query_params["job"] == job_id
    again = AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT_S)
    again.query_params["job"] = job_id
    again.run()
    again.switch_page("pages/batch.py").run()
    assert not again.exception and "a.csv" in shown(again) and again.dataframe
    other = open_page("batch")
    assert "a.csv" not in shown(other) and other.file_uploader
    other.query_params["job"] = "A" * 22
    other.run()
    assert TEXTS["batch.gone"].zh in _texts(other) and "job" not in other.query_params


def test_deleting_leaves_no_file(open_page: OpenPage) -> None:
    app = _run(_upload(open_page("batch"), "a.csv", REVIEWS))
    folder = _job(app).folder
    assert folder.is_dir()
    app.button(key="batch_another").click().run()
    assert not app.exception and app.file_uploader and not folder.exists()


def test_a_running_job_shows_how_far_it_is_and_is_stopped(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Held at the first batch, so that the page can be looked at."""
    reached, go_on = threading.Event(), threading.Event()
    on_progress = FileJob._on_progress

    def held(self: FileJob, progress: object) -> None:
        on_progress(self, progress)  # type: ignore[arg-type]
        reached.set()
        go_on.wait(TIMEOUT_S)
        on_progress(self, progress)  # type: ignore[arg-type]

    monkeypatch.setattr(FileJob, "_on_progress", held)
    app = _upload(open_page("batch"), "a.csv", REVIEWS)
    app.button(key="batch_start").click().run()
    assert reached.wait(TIMEOUT_S)
    second = _upload(open_page("batch"), "b.csv", REVIEWS)
    second.button(key="batch_start").click().run()
    assert get_file_jobs().status(_job(second)).ahead == 1
    app.run()
    app.button(key="batch_stop").click().run()
    go_on.set()
    until(lambda: _job(app).status().state != "running")
    app.run()
    assert TEXTS["batch.stopped"].zh in _texts(app)
    assert sorted(path.name for path in _job(app).folder.iterdir()) == ["input.csv", "job.json"]
    _run(app)  # once more, from the beginning
    assert app.dataframe


def test_the_sample_is_one_click_away(open_page: OpenPage) -> None:
    app = open_page("batch")
    app.button(key="batch_sample").click().run()
    assert not app.exception and not app.error
    assert SAMPLE.name in shown(app)
    assert len(app.dataframe[0].value) == 20
    _run(app)
    app.session_state["lang"] = "en"
    app.selectbox(key="batch_group_by").select("日期").run()
    app.selectbox(key="batch_truth").select("情绪").run()
    assert not app.exception and not app.error
    assert "of 100 rows agree" in shown(app)


def test_stars_are_read_as_labels_and_a_month_is_chosen(open_page: OpenPage, golden_engine: Engine) -> None:
    """Three months; 1 and 2 stars are negative, 3 is left out, 4 and 5 positive, until it is changed."""
    texts = ["很好", "太差了", "一般", "不错", "破了"]
    starred = zip(texts, (5, 1, 3, 4, 2), ("01", "01", "02", "03", "03"), strict=True)
    lines = ["评论内容,评分,日期", *(f"{text},{stars},2026-{month}-05" for text, stars, month in starred)]
    app = _upload(open_page("batch"), "评论.csv", "\n".join(lines))
    _run(app)
    results = golden_engine.sentiment(texts)
    app.selectbox(key="batch_truth").select("评分").run()
    assert not app.exception
    judged = [
        results[0].positive >= 0.5,
        results[1].positive < 0.5,
        results[3].positive >= 0.5,
        results[4].positive < 0.5,
    ]
    assert TEXTS["batch.accuracy_note"].zh.format(of=4, right=sum(judged)) in shown(app)
    assert "1–2 星为" in shown(app)
    app.selectbox(key="batch_meaning_评分_3").select(results[2].label).run()
    assert TEXTS["batch.accuracy_note"].zh.format(of=5, right=sum(judged) + 1) in shown(app)

    app.selectbox(key="batch_group_by").select("日期").run()
    figure = json.loads(next(c.proto.spec for c in app.get("plotly_chart") if "batch_groups_chart" in c.proto.id))
    assert [name.split()[0] for name in figure["layout"]["xaxis"]["ticktext"]] == ["2026-01", "2026-02", "2026-03"]
    (months,) = app.select_slider
    months.set_range("2026-03", "2026-03").run()
    assert not app.exception
    assert app.dataframe[2].value["评论内容"].tolist() == texts[3:]
    app.toggle(key="batch_phrases").set_value(True).run()
    assert not app.exception and TEXTS["batch.phrases_note"].zh in shown(app)
