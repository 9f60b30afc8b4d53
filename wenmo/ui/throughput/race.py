"""The race of the throughput page: its texts, the button to start it, and the bars while it runs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from wenmo.errors import WenmoError
from wenmo.ui.shell import answers, components
from wenmo.ui.shell.one_at_a_time import alone
from wenmo.ui.text import say
from wenmo.ui.throughput import upload

if TYPE_CHECKING:
    from wenmo import Engine
    from wenmo.engine import OnProgress
    from wenmo.lab.race import Race, RaceStep, Standing

_TARGET_S = 15.0  # duration of a race
_REDRAW_S = 0.1
_WANTED = "throughput_wanted"  # in the session: the race that was last asked for


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A race to run over `texts`, or over invented ones if there are none. Each has a `number` of its own."""

    number: int
    texts: tuple[str, ...]
    precision: str


def wanted(engine: Engine) -> Wanted | None:
    """The fields and the button; returns the race that was last asked for in this session."""
    texts = _source()
    smaller = "int8" if engine.device.value == "cpu" else "fp16"
    added = st.toggle(say("throughput.smaller", name=smaller.upper()), key="throughput_smaller")
    before: Wanted | None = st.session_state.get(_WANTED)
    started = st.button(say("throughput.start"), key="throughput_start", type="primary", disabled=texts is None)
    if started and texts is not None:
        number = before.number + 1 if before else 1
        before = Wanted(number=number, texts=texts, precision=smaller if added else "fp32")
        st.session_state[_WANTED] = before
    return before


def _source() -> tuple[str, ...] | None:
    """The visitor's texts, or an empty tuple for invented ones; None while a file is missing or wrong."""
    names = {name: say(f"throughput.source.{name}") for name in ("samples", "file")}
    if components.choice(say("throughput.source"), names, key="source") == "samples":
        st.caption(say("throughput.samples_note"))
        return ()
    file = st.file_uploader(
        say("throughput.file"),
        type=upload.suffixes(),
        key="throughput_file",
        max_upload_size=upload.MAX_FILE_MB,
        help=say("throughput.file_help", texts=f"{upload.MAX_FILE_TEXTS:,}", size=upload.MAX_FILE_MB),
    )
    if file is None:
        return None
    try:
        columns = _columns(file.name, file.getvalue())
        column = st.selectbox(say("throughput.column"), columns, key="throughput_column")
        texts = _texts(file.name, file.getvalue(), column)
    except WenmoError as error:
        components.show_error(error)
        return None
    st.caption(say("throughput.file_note", count=f"{len(texts):,}"))
    return texts


@st.cache_data(max_entries=2, show_spinner=False)
def _columns(name: str, data: bytes) -> tuple[str, ...]:
    return upload.columns_of(name, data)


@st.cache_data(max_entries=2, show_spinner=False)
def _texts(name: str, data: bytes, column: str) -> tuple[str, ...]:
    return tuple(upload.texts_of(name, data, column))


def run(wanted: Wanted) -> Race | None:
    """The result of the race, or None after showing why there is none.

    The race runs in this run of the page, so that stopping or leaving the page ends it.
    """
    lanes = _Lanes()
    result = answers.ask("throughput", wanted, lambda engine, progress: lanes.run(engine, wanted, progress))
    lanes.clear()
    return result


class _Lanes:
    """The bars of a running race, one for each row of the article's table."""

    def __init__(self) -> None:
        self._place = st.empty()
        self._drawn = 0.0

    def run(self, engine: Engine, wanted: Wanted, progress: OnProgress) -> Race:
        from wenmo.lab.race import MOST_TEXTS, race
        from wenmo.lab.throughput import invented_reviews

        def show(standing: Standing) -> None:
            progress(standing.done, standing.of or 1)
            now = time.monotonic()
            if now - self._drawn >= _REDRAW_S:
                self._drawn = now
                self._draw(standing)

        with alone("race"):
            return race(
                engine.model_info("sentiment"),
                wanted.texts or invented_reviews(MOST_TEXTS),
                device=engine.device.value,
                precision=wanted.precision,
                target_s=_TARGET_S,
                progress=show,
            )

    def _draw(self, standing: Standing) -> None:
        with self._place.container(border=True):
            if standing.of is None:
                st.caption(say("throughput.preparing", step=step_name(standing.step)))
                return
            *_, ours = standing.positions
            names: dict[RaceStep, str] = {"one_by_one": step_name("one_by_one"), "fixed": step_name("fixed")}
            for step, name in (names | {ours: say("throughput.ours")}).items():
                st.progress(standing.positions[step], text=name)
            st.caption(say("throughput.running", step=step_name(standing.step)))

    def clear(self) -> None:
        self._place.empty()


def step_name(step: RaceStep) -> str:
    """The name of a step on the screen."""
    return say(f"throughput.step.{step}")
