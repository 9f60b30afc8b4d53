"""A model of somebody's own on the Models page: its labels are named, remembered, and it is used in the session."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pages.conftest import OpenPage, shown
from tests.transformers_models import classifier, save
from wenmo.models.label_names import remembered


def test_labels_are_named_and_the_model_is_used(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WENMO_MODELS_FOLDER", str(tmp_path))
    folder = save(classifier(None), tmp_path / "mine")
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# Mine\n", encoding="utf-8")
    app = open_page("models")
    app.selectbox(key="models_details").set_value("mine").run()
    assert "apache-2.0" in shown(app) and "LABEL_0" in shown(app)
    remember = next(button for button in app.button if button.proto.is_form_submitter)
    app.text_input(key="models_label_names_typed").set_value("只有一个")
    remember.click().run()
    assert app.error and remembered(folder, tmp_path) is None
    remember = next(button for button in app.button if button.proto.is_form_submitter)
    app.text_input(key="models_label_names_typed").set_value("负面，正面")
    remember.click().run()
    assert not app.exception and not app.error
    assert remembered(folder, tmp_path) == ("负面", "正面")
    app.button(key="models_use_sentiment").click().run()
    assert app.session_state["models"] == {"sentiment": "mine"}


def test_what_is_no_id_is_told(open_page: OpenPage) -> None:
    app = open_page("models")
    app.session_state["view"] = "pull"
    app.run()
    app.text_input(key="models_own_id").set_value("../etc").run()
    app.button(key="models_pull").click().run()
    assert not app.exception
    assert any("Hugging Face" in error.value for error in app.error)
