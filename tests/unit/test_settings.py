"""Valid settings, and errors that name the variable of an invalid one."""

from __future__ import annotations

import pytest

from wenmo.errors import InputError
from wenmo.settings import Settings
from wenmo.tasks.table import TASKS


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"WENMO_{name.upper()}", raising=False)
    monkeypatch.delenv("WENMO_WAITING_PIECES", raising=False)


@pytest.mark.parametrize(
    ("value", "tasks"), [("all", tuple(TASKS)), ("", ()), (" sentiment, similarity ,", ("sentiment", "similarity"))]
)
def test_models_to_preload_are_named_or_all(
    monkeypatch: pytest.MonkeyPatch, value: str, tasks: tuple[str, ...]
) -> None:
    assert Settings.read().preload is None  # the server decides
    monkeypatch.setenv("WENMO_PRELOAD", value)
    assert Settings.read().preload == tasks


def test_the_former_name_of_a_variable_goes_on_working(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WENMO_WAITING_PIECES", "100")
    assert Settings.read().waiting_tokens == 100
    monkeypatch.setenv("WENMO_WAITING_TOKENS", "200")
    assert Settings.read().waiting_tokens == 200
    assert Settings.read(waiting_tokens=300).waiting_tokens == 300


def test_origins_are_a_list_of_sites(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings.read().cors_origins == ()
    monkeypatch.setenv("WENMO_CORS_ORIGINS", "https://app.example.org, http://localhost:3000")
    assert Settings.read().cors_origins == ("https://app.example.org", "http://localhost:3000")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WENMO_CORS_ORIGINS", "*"),
        ("WENMO_CORS_ORIGINS", "https://*.example.org"),
        ("WENMO_CORS_ORIGINS", "https://example.org/"),
        ("WENMO_CORS_ORIGINS", "example.org"),
        ("WENMO_CORS_ORIGINS", "null"),
        ("WENMO_PRELOAD", "sentiment,mood"),
        ("WENMO_WORKERS", "0"),
        ("WENMO_WAITING_TOKENS", "0"),
        ("WENMO_REQUESTS_PER_MINUTE", "0"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=rf"(?<!_){name}"):
        Settings.read()
