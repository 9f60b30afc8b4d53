"""What the Throughput page is made of: whose texts, the race while it runs, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import streamlit as st

from wenmo.errors import WenmoError
from wenmo.ui import charts
from wenmo.ui.shell import components, upload
from wenmo.ui.shell.one_at_a_time import alone
from wenmo.ui.text import say

if TYPE_CHECKING:
    from wenmo import Engine
    from wenmo.engine import OnProgress
    from wenmo.lab.race import Lane, Race, Standing, Step

# Texts a second in the article's table: 100,000 reviews of 50 to 500 characters on an RTX 4090, its section 5.
ARTICLE: Mapping[str, float] = {"one_by_one": 37, "fixed": 500, "ours": 909}
_DISTURBED_CORES = 0.3  # kept busy by other programs
_TARGET_S = 15.0  # of a race
_REDRAW_S = 0.1
_WANTED = "throughput_wanted"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A race to be run. `number` tells it from the one before over the same texts; no texts: invented ones."""

    number: int
    texts: tuple[str, ...]
    precision: str


def wanted(engine: Engine) -> Wanted | None:
    """What to race over, and the button; the race that was last asked for in this session."""
    texts = _source()
    smaller = "int8" if engine.device.value == "cpu" else "fp16"
    added = st.toggle(say("throughput.smaller", name=smaller.upper()), key="throughput_smaller")
    before: Wanted | None = st.session_state.get(_WANTED)
    started = st.button(say("throughput.start"), key="throughput_start", type="primary", disabled=texts is None)
    if started and texts is not None:
        number = before.number + 1 if before else 1
        before = Wanted(number=number, texts=texts, precision=smaller if added else "fp32")
        st.session_state[_WANTED] = before
    return before


def _source() -> tuple[str, ...] | None:
    """The visitor's texts, or an empty tuple for invented ones; None where a file is still to come."""
    names = {name: say(f"throughput.source.{name}") for name in ("samples", "file")}
    if components.choice(say("throughput.source"), names, key="source") == "samples":
        st.caption(say("throughput.samples_note"))
        return ()
    file = st.file_uploader(
        say("throughput.file"),
        type=upload.suffixes(),
        key="throughput_file",
        max_upload_size=upload.MAX_FILE_MB,
        help=say("throughput.file_help", texts=f"{upload.MAX_FILE_TEXTS:,}", size=upload.MAX_FILE_MB),
    )
    if file is None:
        return None
    try:
        columns = _columns(file.name, file.getvalue())
        column = st.selectbox(say("throughput.column"), columns, key="throughput_column")
        texts = _texts(file.name, file.getvalue(), column)
    except WenmoError as error:
        components.show_error(error)
        return None
    st.caption(say("throughput.file_note", count=f"{len(texts):,}"))
    return texts


@st.cache_data(max_entries=2, show_spinner=False)
def _columns(name: str, data: bytes) -> tuple[str, ...]:
    return upload.columns_of(name, data)


@st.cache_data(max_entries=2, show_spinner=False)
def _texts(name: str, data: bytes, column: str) -> tuple[str, ...]:
    return tuple(upload.texts_of(name, data, column))


def run(wanted: Wanted) -> Race | None:
    """The race in this very run of the page: who stops it or leaves ends it. None after showing why there is none."""
    lanes = _Lanes()
    result = components.ask("throughput", wanted, lambda engine, progress: lanes.run(engine, wanted, progress))
    lanes.clear()
    return result


class _Lanes:
    """The bars of a race that is being run: the article's three rows."""

    def __init__(self) -> None:
        self._place = st.empty()
        self._drawn = 0.0

    def run(self, engine: Engine, wanted: Wanted, progress: OnProgress) -> Race:
        from wenmo.lab.race import MOST_TEXTS, race
        from wenmo.lab.throughput import invented_reviews

        def show(standing: Standing) -> None:
            progress(standing.done, standing.of or 1)
            now = time.monotonic()
            if now - self._drawn >= _REDRAW_S:
                self._drawn = now
                self._draw(standing)

        with alone("race"):
            return race(
                engine.model_info("sentiment"),
                wanted.texts or invented_reviews(MOST_TEXTS),
                device=engine.device.value,
                precision=wanted.precision,
                target_s=_TARGET_S,
                progress=show,
            )

    def _draw(self, standing: Standing) -> None:
        with self._place.container(border=True):
            if standing.of is None:
                st.caption(say("throughput.preparing", step=_name(standing.step)))
                return
            *_, ours = standing.positions
            names: dict[Step, str] = {"one_by_one": _name("one_by_one"), "fixed": _name("fixed")}
            for step, name in (names | {ours: say("throughput.ours")}).items():
                st.progress(standing.positions[step], text=name)
            st.caption(say("throughput.running", step=_name(standing.step)))

    def clear(self) -> None:
        self._place.empty()


