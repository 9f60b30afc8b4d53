"""The Story page: its steps, the address that holds them, the price, and what it says where nothing was measured."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import OpenPage
from tests.story_figures import findings, race, rows
from wenmo.story import figures
from wenmo.story.figures import RESULTS
from wenmo.story.steps import KEYS, MISSING, TITLES, WAYS, Key
from wenmo.ui.memory import lab
from wenmo.ui.text import TEXTS


def body(app: AppTest) -> str:
    """The HTML of the step."""
    (found,) = [each.proto.body for each in app.get("html") if "<section" in each.proto.body]
    return found


def at(app: AppTest, **address: str) -> AppTest:
    app.query_params.update(address)
    app.run()
    assert not app.exception
    return app


def test_the_steps_follow_each_other_and_the_address_holds_where_one_is(open_page: OpenPage) -> None:
    app = open_page("story")
    assert app.button(key="story_back").disabled
    for number, step in enumerate(KEYS, start=1):
        assert TITLES[step].zh in body(app)
        assert f"{number} / 6" in [text.value for text in app.text]
        if number < 6:
            app.button(key="story_on").click().run()
            assert not app.exception
            assert app.query_params["step"] == str(number + 1)
    assert app.button(key="story_on").disabled
    app.button(key="story_back").click().run()
    assert TITLES["money"].zh in body(app)


@pytest.mark.parametrize(("asked", "shown"), [("3", "memory"), ("0", "before"), ("99", "accuracy"), ("三", "before")])
def test_a_link_opens_at_its_step_and_nonsense_at_one_that_is(open_page: OpenPage, asked: str, shown: Key) -> None:
    assert TITLES[shown].zh in body(at(open_page("story"), step=asked))


def test_the_price_is_typed_and_stays_in_the_address(open_page: OpenPage) -> None:
    app = at(open_page("story"), step="5")
    app.number_input(key="story_price").set_value(2.5).run()
    app.number_input(key="story_texts").set_value(7200).run()
    app.segmented_control(key="story_currency").set_value("$").run()
    assert not app.exception
    assert app.query_params["price"] == "2.5" and app.query_params["texts"] == "7200"
    assert "每天 7,200 条、每小时 $2.50" in body(app)
    assert "$2.50" in body(at(app, step="1"))
    at(app, step="5")
    assert app.number_input(key="story_price").value == 2.5


def test_a_price_that_is_none_is_not_taken(open_page: OpenPage) -> None:
    app = at(open_page("story"), step="5", price="0.001", texts="-3", currency="<b>")
    assert "每天 1,000,000 条、每小时 ¥1.00" in body(app)
    assert "<b>" not in body(app)


def test_without_results_it_says_what_to_measure_and_where(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(figures.committed, "__defaults__", (tmp_path,))
    app = at(open_page("story"), step="3")
    assert MISSING["memory"].zh in body(app)
    assert "显存" in app.main.get("page_link")[0].proto.label
    assert MISSING["money"].zh in body(at(app, step="5"))
    shutil.copy(RESULTS / "2026-11-21-memory.json", tmp_path)
    app = at(app, step="3")
    assert MISSING["memory"].zh not in body(app) and not app.main.get("page_link")


def test_the_race_of_this_session_is_told_and_the_committed_figures_can_be_had(open_page: OpenPage) -> None:
    app = open_page("story")
    app.session_state["answer.throughput"] = ("", race())
    at(app, step="4")
    assert WAYS["packed"].zh in body(app)
    assert "来源：你这次访问中的运行" in body(app)
    assert TITLES["memory"].zh in body(at(app, step="3"))
    app = at(app, step="4")
    app.segmented_control(key="figures").set_value("committed").run()
    assert "来源：随项目发布的结果" in body(app)


def test_the_lab_of_this_session_is_told(open_page: OpenPage) -> None:
    """The key is that under which the Memory page remembers what it found."""
    app = open_page("story")
    assert '"lab_{preset}"' in Path(lab.__file__).read_text(encoding="utf-8")
    app.session_state["answer.lab_article"] = ("", findings(rows()))
    assert "4.00 GiB 降到 1.00 GiB" in body(at(app, step="3"))


def test_the_gpu_chosen_in_the_lab_is_the_storys_until_another_is_chosen(open_page: OpenPage) -> None:
    app = open_page("story")
    app.session_state["answer.lab_card"] = ("", replace(findings(rows()), card_gib=24))
    assert "24 GB 显卡" in body(at(app, step="3"))
    app.selectbox(key="story_card").set_value(12).run()
    assert "12 GB 显卡" in body(at(app, step="1")) and app.query_params["card"] == "12"


def test_in_english(open_page: OpenPage) -> None:
    app = open_page("story")
    app.session_state["lang"] = "en"
    app.run()
    assert TITLES["before"].en in body(app)
    assert app.button(key="story_on").label == TEXTS["story.on"].en
