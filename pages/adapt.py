"""Adapt: a file of labelled rows in, a model of one's own out, with what it reached before and after."""

from __future__ import annotations

import streamlit as st

from wenmo.tasks.table import row_tasks
from wenmo.ui.adapt import page as adapting
from wenmo.ui.shell import components
from wenmo.ui.text import say

components.heading("adapt")
job = adapting.current_job()
if job is not None:
    adapting.watch(job)
else:
    names = {spec.name: say(f"app.{spec.name}") for spec in row_tasks()}
    task = components.choice(say("adapt.task"), names, key="adapt_task")
    rows = adapting.read_file(task)
    if rows is not None:
        wish = adapting.options(rows)
        busy = adapting.others_run()
        if st.button(say("adapt.start"), type="primary", disabled=busy, key="adapt_start"):
            adapting.start(wish)
