"""The lab of the memory page: figures that are those of the engine, dashes with reasons, and no process left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable

import psutil
import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import OpenPage, shown, submit
from wenmo.memory.configuration import Configuration, equal_lengths
from wenmo.memory.predict import predict
from wenmo.memory.presets import path
from wenmo.ui import lab
from wenmo.ui.runtime import get_lab_turn
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


def table(app: AppTest, first: str) -> list[dict[str, object]]:
    """The rows of the table whose first column is called `first`."""
    (found,) = [each.value for each in app.dataframe if each.value.columns[0] == TEXTS[first].zh]
    return list(found.to_dict("records"))


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
    steps = table(app, "lab.configuration")
    names = [row[TEXTS["lab.configuration"].zh] for row in steps]
    assert names == ["tiny fp16 padded 2 x 512", "tiny fp16 packed 2 x 32"]
    last = Configuration(model="tiny", precision="fp16", lengths=equal_lengths(2, 32))
    gpu = predict(last, device="cuda").gpu
    assert gpu is not None
    assert steps[-1][TEXTS["lab.gpu_total"].zh] == f"{gpu.total / 2**20:.1f} MiB"
    for row in steps:
        assert abs(float(str(row[TEXTS["lab.error"].zh]).rstrip("%"))) < 2
        assert float(str(row[TEXTS["lab.time"].zh]).replace(",", "")) >= 0
    text = shown(app)
    assert TEXTS["lab.random"].zh in text
    assert "8 GB 的卡放得下" in text and "最大可到批" in text
    assert len(app.get("plotly_chart")) == 2  # the waterfall, and what fits
    report, figures = app.get("download_button")
    assert report.proto.label == TEXTS["lab.report"].zh and figures.proto.label == TEXTS["app.download"].zh


def test_only_predicted_means_dashes_and_their_reason(open_lab: Callable[[str], AppTest]) -> None:
    app = open_lab("card")
    app.selectbox(key="lab_model").select("tiny").run()
    app.toggle(key="lab_measure_tiny").set_value(False)
    app.segmented_control(key="lab_after_inference_precision").set_value("int8")
    submit(app)
    steps = table(app, "lab.configuration")
    assert {row[TEXTS["lab.cpu_measured"].zh] for row in steps} == {"–"}
    assert steps[-1][TEXTS["lab.gpu_allocated"].zh] == "–"
    text = shown(app)
    assert TEXTS["lab.dash_predicted"].zh in text and TEXTS["lab.dash_int8"].zh in text
    assert TEXTS["lab.of_cpu"].zh.format(model="tiny") in text  # no waterfall for a GPU that cannot run int8


def test_the_articles_table_and_the_truth_on_checkpointing(
    open_lab: Callable[[str], AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab, "ARTICLE_MODEL", "tiny")  # seconds in place of half a minute; nothing else is different
    app = open_lab("article")
    app.selectbox(key="lab_measured_with").select("none")
    submit(app)
    assert len(table(app, "lab.what")) == 3
    truth = [float(str(row[TEXTS["lab.activations"].zh]).removesuffix(" MiB")) for row in table(app, "lab.work")]
    assert truth[0] == truth[1] and truth[3] < 0.5 * truth[2]
    assert "激活省 0.0%" in shown(app)
    assert len(app.get("plotly_chart")) == 4


def test_what_cannot_be_combined_is_told(open_lab: Callable[[str], AppTest]) -> None:
    app = open_lab("card")
    app.toggle(key="lab_after_inference_checkpointing").set_value(True)
    submit(app)
    assert "梯度检查点" in app.error[0].value and not app.dataframe


class _GoneError(BaseException):
    """As Streamlit leaves a run."""


def test_a_run_that_is_left_leaves_no_process_and_the_turn_is_free() -> None:
    configuration = Configuration(model="tiny", lengths=(32,))
    children: list[psutil.Process] = []

    def progress(done: int, of: int) -> None:
        children.extend(psutil.Process().children(recursive=True))
        if any("wenmo.memory.measure" in child.cmdline() for child in children):
            raise _GoneError

    wish = lab.Wish(
        shown=path(configuration, configuration),
        measured=True,
        checked=None,
        fits=configuration,
        precisions=("fp32",),
        lengths=(32,),
        card_gib=None,
    )
    with pytest.raises(_GoneError):
        lab.run(wish, progress, lambda text: None)
    measuring = [child for child in children if child.is_running()]
    assert children and not [child for child in measuring if "wenmo.memory.measure" in child.cmdline()]
    assert get_lab_turn().acquire(blocking=False)
    get_lab_turn().release()


def test_who_waits_for_the_turn_can_leave() -> None:
    """Another visitor measures for ever; this one is told so, and goes."""
    configuration = Configuration(model="tiny", lengths=(32,))
    told: list[str] = []
    calls = threading.Semaphore(2)

    def progress(done: int, of: int) -> None:
        if not calls.acquire(blocking=False):
            raise _GoneError

    wish = lab.Wish(
        shown=path(configuration, configuration),
        measured=False,
        checked=None,
        fits=configuration,
        precisions=("fp32",),
        lengths=(32,),
        card_gib=None,
    )
    with get_lab_turn(), pytest.raises(_GoneError):
        lab.run(wish, progress, told.append)
    assert told == [TEXTS["lab.stage.waiting"].zh]


def test_another_pages_mode_is_none_of_this_one(open_page: OpenPage) -> None:
    app = open_page("similarity")
    app.session_state["mode"] = "matrix"
    app.run()
    app.switch_page("pages/memory.py").run()
    assert not app.exception and app.toggle(key="memory_pause")
