"""The parts of the look that `.streamlit/config.toml` cannot hold: a stylesheet, the images, stamps and faces.

Each colour means one thing, on the page and in charts:

- Ink (light in the dark theme) is what is: text, amounts, what is chosen, the focus. Positive, where it faces negative.
- Grey is a second amount beside the first, or neither positive nor negative.
- Cinnabar on the page is the seal, and what to press: the button that starts the work, a link. In charts nothing is
  pressed; there it is negative, against, or too much.
- Green is better than before.
- Ochre marks a place: a group in a matrix, a pair in a map, an event on a line.

They are in .streamlit/config.toml and style.css. All HTML in here is constant: nothing that a user typed goes into it.
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
    """Send the stylesheet; `app.py` calls it once a run."""
    st.html(Path(__file__).with_name("style.css"))


def stamp(character: Stamp, *, filled: bool) -> None:
    """One character as a seal: filled with cinnabar for a yes, outlined in ink otherwise."""
    style = "wm-stamp" if filled else "wm-stamp wm-light"
    st.html(f'<span class="{style}" aria-hidden="true">{character}</span>', width="content")


def face(emoji: Literal["😄", "😐", "😠"]) -> None:
    """A large face that shows a mood."""
    st.html(f'<span class="wm-face" aria-hidden="true">{emoji}</span>', width="content")
