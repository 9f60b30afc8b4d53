"""The page of classifiers: what to do without a model, one text with why, several texts, a model of the visitor's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pages.conftest import OpenPage, shown, submit
from tests.transformers_models import classifier, probabilities, save
from wenmo.ui.text import TEXTS

EMOTIONS = ("愤怒", "厌恶", "恐惧", "高兴", "喜好", "悲伤", "惊讶")


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A classifier in the folder for local models, and none by default."""
    monkeypatch.setenv("WENMO_CLASSIFY_MODEL", "")
    monkeypatch.setenv("WENMO_MODELS_FOLDER", str(tmp_path))
    return save(classifier(EMOTIONS), tmp_path / "emotions")


def test_without_a_model_it_says_what_to_do(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WENMO_CLASSIFY_MODEL", "")
    monkeypatch.setenv("WENMO_MODELS_FOLDER", str(tmp_path))
    app = open_page("classify")
    assert [info.value for info in app.info] == [TEXTS["classify.no_model"].zh]
    assert not app.text_area


def test_a_model_chosen_in_the_sidebar_answers(open_page: OpenPage, own: Path) -> None:
    app = open_page("classify")
    assert app.info
    field = next(field for field in app.selectbox if field.key == "model_classify")
    assert "emotions" in field.options
    field.set_value("emotions").run()
    app.text_area(key="classify_texts").set_value("天气好")
    submit(app)
    (theirs,) = probabilities(own, ["天气好"])
    best = max(theirs, key=theirs.__getitem__)
    assert f"{best}  {theirs[best]:.1%}" in shown(app)
    assert app.session_state["models"] == {"classify": "emotions"}

    app.text_area(key="classify_texts").set_value("天气好\n下班以后去哪里吃饭")
    submit(app)
    labels = [max(each, key=each.__getitem__) for each in probabilities(own, ["天气好", "下班以后去哪里吃饭"])]
    assert app.dataframe[0].value.iloc[:, 0].tolist() == labels
    assert TEXTS["classify.counts"].zh in shown(app)


def test_a_comparison_asks_for_a_model(open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WENMO_CLASSIFY_MODEL", "")
    monkeypatch.setenv("WENMO_MODELS_FOLDER", str(tmp_path))
    app = open_page("models")
    app.session_state["view"] = "compare"
    app.session_state["task"] = "classify"
    app.run()
    assert not app.exception
    assert any(TEXTS["app.classify"].zh in info.value for info in app.info)