def _name(step: Step) -> str:
    return say(f"throughput.step.{step}")


def _rows(race: Race) -> dict[str, Lane]:
    """The article's three rows, by their names in ARTICLE."""
    return {"one_by_one": race.lane("one_by_one"), "fixed": race.lane("fixed"), "ours": race.ours}


def summary(race: Race) -> None:
    """What matters most, in four figures."""
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
            machine=components.literal(race.machine),
            device=race.device,
            model=components.literal(race.model),
            texts=f"{race.texts:,}",
            pieces=f"{race.pieces:,}",
        )
    )
    if race.other_cores > _DISTURBED_CORES:
        st.warning(say("throughput.disturbed", cores=f"{race.other_cores:.1f}"))


def article(race: Race) -> None:
    """The article's figures beside those of this machine."""
    st.subheader(say("throughput.article"), anchor=False)
    rows = _rows(race)
    there, here = say("throughput.there"), say("throughput.here")
    ratios = {name: say("throughput.ratio", where=name) for name in (there, here)}
    st.dataframe(
        {
            say("throughput.way"): [say("throughput.ours") if row == "ours" else _name(rows[row].step) for row in rows],
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


def steps(race: Race) -> None:
    """Texts a second after each step, and by how much it is faster than the one before."""
    st.subheader(say("throughput.steps"), anchor=False)
    speeds = [lane.texts_per_s for lane in race.lanes]
    factors = ["", *(f"  ×{now / before:.2f}" for before, now in pairwise(speeds))]
    figure = charts.speeds(
        [_name(lane.step) for lane in race.lanes],
        speeds,
        texts=[_speed(speed) + factor for speed, factor in zip(speeds, factors, strict=True)],
        strong=[lane in _rows(race).values() for lane in race.lanes],
    )
    st.plotly_chart(figure, config=charts.CONFIG, key="throughput_steps", alt=say("throughput.steps"))
    st.caption(say("throughput.steps_note"))
    if race.lane("fixed").texts_per_s < race.lane("one_by_one").texts_per_s:
        st.caption(say("throughput.fixed_slower"))


def padding(race: Race) -> None:
    """What share of the pieces that a plan computes are padding."""
    st.subheader(say("throughput.padding"), anchor=False)
    drawn = {_name(step): race.lane(step).computed_pieces for step in _PADDED}
    computed = {say("throughput.full_length"): race.full_length_pieces, **drawn}
    figure = charts.padding(list(computed), [race.pieces] * len(computed), list(computed.values()))
    st.plotly_chart(figure, config=charts.CONFIG, key="throughput_padding", alt=say("throughput.padding"))
    st.caption(say("throughput.padding_note"))


_PADDED: tuple[Step, ...] = ("fixed", "sorted", "packed")


def download(race: Race) -> None:
    """All figures as a file, with what they were measured on."""
    lanes = race.lanes
    same = {"texts": race.texts, "pieces": race.pieces, "model": race.model, "device": race.device}
    components.download(
        "throughput",
        {
            "step": [lane.step for lane in lanes],
            "seconds": [round(lane.seconds, 4) for lane in lanes],
            "texts_per_s": [round(lane.texts_per_s, 2) for lane in lanes],
            "computed_pieces": [lane.computed_pieces for lane in lanes],
            "padding_share": [round(1 - race.pieces / lane.computed_pieces, 4) for lane in lanes],
            "same_decisions": [lane.agreeing for lane in lanes],
            "largest_difference": [lane.largest_difference for lane in lanes],
            **{name: [value] * len(lanes) for name, value in same.items()},
            "machine": [race.machine] * len(lanes),
        },
    )


def _speed(per_s: float) -> str:
    return f"{per_s:,.1f}" if per_s < 100 else f"{per_s:,.0f}"
