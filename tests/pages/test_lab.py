"""The lab of the memory page: figures that are those of the engine, dashes with reasons, and no process left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import psutil
import pytest
from streamlit.testing.v1 import AppTest

from tests.conftest import GOLDEN_MODELS
from tests.pages.conftest import OpenPage, shown, submit
from wenmo import Engine
from wenmo.lab.configuration import Configuration, equal_lengths
from wenmo.lab.predict import predict
from wenmo.lab.presets import path
from wenmo.ui.memory import lab
from wenmo.ui.memory.lab_labelled_rows import sample
from wenmo.ui.shell.runtime import get_lab_turn
from wenmo.ui.text import TEXTS


@pytest.fixture
def open_lab(open_page: OpenPage) -> Callable[[str], AppTest]:
    def open_(preset: str) -> AppTest:
        app = open_page("memory")
        app.session_state["mode"], app.session_state["preset"] = "lab", preset
        app.run()
        assert not app.exception
        return app

    return open_


def _right(precision: str) -> int:
    """How many of the sample's reviews the golden model reads rightly."""
    rows = sample()
    with Engine(device="cpu", precision=precision, models=GOLDEN_MODELS) as engine:
        positive = [each.positive >= 0.5 for each in engine.sentiment(rows.inputs)]
    return int(np.sum(np.asarray(positive) == rows.label))


def table(app: AppTest, first: str) -> list[dict[str, object]]:
    """The rows of the table whose first column is called `first`."""
    (found,) = [each.value for each in app.dataframe if each.value.columns[0] == first]
    return list(found.to_dict("records"))


def said(app: AppTest) -> str:
    """What the page says, without what Markdown makes of it."""
    return shown(app).replace("\\", "")


def test_two_configurations_are_predicted_and_measured(open_lab: Callable[[str], AppTest]) -> None:
    """Each step changes one thing, its prediction is the predictor's, and its error is small."""
    app = open_lab("card")
    app.selectbox(key="lab_model").select("tiny").run()
    for side in ("before", "after"):
        app.number_input(key=f"lab_{side}_inference_batch").set_value(2)
        app.number_input(key=f"lab_{side}_inference_length").set_value(32)
    app.segmented_control(key="lab_before_inference_precision").set_value("fp16")
    app.default_timeout = 240  # two processes, each of which imports torch
    submit(app)
    steps = table(app, "配置")
    names = [row["配置"] for row in steps]
    assert names == ["tiny · fp16 · 填充到 512 · 2 × 32", "tiny · fp16 · 打包 · 2 × 32"]
    last = Configuration(model="tiny", precision="fp16", lengths=equal_lengths(2, 32))
    gpu = predict(last, device="cuda").gpu
    assert gpu is not None
    assert steps[-1]["含上下文"] == f"{gpu.total / 2**20:.1f} MiB"
    for row in steps:
        assert abs(float(str(row["误差"]).rstrip("%"))) < 2
        assert str(row["用时 ms"]).replace(",", "").isdecimal()
    (speed,) = table(app, "实测的配置")
    before, after = (float(str(speed[f"{side}，条/秒"])) for side in ("之前", "之后"))
    ratio = float(str(speed["倍数"]).removeprefix("×"))
    assert ratio == pytest.approx(after / before, rel=0.05)
    (same,) = table(app, "精度")  # fp16 on both sides
    assert same["答对"] == f"{_right('fp16')} / 100"
    text = said(app)
    assert "权重是随机的" in text
    assert "8 GB 的卡放得下" in text and text.count("一批最多") == 2
    (headline,) = app.header
    assert headline.value.replace("\\", "").startswith("在 8 GB 卡上：显存") and "最大批" in headline.value
    assert len(app.get("plotly_chart")) == 5  # the waterfall, speed, predicted and measured, what fits on both sides
    report, figures = app.get("download_button")
    assert report.proto.label == TEXTS["lab.report"].zh and figures.proto.label == TEXTS["app.download"].zh


def test_only_predicted_means_dashes_and_their_reason(open_lab: Callable[[str], AppTest]) -> None:
    app = open_lab("card")
    app.selectbox(key="lab_model").select("tiny").run()
    app.toggle(key="lab_measure_tiny").set_value(False)
    app.segmented_control(key="lab_after_inference_precision").set_value("int8")
    submit(app)
    steps = table(app, "配置")
    assert {row["CPU 实测"] for row in steps} == {"–"}
    assert steps[-1]["GPU 预测"] == "–"
    text = said(app)
    assert "这次只要求预测" in text and "int8 一行没有 GPU 数字" in text
    assert "内存是对本机 CPU 的预测" in text  # no waterfall for a GPU that cannot run int8


def test_a_reload_finds_what_was_found(open_lab: Callable[[str], AppTest], monkeypatch: pytest.MonkeyPatch) -> None:
    """In another session that opens the same address; without the id there is nothing."""
    app = open_lab("card")
    app.selectbox(key="lab_model").select("tiny").run()
    app.segmented_control(key="lab_labelled").set_value("none").run()
    app.toggle(key="lab_measure_tiny").set_value(False)
    submit(app)
    (headline,) = app.header
    monkeypatch.setattr(lab, "run", lambda *_: pytest.fail("it ran again"))
    again = open_lab("card")
    assert not again.header
    again.query_params["found"] = app.query_params["found"]
    again.run()
    assert not again.exception and again.header[0].value == headline.value


