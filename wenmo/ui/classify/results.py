"""The form of the page of classifiers, and the label of one text or of many."""

from __future__ import annotations

from collections import Counter

import numpy as np
import streamlit as st

from wenmo.types import ClassifyResult
from wenmo.ui import charts
from wenmo.ui.classify.examples import TEXTS
from wenmo.ui.shell import answers, components, examples, explain, model_choice, share
from wenmo.ui.shell.inputs import MAX_TEXTS, at_most
from wenmo.ui.text import say


def show() -> None:
    """What to do for a model where there is none; otherwise the form and the answers."""
    name = model_choice.in_use("classify")
    if not name:
        st.info(say("classify.no_model"))
        with st.container(horizontal=True, key="links"):
            st.page_link("pages/models.py", label=say("classify.take_one"))
            st.page_link("pages/adapt.py", label=say("classify.train_one"))
        return
    share.restore("classify")
    examples.buttons("classify", TEXTS)
    with st.form("classify", border=False):
        texts = components.text_lines(
            say("classify.texts"),
            key="classify_texts",
            limit=MAX_TEXTS,
            height=140,
            placeholder=say("classify.placeholder"),
        )
        answers.submit("classify", say("classify.sort"))
    if not texts:
        st.caption(say("classify.empty"))
        return
    results = answers.ask(
        "classify", texts, lambda engine, progress: engine.classify(at_most(texts, MAX_TEXTS), progress=progress)
    )
    if results is None:
        return
    if len(results) == 1:
        _one(results[0])
        explain.classify(texts[0], results[0])
    else:
        _many(texts, results)
    st.caption(say("classify.model", name=components.literal(name), count=len(results[0].scores)))
    components.truncation_note([result.truncated for result in results])
    share.keep("classify")


def _one(result: ClassifyResult) -> None:
    """The best label of a single text, and the probabilities of all labels as bars."""
    count = len(result.scores)
    label, confidence = say("classify.label"), say("classify.confidence")
    with st.container(border=True):
        st.caption(say("classify.best"))
        st.text(f"{result.label}  {result.score:.1%}")
        st.plotly_chart(
            charts.bars(result.scores),
            config=charts.CONFIG,
            alt=say("classify.chart_alt", count=count),
            key="classify_bars",
        )
    columns: dict[str, list[object]] = {label: list(result.scores), confidence: list(result.scores.values())}
    if count > charts.BARS_SHOWN:
        st.caption(say("classify.top_only", shown=charts.BARS_SHOWN, count=count))
        components.table(columns, bars=[confidence])
    components.download("classify", columns)


def _many(texts: list[str], results: list[ClassifyResult]) -> None:
    """A table of texts and labels, how many texts each label has, and a map of all probabilities if there is room."""
    confidence = say("classify.confidence")
    columns: dict[str, list[object]] = {
        say("classify.label"): [result.label for result in results],
        confidence: [result.score for result in results],
        say("classify.text"): list(texts),
    }
    components.table(columns, bars=[confidence])
    components.download("classify", columns)
    st.subheader(say("classify.counts"), anchor=False)
    counts = dict(Counter(result.label for result in results).most_common())
    st.plotly_chart(
        charts.count_bars(counts),
        config=charts.CONFIG,
        alt=say("classify.counts_alt", count=len(texts)),
        key="classify_counts",
    )
    names = sorted(results[0].scores)
    if len(names) <= charts.BARS_SHOWN and len(texts) <= charts.BARS_SHOWN:
        values = np.array([[result.scores[name] for name in names] for result in results])
        st.plotly_chart(
            charts.ink_map(values, rows=texts, columns=names, names=names),
            config=charts.CONFIG,
            alt=say("classify.chart_alt", count=len(names)),
            key="classify_map",
        )
