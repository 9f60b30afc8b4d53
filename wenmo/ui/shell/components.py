"""What pages have in common: asking the engine, showing an error, examples, measures, tables, the sidebar."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from wenmo.errors import WenmoError
from wenmo.tasks.table import TASKS
from wenmo.types import Resolved, SimilarityResult
from wenmo.ui.shell import share, theme
from wenmo.ui.shell.element import element
from wenmo.ui.shell.examples import PAIRS, Example
from wenmo.ui.shell.inputs import MAX_CHARACTERS, MAX_COPIED, clipboard, csv_file, lines
from wenmo.ui.shell.model_choice import chosen
from wenmo.ui.shell.model_choice import select as select_models
from wenmo.ui.shell.runtime import get_sampler, session_engine
from wenmo.ui.text import LANGUAGE_KEY, LANGUAGES, language, say

if TYPE_CHECKING:
    from wenmo import Engine
    from wenmo.engine import OnProgress

T = TypeVar("T")

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:&@/])")
_PATIENCE_S = 0.5  # what takes longer shows how far it is
_REDRAW_S = 0.1
_MEMORY_S = 60.0  # how old the figure in the sidebar may be


def literal(text: str) -> str:
    """`text` for a place that reads Markdown, so that it is shown as it is."""
    return _MARKDOWN.sub(r"\\\1", text)


def show_error(error: WenmoError) -> None:
    """The message in the reader's language. It may quote what was typed, so that it is shown literally."""
    st.error(literal(error.text(language())))


def ask(key: str, inputs: object, work: Callable[[Engine, OnProgress], T]) -> T | None:
    """The engine's answer to `inputs`, or None after showing why there is none.

    `work` hands the progress on to the engine; what takes longer shows a bar, and can be stopped. The last answer of
    each `key` is remembered in the session: switching the language or coming back to a page asks nothing again.
    """
    place, stopped = f"answer.{key}", _stopped(key)
    question = (inputs, chosen())  # another model, another answer
    kept = st.session_state.get(place)
    if kept is not None and kept[0] == question:
        return cast(T, kept[1])
    if st.session_state.get(stopped) != (inputs,):
        st.session_state.pop(stopped, None)
    else:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(say("app.stopped"), width="content")
            st.button(say("app.start_again"), key=f"{key}_start_again", on_click=st.session_state.pop, args=(stopped,))
        return None
    shown = st.empty()
    started = time.monotonic()
    bar: DeltaGenerator | None = None
    drawn = 0.0

    def progress(done: int, of: int) -> None:
        # Streamlit ends the run in here when the visitor has stopped it or gone elsewhere.
        nonlocal bar, drawn
        now = time.monotonic()
        if now - started < _PATIENCE_S or now - drawn < _REDRAW_S:
            return
        drawn = now
        if bar is None:
            with shown.container(horizontal=True, vertical_alignment="center"):
                bar = st.progress(0.0)
                st.button(say("app.stop"), key=f"{key}_stop", on_click=_remember, args=(stopped, (inputs,)))
        bar.progress(done / of, text=say("app.progress", done=f"{done:,}", of=f"{of:,}"))

    try:
        with st.spinner(say("app.working")):
            answer = work(session_engine(), progress)
        shown.empty()
    except WenmoError as error:
        shown.empty()
        show_error(error)
        return None
    st.session_state[place] = (question, answer)
    return answer


def last(key: str) -> Any:
    """What `ask` answered last under `key` in this session, whatever the inputs; None where it has not."""
    kept = st.session_state.get(f"answer.{key}")
    return None if kept is None else kept[1]


def submit(key: str, label: str) -> bool:
    """The button of the form that `ask` answers under `key`. Pressing it begins again what was stopped."""
    return st.form_submit_button(label, type="primary", on_click=st.session_state.pop, args=(_stopped(key), None))


def _stopped(key: str) -> str:
    """Where the session remembers for which inputs the answer was stopped."""
    return f"stopped.{key}"


def _remember(name: str, value: object) -> None:
    st.session_state[name] = value


def heading(page: str) -> None:
    """Title and one line of introduction."""
    st.title(say(f"app.{page}"), anchor=False)
    st.caption(say(f"{page}.intro"))