def test_the_articles_table_and_the_truth_on_checkpointing(open_lab: Callable[[str], AppTest]) -> None:
    app = open_lab("article")
    app.selectbox(key="lab_article_model").select("tiny")
    app.selectbox(key="lab_measured_with").select("none")
    submit(app)
    *memory_and_speed, f1 = table(app, "指标")
    assert len(memory_and_speed) == 3
    rights = {each: _right(each) for each in ("fp32", "fp16", "int8")}
    assert f1["本项目"] == f"{rights['fp32'] / 100:.4f} → {rights['fp16'] / 100:.4f} (n = 100)"
    asked = {row["精度"]: row for row in table(app, "精度")}
    assert {name: row["答对"] for name, row in asked.items()} == {
        name: f"{right} / 100" for name, right in rights.items()
    }
    assert asked["fp32"]["答案改变"] == "基线"
    assert "没有吞吐" in said(app)
    truth = [float(str(row["激活"]).removesuffix(" MiB")) for row in table(app, "工作")]
    assert truth[0] == truth[1] and truth[3] < 0.5 * truth[2]
    assert "推理时激活省 0.0%" in said(app)
    assert len(app.get("plotly_chart")) == 4


def test_rows_of_ones_own_are_answered_before_and_after(open_lab: Callable[[str], AppTest]) -> None:
    """A visitor's pairs, 24 of them, whose labels are what the golden model answers in fp32: 24 right at the start."""
    pairs = [(f"第{number}单到了吗", f"第{number * number}单在哪里") for number in range(24)]
    with Engine(device="cpu", precision="fp32", models=GOLDEN_MODELS) as engine:
        labels = [int(each.similarity >= 0.5) for each in engine.similarity(pairs)]
    assert 4 <= sum(labels) <= 20
    app = open_lab("card")
    app.selectbox(key="lab_model").select("tiny").run()
    app.segmented_control(key="lab_labelled").set_value("file").run()
    assert TEXTS["lab.no_file"].zh in shown(app)
    app.segmented_control(key="lab_task").set_value("similarity").run()
    lines = [f"{a},{b},{label}" for (a, b), label in zip(pairs, labels, strict=True)]
    content = "\n".join(["text_a,text_b,label", *lines]).encode()
    app.file_uploader(key="lab_file").upload("pairs.csv", content, "text/csv").run()
    assert not app.exception and not app.error
    app.toggle(key="lab_measure_tiny").set_value(False)
    app.segmented_control(key="lab_after_inference_precision").set_value("int8")
    submit(app)
    exact, int8 = table(app, "精度")
    assert exact["答对"] == "24 / 24"
    right = int(str(int8["答对"]).split(" / ")[0])
    assert str(int8["答案改变"]).startswith(f"{24 - right} (")
    assert f"{GOLDEN_MODELS['similarity']}" in said(app)


def test_what_cannot_be_combined_is_told(open_lab: Callable[[str], AppTest]) -> None:
    app = open_lab("card")
    app.toggle(key="lab_after_inference_checkpointing").set_value(True)
    submit(app)
    assert "梯度检查点" in app.error[0].value and not app.dataframe


class _GoneError(BaseException):
    """As Streamlit leaves a run."""


def _small(*, measured: bool) -> lab.Wish:
    configuration = Configuration(model="tiny", lengths=(32,))
    return lab.Wish(
        shown=path(configuration, configuration),
        measured=measured,
        checked=None,
        lengths=(32,),
        card_gib=None,
    )


def test_a_run_that_is_left_leaves_no_process_and_the_turn_is_free() -> None:
    children: list[psutil.Process] = []

    def progress(done: int, of: int) -> None:
        children.extend(psutil.Process().children(recursive=True))
        if any("wenmo.lab.measure" in child.cmdline() for child in children):
            raise _GoneError

    wish = _small(measured=True)
    with pytest.raises(_GoneError):
        lab.run(wish, {}, progress, lambda text: None)
    measuring = [child for child in children if child.is_running()]
    assert children and not [child for child in measuring if "wenmo.lab.measure" in child.cmdline()]
    assert get_lab_turn().acquire(blocking=False)
    get_lab_turn().release()


def test_who_waits_for_the_turn_can_leave() -> None:
    """Another visitor measures for ever; this one is told so, and goes."""
    told: list[str] = []
    calls = threading.Semaphore(2)

    def progress(done: int, of: int) -> None:
        if not calls.acquire(blocking=False):
            raise _GoneError

    wish = _small(measured=False)
    with get_lab_turn(), pytest.raises(_GoneError):
        lab.run(wish, {}, progress, told.append)
    assert told == [TEXTS["lab.stage.waiting"].zh]


def test_another_pages_mode_is_none_of_this_one(open_page: OpenPage) -> None:
    app = open_page("similarity")
    app.session_state["mode"] = "matrix"
    app.run()
    app.switch_page("pages/memory.py").run()
    assert not app.exception and app.toggle(key="memory_pause")
