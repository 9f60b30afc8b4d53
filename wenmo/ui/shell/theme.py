"""The look that `.streamlit/config.toml` cannot hold: one small stylesheet, the seals, the hills.

Whatever goes into HTML here is a constant of the app. What a user typed never does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import streamlit as st

from wenmo.paths import ASSETS

_INK = ASSETS / "ink"
SEAL = str(_INK / "seal.svg")
LOGO = str(_INK / "logo.svg")
HILLS = str(_INK / "hills.svg")

Stamp = Literal["同", "似", "疑", "别", "异"]


def apply() -> None:
    """Send the stylesheet; once a run, from the shell."""
    st.html(Path(__file__).with_name("style.css"))


def stamp(character: Stamp, *, filled: bool) -> None:
    """One character in a seal: filled with cinnabar where it says yes, outlined in ink where it does not."""
    style = "wm-stamp" if filled else "wm-stamp wm-light"
    st.html(f'<span class="{style}" aria-hidden="true">{character}</span>', width="content")


def face(emoji: Literal["😄", "😐", "😠"]) -> None:
    """A mood, large."""
    st.html(f'<span class="wm-face" aria-hidden="true">{emoji}</span>', width="content")
