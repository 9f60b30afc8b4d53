"""The sidebar: the switch of the language; one line of state, and folded what is in use and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from wenmo.errors import WenmoError
from wenmo.tasks.table import TASKS
from wenmo.types import Resolved
from wenmo.ui.shell import components, model_choice
from wenmo.ui.shell.runtime import get_sampler, session_engine
from wenmo.ui.text import LANGUAGE_KEY, LANGUAGES, language, say

if TYPE_CHECKING:
    from wenmo import Engine

_MEMORY_S = 60.0  # greatest age of the sample that is shown


def language_switch() -> None:
    """中文 or English."""
    components.choice("语言 Language", {str(code): name for code, name in LANGUAGES.items()}, key=LANGUAGE_KEY)


def status() -> None:
    """One line; folded below it the models, the device and the precision in use, each with its reason.

    To be called after the page: building the engine takes seconds, and the page should be on the screen by then.
    """
    try:
        with st.spinner(say("app.starting")):
            engine = session_engine()
    except WenmoError as error:
        components.show_error(error)
        return
    loaded = {engine.model_info(task).precision.value: None for task in engine.loaded_tasks()}  # in their order
    _line(engine.device.value, " / ".join(loaded) or engine.precision.value)
    with st.expander(say("status.title"), key="status"):
        model_choice.select()
        _models(engine)
        _decisions(engine)
        _memory()


def _models(engine: Engine) -> None:
    loaded = engine.loaded_tasks()
    with st.container(gap="xxsmall"):
        st.caption(say("status.models"))
        for task in filter(engine.model_names.__getitem__, TASKS):
            if task in loaded:
                precision = engine.model_info(task).precision
                reason = components.literal(precision.reason_zh if language() == "zh" else precision.reason)
                st.text(f"{engine.model_names[task]} · {precision.value}", help=say("status.loaded", reason=reason))
            else:
                st.text(engine.model_names[task], help=say("status.waiting"))


def _decisions(engine: Engine) -> None:
    """What the engine decided for itself; the batch size is known once a model is loaded."""
    loaded = engine.loaded_tasks()
    decisions: dict[str, Resolved[Any]] = {"device": engine.device, "precision": engine.precision}
    if loaded:
        decisions["batch"] = engine.batch_tokens(loaded[0])
    for key, resolved in decisions.items():
        with st.container(gap="xxsmall"):
            st.caption(say(f"status.{key}"))
            st.text(say("status.tokens", value=f"{resolved.value:,}") if key == "batch" else resolved.value)
            st.caption(components.literal(resolved.reason_zh if language() == "zh" else resolved.reason))


@st.fragment(run_every=3)
def _line(device: str, precision: str) -> None:
    """Where it computes, in which precision, and how much memory the process takes."""
    samples = get_sampler().samples(last_s=_MEMORY_S)
    memory = [say("status.mib", value=f"{samples[-1].resident_mib:,.0f}")] if samples else []
    st.caption(components.literal(" · ".join([device, precision, *memory])))


@st.fragment(run_every=3)
def _memory() -> None:
    """Memory of the process, and of each GPU that it computes on; the memory page draws both over time.

    `st.metric` has no sparkline here: its mark has no accessible name, which is a serious finding of axe.
    """
    samples = get_sampler().samples(last_s=_MEMORY_S)
    if not samples:
        return
    latest = samples[-1]
    st.metric(say("status.memory"), say("status.mib", value=f"{latest.resident_mib:,.0f}"))
    for reading in latest.gpus:
        if reading.reserved_mib and reading.used_mib is not None and reading.total_mib is not None:
            st.metric(
                say("status.gpu_memory"),
                say("status.of_mib", value=f"{reading.used_mib:,.0f}", total=f"{reading.total_mib:,.0f}"),
                help=components.literal(f"{reading.gpu.index}: {reading.gpu.name}"),
            )
