"""The labelled rows on which the lab measures accuracy: the sample reviews, or a file of the visitor's."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import streamlit as st

from wenmo.paths import ASSETS
from wenmo.tasks.table import row_tasks
from wenmo.ui.shell import labelled_file
from wenmo.ui.text import say

if TYPE_CHECKING:
    from wenmo.evaluation.labelled import LabelledRows

SAMPLE = ASSETS / "samples" / "reviews.csv"
MAX_ROWS = 2_000  # answered in each precision: half a minute on two cores with the bundled model
_SOURCES = ("sample", "file", "none")


def choose() -> LabelledRows | None:
    """The fields, and the rows that they choose; None if there are none, or after showing why a file cannot be read."""
    source = st.segmented_control(
        say("lab.labelled"),
        _SOURCES,
        default=_SOURCES[0],
        required=True,
        format_func=lambda name: say(f"lab.labelled.{name}"),
        help=say("lab.labelled_help"),
        key="lab_labelled",
    )
    if source == "sample":
        rows = sample()
        st.caption(say("lab.sample_note", rows=len(rows)))
        return rows
    return _own() if source == "file" else None


@cache
def sample() -> LabelledRows:
    """The sample reviews, half of them positive."""
    from wenmo.evaluation.labelled import read_rows

    return read_rows(SAMPLE, "sentiment")


def _own() -> LabelledRows | None:
    """The rows of the visitor's file, at most MAX_ROWS of them, drawn at random."""
    from wenmo.lab.accuracy import sample_of

    tasks = [spec.name for spec in row_tasks() if spec.bundled and not spec.takes_labels]
    task = (
        st.segmented_control(
            say("lab.task"),
            tasks,
            default=tasks[0],
            required=True,
            format_func=lambda name: say(f"lab.task.{name}"),
            key="lab_task",
        )
        or tasks[0]
    )
    file = labelled_file.upload("lab")
    if file is None:
        st.caption(say("lab.no_file"))
        return None
    rows = labelled_file.read(file, task, key=f"lab_{task}")
    if rows is None or len(rows) <= MAX_ROWS:
        return rows
    st.caption(say("lab.drawn", most=f"{MAX_ROWS:,}", rows=f"{len(rows):,}"))
    return sample_of(rows, MAX_ROWS)
