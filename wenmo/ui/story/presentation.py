"""The presentation of the story page: one step at a time, the keys and buttons to turn it, the price, the export.

The address holds the step, the GPU, the price, the texts a day, the currency and the source of the figures, so that a
link opens the same screen. Anyone may have written an address: values that are not valid are ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from wenmo.errors import InputError
from wenmo.ui.shell import answers, components
from wenmo.ui.shell.element import element
from wenmo.ui.text import language, say

if TYPE_CHECKING:
    from wenmo.story.figures import StoryFigures
    from wenmo.story.money import Price
    from wenmo.story.steps import StoryStep

_STEP, _PRICE, _TEXTS, _CURRENCY, _CARD = "step", "price", "texts", "currency", "card"  # in the address
_FULLSCREEN_SCRIPT = Path(__file__).with_name("fullscreen.js")


def price() -> Price:
    """The price in the address; defaults for what is missing there or not valid.

    The default of the GPU is the card for which the visitor's lab has worked.
    """
    from wenmo.story.money import Price

    lab = answers.last("lab_card")
    found = Price() if lab is None or lab.card_gib is None else Price(card_gib=lab.card_gib)
    fields: dict[str, tuple[str, Callable[[str], Any]]] = {
        "per_hour": (_PRICE, float),
        "texts_per_day": (_TEXTS, int),
        "currency": (_CURRENCY, str),
        "card_gib": (_CARD, int),
    }
    for field, (name, read) in fields.items():
        try:
            found = replace(found, **{field: read(st.query_params[name])})
        except (KeyError, ValueError, InputError):
            continue
    return found


def steps(price: Price) -> tuple[StoryStep, ...]:
    """The whole story."""
    from wenmo.story.steps import story

    return story(_figures(), price)


def _figures() -> StoryFigures:
    """The committed ones, or those of this session's own runs where the visitor wants these."""
    from wenmo.story.figures import committed, of_lab, of_race

    found = committed()
    race, lab = answers.last("throughput"), answers.last("lab_card") or answers.last("lab_article")
    if race is None and lab is None:
        return found
    names = {name: say(f"story.figures.{name}") for name in ("own", "committed")}
    if components.choice(say("story.figures"), names, key="figures") == "committed":
        return found
    return replace(
        found,
        speed=found.speed if race is None else of_race(race),
        memory=found.memory if lab is None else of_lab(lab),
    )


def number(of: int) -> int:
    """The number of the step in the address, from 1 to `of`."""
    asked = st.query_params.get(_STEP, "")
    return min(of, max(1, int(asked))) if asked.isdecimal() and len(asked) < 3 else 1


def show(step: StoryStep, at: int) -> None:
    """The step, and where to measure what it lacks."""
    from wenmo.story.draw import section, style

    st.html(f"<style>{style()}</style>")
    st.html(section(step, number=at, language=language()))
    if step.missing is not None:
        st.page_link(f"pages/{step.missing}.py", label=say("story.measure", page=say(f"app.{step.missing}")))


def ask_price(now: Price) -> None:
    """Fields for the GPU and its price, whose values go into the address."""
    from wenmo.lab.fits import CARDS_GIB
    from wenmo.story.money import CURRENCIES, MAX_PRICE, MAX_TEXTS, MIN_PRICE

    def keep(name: str, key: str) -> None:
        st.query_params[name] = str(st.session_state[key])

    with st.popover(say("story.premise"), key="story_premise"):
        st.selectbox(
            say("story.card"),
            CARDS_GIB,
            index=CARDS_GIB.index(now.card_gib),
            format_func=lambda size: f"{size} GB",
            key="story_card",
            on_change=keep,
            args=(_CARD, "story_card"),
        )
        st.segmented_control(
            say("story.currency"),
            CURRENCIES,
            default=now.currency,
            required=True,
            key="story_currency",
            on_change=keep,
            args=(_CURRENCY, "story_currency"),
        )
        st.number_input(
            say("story.price"),
            min_value=MIN_PRICE,
            max_value=MAX_PRICE,
            value=now.per_hour,
            step=0.5,
            format="%.2f",
            key="story_price",
            on_change=keep,
            args=(_PRICE, "story_price"),
        )
        st.number_input(
            say("story.texts"),
            min_value=1,
            max_value=MAX_TEXTS,
            value=now.texts_per_day,
            step=100_000,
            key="story_texts",
            on_change=keep,
            args=(_TEXTS, "story_texts"),
        )


def turn(at: int, steps: tuple[StoryStep, ...], price: Price) -> None:
    """Back and on, by buttons and by arrow keys, the premise, and the file."""

    def go(to: int) -> None:
        st.query_params[_STEP] = str(to)

    chosen = language()  # read here, because `file` runs on a thread without a session

    def file() -> str:
        from wenmo.story.draw import as_html

        return as_html(steps, language=chosen)

    with st.container(key="story_turn", horizontal=True, vertical_alignment="center"):
        st.button(say("story.back"), key="story_back", disabled=at == 1, shortcut="Left", on_click=go, args=(at - 1,))
        st.text(say("story.at", at=at, of=len(steps)), width="content")
        st.button(
            say("story.on"),
            key="story_on",
            disabled=at == len(steps),
            shortcut="Right",
            type="primary",
            on_click=go,
            args=(at + 1,),
        )
        st.space("stretch")
        ask_price(price)
        element(_FULLSCREEN_SCRIPT, "<button hidden>…</button>", style=components.BUTTON_STYLE)(
            key="story_fullscreen", data={"label": say("story.fullscreen")}, width="content"
        )
        st.download_button(
            say("story.export"),
            file,
            file_name="wenmo-story.html",
            mime="text/html",
            key="story_export",
            on_click="ignore",
        )
