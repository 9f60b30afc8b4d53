"""The menu in the sidebar: the pages in groups, the three things to do first.

Streamlit's own menu puts <div> into <ul> where it has groups, which confuses screen readers, and folds long lists.
"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from wenmo.ui.text import say

# Names of files in pages/, by the string that heads their group.
GROUPS: Mapping[str | None, tuple[str, ...]] = {
    None: ("home",),
    "app.group.read": ("similarity", "match", "sentiment", "zero_shot", "classify"),
    "app.group.files": ("batch",),
    "app.group.resources": ("memory", "throughput", "story"),
    "app.group.manage": ("models", "adapt", "service"),
}


def show(pages: Mapping[str, StreamlitPage]) -> None:
    """Links to `pages`, which are by the names in GROUPS. To be called in the sidebar."""
    with st.container(key="menu", gap="xsmall"):
        for title, names in GROUPS.items():
            if title is not None:
                st.caption(say(title))
            for name in names:
                st.page_link(pages[name], label=pages[name].title, width="stretch")
