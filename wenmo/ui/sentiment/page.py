"""The modes of the sentiment page: reading reviews, one or many, by sentence and by aspect; comparing two products."""

from __future__ import annotations

from statistics import fmean
from typing import Literal

import streamlit as st

from wenmo.tasks.reviews import Mean, difference, mean, mentions, parse_aspects, sentence_spans
from wenmo.types import Part, SentimentResult
from wenmo.ui import charts
from wenmo.ui.shell import components, explain, share, theme
from wenmo.ui.shell.examples import MOODS, PRODUCTS
from wenmo.ui.shell.inputs import MAX_ASPECT_CHARACTERS, MAX_ASPECTS, MAX_SENTENCES, MAX_TEXTS, at_most
from wenmo.ui.text import say

Face = Literal["😄", "😐", "😠"]
NAMES: dict[Face, str] = {"😄": "glad", "😐": "neutral", "😠": "angry"}
_INK_CHARACTERS = 400  # of a review up to which it is drawn


def face_of(positive: float) -> Face:
    """Near the middle the model does not know, and the face says so."""
    if 0.4 <= positive <= 0.6:
        return "😐"
    return "😄" if positive > 0.6 else "😠"


def read() -> None:
    """One review large and by sentence, several as a table; what they say about aspects that are typed."""
    share.restore("sentiment")
    components.examples("sentiment", MOODS)
    with st.form("sentiment", border=False):
        texts = components.text_lines(
            say("sentiment.texts"),
            key="sentiment_texts",
            limit=MAX_TEXTS,
            height=140,
            placeholder=say("sentiment.placeholder"),
        )
        aspects = st.text_input(
            say("sentiment.aspects"),
            key="sentiment_aspects",
            max_chars=MAX_ASPECT_CHARACTERS,
            placeholder=say("sentiment.aspects_placeholder"),
            help=say("sentiment.aspects_help", limit=MAX_ASPECTS),
            persist_state="session",
        )
        components.submit("sentiment", say("sentiment.read"))
    if not texts:
        st.caption(say("sentiment.empty"))
        return
    results = components.ask(
        "sentiment", texts, lambda engine, progress: engine.sentiment(at_most(texts, MAX_TEXTS), progress=progress)
    )
    if results is None:
        return
    if len(results) == 1:
        _one(texts[0], results[0])
        explain.sentiment(texts[0])
        _by_sentence(texts[0])
    else:
        _many(texts, results)
    components.truncation_note([result.truncated for result in results])
    _by_aspect(texts, aspects)
    share.keep("sentiment")


def compare() -> None:
    """Reviews of two products: how they are spread, their means, and whether the difference may be chance."""
    share.restore("products")
    components.examples("products", PRODUCTS)
    with st.form("products", border=False):
        sides = []
        for column, name in zip(st.columns(2), ("first", "second"), strict=True):
            with column:
                label = say(f"sentiment.{name}")
                sides.append(components.text_lines(label, key=f"products_{name}", limit=MAX_TEXTS, height=200))
        components.submit("products", say("sentiment.compare"))
    if not all(sides):
        st.caption(say("sentiment.compare_empty"))
        return
    results = components.ask(
        "products",
        sides,
        lambda engine, progress: engine.sentiment(
            [text for side in sides for text in at_most(side, MAX_TEXTS)], progress=progress
        ),
    )
    if results is None:
        return
    positives = [result.positive for result in results]
    first, second = positives[: len(sides[0])], positives[len(sides[0]) :]
    names = [say("sentiment.first"), say("sentiment.second")]
    with st.container(border=True):
        _difference(difference(first, second))
        for column, name, values in zip(st.columns(2, gap="large"), names, (first, second), strict=True):
            with column:
                average = mean(values)
                components.measure(name, average.value, text=f"{average.value:.1%}")
                st.caption(_spread(values, average))
    figure = charts.spreads(dict(zip(names, (first, second), strict=True)))
    st.plotly_chart(figure, config=charts.CONFIG, alt=say("sentiment.spread_alt"), key="products")
    st.caption(say("sentiment.compare_note"))
    columns: dict[str, list[object]] = {
        say("sentiment.product"): [*[names[0]] * len(first), *[names[1]] * len(second)],
        say("sentiment.positive"): list(positives),
        say("sentiment.text"): [text for side in sides for text in side],
    }
    components.table(columns, bars=[say("sentiment.positive")])
    components.truncation_note([result.truncated for result in results])
    components.download("products", columns)
    share.keep("products")


