"""Service: how programs call it, how it is doing, and what it was last measured at."""

from __future__ import annotations

import streamlit as st

from wenmo.ui.service import page as service
from wenmo.ui.shell import components
from wenmo.ui.text import say

components.heading("service")

st.subheader(say("service.how"), anchor=False)
service.how_to_call()

st.subheader(say("service.now"), anchor=False)
service.live()

st.subheader(say("service.articles"), anchor=False)
service.last_articles()
