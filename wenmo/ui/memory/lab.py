"""The lab of the memory page: the form, and the run that predicts and measures the memory of configurations.

A measurement runs in a process of its own (wenmo/lab/measure.py). When the visitor presses stop or leaves the page,
Streamlit raises an exception in `progress`, which ends that process. Only one visitor's run is computed at a time,
because two would slow each other down and spoil the times; the others wait, and can leave.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import streamlit as st

from wenmo.errors import WenmoError
from wenmo.types import Precision, TaskName
from wenmo.ui.memory import lab_labelled_rows, lab_results
from wenmo.ui.shell import answers, components
from wenmo.ui.shell.runtime import get_events, get_lab_findings, get_lab_turn, get_sampler
from wenmo.ui.text import language, say

if TYPE_CHECKING:
    from wenmo.engine import Engine, OnProgress
    from wenmo.evaluation.labelled import LabelledRows
    from wenmo.lab.accuracy import AccuracyByPrecision
    from wenmo.lab.configuration import Configuration, Work
    from wenmo.lab.findings import Findings
    from wenmo.lab.presets import Preset, StepResult

MODELS = ("bundled", "tiny", "base", "large")
SLOW = "large"  # takes minutes a configuration on a laptop, and is measured only if the visitor asks for it
TIME_LIMIT_S = 180.0  # of one configuration, because other visitors wait
RUNS = 2  # of each configuration; their median is shown
MAX_BATCH = 512
_NOT_MEASURED = "none"
_FOUND = "found"  # in the address: the id of what a run found
_KEPT = 16  # runs of all visitors, some hundred kB each
_WISH = "lab_wish"  # in the session: the last wish for each preset


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the form asks for.

    The steps of `shown` are predicted and, if `measured`, also measured here. `checked` has the same steps for another
    model, which is measured in its place. For the configurations before and after, the largest batch on each card is
    computed for each of the `lengths`; `card_gib` is the visitor's card. The `labelled` rows are answered in each
    precision of `shown`, to measure accuracy.
    """

    shown: Preset
    measured: bool
    checked: Preset | None
    lengths: tuple[int, ...]
    card_gib: int | None
    labelled: LabelledRows | None = None

    @property
    def asked(self) -> tuple[Precision, ...]:
        """The precisions in which the labelled rows are answered, the baseline first."""
        found = [step.configuration for step in self.shown.steps if step.configuration.work == "inference"]
        return () if self.labelled is None else tuple(dict.fromkeys(each.precision for each in found))


def show() -> None:
    """The form of the chosen preset, and the results of what it last asked for."""
    st.caption(say("lab.intro"))
    names = {name: say(f"lab.preset.{name}") for name in _WISHES}
    preset = components.choice(say("lab.preset"), names, key="preset")
    try:
        wish = _WISHES[preset]()
    except WenmoError as error:
        components.show_error(error)
        return
    kept = f"{_WISH}.{preset}"
    if wish is not None:
        st.session_state[kept] = wish
    if kept not in st.session_state:
        _restore(preset)
    wish = st.session_state.get(kept)
    if wish is None:
        st.caption(say("lab.empty"))
        return
    stage = st.empty()
    found = answers.ask(
        f"lab_{preset}", wish, lambda engine, progress: run(wish, engine.model_names, progress, stage.caption)
    )
    if found is not None:
        stage.empty()
        _keep(preset, wish, found)
        lab_results.show(found)


def _keep(preset: str, wish: Wish, found: Findings) -> None:
    """Keep what was found for a reload of this address; the oldest of many is forgotten."""
    store, name = get_lab_findings(), st.query_params.get(_FOUND, "")
    if name in store and store[name] == (preset, wish, found):
        return
    name = secrets.token_urlsafe(12)
    store[name] = (preset, wish, found)
    while len(store) > _KEPT:
        store.popitem(last=False)
    st.query_params[_FOUND] = name


def _restore(preset: str) -> None:
    """Take what a run found that this address tells of."""
    of, wish, found = get_lab_findings().get(st.query_params.get(_FOUND, ""), (None, None, None))
    if of == preset:
        st.session_state[f"{_WISH}.{preset}"] = wish
        answers.remember(f"lab_{preset}", wish, found)


