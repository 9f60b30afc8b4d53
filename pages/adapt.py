"""Adapt: a file of labelled rows in, a model of one's own out, with its accuracy before and after."""

from __future__ import annotations

import streamlit as st

from wenmo.tasks.table import row_tasks
from wenmo.ui.adapt import form, job, progress, results
from wenmo.ui.shell import components
from wenmo.ui.text import say

components.heading("adapt")
current = job.current()
if current is not None:
    status = current.status()
    if status.state == "running":
        progress.show(current)
    else:
        results.show(status)
else:
    names = {spec.name: say(f"app.{spec.name}") for spec in row_tasks()}
    task = components.choice(say("adapt.task"), names, key="adapt_task")
    rows = form.read_file(task)
    if rows is not None:
        wish = form.options(rows)
        busy = job.others_run()
        if st.button(say("adapt.start"), type="primary", disabled=busy, key="adapt_start"):
            form.start(wish)
