"""Zero-shot: texts sorted into labels that are typed in."""

from __future__ import annotations

import streamlit as st

from wenmo.ui.shell import components
from wenmo.ui.text import say
from wenmo.ui.zero_shot import answer, question

components.heading("zero_shot")
asked = question.labels_and_options()
lines, submitted = question.texts()
if not lines or (not asked.labels and not submitted):
    st.caption(say("zero_shot.empty"))
else:
    answer.show(lines, asked)
