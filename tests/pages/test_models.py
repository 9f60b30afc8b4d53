"""The Models page: what is there, what a card says, a real download, and two models side by side."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import modelscope_hub
import pytest
from streamlit.testing.v1 import AppTest

from tests.bundled_answers import PARAMETERS_M
from tests.conftest import GOLDEN
from tests.fakehub import FakeHub
from tests.pages.conftest import OpenPage, shown, submit
from wenmo import Engine
from wenmo.models import hub
from wenmo.models.checkpoint import load_checkpoint
from wenmo.models.registry import bundled_models, known_hub_ids
from wenmo.types import PRECISIONS
from wenmo.ui.models import catalogue
from wenmo.ui.models.examples import COMPARISONS
from wenmo.ui.shell import model_choice
from wenmo.ui.shell.runtime import comparison_engine
from wenmo.ui.text import TEXTS

BUNDLED = bundled_models()
MODEL = known_hub_ids()[0][0]


@pytest.fixture(autouse=True)
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A hub with one model, and an empty cache."""
    with FakeHub(models={MODEL: GOLDEN / "similarity"}) as server:
        monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("MODELSCOPE_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", server.endpoint)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        modelscope_hub.set_default_config(None)
        catalogue.entries.clear()
        model_choice.choices.clear()
        yield server
    modelscope_hub.set_default_config(None)
    catalogue.entries.clear()


def _view(app: AppTest, view: str) -> AppTest:
    app.session_state["view"] = view
    app.run()
    assert not app.exception
    return app


def test_all_models_are_listed(open_page: OpenPage) -> None:
    table = open_page("models").dataframe[0].value
    assert table.iloc[:, 3].tolist() == [*BUNDLED, *(name for name, _ in known_hub_ids())]
    assert table.iloc[: len(BUNDLED), 0].eq(TEXTS["models.kind.bundled"].zh).all()
    assert table.iloc[len(BUNDLED) :, 2].isna().all()  # of what is not here no size is known


@pytest.mark.parametrize("view", ["here", "pull", "compare"])
def test_each_view_in_english(open_page: OpenPage, view: str) -> None:
    app = open_page("models")
    app.session_state["lang"] = "en"
    app = _view(app, view)
    words = {"here": "models.parameters", "pull": "models.disk", "compare": "models.compare_empty"}
    assert TEXTS["app.models"].en in shown(app)
    assert TEXTS[words[view]].en.partition("{")[0] in shown(app)


def test_a_bundled_model_has_its_sizes_and_its_accuracy(open_page: OpenPage) -> None:
    app = open_page("models")
    app.selectbox(key="models_details").select("wenmo-sentiment").run()
    metrics = {metric.label: metric.value for metric in app.metric}
    assert metrics[TEXTS["models.parameters"].zh] == f"{PARAMETERS_M['sentiment']} M"
    card = (BUNDLED["wenmo-sentiment"] / "README.md").read_text(encoding="utf-8")
    in_card = {shown: name for name, shown in catalogue.SETS.items()}
    for cell in app.dataframe[1].value.to_numpy().ravel():
        assert f"| {in_card.get(cell, cell)} |" in card
    assert "python -m benchmarks.accuracy" in shown(app)


def test_a_model_is_tried_and_its_memory_predicted(open_page: OpenPage) -> None:
    app = open_page("models")
    app.text_input(key="models_typed").input("wenmo-sentiment").run()
    shown_mib = {metric.label: metric.value.removesuffix(" MiB") for metric in app.metric if "MiB" in metric.value}
    peaks = {label: float(value.replace(",", "")) for label, value in shown_mib.items() if label in PRECISIONS}
    assert peaks["int8"] < peaks["fp16"] < peaks["fp32"] < 100
    assert "WENMO_SENTIMENT_MODEL=wenmo-sentiment" in [code.value for code in app.code]
    app.text_input(key="models_try_sentiment_a").input("墨色温润")
    submit(app)
    assert not app.exception and not app.error
    with Engine(device="cpu", precision="fp32") as engine:
        (expected,) = engine.sentiment(["墨色温润"])
    found = {metric.label: metric.value for metric in app.metric}
    assert found[expected.label] == f"{expected.score:.2%}"


