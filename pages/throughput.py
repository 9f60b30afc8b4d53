"""Throughput: the batch article's table on the reader's machine, as a race, and what each step brings."""

from __future__ import annotations

import streamlit as st

from wenmo.errors import WenmoError
from wenmo.ui.shell import components
from wenmo.ui.shell.runtime import get_engine
from wenmo.ui.text import say
from wenmo.ui.throughput import race, results

components.heading("throughput")

try:
    wanted = race.wanted(get_engine())
except WenmoError as error:
    components.show_error(error)
else:
    if wanted is None:
        st.caption(say("throughput.empty"))
    else:
        result = race.run(wanted)
        if result is not None:
            results.show(result)
