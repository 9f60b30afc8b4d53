"""The results of a race: its main figures, the article's table beside ours, each step, the padding."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import streamlit as st

from wenmo.lab.document import machine_in_words
from wenmo.ui import charts
from wenmo.ui.shell import components
from wenmo.ui.text import language, say
from wenmo.ui.throughput.race import step_name

if TYPE_CHECKING:
    from wenmo.lab.race import Lane, Race, RaceStep

# Texts a second in the article's table: 100,000 reviews of 50 to 500 characters on an RTX 4090, its section 5.
ARTICLE: Mapping[str, float] = {"one_by_one": 37, "fixed": 500, "ours": 909}
_PADDED: tuple[RaceStep, ...] = ("fixed", "sorted", "packed")  # steps drawn in the chart of padding
_DISTURBED_CORES = 0.3  # a warning is shown when other programs kept more cores busy


def show(race: Race) -> None:
    """All parts, one below the other, and a download."""
    _summary(race)
    _article(race)
    _steps(race)
    _padding(race)
    _download(race)


def _rows(race: Race) -> dict[str, Lane]:
    """The article's three rows, by their names in ARTICLE."""
    return {"one_by_one": race.lane("one_by_one"), "fixed": race.lane("fixed"), "ours": race.ours}


def _summary(race: Race) -> None:
    """Four figures: our speed, its ratio to the article's other two rows, and the share of equal decisions."""
    rows = _rows(race)
    ours = rows["ours"]
    with st.container(horizontal=True, gap="medium"):
        st.metric(say("throughput.ours_per_s"), _speed(ours.texts_per_s), width=150)
        for row in ("one_by_one", "fixed"):
            factor = ours.texts_per_s / rows[row].texts_per_s
            st.metric(say(f"throughput.against_{row}"), say("throughput.times", factor=f"{factor:.1f}"), width=150)
        st.metric(
            say("throughput.agreeing"),
            f"{ours.agreeing / race.texts:.0%}",
            help=say("throughput.agreeing_help", difference=f"{ours.largest_difference:.1e}"),
            width=150,
        )
    st.caption(
        say(
            "throughput.measured_on",
            machine=components.literal(machine_in_words(race.machine).in_(language())),
            device=race.device,
            model=components.literal(race.model),
            texts=f"{race.texts:,}",
            tokens=f"{race.tokens:,}",
        )
    )
    if race.other_cores > _DISTURBED_CORES:
        st.warning(say("throughput.disturbed", cores=f"{race.other_cores:.1f}"))


def _article(race: Race) -> None:
    """The article's table beside the figures of this machine."""
    st.subheader(say("throughput.article"), anchor=False)
    rows = _rows(race)
    there, here = say("throughput.there"), say("throughput.here")
    ratios = {name: say("throughput.ratio", where=name) for name in (there, here)}
    st.dataframe(
        {
            say("throughput.way"): [
                say("throughput.ours") if row == "ours" else step_name(rows[row].step) for row in rows
            ],
            there: [ARTICLE[row] for row in rows],
            here: [lane.texts_per_s for lane in rows.values()],
            ratios[there]: [ARTICLE[row] / ARTICLE["one_by_one"] for row in rows],
            ratios[here]: [lane.texts_per_s / rows["one_by_one"].texts_per_s for lane in rows.values()],
        },
        hide_index=True,
        column_config={there: _number("%.0f"), here: _number("%.1f")}
        | {name: _number("%.1f") for name in ratios.values()},
    )
    st.caption(say("throughput.article_note"))


def _number(format: str) -> Any:
    return st.column_config.NumberColumn(format=format)


def _steps(race: Race) -> None:
    """Texts a second after each step, with its ratio to the step before."""
    st.subheader(say("throughput.steps"), anchor=False)
    speeds = [lane.texts_per_s for lane in race.lanes]
    factors = ["", *(f"  ×{now / before:.2f}" for before, now in pairwise(speeds))]
    figure = charts.speeds(
        [step_name(lane.step) for lane in race.lanes],
        speeds,
        texts=[_speed(speed) + factor for speed, factor in zip(speeds, factors, strict=True)],
        strong=[lane in _rows(race).values() for lane in race.lanes],
    )
    st.plotly_chart(figure, config=charts.CONFIG, key="throughput_steps", alt=say("throughput.steps"))
    st.caption(say("throughput.steps_note"))
    if race.lane("fixed").texts_per_s < race.lane("one_by_one").texts_per_s:
        st.caption(say("throughput.fixed_slower"))


def _padding(race: Race) -> None:
    """The share of padding among the tokens that each way of batching computes."""
    st.subheader(say("throughput.padding"), anchor=False)
    drawn = {step_name(step): race.lane(step).computed_tokens for step in _PADDED}
    computed = {say("throughput.full_length"): race.full_length_tokens, **drawn}
    figure = charts.padding(list(computed), [race.tokens] * len(computed), list(computed.values()))
    st.plotly_chart(figure, config=charts.CONFIG, key="throughput_padding", alt=say("throughput.padding"))
    st.caption(say("throughput.padding_note"))


def _download(race: Race) -> None:
    """All figures as a file, with the machine and the model."""
    lanes = race.lanes
    same = {"texts": race.texts, "tokens": race.tokens, "model": race.model, "device": race.device}
    components.download(
        "throughput",
        {
            "step": [lane.step for lane in lanes],
            "seconds": [round(lane.seconds, 4) for lane in lanes],
            "texts_per_s": [round(lane.texts_per_s, 2) for lane in lanes],
            "computed_tokens": [lane.computed_tokens for lane in lanes],
            "padding_share": [round(1 - race.tokens / lane.computed_tokens, 4) for lane in lanes],
            "same_decisions": [lane.agreeing for lane in lanes],
            "largest_difference": [lane.largest_difference for lane in lanes],
            **{name: [value] * len(lanes) for name, value in same.items()},
            "machine": [race.machine] * len(lanes),
        },
    )


def _speed(per_s: float) -> str:
    return f"{per_s:,.1f}" if per_s < 100 else f"{per_s:,.0f}"
