"""The address holds what was asked, within its bounds; a link and an entry of the history fill the fields again."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from streamlit.testing.v1 import AppTest

from tests.conftest import ROOT
from tests.pages.conftest import TIMEOUT_S, OpenPage, shown, submit
from wenmo import Engine
from wenmo.ui.shell import share
from wenmo.ui.text import TEXTS

FILLED: Mapping[str, Mapping[str, object]] = {
    "pair": {"pair_first": "今天天气真好", "pair_second": "天气不错 & #?="},
    "ranking": {"ranking_query": "密码忘了", "ranking_candidates": "找回密码\n开发票"},
    "matrix": {"matrix_sentences": "一\n二", "matrix_measure": "cosine"},
    "sentiment": {"sentiment_texts": "很好。太差！", "sentiment_aspects": "物流/快递，价格"},
    "products": {"products_first": "好", "products_second": "差\n一般"},
    "classify": {"classify_texts": "世界那么大"},
    "zero_shot": {
        "zero_shot_texts": "世界那么大",
        "zero_shot_labels": ["旅游", "<b>体育</b>"],
        "zero_shot_template": "这是{}",
        "zero_shot_method": "two_stage",
        "zero_shot_multi_label": True,
    },
}


def _asked(open_page: OpenPage, kind: str, fields: Mapping[str, object]) -> AppTest:
    app = open_page(share.KINDS[kind].page)
    switch = share.KINDS[kind].switch
    for key, value in [*fields.items(), *([switch] if switch else [])]:
        app.session_state[key] = value
    app.run()
    assert not app.exception and not app.error
    return app


@pytest.mark.parametrize("kind", FILLED)
def test_a_link_asks_again_what_was_asked(open_page: OpenPage, kind: str) -> None:
    fields = FILLED[kind]
    address = dict(_asked(open_page, kind, fields).query_params)
    assert set(fields) <= set(address)
    other = AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT_S)
    if kind != "pair":  # which the first page has, too
        other.run()
        other.switch_page(f"pages/{share.KINDS[kind].page}.py")
    for key, value in address.items():
        other.query_params[key] = value
    other.run()
    assert not other.exception and not other.error
    assert {key: other.session_state[key] for key in fields} == dict(fields)
    assert other.session_state[f"answer.{kind}"] is not None


def test_defaults_and_other_modes_are_not_in_the_address(open_page: OpenPage) -> None:
    app = _asked(open_page, "zero_shot", {"zero_shot_texts": "好", "zero_shot_labels": ["一"]})
    assert set(app.query_params) == {"zero_shot_texts", "zero_shot_labels"}
    app = _asked(open_page, "sentiment", FILLED["sentiment"])
    for key, value in FILLED["products"].items():
        app.session_state[key] = value
    app.session_state["view"] = "compare"
    app.run()
    assert set(app.query_params) == {"view", *FILLED["products"]}


def test_what_is_too_long_for_an_address_is_not_in_it_and_that_is_said(open_page: OpenPage) -> None:
    app = _asked(open_page, "sentiment", {"sentiment_texts": "好" * share.MAX_SHARED})
    assert "sentiment_texts" in app.query_params
    app.text_area(key="sentiment_texts").input("好" * (share.MAX_SHARED + 1))
    submit(app)
    assert "sentiment_texts" not in app.query_params
    assert TEXTS["app.not_shared"].zh.format(length="1,001", limit="1,000") in shown(app)
    app = open_page("home")
    app.switch_page("pages/sentiment.py")
    app.query_params["sentiment_texts"] = "好" * (share.MAX_SHARED + 1)
    app.run()
    assert TEXTS["sentiment.empty"].zh in shown(app)


@pytest.mark.parametrize(
    ("key", "text"),
    [("zero_shot_method", "magic"), ("zero_shot_multi_label", "yes"), ("zero_shot_labels", "，, "), ("mode", "x")],
)
def test_an_address_that_somebody_wrote_breaks_nothing(open_page: OpenPage, key: str, text: str) -> None:
    app = open_page("home")
    app.switch_page("pages/zero_shot.py")
    app.query_params[key] = text
    app.query_params["zero_shot_texts"] = "世界那么大"
    app.run()
    assert not app.exception and not app.error
    assert app.text_area(key="zero_shot_texts").value == "世界那么大"


def test_an_entry_of_the_history_is_recorded_once(open_page: OpenPage, golden_engine: Engine) -> None:
    app = _asked(open_page, "pair", FILLED["pair"])
    entry = app.session_state[share.ENTRY]
    assert entry["asked"] == {"kind": "pair", "fields": FILLED["pair"]}
    app.run()
    assert app.session_state[share.ENTRY]["id"] == entry["id"]
    app.text_input(key="pair_second").input("长" * (share.MAX_KEPT + 1))
    submit(app)
    assert app.session_state[share.ENTRY]["id"] == entry["id"]  # too long to be kept


@pytest.mark.parametrize(
    ("kind", "fields", "page"),
    [
        (None, None, None),
        ("pair", None, None),
        ("nothing", {}, None),
        (["pair"], {}, None),
        ("pair", "text", None),
        ("pair", {"pair_first": 3}, "similarity"),
    ],
)
def test_a_history_that_is_not_ours_is_no_entry(kind: object, fields: object, page: str | None) -> None:
    """A browser's storage may hold anything: nothing but texts of known fields is taken."""
    script = AppTest.from_function(_take, args=(kind, fields)).run()
    assert not script.exception
    assert script.session_state["taken"] == page
    assert "pair_first" not in script.session_state


def _take(kind: object, fields: object) -> None:
    import streamlit as st

    from wenmo.ui.shell import share

    st.session_state["taken"] = share.take(kind, fields)
