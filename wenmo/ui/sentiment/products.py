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


def show() -> None:
    """The form and, once there are reviews of both products, the comparison."""
    share.restore("products")
    examples.buttons("products", PRODUCTS)
    sides = _form()
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
    names = [say("sentiment.first"), say("sentiment.second")]
    _verdict(names, first, second)
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
    components.unknown_note([result.unknown for result in results])
    components.download("products", columns)
    share.keep("products")


def _form() -> list[list[str]]:
    """The reviews of each product."""
    labels = {"first": say("sentiment.first"), "second": say("sentiment.second")}
    sides = []
    with st.form("products", border=False):
        for column, (name, label) in zip(st.columns(2), labels.items(), strict=True):
            with column:
                sides.append(components.text_lines(label, key=f"products_{name}", limit=MAX_TEXTS, height=200))
        answers.submit("products", say("sentiment.compare"))
    return sides


def _verdict(names: list[str], first: list[float], second: list[float]) -> None:
    """Which product is better liked, above the mean of each."""
    with st.container(border=True):
        _difference(difference(first, second))
        for column, name, values in zip(st.columns(2, gap="large"), names, (first, second), strict=True):
            with column:
                average = mean(values)
                components.measure(name, average.value, text=f"{average.value:.1%}")
                st.caption(_summary(values, average))


def _difference(found: Mean) -> None:
    """Which product is better liked, by how much, and whether that may be chance."""
    points = f"{abs(100 * found.value):.1f}"
    if found.interval is None:
        st.subheader(say("sentiment.verdict.few", points=points), anchor=False)
        return
    low, high = (100 * edge for edge in found.interval)
    name = "first" if low > 0 else "second" if high < 0 else "open"
    st.subheader(say(f"sentiment.verdict.{name}", points=points), anchor=False)
    st.caption(say("sentiment.difference", value=f"{100 * found.value:+.1f}", low=f"{low:+.1f}", high=f"{high:+.1f}"))


def _summary(values: list[float], average: Mean) -> str:
    """How many reviews have each mood, and the interval of their mean."""
    summary = say("sentiment.summary", count=len(values), **count_moods(values))
    if average.interval is None:
        return summary
    low, high = average.interval
    return f"{summary}  \n{say('sentiment.interval', low=f'{low:.1%}', high=f'{high:.1%}')}"