def examples(key: str, choices: Sequence[Example]) -> None:
    """A row of buttons, each of which fills the fields of its example."""

    def fill(example: Example) -> None:
        st.session_state.update(example.fields)

    with st.container(key=f"{key}_examples", horizontal=True, gap="small", vertical_alignment="center"):
        st.caption(say("app.examples"), width="content")
        for index, example in enumerate(choices):
            name = getattr(example.name, language())
            st.button(name, key=f"{key}_example_{index}", on_click=fill, args=(example,), type="tertiary")


def text_lines(label: str, *, key: str, limit: int, height: int, placeholder: str | None = None) -> list[str]:
    """A field of several texts, one a line: its lines that are not blank."""
    return lines(
        st.text_area(
            label,
            key=key,
            height=height,
            max_chars=MAX_CHARACTERS,
            placeholder=placeholder,
            help=say("app.lines_help", limit=limit),
            persist_state="session",
        )
    )


def measure(label: str, value: float, *, text: str, explanation: str | None = None) -> None:
    """A number and its bar. `value` in [0, 1] is the length, `text` what is read."""
    with st.container(gap=None):
        st.metric(label, text, help=explanation)
        st.progress(min(1.0, max(0.0, value)))


def pair_form() -> tuple[str, str] | None:
    """Two sentences and what they have in common: on the home page and on the page of its own.

    Returns the pair that was answered, or None.
    """
    share.restore("pair")
    examples("pair", PAIRS)
    with st.form("pair", border=False):
        first = st.text_input(
            say("similarity.first"),
            key="pair_first",
            max_chars=MAX_CHARACTERS,
            placeholder=say("similarity.first_placeholder"),
            persist_state="session",
        )
        second = st.text_input(
            say("similarity.second"),
            key="pair_second",
            max_chars=MAX_CHARACTERS,
            placeholder=say("similarity.second_placeholder"),
            persist_state="session",
        )
        submit("pair", say("similarity.compare"))
    pair = ((first or "").strip(), (second or "").strip())
    if not all(pair):
        st.caption(say("similarity.pair_empty"))
        return None
    answer = ask(
        "pair", pair, lambda engine, _: (engine.similarity([pair])[0], float(engine.cosine_similarity([pair])[0]))
    )
    if answer is None:
        return None
    _pair_result(*answer)
    columns: dict[str, list[object]] = {
        say("similarity.first"): [pair[0]],
        say("similarity.second"): [pair[1]],
        say("similarity.probability"): [answer[0].similarity],
        say("similarity.cosine"): [answer[1]],
    }
    download("pair", columns)
    share.keep("pair")
    return pair


def _pair_result(result: SimilarityResult, cosine: float) -> None:
    score = result.similarity
    verdicts: tuple[tuple[float, str, theme.Stamp], ...] = (
        (0.85, "same", "同"),
        (0.6, "likely_same", "似"),
        (0.4, "unsure", "疑"),
        (0.15, "likely_different", "别"),
        (0.0, "different", "异"),
    )
    name, character = next((name, stamp) for floor, name, stamp in verdicts if score >= floor)
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
            theme.stamp(character, filled=score >= 0.6)
            st.subheader(say(f"similarity.verdict.{name}"), anchor=False, width="content")
        left, right = st.columns(2, gap="large")
        with left:
            measure(
                say("similarity.probability"),
                score,
                text=f"{score:.1%}",
                explanation=say("similarity.probability_help"),
            )
        with right:
            measure(say("similarity.cosine"), cosine, text=f"{cosine:.3f}", explanation=say("similarity.cosine_help"))
        if result.truncated:
            st.caption(say("app.truncated"))


def table(columns: Mapping[str, Sequence[object]], *, bars: Sequence[str] = (), numbers: Sequence[str] = ()) -> None:
    """A table that shows text literally; `bars` name the columns of probabilities, `numbers` those of plain figures."""
    # In percent: Streamlit's own percent format has as many decimals as it likes.
    shown = {
        name: [None if cell is None else 100 * cast(float, cell) for cell in cells] if name in bars else cells
        for name, cells in columns.items()
    }
    config: dict[str, Any] = {
        name: st.column_config.ProgressColumn(name, min_value=0.0, max_value=100.0, format="%.1f%%") for name in bars
    }
    config |= {name: st.column_config.NumberColumn(name, format="%.3f") for name in numbers}
    st.dataframe(shown, hide_index=True, column_config=config)


