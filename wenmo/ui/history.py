"""What was asked in this browser, kept there (localStorage) and nowhere else: list, open again, export, clear.

The server sees an entry again only when the visitor opens it. The little JavaScript stands in `history.js`; it writes
texts as texts (textContent), never as HTML.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from wenmo.ui import share
from wenmo.ui.text import say

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

_KEY = "history"
_GO_TO = "history.go_to"
_WORDS = ("title", "empty", "clear", "export", "note", "unavailable")


def panel() -> None:
    """The list, newest first. After the page: it holds what the page has just answered."""
    _component()(
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


@cache
def _component() -> ComponentRenderer:
    here = Path(__file__)
    return st.components.v2.component(
        "wenmo_history",
        html='<details><summary></summary><ul></ul><p></p><div class="tools"><button name="export"></button>'
        '<button name="clear"></button></div></details>',
        css=here.with_name("history.css").read_text(encoding="utf-8"),
        js=here.with_suffix(".js").read_text(encoding="utf-8"),
    )