def _one(text: str, result: SentimentResult) -> None:
    face = face_of(result.positive)
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
    columns: dict[str, list[object]] = {
        say("sentiment.text"): [text],
        say("sentiment.label"): [result.label],
        say("sentiment.positive"): [result.positive],
    }
    components.download("sentiment", columns)


def _many(texts: list[str], results: list[SentimentResult]) -> None:
    """How many of each mood, and the table."""
    faces = [face_of(result.positive) for result in results]
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


def _sentence_moods(key: str, sentences: list[str]) -> list[float] | None:
    """The probability of positive of each sentence, read alone; the first MAX_SENTENCES of them."""
    if len(sentences) > MAX_SENTENCES:
        st.caption(say("sentiment.first_sentences", limit=f"{MAX_SENTENCES:,}", count=f"{len(sentences):,}"))
    asked = sentences[:MAX_SENTENCES]
    results = components.ask(key, asked, lambda engine, progress: engine.sentiment(asked, progress=progress))
    return None if results is None else [result.positive for result in results]


def _by_sentence(text: str) -> None:
    spans = sentence_spans(text)
    if len(spans) < 2:
        return
    st.subheader(say("sentiment.by_sentence"), anchor=False)
    sentences = [text[start:end] for start, end in spans]
    positives = _sentence_moods("sentences", sentences)
    if positives is None:
        return
    if len(text) <= _INK_CHARACTERS:
        parts = [
            Part(start=place, end=place + 1, weight=2 * positive - 1)
            for (start, end), positive in zip(spans, positives, strict=True)
            for place in range(start, end)
            if not text[place].isspace()
        ]
        told = "".join(f"{sentence} {value:.0%} " for sentence, value in zip(sentences, positives, strict=True))
        figure = charts.ink_text(text, parts, strongest=1.0, told=lambda weight: f"{(weight + 1) / 2:.1%}")
        st.plotly_chart(figure, config=charts.CONFIG, alt=told, key="sentences")
    positive = say("sentiment.positive")
    columns: dict[str, list[object]] = {
        say("sentiment.face"): [face_of(value) for value in positives],
        positive: list(positives),
        say("sentiment.sentence"): list(sentences[: len(positives)]),
    }
    components.table(columns, bars=[positive])
    st.caption(say("sentiment.by_sentence_note"))
    components.download("sentences", columns)


def _by_aspect(texts: list[str], typed: str) -> None:
    given = parse_aspects(typed[:MAX_ASPECT_CHARACTERS])  # a link may bring more than the field takes
    if not given:
        return
    aspects = given[:MAX_ASPECTS]
    st.subheader(say("sentiment.by_aspect"), anchor=False)
    if len(given) > MAX_ASPECTS:
        st.caption(say("sentiment.first_aspects", limit=MAX_ASPECTS, count=len(given)))
    sentences = [text[start:end] for text in texts for start, end in sentence_spans(text)]
    about = [sentence for sentence in sentences if any(mentions(sentence, aspect) for aspect in aspects)]
    positives = _sentence_moods("aspects", about) if about else []
    if positives is None:
        return
    found = [
        sorted(value for sentence, value in zip(about, positives, strict=False) if mentions(sentence, aspect))
        for aspect in aspects
    ]
    average, counted = say("sentiment.mean_positive"), say("sentiment.sentences")
    columns: dict[str, list[object]] = {
        say("sentiment.aspect"): [aspect.name for aspect in aspects],
        average: [fmean(values) if values else None for values in found],
        counted: [len(values) for values in found],
        **{face: [[face_of(value) for value in values].count(face) for values in found] for face in NAMES},
    }
    components.table(columns, bars=[average])
    st.caption(say("sentiment.by_aspect_note"))
    components.download("aspects", columns)


def _difference(found: Mean) -> None:
    """In words: which is better liked, by how much, and whether that may be chance."""
    points = f"{abs(100 * found.value):.1f}"
    if found.interval is None:
        st.subheader(say("sentiment.verdict.few", points=points), anchor=False)
        return
    low, high = (100 * edge for edge in found.interval)
    name = "first" if low > 0 else "second" if high < 0 else "open"
    st.subheader(say(f"sentiment.verdict.{name}", points=points), anchor=False)
    st.caption(say("sentiment.difference", value=f"{100 * found.value:+.1f}", low=f"{low:+.1f}", high=f"{high:+.1f}"))


def _spread(values: list[float], average: Mean) -> str:
    faces = [face_of(value) for value in values]
    counts = {name: faces.count(face) for face, name in NAMES.items()}
    told = say("sentiment.summary", count=len(values), **counts)
    if average.interval is None:
        return told
    low, high = average.interval
    return f"{told}  \n{say('sentiment.interval', low=f'{low:.1%}', high=f'{high:.1%}')}"
