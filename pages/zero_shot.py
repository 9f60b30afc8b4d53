"""Zero-shot: texts sorted into labels that are typed in."""

from __future__ import annotations

import numpy as np
import streamlit as st

from wenmo.tasks.zero_shot import SHORTLIST
from wenmo.types import ZERO_SHOT_METHODS, ZeroShotResult
from wenmo.ui import charts, components, explain
from wenmo.ui.examples import LABELS
from wenmo.ui.inputs import MAX_CHARACTERS, MAX_LABELS, MAX_TEXTS, at_most, check_labels
from wenmo.ui.text import say


def one(result: ZeroShotResult) -> None:
    """A single text: the best label, and all of them as bars."""
    count = len(result.scores)
    label, confidence = say("zero_shot.label"), say("zero_shot.confidence")
    with st.container(border=True):
        st.caption(say("zero_shot.best"))
        st.text(f"{result.label}  {result.score:.1%}")
        figure = charts.bars(result.scores)
        st.plotly_chart(figure, config=charts.CONFIG, alt=say("zero_shot.chart_alt", count=count))
    columns: dict[str, list[object]] = {label: list(result.scores), confidence: list(result.scores.values())}
    if count > charts.BARS_SHOWN:
        st.caption(say("zero_shot.top_only", shown=charts.BARS_SHOWN, count=count))
        components.table(columns, bars=[confidence])
    components.download("zero-shot", columns)


def many(texts: list[str], results: list[ZeroShotResult]) -> None:
    """Several texts: the best label of each, and, while there is room, all of them as an ink map."""
    confidence = say("zero_shot.confidence")
    columns: dict[str, list[object]] = {
        say("zero_shot.label"): [result.label for result in results],
        confidence: [result.score for result in results],
        say("zero_shot.text"): list(texts),
    }
    components.table(columns, bars=[confidence])
    names = sorted(results[0].scores)
    alike = all(set(result.scores) == set(names) for result in results)  # a shortlist is each text's own
    if alike and len(names) <= charts.BARS_SHOWN and len(texts) <= charts.BARS_SHOWN:
        values = np.array([[result.scores[name] for name in names] for result in results])
        figure = charts.ink_map(values, rows=texts, columns=names, names=names)
        alt = say("zero_shot.matrix_alt", texts=len(texts), labels=len(names))
        st.plotly_chart(figure, config=charts.CONFIG, alt=alt)
    components.download("zero-shot", columns)


components.heading("zero_shot")
components.examples("zero_shot", LABELS)
with st.form("zero_shot", border=False):
    texts = components.text_lines(
        say("zero_shot.texts"),
        key="zero_shot_texts",
        limit=MAX_TEXTS,
        height=100,
        placeholder=say("zero_shot.placeholder"),
    )
    labels = st.text_input(
        say("zero_shot.labels"),
        key="zero_shot_labels",
        max_chars=MAX_CHARACTERS,
        placeholder=say("zero_shot.labels_placeholder"),
        help=say("zero_shot.labels_help", limit=MAX_LABELS),
        persist_state="session",
    )
    left, middle, right = st.columns([3, 2, 2], vertical_alignment="bottom")
    st.session_state.setdefault("zero_shot_template", "{}")
    template = left.text_input(
        say("zero_shot.template"),
        key="zero_shot_template",
        max_chars=500,
        help=say("zero_shot.template_help"),
        persist_state="session",
    )
    method = middle.selectbox(
        say("zero_shot.method"),
        ZERO_SHOT_METHODS,
        key="zero_shot_method",
        format_func=lambda name: say(f"zero_shot.method.{name}"),
        help=say("zero_shot.method_help", shortlist=SHORTLIST),
        persist_state="session",
    )
    multi_label = right.toggle(
        say("zero_shot.multi_label"),
        key="zero_shot_multi_label",
        help=say("zero_shot.multi_label_help"),
        persist_state="session",
    )
    submitted = components.submit("zero_shot", say("zero_shot.classify"))

if not texts or (not labels.strip() and not submitted):
    st.caption(say("zero_shot.empty"))
else:
    results = components.ask(
        "zero_shot",
        (texts, labels, template, multi_label, method),
        lambda engine, progress: engine.zero_shot(
            at_most(texts, MAX_TEXTS),
            labels=check_labels(labels, texts=len(texts), method=method),
            template=template,
            multi_label=multi_label,
            method=method,
            progress=progress,
        ),
    )
    if results is not None:
        if len(results) == 1:
            one(results[0])
            if method == "nli":  # the others' answers come from vectors, at least in part
                explain.zero_shot(texts[0], results[0], template)
        else:
            many(texts, results)
        if results[0].dropped_labels:
            st.caption(say("zero_shot.dropped", count=len(results[0].dropped_labels)))
        if len(results[0].scores) == 1:
            st.caption(say("zero_shot.one_label"))
        if method != "nli":
            st.caption(say(f"zero_shot.method_note.{method}", shortlist=SHORTLIST))
        components.truncation_note([result.truncated for result in results])