def _article() -> Wish | None:
    """The form for the article's table; None unless its button was pressed just now."""
    labelled = lab_labelled_rows.choose()
    with st.form("lab_article", border=False):
        st.caption(say("lab.article_note"))
        left, right = st.columns(2)
        model = left.selectbox(
            say("lab.model"),
            MODELS[::-1],
            format_func=lambda name: say(f"lab.size.{name}"),
            key=components.retold("lab_article_model"),
        )
        names = {_NOT_MEASURED: say("lab.not_measured")} | {name: say(f"lab.model.{name}") for name in MODELS}
        measured = right.selectbox(
            say("lab.measured_with"),
            list(names),
            index=2,
            format_func=names.__getitem__,
            key=components.retold("lab_measured_with"),
        )
        pressed = answers.submit("lab_article", say("lab.run"))
    if not pressed:
        return None
    from wenmo.lab.fits import LENGTHS
    from wenmo.lab.presets import preset_of

    here = measured in (model, _NOT_MEASURED)
    return Wish(
        shown=preset_of("article", model=model),
        measured=measured == model,
        checked=None if here else preset_of("article", model=measured),
        lengths=LENGTHS,
        card_gib=None,
        labelled=labelled,
    )


def _card() -> Wish | None:
    """The form for two configurations of one's own; None unless its button was pressed just now."""
    from wenmo.lab.fits import CARDS_GIB, LENGTHS
    from wenmo.lab.presets import path

    left, middle, right = st.columns(3)
    model = left.selectbox(
        say("lab.model"), MODELS, format_func=lambda name: say(f"lab.model.{name}"), key=components.retold("lab_model")
    )
    work: Work = middle.selectbox(
        say("lab.work"),
        ("inference", "training_step"),
        format_func=lambda name: say(f"lab.work.{name}"),
        key=components.retold("lab_work"),
    )
    gib = right.selectbox(
        say("lab.card"), CARDS_GIB, index=_own_card(CARDS_GIB), format_func=lambda size: f"{size} GB", key="lab_card"
    )
    labelled = lab_labelled_rows.choose() if work == "inference" else None
    with st.form("lab_card_form", border=False):
        sides = st.columns(2, gap="large")
        with sides[0]:
            before = _side("before", model, work)
        with sides[1]:
            after = _side("after", model, work)
        measured = st.toggle(say("lab.measure"), value=model != SLOW, key=f"lab_measure_{model}")
        pressed = answers.submit("lab_card", say("lab.run"))
    if not pressed:
        return None
    baseline, optimised = before(), after()
    lengths = {*baseline.lengths, *optimised.lengths, *LENGTHS}
    return Wish(
        shown=path(baseline, optimised),
        measured=measured,
        checked=None,
        lengths=tuple(sorted(lengths)),
        card_gib=gib,
        labelled=labelled,
    )


_WISHES: dict[str, Callable[[], Wish | None]] = {"article": _article, "card": _card}


def _side(name: str, model: str, work: Work) -> Callable[[], Configuration]:
    """The fields of the baseline ("before") or of the optimised configuration ("after"); returns what builds it."""
    training, optimised = work == "training_step", name == "after"
    st.subheader(say(f"lab.{name}"), anchor=False)
    precisions: tuple[Precision, ...] = ("fp32", "fp16", "bf16") if training else ("fp32", "fp16", "bf16", "int8")
    layouts = ("longest", "full") if training else ("full", "longest", "packed")
    key = f"lab_{name}_{work}"  # inference and training have fields of their own
    precision = st.segmented_control(
        say("lab.precision"), precisions, default=precisions[optimised], required=True, key=f"{key}_precision"
    )
    layout = st.selectbox(
        say("lab.layout"),
        layouts,
        index=2 if optimised and not training else 0,
        format_func=lambda each: say(f"lab.layout.{each}"),
        key=components.retold(f"{key}_layout"),
    )
    batch_place, length_place = st.columns(2)
    batch = batch_place.number_input(say("lab.batch"), 1, MAX_BATCH, 8, key=f"{key}_batch")
    length = length_place.number_input(say("lab.length"), 2, 512, 128, help=say("lab.length_help"), key=f"{key}_length")
    checkpointing = st.toggle(say("lab.checkpointing"), value=optimised and training, key=f"{key}_checkpointing")

    def make() -> Configuration:
        from wenmo.lab.configuration import Configuration, equal_lengths
        from wenmo.lab.presets import PADDED

        return Configuration(
            model=model,
            precision=precision or "fp32",
            lengths=equal_lengths(batch, length),
            work=work,
            layout="packed" if layout == "packed" else "padded",
            pad_to=PADDED if layout == "full" else None,
            checkpointing=checkpointing,
        )

    return make


