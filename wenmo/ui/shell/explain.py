"""The panel "Why?" below an answer: how much each part of the text adds to the score.

The explanation is computed when the panel is opened, and remembered like an answer. `wenmo.tasks.explain` defines the
weight of a part: how far the score falls when that part is hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import streamlit as st

from wenmo.types import Alignment, ClassifyResult, Explanation, Part, ZeroShotResult
from wenmo.ui import charts
from wenmo.ui.shell import answers, components
from wenmo.ui.text import say

if TYPE_CHECKING:
    from wenmo import Engine
    from wenmo.engine import OnProgress

T = TypeVar("T")

_NAMED = 5  # parts listed in words for each direction, at most
_SHARE_NAMED = 0.05  # of the strongest weight: weaker parts are not listed
_ALIGNED = 30  # parts of a sentence, at most, for which the alignment map has room


def similarity(pair: tuple[str, str]) -> None:
    """The parts that speak for and against the same meaning, and a map of the parts that correspond."""

    def work(engine: Engine, progress: OnProgress) -> tuple[Explanation, Alignment]:
        return engine.explain_similarity(pair, progress=progress), engine.align(pair)

    def draw(answer: tuple[Explanation, Alignment]) -> None:
        up, down = say("explain.same"), say("explain.different")
        _weights("pair", pair, answer[0], up=up, down=down, note=say("explain.pair_note"))
        _alignment(pair, answer[1])

    _when_open("pair", pair, work, draw)


def sentiment(text: str) -> None:
    """The parts that pull towards positive and towards negative."""

    def draw(explanation: Explanation) -> None:
        up, down = say("explain.up"), say("explain.down")
        _weights("sentiment", (text,), explanation, up=up, down=down, note=say("explain.sentiment_note"))

    _when_open("sentiment", text, lambda engine, progress: engine.explain_sentiment(text, progress=progress), draw)


def classify(text: str, result: ClassifyResult) -> None:
    """The parts that speak for and against a label: the best one until the visitor chooses another."""
    labels = list(result.scores)
    panel = st.expander(say("explain.why"), key="explain_classify", on_change="rerun")
    if not panel.open:
        return
    with panel:
        label = st.selectbox(say("explain.label"), labels)
        explanation = answers.ask(
            "explain_classify",
            (text, label),
            lambda engine, progress: engine.explain_classify(text, label=label, progress=progress),
        )
        if explanation is None:
            return
        st.text(f"{explanation.label}  ↔  {explanation.rival}")
        _weights(
            "classify",
            (text,),
            explanation,
            up=say("explain.for"),
            down=say("explain.against"),
            note=say("explain.rival_note"),
        )


def zero_shot(text: str, result: ZeroShotResult, template: str) -> None:
    """The parts that speak for and against a label: the best one until the visitor chooses another."""
    labels = list(result.scores)
    panel = st.expander(say("explain.why"), key="explain_zero_shot", on_change="rerun")
    if not panel.open:
        return
    with panel:
        # Without a key the widget starts anew, at the best label, whenever the labels change.
        label = st.selectbox(say("explain.label"), labels) if len(labels) > 1 else labels[0]

        def work(engine: Engine, progress: OnProgress) -> Explanation:
            return engine.explain_zero_shot(
                text,
                labels=labels,
                label=label,
                template=template,
                multi_label=result.multi_label,
                progress=progress,
            )

        explanation = answers.ask("explain_zero_shot", (text, labels, label, template, result.multi_label), work)
        if explanation is None:
            return
        if explanation.rival is not None:
            st.text(f"{explanation.label}  ↔  {explanation.rival}")
        note = say("explain.alone_note") if explanation.rival is None else say("explain.rival_note")
        _weights("zero-shot", (text,), explanation, up=say("explain.for"), down=say("explain.against"), note=note)


def _when_open(key: str, inputs: object, work: Callable[[Engine, OnProgress], T], draw: Callable[[T], None]) -> None:
    """The panel; once it is open, `work` computes the explanation and `draw` shows it."""
    panel = st.expander(say("explain.why"), key=f"explain_{key}", on_change="rerun")
    if panel.open:
        with panel:
            answer = answers.ask(f"explain_{key}", inputs, work)
            if answer is not None:
                draw(answer)


def _weights(key: str, texts: Sequence[str], explanation: Explanation, *, up: str, down: str, note: str) -> None:
    """Each text drawn with its weights, the strongest parts listed in words, and all of them as a download."""
    everything = [(text, part) for text, parts in zip(texts, explanation.parts, strict=True) for part in parts]
    if not everything:
        st.caption(say("explain.nothing"))
        return
    strongest = max(abs(part.weight) for _, part in everything)
    for index, (text, parts) in enumerate(zip(texts, explanation.parts, strict=True)):
        if parts:
            by_weight = sorted(parts, key=lambda part: -abs(part.weight))
            strongest_parts = "，".join(_in_words(text, part) for part in by_weight[:_NAMED])
            st.plotly_chart(
                charts.ink_text(text, parts, strongest=strongest),
                config=charts.CONFIG,
                alt=say("explain.alt") + strongest_parts,
                key=f"explain_{key}_{index}",
            )
    ranked = sorted(everything, key=lambda each: -each[1].weight)
    pulls = {
        f"▲ {up}": [each for each in ranked if each[1].weight > _SHARE_NAMED * strongest],
        f"▼ {down}": [each for each in reversed(ranked) if each[1].weight < -_SHARE_NAMED * strongest],
    }
    for name, found in pulls.items():
        if found:
            st.text(f"{name}  {'   '.join(_in_words(text, part) for text, part in found[:_NAMED])}")
    st.caption(note)
    if explanation.grouped:
        st.caption(say("explain.grouped"))
    columns: dict[str, list[object]] = {
        say("explain.part"): [text[part.start : part.end] for text, part in everything],
        say("explain.weight"): [part.weight for _, part in everything],
    }
    components.download(f"why-{key}", columns)


def _in_words(text: str, part: Part) -> str:
    return f"{charts.one_line(text[part.start : part.end])} {part.weight:+.2f}".replace("-", "−")


def _alignment(pair: tuple[str, str], alignment: Alignment) -> None:
    """The map of cosines between the parts of both sentences, where it has room for them."""
    sides = (alignment.first, alignment.second)
    if not all(sides) or max(map(len, sides)) > _ALIGNED:
        return
    rows, columns = ([text[start:end] for start, end in side] for text, side in zip(pair, sides, strict=True))
    st.plotly_chart(
        charts.alignment_map(np.asarray(alignment.cosines), rows=rows, columns=columns),
        config=charts.CONFIG,
        alt=say("explain.alignment_alt", rows=len(rows), columns=len(columns)),
        key="explain_alignment",
    )
    st.caption(say("explain.alignment_note"))
