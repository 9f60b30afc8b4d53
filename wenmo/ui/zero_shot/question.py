"""The question of the zero-shot page: labels and options, which count at once, and a form for the texts.

Labels and options are outside the form, because a change of them costs little: the engine's cache has the answers for
the other labels, so that one more label is one more row for each text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from wenmo.errors import InputError
from wenmo.tasks.labels import MAX_LABELS
from wenmo.tasks.zero_shot import check_template
from wenmo.types import ZeroShotMethod
from wenmo.ui import charts
from wenmo.ui.shell import answers, components, examples, share
from wenmo.ui.shell.inputs import MAX_TEXTS, one_by_one
from wenmo.ui.shell.judging import judging
from wenmo.ui.text import say
from wenmo.ui.zero_shot.examples import LABELS

_LABELS = "zero_shot_labels"
_OFFERED = "zero_shot_offered"  # in the session: every label that it has seen, to be chosen again
_MOST_OFFERED = 500


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked about each text."""

    labels: list[str]
    template: str
    method: ZeroShotMethod
    multi_label: bool


def labels_and_options() -> Question:
    """The examples, the labels, and how they are judged."""
    examples.buttons("zero_shot", LABELS)
    share.restore("zero_shot")
    labels = _labels()
    how = judging("zero_shot")
    if labels:
        _preview(how.template, labels[0])
    return Question(labels=labels, template=how.template, method=how.method, multi_label=how.multi_label)


def texts() -> tuple[list[str], bool]:
    """The form for the texts: its lines, and whether its button was pressed just now."""
    with st.form("zero_shot", border=False):
        lines = components.text_lines(
            say("zero_shot.texts"),
            key="zero_shot_texts",
            limit=MAX_TEXTS,
            height=100,
            placeholder=say("zero_shot.placeholder"),
        )
        submitted = answers.submit("zero_shot", say("zero_shot.classify"))
    return lines, submitted


def _labels() -> list[str]:
    """The labels, typed one by one or pasted, several at once. Those of earlier in this session are offered again."""

    def split() -> None:
        known = st.session_state.get(_OFFERED, [])
        st.session_state[_LABELS] = one_by_one(st.session_state[_LABELS], known=known)

    chosen: Sequence[str] = st.session_state.get(_LABELS, [])
    offered = list(dict.fromkeys([*chosen, *st.session_state.get(_OFFERED, [])]))[:_MOST_OFFERED]
    st.session_state[_OFFERED] = offered
    return list(
        st.multiselect(
            say("zero_shot.labels"),
            offered,
            key=_LABELS,
            accept_new_options=True,
            on_change=split,
            placeholder=say("zero_shot.labels_placeholder"),
            help=say("zero_shot.labels_help", limit=MAX_LABELS),
            select_all=False,
            persist_state="session",
        )
    )


def _preview(template: str, label: str) -> None:
    """The sentence that the model judges, for the first label."""
    try:
        sentence = check_template(template).format(label)
    except InputError:
        return  # the answer shows this error
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.caption(say("zero_shot.preview"), width="content")
        st.text(charts.one_line(sentence, width=120))
