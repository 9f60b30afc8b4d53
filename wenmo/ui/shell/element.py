"""Custom elements: HTML of the app's own with a script, such as the button that copies a table.

The HTML holds no text of a user. Scripts get such text as data and write it with textContent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st


@cache  # Streamlit wants each component registered once a process
def element(script: Path, html: str, *, style: Path | None = None) -> Callable[..., Any]:
    """`html` with the JavaScript of the file `script` and the CSS of the file `style`, if there is one.

    The result takes `data`, which the script gets as the only item of an array, and the options of a component.
    """
    component = st.components.v2.component(
        f"wenmo_{script.stem}",
        html=html,
        css=None if style is None else style.read_text(encoding="utf-8"),
        js=script.read_text(encoding="utf-8"),
    )

    def render(*, data: Mapping[str, Any], **options: Any) -> Any:
        # In a list, which goes to the browser as it is. Of a dictionary Streamlit asks pandas whether its values are
        # tables, and importing pandas kept the first page waiting for one to two seconds.
        return component(data=[data], **options)

    return render
