"""The app's shell: page config, navigation, sidebar. `python -m wenmo serve` or `streamlit run app.py` starts it."""

from __future__ import annotations

import streamlit as st

from wenmo.ui.shell import document, history, menu, sidebar, theme
from wenmo.ui.shell.password import ask_password
from wenmo.ui.text import say

st.set_page_config(page_icon=theme.SEAL)
theme.apply()
st.logo(theme.LOGO, size="large", icon_image=theme.SEAL)
with st.sidebar:
    menu_place = st.container()
    sidebar.language_switch()  # first, because everything else is in the chosen language
    status = st.container()
ask_password()

pages = {
    name: st.Page(f"pages/{name}.py", title=say(f"app.{name}"), url_path=address, default=name == "home")
    for name, address in menu.ADDRESSES.items()
}
page = st.navigation(list(pages.values()), position="hidden")
with menu_place:
    menu.show(pages)
presenting = page.url_path == "savings"  # set here and not by the page, so that the next page undoes it
st.set_page_config(
    page_title=f"{page.title} · {say('app.name')}",
    layout="wide" if presenting else "centered",
    initial_sidebar_state="collapsed" if presenting else "auto",
)
history.go()
with st.container(key="document"):  # not in the sidebar, which may be folded; before the page, which may take long
    document.describe(page.url_path)
    announcer = st.empty()
page.run()
with announcer:
    document.announcer()
with status:
    history.panel()
    sidebar.status()
