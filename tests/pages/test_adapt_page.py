"""The page that adapts a model: from the sample to a model that the other pages answer with."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.conftest import GOLDEN_MODELS, ROOT
from tests.pages.conftest import TIMEOUT_S, OpenPage, shown, submit
from wenmo import Engine
from wenmo.adapt.types import Adapted, AdaptProgress
from wenmo.errors import InputError
from wenmo.models import local
from wenmo.ui.shell.runtime import get_adapt_jobs
from wenmo.ui.text import TEXTS

Tell = Callable[[AdaptProgress], None]


@pytest.fixture(autouse=True)
def models_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WENMO_MODELS_FOLDER", str(tmp_path / "models"))
    return tmp_path / "models"


def _with_sample(open_page: OpenPage) -> AppTest:
    app = open_page("adapt")
    app.button(key="adapt_sample_button").click().run()
    assert not app.exception
    return app


def _finished(app: AppTest) -> AppTest:
    (job,) = get_adapt_jobs()._jobs.values()
    assert job.wait(TIMEOUT_S)
    app.run()
    assert not app.exception and not app.error
    return app


def test_from_the_sample_to_a_model_in_use(open_page: OpenPage, models_folder: Path) -> None:
    """On golden weights: what is shown is what the run found, and the other page then answers with the new model."""
    app = _with_sample(open_page)
    assert app.dataframe[0].value.iloc[:, 1].tolist() == ["正面", "负面"]
    assert app.dataframe[0].value.iloc[:, 2].tolist() == [30, 30]
    app.text_input(key="adapt_name_sentiment").input("noodles")
    app.toggle(key="adapt_checkpointing").set_value(True)
    app.slider(key="adapt_epochs").set_value(1)
    app.button(key="adapt_start").click().run()
    _finished(app)
    (job,) = get_adapt_jobs()._jobs.values()
    adapted = job.status().result
    assert adapted is not None and adapted.options.checkpointing
    text = shown(app)
    assert TEXTS[f"adapt.verdict.{adapted.difference.verdict}"].zh in text
    assert f"原来答对 {adapted.before.correct}，现在答对 {adapted.after.correct}" in text
    assert TEXTS["adapt.saved"].zh.format(name="visitor:noodles") in text
    assert local.names(models_folder) == ["visitor:noodles"]

    app.button(key="adapt_use").click().run()
    app.switch_page("pages/sentiment.py").run()  # AppTest does not follow st.switch_page
    assert app.query_params["model"] == "visitor:noodles"
    app.text_area(key="sentiment_texts").input("酸笋臭得冲鼻子")
    submit(app)
    with Engine(
        device="cpu", precision="fp32", models={"sentiment": local.folder_of("visitor:noodles", models_folder)}
    ) as engine:
        expected = engine.sentiment(["酸笋臭得冲鼻子"])[0].positive
    with Engine(device="cpu", precision="fp32", models=GOLDEN_MODELS) as engine:
        assert f"{engine.sentiment(['酸笋臭得冲鼻子'])[0].positive:.1%}" != f"{expected:.1%}"
    assert f"{expected:.1%}" in [metric.value for metric in app.metric]
    app.selectbox(key="model_sentiment").select_index(0).run()
    assert "model" not in app.query_params
    assert f"{expected:.1%}" not in [metric.value for metric in app.metric]  # the usual model answers anew


def test_a_reload_finds_the_run_again(open_page: OpenPage) -> None:
    go_on = threading.Event()

    def work(tell: Tell) -> Adapted:
        tell(AdaptProgress(stage="training", step=3, of=9, loss=0.5, memory_mib=100.0, memory_of="process"))
        go_on.wait(TIMEOUT_S)
        tell(AdaptProgress(stage="training", step=4, of=9, loss=0.4, memory_mib=100.0, memory_of="process"))
        raise InputError("That was that.", "就这样。")

    job = get_adapt_jobs().start(work)
    other = _with_sample(open_page)
    assert "33%" in " ".join(str(info.value) for info in other.info)
    assert other.button(key="adapt_start").disabled
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT_S)
    app.query_params["job"] = job.id
    app.run()
    app.switch_page("pages/adapt.py").run()
    assert not app.exception
    assert app.button(key="adapt_stop") and len(app.get("plotly_chart")) == 2
    go_on.set()
    assert job.wait(TIMEOUT_S)
    app.run()
    assert "就这样" in app.error[0].value
    app.button(key="adapt_another").click().run()
    assert not app.error and "job" not in app.query_params


def test_stopping_keeps_nothing(open_page: OpenPage, models_folder: Path) -> None:
    app = _with_sample(open_page)
    app.slider(key="adapt_epochs").set_value(40)
    app.button(key="adapt_start").click().run()
    (job,) = get_adapt_jobs()._jobs.values()
    job.stop()
    assert job.wait(TIMEOUT_S)
    app.run()
    assert TEXTS["adapt.stopped"].zh in " ".join(str(info.value) for info in app.info)
    assert local.names(models_folder) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text,label\n很好,五星\n", "含义不明"),
        ("text,label\n很好,1\n", "只有一个标签"),
        ("", "空文件"),
        ("text,label\n<b>好</b>,<script>\n", "script"),
    ],
)
def test_what_a_file_lacks_is_told(open_page: OpenPage, content: str, message: str) -> None:
    app = open_page("adapt")
    app.file_uploader(key="adapt_file").upload("rows.csv", content.encode(), "text/csv").run()
    assert not app.exception
    assert message in app.error[0].value


def test_a_name_that_is_taken_is_told_at_once(open_page: OpenPage) -> None:
    app = _with_sample(open_page)
    app.text_input(key="adapt_name_sentiment").input("../../etc")
    app.button(key="adapt_start").click().run()
    assert not app.exception and "模型名" in app.error[0].value
    assert get_adapt_jobs().running() is None


def test_a_name_in_the_address_is_none_of_a_path(open_page: OpenPage, golden_engine: Engine) -> None:
    """Only what is among the choices is taken: an address must not make the server load or download anything."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT_S)
    app.query_params["model"] = [
        "../tests/golden/sentiment",
        "iic/nlp_structbert_sentiment-classification_chinese-base",
    ]
    app.run()
    assert not app.exception and "model" not in app.query_params
