"""Batch: a file of texts in, the same rows with their answers out, to look at and to take away."""

from __future__ import annotations

from wenmo.ui.batch import page as batch
from wenmo.ui.batch import results as batch_results
from wenmo.ui.shell import components

components.heading("batch")
job = batch.current_job()
if job is None:
    batch.receive()
else:
    view = batch.file_line(job)
    if view.state in ("waiting", "running"):
        batch.live(job)
    elif view.state == "done":
        batch_results.show(job, view)
    else:
        batch.why_not_done(view)
        wish = batch.settings(job)
        if wish is not None:
            batch.estimate(job, wish)
            batch.start(job, wish)
