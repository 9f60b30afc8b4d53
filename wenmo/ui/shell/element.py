"""Custom elements: HTML of the app's own with a script, such as the button that copies a table.

The HTML holds no text of a user. Scripts get such text as data and write it with textContent.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer


@cache  # Streamlit wants each component registered once a process
def element(script: Path, html: str, *, style: Path | None = None) -> ComponentRenderer:
    """`html` with the JavaScript of the file `script` and the CSS of the file `style`, if there is one."""
    return st.components.v2.component(
        f"wenmo_{script.stem}",
        html=html,
        css=None if style is None else style.read_text(encoding="utf-8"),
        js=script.read_text(encoding="utf-8"),
    )
