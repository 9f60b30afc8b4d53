"""Answers of the engine to what a page asks: computed with a progress bar, then remembered in the session."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from wenmo.errors import WenmoError
from wenmo.ui.shell import components, document
from wenmo.ui.shell.model_choice import chosen
from wenmo.ui.shell.runtime import session_engine
from wenmo.ui.text import say

if TYPE_CHECKING:
    from wenmo import Engine
    from wenmo.engine import OnProgress

T = TypeVar("T")

_PATIENCE_S = 0.5  # work that takes longer shows a progress bar
_REDRAW_S = 0.1


def ask(key: str, inputs: object, work: Callable[[Engine, OnProgress], T]) -> T | None:
    """The engine's answer to `inputs`, or None after showing why there is none.

    `work` calls the engine and passes the progress on to it. While it runs, a progress bar and a button to stop it are
    shown. The session remembers the last answer of each `key`, so that a switch of the language or a return to the page
    computes nothing again.
    """
    question = (inputs, chosen())  # other models give another answer
    kept = st.session_state.get(_answer_key(key))
    if kept is not None and kept[0] == question:
        return cast(T, kept[1])
    if _is_stopped(key, inputs):
        return None
    bar = _ProgressBar(key, inputs)
    try:
        with st.spinner(say("app.working")):
            answer = work(session_engine(), bar.update)
    except WenmoError as error:
        bar.clear()
        components.show_error(error)
        return None
    bar.clear()
    document.announce(say("app.answered"))
    st.session_state[_answer_key(key)] = (question, answer)
    return answer


def last(key: str) -> Any:
    """The last answer that this session got from `ask` under `key`, whatever the inputs; None before the first."""
    kept = st.session_state.get(_answer_key(key))
    return None if kept is None else kept[1]


def remember(key: str, inputs: object, answer: object) -> None:
    """Let `ask` know this `answer`, from before the session began."""
    st.session_state[_answer_key(key)] = ((inputs, chosen()), answer)


def submit(key: str, label: str) -> bool:
    """The submit button of a form whose inputs go to `ask` under `key`. It also starts stopped work again."""
    return st.form_submit_button(label, type="primary", on_click=st.session_state.pop, args=(_stopped_key(key), None))


def forget_stop(key: str) -> None:
    """Start stopped work under `key` again: for a button that is not a form's."""
    st.session_state.pop(_stopped_key(key), None)


def _is_stopped(key: str, inputs: object) -> bool:
    """Whether the visitor has stopped the work on these inputs; if so, a button to start it again is shown."""
    stopped = _stopped_key(key)
    if st.session_state.get(stopped) != (inputs,):
        st.session_state.pop(stopped, None)
        return False
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(say("app.stopped"), width="content")
        st.button(say("app.start_again"), key=f"{key}_start_again", on_click=st.session_state.pop, args=(stopped,))
    return True


class _ProgressBar:
    """A bar that appears when the work takes longer than a moment, beside a button to stop it."""

    def __init__(self, key: str, inputs: object) -> None:
        self._key, self._inputs = key, inputs
        self._place = st.empty()
        self._bar: DeltaGenerator | None = None
        self._started = time.monotonic()
        self._drawn = 0.0

    def update(self, done: int, of: int) -> None:
        """Draw it. Streamlit ends the run by an exception in here when the visitor has stopped it or left the page."""
        now = time.monotonic()
        if now - self._started < _PATIENCE_S or now - self._drawn < _REDRAW_S:
            return
        self._drawn = now
        if self._bar is None:
            with self._place.container(horizontal=True, vertical_alignment="center"):
                self._bar = st.progress(0.0)
                st.button(say("app.stop"), key=f"{self._key}_stop", on_click=self._stop)
        self._bar.progress(done / of, text=say("app.progress", done=f"{done:,}", of=f"{of:,}"))

    def clear(self) -> None:
        self._place.empty()

    def _stop(self) -> None:
        st.session_state[_stopped_key(self._key)] = (self._inputs,)


def _answer_key(key: str) -> str:
    """Where the session keeps the last question and its answer."""
    return f"answer.{key}"


def _stopped_key(key: str) -> str:
    """Where the session keeps the inputs whose work was stopped."""
    return f"stopped.{key}"
