"""What was asked of a page as plain text by name: in the address, so that a result can be shared, and in the history.

The address is bounded (MAX_SHARED), as some servers and messengers cut long ones; what is longer is not in it, and the
page says so. What comes from an address or from a browser's history was written by anyone: each field reads its own
text and takes nothing else. Not kept: what was answered, which whoever opens it is answered anew.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import streamlit as st

from wenmo.tasks.zero_shot import DEFAULT_TEMPLATE
from wenmo.types import ZERO_SHOT_METHODS
from wenmo.ui.shell.inputs import MAX_CHARACTERS, MEASURES, one_by_one
from wenmo.ui.text import say

MAX_SHARED = 1_000  # characters of all fields together, before they are percent-encoded
MAX_KEPT = 20_000  # of an entry of the history
ENTRY = "share.entry"  # in the session: what was asked last


@dataclass(frozen=True, kw_only=True)
class Field:
    """How a widget's value is written, and read again: None where the text is not one of its values."""

    read: Callable[[str], object | None]
    write: Callable[[object], str] = lambda value: str(value or "")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A page and its mode, kept in the session under `switch`, with the fields that make a result."""

    page: str
    fields: Mapping[str, Field]
    switch: tuple[str, str] | None = None


def _one_of(*values: str) -> Field:
    """The first is the default, and not written."""
    return Field(
        read=lambda text: text if text in values else None, write=lambda value: "" if value == values[0] else str(value)
    )


_TEXT = Field(read=lambda text: text[:MAX_CHARACTERS])
_TEMPLATE = Field(read=lambda text: text[:500], write=lambda value: "" if value == DEFAULT_TEMPLATE else str(value))
_LABELS = Field(
    read=lambda text: one_by_one([text]), write=lambda value: "，".join(value) if isinstance(value, list) else ""
)
_FLAG = Field(read=lambda text: True if text == "1" else None, write=lambda value: "1" if value else "")

KINDS: Mapping[str, Kind] = {
    "pair": Kind(page="similarity", switch=("mode", "pair"), fields={"pair_first": _TEXT, "pair_second": _TEXT}),
    "ranking": Kind(
        page="similarity",
        switch=("mode", "ranking"),
        fields={"ranking_query": _TEXT, "ranking_candidates": _TEXT},
    ),
    "matrix": Kind(
        page="similarity",
        switch=("mode", "matrix"),
        fields={"matrix_sentences": _TEXT, "matrix_measure": _one_of(*MEASURES)},
    ),
    "sentiment": Kind(
        page="sentiment",
        switch=("view", "read"),
        fields={"sentiment_texts": _TEXT, "sentiment_aspects": _TEXT},
    ),
    "products": Kind(
        page="sentiment",
        switch=("view", "compare"),
        fields={"products_first": _TEXT, "products_second": _TEXT},
    ),
    "zero_shot": Kind(
        page="zero_shot",
        fields={
            "zero_shot_texts": _TEXT,
            "zero_shot_labels": _LABELS,
            "zero_shot_template": _TEMPLATE,
            "zero_shot_method": _one_of(*ZERO_SHOT_METHODS),
            "zero_shot_multi_label": _FLAG,
        },
    ),
}


def restore(kind: str) -> None:
    """Before the widgets: what the address holds, for fields that the session does not know yet."""
    fields = KINDS[kind].fields
    given = {key: st.query_params[key] for key in fields if key in st.query_params}
    if sum(map(len, given.values())) > MAX_SHARED:
        return
    for key, text in given.items():
        value = fields[key].read(text)
        if key not in st.session_state and value is not None:
            st.session_state[key] = value


def keep(kind: str) -> None:
    """Where there is an answer: what was asked goes into the address and is handed to the history."""
    fields = KINDS[kind].fields
    written = {key: field.write(st.session_state.get(key)) for key, field in fields.items()}
    written = {key: text for key, text in written.items() if text}
    _record(kind, written)
    length = sum(map(len, written.values()))
    if length > MAX_SHARED:
        st.caption(say("app.not_shared", length=f"{length:,}", limit=f"{MAX_SHARED:,}"))
        written = {}
    for key in [key for each in KINDS.values() for key in each.fields]:
        if key in st.query_params and key not in written:
            del st.query_params[key]
    for key, text in written.items():
        if st.query_params.get(key) != text:
            st.query_params[key] = text


def take(kind: object, texts: object) -> str | None:
    """Fill the fields of a history entry, before any widget is drawn; its page, or None where it is no such entry."""
    if not isinstance(kind, str) or kind not in KINDS or not isinstance(texts, Mapping):
        return None
    for key, field in KINDS[kind].fields.items():
        text = texts.get(key, "")
        value = field.read(text) if isinstance(text, str) and text else None
        if value is not None:
            st.session_state[key] = value
        else:
            st.session_state.pop(key, None)
    switch = KINDS[kind].switch
    if switch is not None:
        st.session_state[switch[0]] = switch[1]
    return KINDS[kind].page


def _record(kind: str, texts: Mapping[str, str]) -> None:
    """The newest entry, with a name by which the browser knows whether it has it."""
    last = st.session_state.get(ENTRY)
    asked = {"kind": kind, "fields": dict(texts)}
    if sum(map(len, texts.values())) <= MAX_KEPT and (last is None or last["asked"] != asked):
        st.session_state[ENTRY] = {"id": uuid.uuid4().hex, "asked": asked}
