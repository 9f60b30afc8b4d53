"""Asks for the password of the pages, where the operator has set one (WENMO_PAGES_PASSWORD)."""

from __future__ import annotations

import hmac
import os
import time

import streamlit as st

from wenmo.ui.text import say

_LET_IN = "password_given"
_WRONG_S = 1.0  # a wrong one costs a second, so that guessing takes long


def ask_password() -> None:
    """Stop the script unless this session has given the password, or none is set."""
    if not os.environ.get("WENMO_PAGES_PASSWORD") or st.session_state.get(_LET_IN):
        return
    from wenmo.settings import Settings  # imports torch, which pages without a password should not wait for

    wanted = Settings.read().pages_password
    assert wanted is not None
    with st.form("password", border=False):
        given = st.text_input(say("password.field"), type="password", max_chars=256, autocomplete="current-password")
        asked = st.form_submit_button(say("password.enter"), type="primary")
    if asked and hmac.compare_digest(given.encode(), wanted.get_secret_value().encode()):
        st.session_state[_LET_IN] = True
        st.rerun()
    if asked:
        time.sleep(_WRONG_S)
        st.error(say("password.wrong"))
    st.stop()
