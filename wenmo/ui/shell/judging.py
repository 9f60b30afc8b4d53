"""The fields for how zero-shot labels are judged, on the zero-shot page and on the batch page."""

from __future__ import annotations

from typing import NamedTuple

import streamlit as st

from wenmo.tasks.zero_shot import DEFAULT_TEMPLATE, SHORTLIST
from wenmo.types import ZERO_SHOT_METHODS, ZeroShotMethod
from wenmo.ui.shell import components
from wenmo.ui.text import say

_MAX_TEMPLATE = 500  # characters


class Judging(NamedTuple):
    """Arguments of `Engine.zero_shot` beside texts and labels."""

    template: str
    method: ZeroShotMethod
    multi_label: bool


def judging(page: str) -> Judging:
    """The fields in one row. Their values are kept for the session, apart for each `page`."""
    left, middle, right = st.columns([3, 2, 2], vertical_alignment="bottom")
    st.session_state.setdefault(f"{page}_template", DEFAULT_TEMPLATE)
    return Judging(
        template=left.text_input(
            say("zero_shot.template"),
            key=f"{page}_template",
            max_chars=_MAX_TEMPLATE,
            help=say("zero_shot.template_help"),
            persist_state="session",
        ),
        method=middle.selectbox(
            say("zero_shot.method"),
            ZERO_SHOT_METHODS,
            key=components.retold(f"{page}_method"),
            format_func=lambda name: say(f"zero_shot.method.{name}"),
            help=say("zero_shot.method_help", shortlist=SHORTLIST),
            persist_state="session",
        ),
        multi_label=right.toggle(
            say("zero_shot.multi_label"),
            key=f"{page}_multi_label",
            help=say("zero_shot.multi_label_help"),
            persist_state="session",
        ),
    )
