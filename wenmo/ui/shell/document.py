"""Tells the browser what Streamlit does not: language, words and page; and screen readers that there is an answer."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from wenmo.ui.shell.element import element
from wenmo.ui.shell.streamlit_words import PATTERNS, WORDS
from wenmo.ui.text import language

_SCRIPT, _ANNOUNCER = (Path(__file__).with_name(name) for name in ("document.js", "announcer.js"))
_ANNOUNCED = "announced"  # in the session: the number of announcements, and the last one
LANGUAGE_TAGS = {"zh": "zh-CN", "en": "en"}  # BCP 47


def describe(page: str) -> None:
    """`page` is the path of the page in the address."""
    chinese = language() == "zh"
    data = {
        "language": LANGUAGE_TAGS[language()],
        "page": page,
        "words": dict(WORDS) if chinese else {},
        "patterns": dict(PATTERNS) if chinese else {},
    }
    element(_SCRIPT, "<span></span>")(key="described", data=data)


def announce(text: str) -> None:
    """Let screen readers read `text` once this run has ended."""
    number, _ = st.session_state.get(_ANNOUNCED, (0, ""))
    st.session_state[_ANNOUNCED] = (number + 1, text)


def announcer() -> None:
    """The live region. To be called at the end of each run, at the same place."""
    number, text = st.session_state.get(_ANNOUNCED, (0, ""))
    region = '<span role="status" aria-live="polite" style="position:absolute;clip-path:inset(50%)"></span>'
    element(_ANNOUNCER, region)(key="announcer", data={"number": number, "text": text})
