"""Examples: buttons that fill the fields of a page, whose answer is then shown at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from wenmo.ui.localized import Text
from wenmo.ui.text import language, say


@dataclass(frozen=True, kw_only=True)
class Example:
    """`name` is the button's label; `fields` maps the keys of widgets to the values that they get."""

    name: Text
    fields: Mapping[str, object]


def buttons(key: str, choices: Sequence[Example]) -> None:
    """A row of buttons, one for each example. `key` is the form's."""

    def fill(example: Example) -> None:
        st.session_state.update(example.fields)

    with st.container(key=f"{key}_examples", horizontal=True, gap="small", vertical_alignment="center"):
        st.caption(say("app.examples"), width="content")
        for index, example in enumerate(choices):
            name = getattr(example.name, language())
            st.button(name, key=f"{key}_example_{index}", on_click=fill, args=(example,), type="tertiary")
