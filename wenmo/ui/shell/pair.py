"""Two sentences compared: the form, the result and the panel "Why?", on the home page and on the similarity page."""

from __future__ import annotations

import streamlit as st

from wenmo.types import SimilarityResult
from wenmo.ui.localized import Text
from wenmo.ui.shell import answers, components, examples, explain, share, theme
from wenmo.ui.shell.examples import Example
from wenmo.ui.shell.inputs import MAX_CHARACTERS
from wenmo.ui.text import say


def _pair(zh: str, en: str, first: str, second: str) -> Example:
    return Example(name=Text(zh, en), fields={"pair_first": first, "pair_second": second})


PAIRS = (
    _pair("换个说法", "Other words", "周末去哪儿爬山", "周末爬山去哪里好"),
    _pair("同题异问", "Same topic", "这款手机的电池能用多久", "这款手机的屏幕有多大"),
    _pair("语序相反", "Turned around", "从北京飞到广州要多久", "从广州飞到北京要多久"),
    _pair("毫不相干", "Unrelated", "红烧肉怎么做才不腻", "明天下午三点要开会吗"),
)

# The lowest probability of each verdict, its key, and the character of its stamp.
_VERDICTS: tuple[tuple[float, str, theme.Stamp], ...] = (
    (0.85, "same", "同"),
    (0.6, "likely_same", "似"),
    (0.4, "unsure", "疑"),
    (0.15, "likely_different", "别"),
    (0.0, "different", "异"),
)
_STAMP_FILLED = 0.6  # lowest probability with a filled stamp, which means yes


def show() -> None:
    """The form and, once both sentences are there, the result and why."""
    share.restore("pair")
    examples.buttons("pair", PAIRS)
    pair = _form()
    if not all(pair):
        st.caption(say("similarity.pair_empty"))
        return
    answer = answers.ask(
        "pair", pair, lambda engine, _: (engine.similarity([pair])[0], float(engine.cosine_similarity([pair])[0]))
    )
    if answer is None:
        return
    result, cosine = answer
    _result(result, cosine)
    columns: dict[str, list[object]] = {
        say("similarity.first"): [pair[0]],
        say("similarity.second"): [pair[1]],
        say("similarity.probability"): [result.similarity],
        say("similarity.cosine"): [cosine],
    }
    components.download("pair", columns)
    share.keep("pair")
    explain.similarity(pair)


def _form() -> tuple[str, str]:
    with st.form("pair", border=False):
        first = _sentence("pair_first", say("similarity.first"), say("similarity.first_placeholder"))
        second = _sentence("pair_second", say("similarity.second"), say("similarity.second_placeholder"))
        answers.submit("pair", say("similarity.compare"))
    return first, second


def _sentence(key: str, label: str, placeholder: str) -> str:
    typed = st.text_input(label, key=key, max_chars=MAX_CHARACTERS, placeholder=placeholder, persist_state="session")
    return (typed or "").strip()


def _result(result: SimilarityResult, cosine: float) -> None:
    """The verdict in words, with both measures."""
    score = result.similarity
    name, character = next((name, stamp) for floor, name, stamp in _VERDICTS if score >= floor)
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
            theme.stamp(character, filled=score >= _STAMP_FILLED)
            st.subheader(say(f"similarity.verdict.{name}"), anchor=False, width="content")
        components.measure(
            say("similarity.probability"),
            score,
            text=f"{score:.1%}",
            explanation=say("similarity.probability_help"),
        )
        st.caption(say("similarity.cosine_line", value=f"{cosine:.3f}"), help=say("similarity.cosine_help"))
        if result.truncated:
            st.caption(say("app.truncated"))
        components.unknown_note([result.unknown])
