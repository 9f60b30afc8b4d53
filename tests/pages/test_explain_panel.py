"""The panel "Why?": nothing before it is opened, then the weights that the engine gives, drawn literally."""

from __future__ import annotations

import json
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import OpenPage, shown, submit
from wenmo import Engine, Part
from wenmo.ui import charts
from wenmo.ui.text import TEXTS

ODD = "<b>好</b> &amp; {}[SEP]\x00😋👨‍👩‍👧 #000001"


def _open(app: AppTest, key: str) -> AppTest:
    app.session_state[f"explain_{key}"] = True
    app.run()
    assert not app.exception and not app.error
    return app


def _ink(app: AppTest) -> list[dict[str, Any]]:
    """The bars of each text that is drawn as ink."""
    figures = [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]
    return [figure["data"][0] for figure in figures if "base" in figure["data"][0]]


def _weights(parts: tuple[Part, ...]) -> Any:
    return pytest.approx([part.weight for part in parts], abs=1e-5)


@pytest.mark.parametrize("page", ["home", "similarity"])
def test_a_pair_is_explained_when_asked(open_page: OpenPage, golden_engine: Engine, page: str) -> None:
    pair = ("今天天气真好", "天气不错")
    app = open_page(page)
    app.text_input(key="pair_first").input(pair[0])
    app.text_input(key="pair_second").input(pair[1])
    submit(app)
    assert not app.get("plotly_chart") and "answer.explain_pair" not in app.session_state
    _open(app, "pair")
    drawn = _ink(app)
    expected = golden_engine.explain_similarity(pair)
    assert ["".join(trace["text"]) for trace in drawn] == list(pair)
    assert [trace["marker"]["color"] for trace in drawn] == [_weights(parts) for parts in expected.parts]
    alignment = json.loads(app.get("plotly_chart")[2].proto.spec)["data"][0]
    assert len(alignment["customdata"]) == 6 and alignment["customdata"][0][1] == "今 – 气"


def test_a_mood_is_explained_and_what_was_computed_is_kept(open_page: OpenPage, golden_engine: Engine) -> None:
    text = "汤头很鲜，就是太贵"
    app = open_page("sentiment")
    app.text_area(key="sentiment_texts").input(text)
    submit(app)
    _open(app, "sentiment")
    expected = golden_engine.explain_sentiment(text)
    (trace,) = _ink(app)
    assert trace["marker"]["color"] == _weights(expected.parts[0])
    highest = max(expected.parts[0], key=lambda part: part.weight)
    assert f"{text[highest.start : highest.end]} {highest.weight:+.2f}".replace("-", "−") in shown(app)
    kept = app.session_state["answer.explain_sentiment"]
    app.session_state["lang"] = "en"
    _open(app, "sentiment")
    assert app.session_state["answer.explain_sentiment"] is kept
    assert TEXTS["explain.sentiment_note"].en in shown(app)


def test_a_label_is_explained_the_best_one_first(open_page: OpenPage, golden_engine: Engine) -> None:
    text, labels = "我想查询上个月的账单", ["咨询", "投诉", "建议"]
    app = open_page("zero_shot")
    app.text_area(key="zero_shot_texts").input(text)
    app.multiselect(key="zero_shot_labels").set_value(labels)
    submit(app)
    _open(app, "zero_shot")
    best = golden_engine.explain_zero_shot(text, labels=labels)
    (choice,) = [each for each in app.selectbox if each.label == TEXTS["explain.label"].zh]
    assert choice.value == best.label
    assert _ink(app)[0]["marker"]["color"] == _weights(best.parts[0])
    other = golden_engine.zero_shot([text], labels=labels)[0]
    last = list(other.scores)[-1]
    choice.select(last).run()
    chosen = golden_engine.explain_zero_shot(text, labels=labels, label=last)
    assert _ink(app)[0]["marker"]["color"] == _weights(chosen.parts[0])
    assert f"{last}  ↔  {best.label}" in shown(app)


def test_a_text_of_nothing_to_see_is_no_text(open_page: OpenPage) -> None:
    app = open_page("sentiment")
    app.text_area(key="sentiment_texts").input("\x00\u200b")
    submit(app)
    assert not app.main.metric and not app.exception


@pytest.mark.parametrize("text", [ODD, "长" * 3000], ids=["markup", "long"])
def test_odd_texts_are_explained(open_page: OpenPage, text: str) -> None:
    app = open_page("sentiment")
    app.text_area(key="sentiment_texts").input(text)
    submit(app)
    _open(app, "sentiment")
    assert _ink(app)
    assert (TEXTS["explain.grouped"].zh in shown(app)) == (len(text) > 1000)
    for trace in _ink(app):
        assert not any(sign in label for label in [*trace["text"], *trace["customdata"]] for sign in "<>")
    app = open_page("zero_shot")
    app.text_area(key="zero_shot_texts").input(text)
    app.multiselect(key="zero_shot_labels").set_value(["体育", text[:100]])
    submit(app)
    if app.get("plotly_chart"):
        _open(app, "zero_shot")


def test_lines_are_filled_from_the_left_and_a_long_word_is_cut() -> None:
    text = "好" * 16 + " word " + "m" * 40
    spans = [(index, index + 1) for index in range(16)] + [(17, 21), (22, 62)]
    parts = [Part(start=start, end=end, weight=0.5) for start, end in spans]
    (trace,) = charts.ink_text(text, parts, strongest=1.0).data
    drawn = list(zip(trace.y, trace.base, trace.text, strict=True))
    assert drawn[14:18] == [(0, 28, "好"), (1, 0, "好"), (1, 3, "word"), (1, 8, "m" * 22)]
    assert drawn[18:] == [(2, 0, "m" * 18)]
    assert all(left + width <= charts.LINE_COLUMNS for left, width in zip(trace.base, trace.x, strict=True))
