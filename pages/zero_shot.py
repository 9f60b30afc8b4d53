"""Zero-shot: texts sorted into labels that are typed in."""

from __future__ import annotations

import streamlit as st

from wenmo.ui.shell import components
from wenmo.ui.shell.examples import LABELS
from wenmo.ui.shell.inputs import MAX_TEXTS
from wenmo.ui.text import say
from wenmo.ui.zero_shot import page as zero_shot

components.heading("zero_shot")
components.examples("zero_shot", LABELS)
asked = zero_shot.question()
with st.form("zero_shot", border=False):
    lines = components.text_lines(
        say("zero_shot.texts"),
        key="zero_shot_texts",
        limit=MAX_TEXTS,
        height=100,
        placeholder=say("zero_shot.placeholder"),
    )
    submitted = components.submit("zero_shot", say("zero_shot.classify"))

if not lines or (not asked.labels and not submitted):
    st.caption(say("zero_shot.empty"))
else:
    zero_shot.answer(lines, asked)
