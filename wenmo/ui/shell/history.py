"""What was asked in this browser, kept there (localStorage) and nowhere else: list, open again, export, clear.

The server sees an entry again only when the visitor opens it. The little JavaScript stands in `history.js`; it writes
texts as texts (textContent), never as HTML.
"""

from __future__ import annotations

import streamlit as st

from wenmo.ui.shell import share
from wenmo.ui.shell.element import element
from wenmo.ui.text import say

_KEY = "history"
_GO_TO = "history.go_to"
_WORDS = ("title", "empty", "clear", "export", "note", "unavailable")

_HTML = (
    '<details><summary></summary><ul></ul><p></p><div class="tools"><button name="export"></button>'
    '<button name="clear"></button></div></details>'
)


def panel() -> None:
    """The list, newest first. After the page: it holds what the page has just answered."""
    element("history", _HTML)(
        key=_KEY,
        data={
            "entry": st.session_state.get(share.ENTRY),
            "words": {word: say(f"history.{word}") for word in _WORDS},
            "kinds": {kind: say(f"history.{kind}") for kind in share.KINDS},
        },
        on_opened_change=_open,
    )


def go() -> None:
    """Before the page: go to the one whose entry was opened."""
    page = st.session_state.pop(_GO_TO, None)
    if page is not None:
        st.switch_page(f"pages/{page}.py")


def _open() -> None:
    opened = st.session_state[_KEY].get("opened") or {}
    page = share.take(opened.get("kind"), opened.get("fields"))
    if page is not None:
        st.session_state[_GO_TO] = page
