"""How the models in use answer the project's own everyday questions: the share of each set, and what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, get_args

import streamlit as st

from wenmo.tasks.everyday import QuestionSet
from wenmo.ui.shell import answers, components
from wenmo.ui.text import language, say

if TYPE_CHECKING:
    from wenmo import Engine
    from wenmo.evaluation.everyday import Answered

# The answers of the sets that have no labels of their own.
_ANSWERS = {"正面": "positive", "负面": "negative", "中性": "neutral", "相同": "same", "不同": "different"}
_SETS: tuple[QuestionSet, ...] = get_args(QuestionSet)


def show() -> None:
    """A button, then the figures; the models are those of the session."""
    st.caption(say("models.everyday_note"))
    with st.form("everyday", border=False):
        asked = answers.submit("everyday", say("models.everyday_ask"))
    if asked:
        st.session_state["everyday_asked"] = True
    if not st.session_state.get("everyday_asked"):
        return

    def work(engine: Engine, progress: Callable[[int, int], None]) -> list[Answered]:
        from wenmo.evaluation.everyday import everyday

        return everyday(engine, progress=progress)

    found = answers.ask("everyday", "everyday", work)
    if found is None:
        return
    for place, name in zip(st.columns(len(_SETS)), _SETS, strict=True):
        of_set = [each for each in found if each.questions == name]
        place.metric(say(f"models.everyday.{name}"), _share(of_set), help=say("models.everyday_of", count=len(of_set)))
    _wrong([each for each in found if not each.right])


def _share(questions: Sequence[Answered]) -> str:
    return f"{sum(each.right for each in questions) / len(questions):.1%}"


def _name(question: Answered, answer: str) -> str:
    """An answer in the reader's language."""
    return answer if question.questions == "zero_shot" or language() == "zh" else _ANSWERS[answer]


def _wrong(questions: Sequence[Answered]) -> None:
    st.subheader(say("models.everyday_wrong", count=len(questions)), anchor=False)
    probability = say("models.everyday_probability")
    components.table(
        {
            say("models.everyday_set"): [say(f"models.everyday.{each.questions}") for each in questions],
            say("models.everyday_text"): [each.text for each in questions],
            say("models.everyday_expected"): [_name(each, each.expected) for each in questions],
            say("models.everyday_answered"): [_name(each, each.answered) for each in questions],
            probability: [each.probability for each in questions],
        },
        bars=(probability,),
    )
