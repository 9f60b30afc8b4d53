"""Pages that ask for a password show nothing before it is given."""

from __future__ import annotations

import pytest

from tests.pages.conftest import OpenPage
from wenmo.ui.shell import password

PASSWORD = "correct-horse-battery"


@pytest.fixture(autouse=True)
def _locked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WENMO_PAGES_PASSWORD", PASSWORD)
    monkeypatch.setattr(password, "_WRONG_S", 0.0)


def test_nothing_is_shown_without_the_password(open_page: OpenPage) -> None:
    page = open_page("home")
    assert not page.exception and not page.title and not page.markdown
    assert page.text_input[0].label == "访问密码"


def test_a_wrong_password_is_told_and_the_right_one_opens(open_page: OpenPage) -> None:
    page = open_page("home")
    page.text_input[0].set_value("guess")
    page.button[0].click().run()
    assert "密码不对" in page.error[0].value
    page.text_input[0].set_value(PASSWORD)
    page.button[0].click().run()
    assert not page.exception and not page.error
    assert page.sidebar.markdown or page.markdown
