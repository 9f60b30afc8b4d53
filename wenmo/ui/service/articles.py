"""The tables of the two articles beside what the last benchmark measured on this machine."""

from __future__ import annotations

import streamlit as st

from wenmo.lab.document import machine_in_words
from wenmo.ui.service.article_benchmark import ArticlesRun, last_run
from wenmo.ui.shell import components
from wenmo.ui.text import language, say


def show() -> None:
    """Both tables, or the command that measures them."""
    run = last_run()
    if run is None:
        st.caption(say("service.articles_empty"))
        st.code("python -m wenmo bench articles", language="bash")
        return
    st.caption(
        say(
            "service.articles_note",
            taken=run.taken.replace("T", " ")[:16].replace(":", "\\:"),
            machine=components.literal(machine_in_words(run.machine).in_(language())),
        )
    )
    first, second = run.titles
    st.text(f"《{first}》")
    _acceleration(run)
    st.text(f"《{second}》")
    _stages(run)
    st.caption(say("service.articles_legend"))


def _acceleration(run: ArticlesRun) -> None:
    """The first article: figures before and after, the article's and ours."""
    sides = [say(f"service.{place}_{time}") for place in ("there", "here") for time in ("before", "after")]
    cells = [[*row.published, *row.measured] for row in run.acceleration]
    st.dataframe(
        {say("service.figure"): [say(f"service.figure.{row.what}", clients=run.clients) for row in run.acceleration]}
        | {side: [row[place] for row in cells] for place, side in enumerate(sides)},
        hide_index=True,
        column_config={side: st.column_config.NumberColumn(side, format="%.4g") for side in sides},
        placeholder="–",
    )


def _stages(run: ArticlesRun) -> None:
    """The second article: the figures of each stage, the article's and ours in one cell."""
    figures = list(run.stages[0].published) if run.stages else []
    st.dataframe(
        {say("service.stage"): [say(f"service.stage.{row.stage}") for row in run.stages]}
        | {
            say(f"service.figure.{figure}"): [
                f"{_figure(row.published[figure])} / {_figure(row.measured[figure])}" for row in run.stages
            ]
            for figure in figures
        },
        hide_index=True,
    )


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
