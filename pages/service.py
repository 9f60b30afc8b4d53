"""Service: how programs call it, how it is doing, and what it was last measured at."""

from __future__ import annotations

import streamlit as st

from wenmo.ui.service import articles, how_to_call, live
from wenmo.ui.shell import components
from wenmo.ui.text import say

components.heading("service")

st.subheader(say("service.how"), anchor=False)
how_to_call.show()

st.subheader(say("service.now"), anchor=False)
live.show()

st.subheader(say("service.articles"), anchor=False)
articles.show()
