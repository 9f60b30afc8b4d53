"""A matrix of every sentence against every other, with like beside like, and its groups of near-duplicates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
import streamlit as st

from wenmo import Engine
from wenmo.engine import OnProgress
from wenmo.tasks.clusters import Clustering, cluster, near_duplicates
from wenmo.tasks.embedding import cosines
from wenmo.ui import charts
from wenmo.ui.shell import answers, components, examples, share
from wenmo.ui.shell.inputs import MAX_CROSS_ENCODED, MAX_MATRIX, MEASURES, at_most
from wenmo.ui.similarity.examples import MATRICES
from wenmo.ui.text import say

Measure: TypeAlias = Literal["probability", "cosine"]
# Default thresholds: the bundled models put near-duplicates of the examples above them.
_ALIKE: dict[Measure, float] = {"probability": 0.6, "cosine": 0.9}


def show() -> None:
    """The form, the map, the groups and the downloads."""
    share.restore("matrix")
    examples.buttons("matrix", MATRICES)
    sentences, chosen = _form()
    if len(sentences) < 2:
        st.caption(say("similarity.matrix_empty"))
        return
    few = len(sentences) <= MAX_CROSS_ENCODED
    measure: Measure = "probability" if chosen == "probability" or (chosen == "auto" and few) else "cosine"
    answer = answers.ask(
        "matrix", (sentences, measure), lambda engine, progress: _values(engine, sentences, measure, progress)
    )
    if answer is None:
        return
    values, truncated = answer
    found = cluster(values)
    threshold = st.slider(
        say("similarity.threshold"),
        0.05,
        1.0,
        _ALIKE[measure],
        0.01,
        key=f"matrix_threshold_{measure}",
        help=say("similarity.threshold_help"),
        persist_state="session",
    )
    _map(sentences, values, found, measure, threshold)
    components.truncation_note([truncated])
    _groups(sentences, values, found, threshold)
    _download(sentences, values)
    share.keep("matrix")


def _form() -> tuple[list[str], str]:
    """The sentences, and one of MEASURES."""
    with st.form("matrix", border=False):
        sentences = components.text_lines(
            say("similarity.sentences"), key="matrix_sentences", limit=MAX_MATRIX, height=220
        )
        chosen = st.selectbox(
            say("similarity.measure"),
            MEASURES,
            key=components.retold("matrix_measure"),
            format_func=lambda name: say(f"similarity.measure.{name}", limit=MAX_CROSS_ENCODED),
            help=say("similarity.measure_help"),
            persist_state="session",
        )
        answers.submit("matrix", say("similarity.draw"))
    return sentences, chosen


def _values(engine: Engine, sentences: list[str], measure: Measure, progress: OnProgress) -> tuple[np.ndarray, bool]:
    """The symmetric matrix (N, N) of the measure, and whether a pair was truncated."""
    checked = at_most(sentences, MAX_MATRIX)
    if measure == "cosine":
        vectors = engine.embed(checked, progress=progress)
        return cosines(vectors, vectors).round(6), False  # rounded, so that equal sentences have exactly 1
    count = len(checked)
    rows, columns = np.triu_indices(count)
    results = engine.similarity(
        [(checked[i], checked[j]) for i, j in zip(rows, columns, strict=True)], progress=progress
    )
    values = np.empty((count, count))
    values[rows, columns] = values[columns, rows] = [result.similarity for result in results]
    return values, any(result.truncated for result in results)


def _map(sentences: list[str], values: np.ndarray, found: Clustering, measure: Measure, threshold: float) -> None:
    """The heat map in the order of the clustering, with a frame around each group."""
    count, order = len(sentences), list(found.order)
    # The cosines of a model lie close together, so that their scale begins at the lowest.
    low = 0.0 if measure == "probability" else min(0.9, math.floor(10 * float(values.min())) / 10)
    figure = charts.ink_map(
        values[np.ix_(order, order)],
        rows=[f"{index + 1} {sentences[index]}" for index in order],
        columns=[sentences[index] for index in order],
        names=[str(index + 1) for index in order],
        low=low,
        percent=measure == "probability",
        outlined=found.runs(threshold),
    )
    st.plotly_chart(
        figure, config=charts.CONFIG, alt=say(f"similarity.matrix_alt.{measure}", count=count), key="matrix"
    )
    pairs = f"{count * (count + 1) // 2 if measure == 'probability' else count * (count - 1) // 2:,}"
    st.caption(say(f"similarity.matrix_note.{measure}", count=count, pairs=pairs))


def _groups(sentences: list[str], values: np.ndarray, found: Clustering, threshold: float) -> None:
    """The near-duplicates at the threshold, as a table."""
    groups = near_duplicates(values, found, threshold)
    if not groups:
        st.caption(say("similarity.no_groups"))
        return
    members = [(number, group, member) for number, group in enumerate(groups, 1) for member in group.members]
    st.subheader(say("similarity.groups", groups=len(groups), sentences=len(members), of=len(sentences)), anchor=False)
    weakest = say("similarity.weakest")
    columns: dict[str, list[object]] = {
        say("similarity.group"): [number for number, _, _ in members],
        say("similarity.sentences"): [sentences[member] for _, _, member in members],
        say("similarity.number"): [member + 1 for _, _, member in members],
        weakest: [group.weakest for _, group, _ in members],
    }
    components.table(columns, numbers=[weakest])
    st.caption(say("similarity.groups_note"))
    components.download("groups", columns, label=say("similarity.download_groups"))


def _download(sentences: list[str], values: np.ndarray) -> None:
    """The whole matrix, with the sentences in the order in which they were typed."""
    numbers = range(1, len(sentences) + 1)
    columns: dict[str, Sequence[object]] = {
        say("similarity.number"): numbers,
        say("similarity.sentences"): sentences,
    }
    columns |= {str(number): values[:, number - 1].tolist() for number in numbers}
    components.download("matrix", columns, label=say("similarity.download_matrix"))
