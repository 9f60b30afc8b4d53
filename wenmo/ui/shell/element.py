"""A piece of HTML of the app's own, brought to life by a script that lies here, too: `copy.js`, `tour.js` …

No text of a user is in the HTML; scripts get it as data and write it with textContent.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

_FOLDER = Path(__file__).parent


@cache  # registered once a process
def element(name: str, html: str, *, style: str | None = None) -> ComponentRenderer:
    """`html` with `name`.js, and `style`.css or, without it, `name`.css."""
    return st.components.v2.component(
        f"wenmo_{name}",
        html=html,
        css=(_FOLDER / f"{style or name}.css").read_text(encoding="utf-8"),
        js=(_FOLDER / f"{name}.js").read_text(encoding="utf-8"),
    )
