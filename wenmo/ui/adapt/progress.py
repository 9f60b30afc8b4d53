"""The progress of a training run, with its curves of loss and memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from wenmo.ui import charts
from wenmo.ui.text import say

if TYPE_CHECKING:
    from wenmo.adapt.job import AdaptJob, AdaptJobStatus


@st.fragment(run_every=1.5)
def show(job: AdaptJob) -> None:
    """The progress bar, the button to stop, and the curves; the page is run again when the run has ended."""
    status = job.status()
    if status.state != "running":
        st.rerun()
    progress = status.progress
    if progress is None:
        st.progress(0.0, text=say("adapt.stage.loading"))
    else:
        text = say(f"adapt.stage.{progress.stage}", step=f"{progress.step:,}", of=f"{progress.of:,}")
        st.progress(min(1.0, progress.step / max(1, progress.of)), text=text)
    st.button(say("app.stop"), on_click=job.stop, key="adapt_stop")
    curves(status)


def curves(status: AdaptJobStatus) -> None:
    """Loss and memory so far."""
    progress = status.progress
    if progress is None or not status.memory_mib:
        return
    left, right = st.columns(2, gap="medium")
    with left:
        st.caption(say("adapt.loss_title"))
        figure = charts.curves({say("adapt.loss"): status.loss, say("adapt.dev_loss"): status.dev_loss})
        st.plotly_chart(figure, config=charts.CONFIG, key="adapt_loss", alt=say("adapt.loss_alt"))
    with right:
        st.caption(say(f"adapt.memory.{progress.memory_of}"))
        figure = charts.curves({"MiB": status.memory_mib})
        st.plotly_chart(figure, config=charts.CONFIG, key="adapt_memory", alt=say("adapt.memory_alt"))