def _own_card(cards_gib: tuple[int, ...]) -> int:
    """The index in `cards_gib` of the size nearest to this machine's first GPU, or to 8 GB without one."""
    samples = get_sampler().samples()
    sizes = [reading.total_mib for reading in samples[-1].gpus] if samples else []
    gib = sizes[0] / 1024 if sizes and sizes[0] is not None else 8
    return min(range(len(cards_gib)), key=lambda index: abs(cards_gib[index] - gib))


def run(wish: Wish, models: Mapping[TaskName, str], progress: OnProgress, tell: Callable[[str], object]) -> Findings:
    """What `wish` asks for. `progress` is called several times a second, so that it can leave by raising.

    `models` answer the labelled rows. `progress` is called several times a second, and may raise to end the run; `tell`
    gets the name of the stage. Raises the errors of `run_preset`, and those of loading a model.
    """
    from wenmo.lab.findings import Findings
    from wenmo.lab.fits import CARDS_GIB, what_fits
    from wenmo.lab.presets import run_preset
    from wenmo.lab.sections import configuration_title
    from wenmo.telemetry.machine import machine

    presets = [(wish.shown, wish.measured)] + ([] if wish.checked is None else [(wish.checked, True)])
    steps = sum(len(preset.steps) for preset, _ in presets)
    of = len(wish.asked) + steps + len(wish.shown.sides) * len(wish.lengths)
    done = 0

    def beat() -> bool:
        progress(done, of)
        return False

    results: list[list[StepResult]] = []
    with _turn(beat, tell):
        answered = None
        if wish.labelled is not None:  # first, because it is fast and shows at once if a model cannot be loaded
            answered = _answers(wish.labelled, wish.asked, models, beat, tell)
            done = len(wish.asked)
        for preset, measured in presets:
            results.append([])

            def stage(at: int, _: int, name: str, preset: Preset = preset) -> None:
                if at < len(preset.steps):
                    what = say(f"lab.stage.{name}")
                    name = configuration_title(preset.steps[at].configuration).in_(language())
                    tell(f"{what} · {components.literal(name)}")
                beat()

            for result in run_preset(
                preset, measured=measured, runs=RUNS, time_limit_s=TIME_LIMIT_S, progress=stage, cancelled=beat
            ):
                results[-1].append(result)
                done += 1
        tell(say("lab.stage.fits"))
        fits = []
        for side in wish.shown.sides:
            for fit in what_fits(side, lengths=wish.lengths, cancelled=beat):
                fits.append(fit)
                done = len(wish.asked) + steps + len(fits) // len(CARDS_GIB)
    return Findings(
        steps=tuple(results[0]),
        checks=tuple(results[1]) if len(results) > 1 else (),
        fits=tuple(fits),
        accuracy=answered,
        card_gib=wish.card_gib,
        machine=machine(),
        day=date.today(),
    )


def _answers(
    rows: LabelledRows,
    precisions: tuple[Precision, ...],
    models: Mapping[TaskName, str],
    beat: Callable[[], bool],
    tell: Callable[[str], object],
) -> AccuracyByPrecision:
    """On the CPU, as everything here is measured, by engines that share nothing with those of the other pages."""
    from wenmo.lab.accuracy import accuracy
    from wenmo.settings import Settings

    def engine_in(precision: Precision) -> Engine:
        given = {f"{rows.task}_model": models[rows.task], "device": "cpu", "precision": precision}
        from wenmo.engine.build import build_engine

        return build_engine(Settings.read(**given, cache_mib=0, redis_url=""), events=get_events())

    def progress(precision: Precision, done: int, of: int) -> None:
        tell(say("lab.stage.answering", precision=precision, done=f"{done:,}", of=f"{of:,}"))
        beat()

    return accuracy(rows, precisions, engine_in, progress=progress)


@contextmanager
def _turn(beat: Callable[[], bool], tell: Callable[[str], object]) -> Iterator[None]:
    """Hold the lab alone. Waits while another visitor's run goes on; `beat` raises when this visitor has left."""
    turn = get_lab_turn()
    if not turn.acquire(blocking=False):
        tell(say("lab.stage.waiting"))
        while not turn.acquire(timeout=0.2):
            beat()
    try:
        yield
    finally:
        turn.release()
