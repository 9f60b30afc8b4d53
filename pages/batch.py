"""Batch: a file of texts in, the same rows with their answers out, on the screen and as a file."""

from __future__ import annotations

from wenmo.ui.batch import estimate, form, job, progress, results
from wenmo.ui.shell import components

components.heading("batch")
current = job.current()
if current is None:
    job.receive()
else:
    view = job.header(current)
    if view.state in ("waiting", "running"):
        progress.show(current)
    elif view.state == "done":
        results.show(current, view)
    else:
        progress.why_not_done(view)
        form.go_on(current, view)
        wish = form.ask(current)
        if wish is not None:
            estimate.show(current, wish)
            form.start(current, wish)
