"""The download of one of the hub's models."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import streamlit as st

from wenmo.errors import InputError, WenmoError
from wenmo.ui.models import catalogue
from wenmo.ui.shell import components, model_choice
from wenmo.ui.shell.one_at_a_time import alone
from wenmo.ui.text import say

if TYPE_CHECKING:
    from wenmo.models.pull import PullState

_PULLING, _PULLED, _FAILED = "models_pulling", "models_pulled", "models_failed"  # in the session


def show() -> None:
    """The choice of a model and its download, which runs in this run of the page: stopping or leaving the page ends it.

    What was downloaded until then is kept, and the next download continues from there.
    """
    if (done := st.session_state.pop(_PULLED, None)) is not None:
        st.success(say("models.pulled", name=components.literal(done)))
        st.button(say("models.details"), key="models_look", on_click=_look_at, args=(done,))
    if (error := st.session_state.pop(_FAILED, None)) is not None:
        components.show_error(error)
    missing = [entry for entry in catalogue.entries() if entry.kind == "known"]
    pulling = st.session_state.get(_PULLING)
    own = st.text_input(
        say("models.own_id"),
        key="models_own_id",
        max_chars=200,
        help=say("models.own_id_help"),
        disabled=pulling is not None,
    ).strip()
    if not missing and not own and pulling is None:
        st.caption(say("models.nothing_to_pull"))
        return
    names = {entry.name: f"{entry.name.partition('/')[2]} · {catalogue.task_name(entry.task)}" for entry in missing}
    chosen = own
    if not own and names:
        chosen = st.selectbox(
            say("models.hub"),
            list(names),
            format_func=names.__getitem__,
            key="models_hub",
            disabled=pulling is not None,
        )
    _disk()
    if pulling is None:
        st.button(say("models.pull"), key="models_pull", type="primary", on_click=_begin, args=(chosen,))
    else:
        _run(pulling)


def _look_at(name: str) -> None:
    st.session_state["view"] = "here"
    st.session_state[catalogue.TYPED] = name


def _begin(name: str) -> None:
    from wenmo.models.hubs import is_hub_id, qualified
    from wenmo.settings import Settings

    if is_hub_id(name):
        st.session_state[_PULLING] = qualified(name, Settings.read().hub)
    else:
        st.session_state[_FAILED] = InputError(
            f"{name[:80]!r} is no id of a hub. Write owner/name, with hf: before it for Hugging Face.",
            f"“{name[:80]}”不是模型 ID。请写成 所有者/名称；Hugging Face 的请在前面加 hf:。",
        )


def _run(name: str) -> None:
    """Download it with a progress bar; the page is run again at the end."""
    from wenmo.models.pull import pull

    with st.container(horizontal=True, vertical_alignment="center"):
        bar = st.progress(0.0, text=say("models.connecting", seconds=0))
        st.button(say("app.stop"), key="models_stop", on_click=st.session_state.pop, args=(_PULLING, None))
    try:
        with alone("pull"), closing(pull(name)) as states:
            for state in states:
                bar.progress(_share(state), text=_progress(state))
        st.session_state[_PULLED] = name
    except WenmoError as error:
        st.session_state[_FAILED] = error
    st.session_state.pop(_PULLING, None)
    catalogue.entries.clear()
    model_choice.choices.clear()
    st.rerun()


def _share(state: PullState) -> float:
    return min(1.0, state.done_bytes / state.total_bytes) if state.total_bytes else 0.0


def _progress(state: PullState) -> str:
    if state.file is None:
        return say("models.connecting", seconds=f"{state.seconds:.0f}")
    return say(
        "models.pulling",
        file=components.literal(state.file),
        done=f"{state.done_bytes / 2**20:,.1f}",
        of="?" if state.total_bytes is None else f"{state.total_bytes / 2**20:,.1f}",
        seconds=f"{state.seconds:.0f}",
    )


def _disk() -> None:
    from wenmo.models.pull import free_mib

    free = free_mib()
    st.caption(say("models.disk", free="?" if free is None else f"{free / 1024:,.1f}"))
