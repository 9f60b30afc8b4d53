"""Reviews read for their mood: one or several, sentence by sentence, and by aspect."""

from __future__ import annotations

from statistics import fmean

import streamlit as st

from wenmo.tasks.reviews import mentions, parse_aspects, sentence_spans
from wenmo.types import Part, SentimentResult
from wenmo.ui import charts
from wenmo.ui.sentiment.examples import REVIEWS
from wenmo.ui.sentiment.moods import NAMES, count_moods, face_of
from wenmo.ui.shell import answers, components, examples, explain, share, theme
from wenmo.ui.shell.inputs import MAX_ASPECT_CHARACTERS, MAX_ASPECTS, MAX_SENTENCES, MAX_TEXTS, at_most
from wenmo.ui.text import say, say_label

_INK_CHARACTERS = 400  # of a review, at most, that is drawn sentence by sentence


def show() -> None:
    """The form; one review at large and by sentence, or several as a table; and the mood of each aspect."""
    share.restore("sentiment")
    examples.buttons("sentiment", REVIEWS)
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
        answers.submit("sentiment", say("sentiment.read"))
    if not texts:
        st.caption(say("sentiment.empty"))
        return
    results = answers.ask(
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
    components.unknown_note([result.unknown for result in results])
    _by_aspect(texts, aspects)
    share.keep("sentiment")


def _one(text: str, result: SentimentResult) -> None:
    """The mood of one review at large."""
    face = face_of(result.positive)
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
            theme.face(face)
            st.subheader(say(f"sentiment.{NAMES[face]}"), anchor=False, width="content")
            unsure = NAMES[face] == "neutral"
            label = say_label("sentiment", result.label)
            st.text(say("sentiment.leaning", label=label) if unsure else label)
        components.measure(say("sentiment.positive"), result.positive, text=f"{result.positive:.1%}")
    columns: dict[str, list[object]] = {
        say("sentiment.text"): [text],
        say("sentiment.label"): [say_label("sentiment", result.label)],
        say("sentiment.positive"): [result.positive],
    }
    components.download("sentiment", columns)


def _many(texts: list[str], results: list[SentimentResult]) -> None:
    """How many reviews have each mood, and a table of them."""
    positives = [result.positive for result in results]
    st.subheader(say("sentiment.summary", count=len(texts), **count_moods(positives)), anchor=False)
    positive = say("sentiment.positive")
    columns: dict[str, list[object]] = {
        say("sentiment.face"): [face_of(value) for value in positives],
        positive: list(positives),  # beside the face, where a phone shows it without scrolling
        say("sentiment.text"): list(texts),
        say("sentiment.label"): [say_label("sentiment", result.label) for result in results],
    }
    components.table(columns, bars=[positive])
    st.caption(say("sentiment.faces_note"))
    components.download("sentiment", columns)


def _sentence_moods(key: str, sentences: list[str]) -> list[float] | None:
    """The probability of positive of each of the first MAX_SENTENCES sentences, each read alone."""
    if len(sentences) > MAX_SENTENCES:
        st.caption(say("sentiment.first_sentences", limit=f"{MAX_SENTENCES:,}", count=f"{len(sentences):,}"))
    asked = sentences[:MAX_SENTENCES]
    results = answers.ask(key, asked, lambda engine, progress: engine.sentiment(asked, progress=progress))
    return None if results is None else [result.positive for result in results]


def _by_sentence(text: str) -> None:
    """The mood of each sentence of one review, drawn on the text and as a table."""
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
        values = "".join(f"{sentence} {value:.0%} " for sentence, value in zip(sentences, positives, strict=True))
        figure = charts.ink_text(text, parts, strongest=1.0, in_words=lambda weight: f"{(weight + 1) / 2:.1%}")
        st.plotly_chart(figure, config=charts.CONFIG, alt=values, key="sentences")
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
    """The mean mood of the sentences that mention each of the aspects that were typed."""
    given = parse_aspects(typed[:MAX_ASPECT_CHARACTERS])  # a link may hold more than the field takes
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
