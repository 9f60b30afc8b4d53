"""How to call the REST routes: a snippet for each, at the address that the visitor uses."""

from __future__ import annotations

import streamlit as st

from wenmo.settings import Settings
from wenmo.ui.service import snippets
from wenmo.ui.text import say


def show() -> None:
    """The choice of a route, and a call of it in curl and in Python."""
    address = snippets.base_address(st.context.url)
    token = Settings.read().api_token is not None
    route = st.selectbox(say("service.route"), list(snippets.BODIES), key="service_route")
    in_shell, in_python = st.tabs(["curl", "Python"])
    in_shell.code(snippets.curl(address, route, token=token), language="bash", wrap_lines=True)
    in_python.code(snippets.python(address, route, token=token), language="python", wrap_lines=True)
    if token:
        st.caption(say("service.token_note"))
    st.caption(say("service.how_note", address=address))
