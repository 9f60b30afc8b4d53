"""The menu in the sidebar: the pages in groups, the three things to do first.

Streamlit's own menu puts <div> into <ul> where it has groups, which confuses screen readers, and folds long lists.
"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from wenmo.ui.text import say

# Addresses by the names of files in pages/. Each differs from that name, or AppTest.switch_page would run the page
# without this shell.
ADDRESSES: Mapping[str, str] = {
    "home": "welcome",
    "similarity": "compare",
    "match": "lookup",
    "sentiment": "mood",
    "zero_shot": "labels",
    "classify": "sort",
    "batch": "files",
    "memory": "usage",
    "throughput": "race",
    "story": "savings",
    "models": "library",
    "adapt": "finetune",
    "service": "status",
}
# Names of files in pages/, by their group; its name is the string app.group.<group>.
GROUPS: Mapping[str | None, tuple[str, ...]] = {
    None: ("home",),
    "read": ("similarity", "match", "sentiment", "zero_shot", "classify"),
    "files": ("batch",),
    "resources": ("memory", "throughput", "story"),
    "manage": ("models", "adapt", "service"),
}


def show(pages: Mapping[str, StreamlitPage]) -> None:
    """Links to `pages`, which are by the names in GROUPS. To be called in the sidebar."""
    with st.container(key="menu", gap="xsmall"):
        for group, names in GROUPS.items():
            if group is not None:
                st.caption(say(f"app.group.{group}"))
            for name in names:
                st.page_link(pages[name], width="stretch")
