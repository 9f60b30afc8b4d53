"""The tour of the home page: a card with what the app can do and where, at the first visit and by its button.

The browser remembers that the tour was seen (localStorage, by `tour.js`); the server does not know. The card lies over
the page without blocking it, so that nothing moves.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from wenmo.ui.shell.element import element
from wenmo.ui.text import say

_STEPS = {"read": "similarity", "files": "batch", "costs": "story", "keep": "service"}  # step -> the page it is about
_WORDS = ("open", "label", "back", "on", "done", "close", "go")

_HTML = (
    '<button name="open">…</button><div role="dialog" popover="manual"><button name="close">×</button>'
    '<p name="at"></p><h2></h2><p name="text" aria-live="polite"></p><div><button name="back"></button>'
    '<button name="go"></button><button name="on"></button></div></div>'
)
_SCRIPT = Path(__file__).with_name("tour.js")
_STYLE = Path(__file__).with_name("tour.css")


def card() -> None:
    """The button of the tour; the card opens by itself at the first visit."""
    steps = [
        {"title": say(f"tour.{name}.title"), "text": say(f"tour.{name}.text"), "page": page}
        for name, page in _STEPS.items()
    ]
    words = {word: say(f"tour.{word}") for word in _WORDS}
    asked = element(_SCRIPT, _HTML, style=_STYLE)(
        key="tour", data={"steps": steps, "words": words}, on_go_change=lambda: None
    )
    if asked.go in _STEPS.values():
        st.switch_page(f"pages/{asked.go}.py")