def download(key: str, columns: Mapping[str, Sequence[object]], *, label: str | None = None) -> None:
    """The same columns as a file for a spreadsheet, made when it is asked for, and for the clipboard."""
    rows = list(zip(*columns.values(), strict=True))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            label or say("app.download"),
            lambda: csv_file(list(columns), rows),
            file_name=f"wenmo-{key}.csv",
            mime="text/csv",
            key=f"{key}_download",
            on_click="ignore",
        )
        if len(rows) * len(columns) <= MAX_COPIED:
            element("copy", '<button aria-live="polite">…</button>')(
                key=f"{key}_copy",
                data={
                    "text": clipboard(list(columns), rows),
                    **{word: say(f"app.copy.{word}") for word in ("label", "done", "failed")},
                },
                width="content",
            )


def truncation_note(flags: Sequence[bool]) -> None:
    """Tell that the model did not see all of some texts."""
    count = sum(flags)
    if count:
        st.caption(say("app.truncated") if len(flags) == 1 else say("app.truncated_some", count=count))


def choice(label: str, names: Mapping[str, str], *, key: str) -> str:
    """One of `names` (value -> what is shown), the first until another is chosen; kept in the address as `?key=value`.

    Not by Streamlit's own `bind`, which writes what is shown into the address: unknown in the other language.
    """
    first = next(iter(names))
    if st.session_state.get(key) not in names:  # none yet, or that of another page
        asked = st.query_params.get(key)
        st.session_state[key] = asked if asked in names else first
    chosen = st.segmented_control(
        label, list(names), format_func=names.__getitem__, required=True, key=key, label_visibility="collapsed"
    )
    chosen = first if chosen is None else chosen
    if st.query_params.get(key, first) != chosen:
        st.query_params[key] = chosen
    return chosen


def language_switch() -> None:
    """中文 or English."""
    choice("语言 Language", {str(code): name for code, name in LANGUAGES.items()}, key=LANGUAGE_KEY)


def status() -> None:
    """Model, device and precision in use and why. After the page: building the engine must not hold up its paint."""
    try:
        with st.spinner(say("app.starting")):
            engine = session_engine()
    except WenmoError as error:
        show_error(error)
        return
    select_models()
    st.subheader(say("status.title"), anchor=False)
    loaded = engine.loaded_tasks()
    with st.container(gap="xxsmall"):
        st.caption(say("status.models"))
        for task in TASKS:
            st.text(engine.model_names[task], help=say("status.loaded" if task in loaded else "status.waiting"))
    decisions: dict[str, Resolved[Any]] = {"device": engine.device, "precision": engine.precision}
    if loaded:
        decisions["batch"] = engine.batch_tokens(loaded[0])
    for key, resolved in decisions.items():
        with st.container(gap="xxsmall"):
            st.caption(say(f"status.{key}"))
            st.text(say("status.pieces", value=f"{resolved.value:,}") if key == "batch" else resolved.value)
            st.caption(literal(resolved.reason_zh if language() == "zh" else resolved.reason))
    memory_line()


@st.fragment(run_every=3)
def memory_line() -> None:
    """Memory of the process now, and of the GPU where there is one; the memory page draws it over time.

    No sparkline: that of `st.metric` has a mark without a name, which screen readers announce and axe finds serious.
    """
    samples = get_sampler().samples(last_s=_MEMORY_S)
    if not samples:
        return
    latest = samples[-1]
    st.metric(say("status.memory"), say("status.mib", value=f"{latest.resident_mib:,.0f}"))
    for reading in latest.gpus:  # those on which this process computes
        if reading.reserved_mib and reading.used_mib is not None and reading.total_mib is not None:
            st.metric(
                say("status.gpu_memory"),
                say("status.of_mib", value=f"{reading.used_mib:,.0f}", total=f"{reading.total_mib:,.0f}"),
                help=literal(f"{reading.gpu.index}: {reading.gpu.name}"),
            )
