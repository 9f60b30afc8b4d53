"""Reviews of two products compared: their distributions, their means, and whether the difference may be chance."""

from __future__ import annotations

import streamlit as st

from wenmo.tasks.reviews import Mean, difference, mean
from wenmo.ui import charts
from wenmo.ui.sentiment.examples import PRODUCTS
from wenmo.ui.sentiment.moods import count_moods
from wenmo.ui.shell import answers, components, examples, share
from wenmo.ui.shell.inputs import MAX_TEXTS, at_most
from wenmo.ui.text import say

_NAME_CHARACTERS = 40


def show() -> None:
    """The form and, once there are reviews of both products, the comparison."""
    share.restore("products")
    examples.buttons("products", PRODUCTS)
    names, sides = _form()
    if not all(sides):
        st.caption(say("sentiment.compare_empty"))
        return
    results = answers.ask(
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
    _verdict(names, first, second)
    shown = [charts.escape(name) for name in names]
    figure = charts.spreads(dict(zip(shown, (first, second), strict=True)))
    st.plotly_chart(figure, config=charts.CONFIG, alt=say("sentiment.spread_alt"), key="products")
    st.caption(say("sentiment.compare_note"))
    columns: dict[str, list[object]] = {
        say("sentiment.product"): [*[names[0]] * len(first), *[names[1]] * len(second)],
        say("sentiment.positive"): list(positives),
        say("sentiment.text"): [text for side in sides for text in side],
    }
    components.table(columns, bars=[say("sentiment.positive")])
    components.truncation_note([result.truncated for result in results])
    components.unknown_note([result.unknown for result in results])
    components.download("products", columns)
    share.keep("products")


def _form() -> tuple[list[str], list[list[str]]]:
    """The names of the products, A and B where none are typed, and the reviews of each."""
    names, sides = [], []
    with st.form("products", border=False):
        for column, side in zip(st.columns(2), ("first", "second"), strict=True):
            with column:
                name = st.text_input(
                    say("sentiment.product_name", side=say(f"sentiment.{side}")),
                    key=f"products_{side}_name",
                    max_chars=_NAME_CHARACTERS,
                    placeholder=say(f"sentiment.{side}"),
                    persist_state="session",
                )
                names.append((name or "").strip() or say(f"sentiment.{side}"))
                label = say("sentiment.product_reviews", side=say(f"sentiment.{side}"))
                sides.append(components.text_lines(label, key=f"products_{side}", limit=MAX_TEXTS, height=200))
        answers.submit("products", say("sentiment.compare"))
    if names[0] == names[1]:  # two bars of one name would be one
        names = [f"{name} {say(f'sentiment.{side}')}" for name, side in zip(names, ("first", "second"), strict=True)]
    return names, sides


def _verdict(names: list[str], first: list[float], second: list[float]) -> None:
    """Which product is better liked, above the mean of each."""
    with st.container(border=True):
        _difference(names, difference(first, second))
        for column, name, values in zip(st.columns(2, gap="large"), names, (first, second), strict=True):
            with column:
                average = mean(values)
                whose = f"{components.literal(name)} · {say('sentiment.mean_positive')}"
                components.measure(whose, average.value, text=f"{average.value:.1%}")
                st.caption(_summary(values, average))


def _difference(names: list[str], found: Mean) -> None:
    """Which product is better liked, by how much, and whether that may be chance."""
    points = f"{abs(100 * found.value):.1f}"
    if found.interval is None:
        st.subheader(say("sentiment.verdict.few", points=points), anchor=False)
        return
    low, high = (100 * edge for edge in found.interval)
    first, second = (components.literal(name) for name in names)
    better = first if low > 0 else second if high < 0 else None
    verdict = say("sentiment.verdict.open", points=points)
    if better is not None:
        verdict = say("sentiment.verdict.better", name=better, points=points)
    st.subheader(verdict, anchor=False)
    value, low_text, high_text = (f"{each:+.1f}" for each in (100 * found.value, low, high))
    st.caption(say("sentiment.difference", first=first, second=second, value=value, low=low_text, high=high_text))


def _summary(values: list[float], average: Mean) -> str:
    """How many reviews have each mood, and the interval of their mean."""
    summary = say("sentiment.summary", count=len(values), **count_moods(values))
    if average.interval is None:
        return summary
    low, high = average.interval
    return f"{summary}  \n{say('sentiment.interval', low=f'{low:.1%}', high=f'{high:.1%}')}"
