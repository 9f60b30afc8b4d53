"""The tour of the home page: a card that says what can be done where, at the first visit and by its button.

That it was seen is kept in the browser (localStorage), so the server neither knows nor asks; the card is no dialog that
holds up the page, and lies over it, so that nothing moves. The little JavaScript stands in `tour.js`.
"""

from __future__ import annotations

import streamlit as st

from wenmo.ui.shell.element import element
from wenmo.ui.text import say

_STEPS = {"read": "similarity", "files": "batch", "costs": "story", "keep": "service"}  # and the page that it is about
_WORDS = ("open", "label", "back", "on", "done", "close", "go")

_HTML = (
    '<button name="open">…</button><div role="dialog" popover="manual"><button name="close">×</button>'
    '<p name="at"></p><h2></h2><p name="text" aria-live="polite"></p><div><button name="back"></button>'
    '<button name="go"></button><button name="on"></button></div></div>'
)


def card() -> None:
    """The button, and the card over the page where it was not seen yet."""
    steps = [
        {"title": say(f"tour.{name}.title"), "text": say(f"tour.{name}.text"), "page": page}
        for name, page in _STEPS.items()
    ]
    words = {word: say(f"tour.{word}") for word in _WORDS}
    asked = element("tour", _HTML)(key="tour", data={"steps": steps, "words": words}, on_go_change=lambda: None)
    if asked.go in _STEPS.values():
        st.switch_page(f"pages/{asked.go}.py")
