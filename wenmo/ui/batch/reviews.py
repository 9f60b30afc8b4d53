"""What a file of reviews tells: shares of good, neutral and bad by month or product, and what each side talks about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from wenmo.errors import WenmoError
from wenmo.tasks.phrases import Phrase, distinct_phrases
from wenmo.ui import charts
from wenmo.ui.shell import components
from wenmo.ui.text import say

if TYPE_CHECKING:
    from wenmo.jobs.file_job import FileJobStatus
    from wenmo.jobs.results import Results

_GROUPS = 30  # groups in a chart
_PHRASES = 12  # of each side
_MONTHS_FROM = 3  # dates over so many months are joined to months


def show(results: Results, view: FileJobStatus, text: str, others: list[str]) -> None:
    """Everything about `results`; `text` is the column of the reviews, `others` are those of the file beside it."""
    if others:
        _shares(results, view, others)
    _phrases(results, view, text)


@st.fragment
def _shares(results: Results, view: FileJobStatus, others: list[str]) -> None:
    """The shares of good, neutral and bad for each value of a column, over time where it holds dates."""
    st.markdown(f"**{say('batch.groups')}**")
    column = st.selectbox(
        say("batch.group_by"), others, index=None, placeholder=say("batch.choose"), key="batch_group_by"
    )
    if column is None:
        return
    try:
        months = results.months(column)
        by_month = months is not None and len(months) >= _MONTHS_FROM
        groups = results.mean_by(column, view.labels[1], limit=_GROUPS, by_month=by_month)
    except WenmoError as error:
        components.show_error(error)
        return
    except OSError:
        st.info(say("batch.gone"))
        return
    if not groups.groups:
        st.caption(say("batch.groups_empty"))
        return
    names = [say(f"batch.{kind}") for kind in ("good", "neutral", "bad")]
    shares = {group.value: (group.good, group.neutral, group.bad) for group in groups.groups}
    st.plotly_chart(
        charts.shares(shares, names, over_time=groups.over_time),
        config=charts.CONFIG,
        key="batch_groups_chart",
        alt=say("batch.groups_alt", count=len(shares)),
    )
    kind = "time" if groups.over_time else "values"
    note = say(f"batch.groups.{kind}")
    if groups.total > len(shares):
        note += say(f"batch.groups_some.{kind}", shown=len(shares), count=f"{groups.total:,}")
    st.caption(note)
    columns: dict[str, list[object]] = {
        column: [group.value for group in groups.groups],
        say("batch.rows"): [group.count for group in groups.groups],
        **{name: [counts[place] for counts in shares.values()] for place, name in enumerate(names)},
        say("batch.mean_positive"): [group.mean for group in groups.groups],
    }
    components.download("shares", columns)


@st.fragment
def _phrases(results: Results, view: FileJobStatus, text: str) -> None:
    """What good reviews mention more than bad ones, and the other way round; counted when it is asked for."""
    st.markdown(f"**{say('batch.phrases')}**")
    if not st.toggle(say("batch.phrases_show"), key="batch_phrases"):
        return
    positive = view.labels[1]
    try:
        sides = [
            distinct_phrases(
                results.texts(text, positive, good=good), results.texts(text, positive, good=not good), limit=_PHRASES
            )
            for good in (True, False)
        ]
    except OSError:
        st.info(say("batch.gone"))
        return
    for place, kind, found in zip(st.columns(2, gap="large"), ("good", "bad"), sides, strict=True):
        with place:
            _side(kind, found)
    st.caption(say("batch.phrases_note"))


def _side(kind: str, found: list[Phrase]) -> None:
    name = say(f"batch.{kind}")
    st.markdown(name)
    if not found:
        st.caption(say("batch.phrases_none"))
        return
    components.table(
        {
            say("batch.phrase"): [phrase.text for phrase in found],
            say("batch.phrase_here"): [phrase.count for phrase in found],
            say("batch.phrase_there"): [phrase.other for phrase in found],
        }
    )
