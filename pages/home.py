"""Home: what this is, in one screen, with something to try at once."""

from __future__ import annotations

import streamlit as st

from wenmo.ui.home import tour
from wenmo.ui.shell import pair, theme
from wenmo.ui.text import say

PAGES = ("similarity", "sentiment", "zero_shot")

st.image(theme.HILLS, width="stretch", alt="")
st.title(say("app.name"), anchor=False)
st.markdown(say("home.tagline"))
tour.card()

st.subheader(say("home.try"), anchor=False)
pair.show()

st.space("small")
with st.container(key="links"):
    for column, name in zip(st.columns(3, border=True), PAGES, strict=True):
        with column:
            st.page_link(f"pages/{name}.py", label=f"**{say(f'app.{name}')}**")
            st.caption(say(f"home.{name}"))

st.subheader(say("home.notes_title"), anchor=False)
st.markdown(say("home.notes"))
