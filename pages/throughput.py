"""Throughput: the batch article's table on the reader's machine, as a race, and what each step brings."""

from __future__ import annotations

import streamlit as st

from wenmo.errors import WenmoError
from wenmo.ui.shell import components
from wenmo.ui.shell.runtime import get_engine
from wenmo.ui.text import say
from wenmo.ui.throughput import page as throughput

components.heading("throughput")

try:
    wanted = throughput.wanted(get_engine())
except WenmoError as error:
    components.show_error(error)
else:
    race = None if wanted is None else throughput.run(wanted)
    if wanted is None:
        st.caption(say("throughput.empty"))
    elif race is not None:
        throughput.summary(race)
        throughput.article(race)
        throughput.steps(race)
        throughput.padding(race)
        throughput.download(race)
