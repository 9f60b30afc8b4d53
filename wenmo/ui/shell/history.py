"""The history in the sidebar: what was asked in this browser, to open again, export and clear.

The entries are kept in the browser (localStorage, by `history.js`) and nowhere else. The server gets an entry back only
when the visitor opens it.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from wenmo.ui.shell import share
from wenmo.ui.shell.element import element
from wenmo.ui.text import say

_KEY = "history"
_GO_TO = "history.go_to"  # in the session: the page of the entry that was opened
_WORDS = ("title", "empty", "clear", "export", "note", "unavailable")

_HTML = (
    '<details><summary>…</summary><ul></ul><p></p><div class="tools"><button name="export"></button>'
    '<button name="clear"></button></div></details>'
)
_SCRIPT = Path(__file__).with_name("history.js")
_STYLE = Path(__file__).with_name("history.css")


def panel() -> None:
    """The list, newest first. To be called after the page, whose answer is its newest entry."""
    element(_SCRIPT, _HTML, style=_STYLE)(
        key=_KEY,
        data={
            "entry": st.session_state.get(share.ENTRY),
            "words": {word: say(f"history.{word}") for word in _WORDS},
            "kinds": {kind: say(f"history.{kind}") for kind in share.KINDS},
        },
        on_opened_change=_open,
    )


def go() -> None:
    """Go to the page whose entry was opened. To be called before the page is run."""
    page = st.session_state.pop(_GO_TO, None)
    if page is not None:
        st.switch_page(f"pages/{page}.py")


def _open() -> None:
    opened = st.session_state[_KEY].get("opened") or {}
    page = share.take(opened.get("kind"), opened.get("fields"))
    if page is not None:
        st.session_state[_GO_TO] = page
