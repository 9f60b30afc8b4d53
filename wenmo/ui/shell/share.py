"""A page's inputs as plain text: in the address, so that a result can be shared by a link, and in the history.

Inputs longer than MAX_SHARED stay out of the address, because some servers and messengers cut long ones; the page says
so. Anyone may have written what an address or a browser's history holds: each field accepts only its own values.
Answers are not kept: whoever opens a link or an entry gets them computed anew.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import streamlit as st

from wenmo.tasks.labels import join_labels
from wenmo.tasks.zero_shot import DEFAULT_TEMPLATE
from wenmo.types import ZERO_SHOT_METHODS
from wenmo.ui.shell.inputs import MAX_CHARACTERS, MEASURES, one_by_one
from wenmo.ui.text import say

MAX_SHARED = 1_000  # characters of all fields together, before percent-encoding
MAX_KEPT = 20_000  # characters of an entry of the history
ENTRY = "share.entry"  # in the session: the newest entry of the history
_ADDRESS = "share.address"  # in the session: the kind that was shown last, and its fields in the address then


@dataclass(frozen=True, kw_only=True)
class Field:
    """A widget's value as text: `write` makes the text, `read` the value, or None if no value has that text.

    `blank` makes the value that is not written.
    """

    read: Callable[[str], object | None]
    write: Callable[[object], str] = lambda value: str(value or "")
    blank: Callable[[], object] = str


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of question: the fields that make it, its page, and the mode of the page as (session key, value)."""

    page: str
    fields: Mapping[str, Field]
    switch: tuple[str, str] | None = None


def _one_of(*values: str) -> Field:
    """A field with these values, the first of which is the default and not written."""
    return Field(
        read=lambda text: text if text in values else None,
        write=lambda value: "" if value == values[0] else str(value),
        blank=lambda: values[0],
    )


_TEXT = Field(read=lambda text: text[:MAX_CHARACTERS])
_TEMPLATE = Field(
    read=lambda text: text[:500],
    write=lambda value: "" if value == DEFAULT_TEMPLATE else str(value),
    blank=lambda: DEFAULT_TEMPLATE,
)
_LABELS = Field(
    read=lambda text: one_by_one([text]),
    write=lambda value: join_labels(value) if isinstance(value, list) else "",
    blank=list,
)
_FLAG = Field(read=lambda text: True if text == "1" else None, write=lambda value: "1" if value else "", blank=bool)

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
        fields={
            "products_first": _TEXT,
            "products_second": _TEXT,
            "products_first_name": _TEXT,
            "products_second_name": _TEXT,
        },
    ),
    "classify": Kind(page="classify", fields={"classify_texts": _TEXT}),
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
    """Fill the fields from the address: those that the session does not know yet, or all if the visitor went back.

    The browser's buttons change the address without this session having written it. To be called before widgets are
    drawn.
    """
    fields = KINDS[kind].fields
    given = {key: st.query_params[key] for key in fields if key in st.query_params}
    if sum(map(len, given.values())) > MAX_SHARED:
        return
    shown, address = st.session_state.get(_ADDRESS, (None, {}))
    went_back = shown == kind and address != given  # another kind: the visitor came from another page or mode
    st.session_state[_ADDRESS] = (kind, given)
    for key, field in fields.items():
        value = field.read(given[key]) if key in given else None
        if value is not None and (went_back or key not in st.session_state):
            st.session_state[key] = value
        elif went_back:
            st.session_state[key] = field.blank()


def keep(kind: str) -> None:
    """Write the inputs into the address and hand them to the history. To be called once there is an answer."""
    fields = KINDS[kind].fields
    written = {key: field.write(st.session_state.get(key)) for key, field in fields.items()}
    written = {key: text for key, text in written.items() if text}
    _record(kind, written)
    length = sum(map(len, written.values()))
    if length > MAX_SHARED:
        st.caption(say("app.not_shared", length=f"{length:,}", limit=f"{MAX_SHARED:,}"))
        written = {}
    st.session_state[_ADDRESS] = (kind, written)
    others = {key: text for key, text in st.query_params.to_dict().items() if not _is_field(key)}
    if st.query_params.to_dict() != {**others, **written}:
        st.query_params.from_dict({**others, **written})  # at once: each change is a step of the Back button


def _is_field(key: str) -> bool:
    return any(key in each.fields for each in KINDS.values())


def take(kind: object, texts: object) -> str | None:
    """Fill the fields from an entry of the history; returns its page, or None if the entry is not valid.

    To be called before widgets are drawn.
    """
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
    """Make it the newest entry. The browser tells by the id whether it has the entry already."""
    last = st.session_state.get(ENTRY)
    asked = {"kind": kind, "fields": dict(texts)}
    if sum(map(len, texts.values())) <= MAX_KEPT and (last is None or last["asked"] != asked):
        st.session_state[ENTRY] = {"id": uuid.uuid4().hex, "asked": asked}
