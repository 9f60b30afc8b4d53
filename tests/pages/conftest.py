"""The app in Streamlit's own test runner, on golden weights: random, but real."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from wenmo.ui.shell.runtime import get_adapt_jobs, get_file_jobs

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 60  # the first run imports torch

OpenPage = Callable[[str], AppTest]


@pytest.fixture(autouse=True)
def _golden_weights(golden_models: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for task, folder in golden_models.items():
        monkeypatch.setenv(f"WENMO_{task.upper()}_MODEL", folder)
    monkeypatch.setenv("WENMO_DEVICE", "cpu")
    monkeypatch.setenv("WENMO_PRECISION", "fp32")
    _clear()
    yield
    _clear()


def _clear() -> None:
    st.cache_resource.clear()
    for jobs in (get_adapt_jobs, get_file_jobs):
        if jobs.cache_info().currsize:
            jobs().close()
            jobs.cache_clear()


@pytest.fixture
def open_page() -> OpenPage:
    """Start the shell and go to a page: home, similarity, sentiment, zero_shot or adapt."""

    def open_(name: str) -> AppTest:
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT_S).run()
        if name != "home":
            app.switch_page(f"pages/{name}.py").run()
        assert not app.exception
        return app

    return open_


def submit(app: AppTest) -> AppTest:
    """Press the page's submit button."""
    (button,) = [each for each in app.button if each.proto.is_form_submitter]
    button.click().run()
    assert not app.exception
    return app


def shown(app: AppTest) -> str:
    """Everything that the page says in words, one element a line."""
    kinds = (app.title, app.subheader, app.markdown, app.caption, app.text, app.error, app.metric)
    lines = [str(element.value) for kind in kinds for element in kind]
    return "\n".join(lines + [metric.label for metric in app.metric])
