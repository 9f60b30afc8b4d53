"""The app in Streamlit's own test runner: on golden weights, random but real, where a module asks for no others.

Each test has an engine of its own, with its cache, counts and events, built by the app itself. What no test changes is
loaded or looked for once: the weights behind the engines of a file, and Streamlit's list of installed components.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
import streamlit as st
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from tests.conftest import ROOT
from wenmo.engine.loading import LoadOptions
from wenmo.inference.runtime import ModelRuntime
from wenmo.models.checkpoint import Checkpoint
from wenmo.types import Precision
from wenmo.ui.shell.runtime import close_engine, get_adapt_jobs, get_file_jobs

TIMEOUT_S = 60  # the first run imports torch

OpenPage = Callable[[str], AppTest]


_installed_components = cache(manifest_scanner.scan_component_manifests)


@pytest.fixture(scope="module", autouse=True)
def _loaded_once() -> Iterator[None]:
    runtimes: dict[Any, ModelRuntime] = {}
    load = LoadOptions.runtime_of

    def loaded(options: LoadOptions, checkpoint: Checkpoint, precision: Precision) -> ModelRuntime:
        folder = checkpoint.folder
        written = folder.stat().st_mtime_ns
        key = (folder, written, checkpoint.task, checkpoint.labels, precision, options.repeatable)
        if key not in runtimes:
            runtimes[key] = load(options, checkpoint, precision)
        return runtimes[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LoadOptions, "runtime_of", loaded)
        # Every AppTest reads the metadata of all installed packages: that alone took half of a test's time.
        patch.setattr(manifest_scanner, "scan_component_manifests", _installed_components)
        yield


@pytest.fixture(autouse=True)
def _golden_weights(
    golden_models: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    monkeypatch.setattr(
        tempfile, "tempdir", str(tmp_path_factory.mktemp("jobs"))
    )  # without the jobs that other processes left
    for task, folder in golden_models.items():
        monkeypatch.setenv(f"WENMO_{task.upper()}_MODEL", folder)
    monkeypatch.setenv("WENMO_DEVICE", "cpu")
    monkeypatch.setenv("WENMO_PRECISION", "fp32")
    _clear()
    yield
    _clear()


def _clear() -> None:
    close_engine()
    st.cache_resource.clear()
    st.cache_data.clear()
    for jobs in (get_adapt_jobs, get_file_jobs):
        if jobs.cache_info().currsize:
            jobs().close()
            jobs.cache_clear()


@pytest.fixture
def open_page() -> OpenPage:
    """Start the shell and go to a page: home, or the name of a file in pages/."""

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
