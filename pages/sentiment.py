"""Sentiment: one text with a large face, several with a table and a file to take away."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from wenmo.types import SentimentResult
from wenmo.ui import components, explain, theme
from wenmo.ui.examples import MOODS
from wenmo.ui.inputs import MAX_TEXTS, at_most
from wenmo.ui.text import say

Face = Literal["😄", "😐", "😠"]
NAMES: dict[Face, str] = {"😄": "glad", "😐": "neutral", "😠": "angry"}


def face_of(result: SentimentResult) -> Face:
    """Near the middle the model does not know, and the face says so."""
    if 0.4 <= result.positive <= 0.6:
        return "😐"
    return "😄" if result.positive > 0.6 else "😠"


def one(result: SentimentResult) -> None:
    """A single text: large."""
    face = face_of(result)
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
            theme.face(face)
            st.subheader(say(f"sentiment.{NAMES[face]}"), anchor=False, width="content")
            st.text(f"{say('sentiment.label')} {result.label}")
        left, right = st.columns(2, gap="large")
        with left:
            components.measure(say("sentiment.confidence"), result.score, text=f"{result.score:.1%}")
        with right:
            components.measure(say("sentiment.positive"), result.positive, text=f"{result.positive:.1%}")


def many(texts: list[str], results: list[SentimentResult]) -> None:
    """Several texts: how many of each mood, and the table."""
    faces = [face_of(result) for result in results]
    counts = {name: faces.count(face) for face, name in NAMES.items()}
    st.subheader(say("sentiment.summary", count=len(texts), **counts), anchor=False)
    confidence, positive = say("sentiment.confidence"), say("sentiment.positive")
    columns: dict[str, list[object]] = {
        say("sentiment.face"): list(faces),
        positive: [result.positive for result in results],  # beside the face: seen on a phone without scrolling
        say("sentiment.text"): list(texts),
        say("sentiment.label"): [result.label for result in results],
        confidence: [result.score for result in results],
    }
    components.table(columns, bars=[confidence, positive])
    st.caption(say("sentiment.faces_note"))
    components.download("sentiment", columns)


components.heading("sentiment")
components.examples("sentiment", MOODS)
with st.form("sentiment", border=False):
    texts = components.text_lines(
        say("sentiment.texts"),
        key="sentiment_texts",
        limit=MAX_TEXTS,
        height=140,
        placeholder=say("sentiment.placeholder"),
    )
    components.submit("sentiment", say("sentiment.read"))

if not texts:
    st.caption(say("sentiment.empty"))
else:
    results = components.ask(
        "sentiment", texts, lambda engine, progress: engine.sentiment(at_most(texts, MAX_TEXTS), progress=progress)
    )
    if results is not None:
        if len(results) == 1:
            one(results[0])
            explain.sentiment(texts[0])
        else:
            many(texts, results)
        components.truncation_note([result.truncated for result in results])
