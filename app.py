"""The app's shell: page config, navigation, sidebar. `python -m wenmo serve` or `streamlit run app.py` starts it."""

from __future__ import annotations

import streamlit as st

from wenmo.ui.shell import document, history, sidebar, theme
from wenmo.ui.shell.password import ask_password
from wenmo.ui.text import say

st.set_page_config(page_icon=theme.SEAL)
theme.apply()
st.logo(theme.LOGO, size="large", icon_image=theme.SEAL)
with st.sidebar:
    sidebar.language_switch()  # first, because everything below is in the chosen language
    status = st.container()
ask_password()

# Each url_path differs from the name of its file, or AppTest.switch_page would run the page without this shell.
# The list has no sections, because for them Streamlit puts <div> into <ul>, which confuses screen readers.
page = st.navigation(
    [
        st.Page("pages/home.py", title=say("app.home"), url_path="welcome", default=True),
        st.Page("pages/similarity.py", title=say("app.similarity"), url_path="compare"),
        st.Page("pages/match.py", title=say("app.match"), url_path="lookup"),
        st.Page("pages/sentiment.py", title=say("app.sentiment"), url_path="mood"),
        st.Page("pages/zero_shot.py", title=say("app.zero_shot"), url_path="labels"),
        st.Page("pages/classify.py", title=say("app.classify"), url_path="sort"),
        st.Page("pages/batch.py", title=say("app.batch"), url_path="files"),
        st.Page("pages/memory.py", title=say("app.memory"), url_path="usage"),
        st.Page("pages/throughput.py", title=say("app.throughput"), url_path="race"),
        st.Page("pages/story.py", title=say("app.story"), url_path="savings"),
        st.Page("pages/models.py", title=say("app.models"), url_path="library"),
        st.Page("pages/adapt.py", title=say("app.adapt"), url_path="finetune"),
        st.Page("pages/service.py", title=say("app.service"), url_path="status"),
    ]
)
presenting = page.url_path == "savings"  # set here and not by the page, so that the next page undoes it
st.set_page_config(
    page_title=f"{page.title} · {say('app.name')}",
    layout="wide" if presenting else "centered",
    initial_sidebar_state="collapsed" if presenting else "auto",
)
history.go()
with status:
    document.describe(page.url_path)  # before the page, which may compute for long
page.run()
with status:
    history.panel()
    sidebar.status()