def test_an_export_is_downloaded(open_page: OpenPage, tmp_path: Path) -> None:
    app = open_page("models")
    app.text_input(key="models_typed").input("wenmo-sentiment").run()
    app.selectbox(key="models_export_to").select("transformers").run()
    assert "wenmo export wenmo-sentiment OUT --to transformers --precision fp32" in [code.value for code in app.code]
    app.button(key="models_export").click().run()
    assert not app.exception and not app.error
    _, content, difference = app.session_state["models_exported"]
    assert difference < 1e-4
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(tmp_path)
    assert load_checkpoint(tmp_path / "wenmo-sentiment").labels == ("负面", "正面")
    app.selectbox(key="models_export_to").select("sentence-transformers").run()
    app.button(key="models_export").click().run()  # a classifier: it says why not
    assert not app.exception and "--task embedding" in app.error[0].value.replace("\\", "")
    assert "models_exported" not in app.session_state


def test_what_is_typed(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    """An id that is not here leads to its download; a folder is read only where the server allows it."""
    app = open_page("models")
    folder = str(GOLDEN / "sentiment")
    for typed in (folder, str(GOLDEN / "nothing"), "what?"):
        app.text_input(key="models_typed").input(typed).run()
        assert not app.exception
        assert "WENMO_PAGES_FOLDERS" in app.error[0].value.replace("\\", "")
        assert TEXTS["models.parameters"].zh not in [metric.label for metric in app.metric]
    monkeypatch.setenv("WENMO_PAGES_FOLDERS", "1")
    app.text_input(key="models_typed").input(folder).run()
    assert not app.exception and not app.error
    app.button(key="models_use_sentiment").click().run()
    assert ("sentiment", folder) in [choice[:2] for choice in app.session_state["models"].items()]
    app.text_input(key="models_typed").input(str(GOLDEN / "nothing")).run()
    assert app.error
    app.text_input(key="models_typed").input(MODEL).run()
    app.button(key="models_to_download").click().run()
    assert not app.exception
    assert app.text_input(key="models_own_id").value == MODEL


def test_a_download(open_page: OpenPage) -> None:
    app = _view(open_page("models"), "pull")
    assert "GiB" in shown(app)
    app.selectbox(key="models_hub").select(MODEL)
    app.button(key="models_pull").click().run()
    assert not app.exception and not app.error
    assert hub.cached(MODEL) is not None
    assert MODEL.split("_")[-1].replace("-", r"\-") in app.success[0].value
    assert not any(option.startswith(MODEL.partition("/")[2]) for option in app.selectbox(key="models_hub").options)
    table = _view(app, "here").dataframe[0].value
    assert table.loc[table.iloc[:, 3] == MODEL].iloc[0, 0] == TEXTS["models.kind.cached"].zh


def test_a_hub_that_cannot_help_is_told_and_may_be_asked_again(open_page: OpenPage, fake: FakeHub) -> None:
    models, fake.models = fake.models, {}
    app = _view(open_page("models"), "pull")
    app.button(key="models_pull").click().run()
    assert not app.exception
    assert "模型库中没有" in app.error[0].value
    fake.models = models
    app.button(key="models_pull").click().run()
    assert not app.error and hub.cached(MODEL) is not None


def test_two_precisions_on_one_text(open_page: OpenPage, golden_engine: Engine) -> None:
    app = _view(open_page("models"), "compare")
    app.segmented_control(key="compare_precision_1").set_value("fp16").run()
    app.text_area(key="compare_sentiment_texts").input("墨色温润")
    submit(app)
    assert not app.error
    (expected,) = golden_engine.sentiment(["墨色温润"])
    assert next(metric.value for metric in app.metric if metric.label == expected.label) == f"{expected.score:.2%}"
    sides = app.dataframe[0].value
    assert sides.iloc[0, 0].endswith("fp32") and sides.iloc[1, 0].endswith("fp16")
    assert sides.iloc[1, 2] < 0.6 * sides.iloc[0, 2]
    assert (sides.iloc[:, 1] > 0).all()


def test_the_same_twice_never_differs(open_page: OpenPage) -> None:
    app = _view(open_page("models"), "compare")
    app.segmented_control(key="compare_precision_1").set_value("fp32").run()
    app.text_area(key="compare_sentiment_texts").input("好\n坏\n=1+1")
    submit(app)
    metrics = {metric.label: metric.value for metric in app.metric}
    assert metrics[TEXTS["models.agreement"].zh] == "100.0%"
    assert metrics[TEXTS["models.largest_difference"].zh] == "0.0000"
    assert sorted(app.dataframe[1].value.iloc[:, 0]) == ["=1+1", "坏", "好"]
    assert TEXTS["models.none_differing"].zh in shown(app)


def test_texts_on_which_two_models_differ(open_page: OpenPage, golden_models: dict[str, str]) -> None:
    """The golden weights are random: they and the bundled model are of different minds on some of these."""
    texts = COMPARISONS["sentiment"][1].fields["compare_sentiment_texts"]
    assert isinstance(texts, str)
    app = _view(open_page("models"), "compare")
    app.selectbox(key="compare_sentiment_1").select("wenmo-sentiment").run()
    app.segmented_control(key="compare_precision_1").set_value("fp32").run()
    app.text_area(key="compare_sentiment_texts").input(texts)
    submit(app)
    with (
        Engine(device="cpu", precision="fp32", models=golden_models) as golden,
        Engine(device="cpu", precision="fp32") as bundled,
    ):
        lines = texts.split("\n")
        pairs = zip(golden.sentiment(lines), bundled.sentiment(lines), strict=True)
        expected = [line for line, (one, other) in zip(lines, pairs, strict=True) if one.label != other.label]
    assert expected
    assert app.dataframe[1].value.iloc[:, 0].tolist() == expected


@pytest.mark.parametrize("task", list(COMPARISONS))
def test_examples_of_each_task(open_page: OpenPage, task: str) -> None:
    app = open_page("models")
    app.session_state["task"] = task
    _view(app, "compare")
    app.segmented_control(key="compare_precision_1").set_value("fp16").run()
    for index in range(2):
        app.button(key=f"compare_example_{index}").click().run()
        assert not app.exception and not app.error
        assert app.dataframe


def test_a_line_that_is_no_pair(open_page: OpenPage) -> None:
    app = open_page("models")
    app.session_state["task"] = "similarity"
    _view(app, "compare")
    app.text_area(key="compare_similarity_texts").input("只有一句*话*")
    submit(app)
    assert "句对" in app.error[0].value and r"\*话\*" in app.error[0].value


def test_two_engines_are_kept_at_most(golden_models: dict[str, str]) -> None:
    """The oldest goes, and lets go of its model."""
    comparison_engine.clear()
    first = comparison_engine("sentiment", golden_models["sentiment"], 0, "fp32")
    first.sentiment(["好"])
    second = comparison_engine("sentiment", golden_models["sentiment"], 0, "fp16")
    assert comparison_engine("sentiment", golden_models["sentiment"], 0, "fp16") is second
    comparison_engine("sentiment", golden_models["sentiment"], 0, "bf16")
    assert first.loaded_tasks() == ()
    assert comparison_engine("sentiment", golden_models["sentiment"], 0, "fp32") is not first
    comparison_engine.clear()


def test_the_everyday_questions(open_page: OpenPage) -> None:
    page = _view(open_page("models"), "everyday")
    sizes = {"reviews": 200, "neutral": 40, "pairs": 200, "zero_shot": 60}
    names = {TEXTS[f"models.everyday.{name}"].zh: size for name, size in sizes.items()}
    assert not names.keys() & {metric.label for metric in page.metric}
    submit(page)
    shares = {metric.label: float(metric.value[:-1]) / 100 for metric in page.metric if metric.label in names}
    assert list(shares) == list(names)
    (table,) = page.dataframe
    assert len(table.value) == sum(round(size * (1 - shares[name])) for name, size in names.items())
