"""Small parts that all pages are made of: headings, fields, measures, tables, downloads, errors."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import streamlit as st

from wenmo.errors import WenmoError
from wenmo.ui.shell.element import element
from wenmo.ui.shell.inputs import MAX_CHARACTERS, MAX_COPIED, clipboard, csv_file, lines
from wenmo.ui.text import language, say

BAR_COLOR = "gray"  # of bars in tables: an amount, not a warning
BUTTON_STYLE = Path(__file__).with_name("button.css")

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:&@/])")
_COPY_SCRIPT = Path(__file__).with_name("copy.js")


def literal(text: str) -> str:
    """`text` escaped for a place that reads Markdown, so that it is shown as it is."""
    return _MARKDOWN.sub(r"\\\1", text)


def show_error(error: WenmoError) -> None:
    """The message in the reader's language, literally: it may quote what a user typed."""
    st.error(literal(error.text(language())))


def heading(page: str) -> None:
    """Title of a page and its one line of introduction."""
    st.title(say(f"app.{page}"), anchor=False)
    st.caption(say(f"{page}.intro"))


def text_lines(label: str, *, key: str, limit: int, height: int, placeholder: str | None = None) -> list[str]:
    """A field for several texts, one a line; returns the lines that are not blank."""
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


def choice(label: str, names: Mapping[str, str], *, key: str) -> str:
    """One of `names` (value -> label), the first by default; kept in the address as `?key=value`.

    Streamlit's own `bind` is no use here: it writes the label into the address, and the label depends on the language.
    """
    first = next(iter(names))
    if st.session_state.get(key) not in names:  # not chosen yet, or chosen on another page
        asked = st.query_params.get(key)
        st.session_state[key] = asked if asked in names else first
    chosen = st.segmented_control(
        label, list(names), format_func=names.__getitem__, required=True, key=key, label_visibility="collapsed"
    )
    chosen = first if chosen is None else chosen
    if st.query_params.get(key, first) != chosen:
        st.query_params[key] = chosen
    return chosen


def retold(key: str) -> str:
    """The key of a list whose options are named in the reader's language, before the list is drawn.

    The browser keeps the name of what is chosen. After a change of the language it would show the old name, and the
    next run, which knows no such option, would take the default: so it is told what is chosen once more.
    """
    told = f"{key}.language"
    if key in st.session_state and st.session_state.get(told, language()) != language():
        st.session_state[key] = st.session_state[key]
    st.session_state[told] = language()
    return key


def measure(label: str, value: float, *, text: str, explanation: str | None = None) -> None:
    """A number, written as `text`, above a bar whose length is `value` in [0, 1]."""
    with st.container(gap=None):
        st.metric(label, text, help=explanation)
        st.progress(min(1.0, max(0.0, value)))


def answer(text: str, *, key: str) -> None:
    """The answer to what was asked, larger than everything around it, literally."""
    with st.container(key=f"answer_{key}"):
        st.text(text)


def table(columns: Mapping[str, Sequence[object]], *, bars: Sequence[str] = (), numbers: Sequence[str] = ()) -> None:
    """A table that shows text literally. `bars` names columns of probabilities, `numbers` those of other figures."""
    # As numbers up to 100: the decimals of Streamlit's own percent format cannot be set.
    shown = {
        name: [None if cell is None else 100 * cast(float, cell) for cell in cells] if name in bars else cells
        for name, cells in columns.items()
    }
    config: dict[str, Any] = {
        name: st.column_config.ProgressColumn(name, min_value=0.0, max_value=100.0, format="%.1f%%", color=BAR_COLOR)
        for name in bars
    }
    config |= {name: st.column_config.NumberColumn(name, format="%.3f") for name in numbers}
    st.dataframe(shown, hide_index=True, column_config=config)


def download(key: str, columns: Mapping[str, Sequence[object]], *, label: str | None = None) -> None:
    """A table as a CSV file, made when it is asked for; a small one also for the clipboard."""
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
            element(_COPY_SCRIPT, '<button aria-live="polite">…</button>', style=BUTTON_STYLE)(
                key=f"{key}_copy",
                data={
                    "text": clipboard(list(columns), rows),
                    **{word: say(f"app.copy.{word}") for word in ("label", "done", "failed")},
                },
                width="content",
            )


def unknown_note(shares: Sequence[float]) -> None:
    """A note where texts have tokens that the model does not know. `shares` has one entry for each text."""
    found = [share for share in shares if share > 0]
    if found:
        st.caption(say("app.unknown", count=len(found), share=f"{max(found):.0%}"))


def truncation_note(flags: Sequence[bool]) -> None:
    """A note where texts were longer than the model reads. `flags` has one entry for each text."""
    count = sum(flags)
    if count:
        st.caption(say("app.truncated") if len(flags) == 1 else say("app.truncated_some", count=count))
