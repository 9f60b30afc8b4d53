"""Adapt: a file of labelled rows in, a model of one's own out, with what it reached before and after."""

from __future__ import annotations

import streamlit as st

from wenmo.evaluation.labelled import ADAPT_TASKS
from wenmo.ui.adapt import page as adapting
from wenmo.ui.shell import components
from wenmo.ui.text import say

components.heading("adapt")
job = adapting.current_job()
if job is not None:
    adapting.watch(job)
else:
    names = {str(task): say(f"app.{task}") for task in ADAPT_TASKS}
    components.choice(say("adapt.task"), names, key="adapt_task")
    task = next(task for task in ADAPT_TASKS if task == st.session_state["adapt_task"])
    rows = adapting.read_file(task)
    if rows is not None:
        wish = adapting.options(rows)
        busy = adapting.others_run()
        if st.button(say("adapt.start"), type="primary", disabled=busy, key="adapt_start"):
            adapting.start(wish)
