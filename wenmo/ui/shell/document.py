"""Tells the browser the language of the page, and closes the menu on a phone when another page was chosen."""

from __future__ import annotations

from pathlib import Path

from wenmo.ui.shell.element import element
from wenmo.ui.text import language

_SCRIPT = Path(__file__).with_name("document.js")
_LANGUAGE_TAGS = {"zh": "zh-CN", "en": "en"}  # BCP 47


def describe(page: str) -> None:
    """`page` is the path of the page in the address. To be called in the sidebar."""
    element(_SCRIPT, "<span></span>")(key="document", data={"language": _LANGUAGE_TAGS[language()], "page": page})
