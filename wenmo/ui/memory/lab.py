"""The lab of the memory page: what is asked for, and the run that predicts and measures it.

A measurement runs in a process of its own (wenmo/lab/measure.py), which dies when the run here is left: Streamlit
leaves it, by an exception out of `progress`, when the visitor presses stop or goes away. One run at a time is computed,
because two would be in each other's times; the others wait, and can leave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from wenmo.errors import WenmoError
from wenmo.types import Precision, TaskName
from wenmo.ui.memory import lab_results, lab_rows
from wenmo.ui.memory.lab_results import Found
from wenmo.ui.shell import components
from wenmo.ui.shell.runtime import get_events, get_lab_turn, get_sampler
from wenmo.ui.text import say

if TYPE_CHECKING:
    from wenmo.engine import Engine, OnProgress
    from wenmo.evaluation.labelled import LabelledRows
    from wenmo.lab.accuracy import Accuracy
    from wenmo.lab.configuration import Configuration, Work
    from wenmo.lab.presets import Preset, Row

MODELS = ("bundled", "tiny", "base", "large")
SLOW = "large"  # minutes a configuration on a laptop: measured only where that is asked for
TIME_LIMIT_S = 180.0  # of one configuration: others wait for their turn
RUNS = 2
MAX_BATCH = 512
_NOT_MEASURED = "none"
_WISH = "lab_wish"  # in the session: what was last asked for


@dataclass(frozen=True, kw_only=True)
class Wish:
    """`shown` is predicted, and measured if `measured`; `checked` is measured in its place. `fits`: whose batches.

    `labelled` rows are answered in each precision of `shown`.
    """

    shown: Preset
    measured: bool
    checked: Preset | None
    fits: Configuration
    precisions: tuple[Precision, ...]
    lengths: tuple[int, ...]
    card_gib: int | None
    labelled: LabelledRows | None = None

    @property
    def asked(self) -> tuple[Precision, ...]:
        """Precisions in which the labelled rows are answered, the baseline first."""
        found = [step.configuration for step in self.shown.steps if step.configuration.work == "inference"]
        return () if self.labelled is None else tuple(dict.fromkeys(each.precision for each in found))


def memory() -> None:
    """The lab part of the memory page."""
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
    wish = st.session_state.get(kept)
    if wish is None:
        st.caption(say("lab.empty"))
        return
    stage = st.empty()
    found = components.ask(
        f"lab_{preset}", wish, lambda engine, progress: run(wish, engine.model_names, progress, stage.caption)
    )
    if found is not None:
        stage.empty()
        lab_results.show(found, card_gib=wish.card_gib)


def _article() -> Wish | None:
    """The form of the article's table; None until its button is pressed."""
    labelled = lab_rows.choose()
    with st.form("lab_article", border=False):
        st.caption(say("lab.article_note"))
        left, right = st.columns(2)
        model = left.selectbox(
            say("lab.model"), MODELS[::-1], format_func=lambda name: say(f"lab.size.{name}"), key="lab_article_model"
        )
        names = {_NOT_MEASURED: say("lab.not_measured")} | {name: say(f"lab.model.{name}") for name in MODELS}
        measured = right.selectbox(
            say("lab.measured_with"), list(names), index=2, format_func=names.__getitem__, key="lab_measured_with"
        )
        pressed = components.submit("lab_article", say("lab.run"))
    if not pressed:
        return None
    from wenmo.lab.configuration import Configuration
    from wenmo.lab.fits import LENGTHS
    from wenmo.lab.presets import preset_of

    here = measured in (model, _NOT_MEASURED)
    return Wish(
        shown=preset_of("article", model=model),
        measured=measured == model,
        checked=None if here else preset_of("article", model=measured),
        fits=Configuration(model=model),
        precisions=("fp32", "fp16"),
        lengths=LENGTHS,
        card_gib=None,
        labelled=labelled,
    )


def _card() -> Wish | None:
    """The form of one's own two configurations; None until its button is pressed."""
    from wenmo.lab.fits import CARDS_GIB, LENGTHS
    from wenmo.lab.presets import path

    left, middle, right = st.columns(3)
    model = left.selectbox(say("lab.model"), MODELS, format_func=lambda name: say(f"lab.model.{name}"), key="lab_model")
    work: Work = middle.selectbox(
        say("lab.work"),
        ("inference", "training_step"),
        format_func=lambda name: say(f"lab.work.{name}"),
        key="lab_work",
    )
    gib = right.selectbox(
        say("lab.card"), CARDS_GIB, index=_own_card(CARDS_GIB), format_func=lambda size: f"{size} GB", key="lab_card"
    )
    labelled = lab_rows.choose() if work == "inference" else None
    with st.form("lab_card_form", border=False):
        sides = st.columns(2, gap="large")
        with sides[0]:
            before = _side("before", model, work)
        with sides[1]:
            after = _side("after", model, work)
        measured = st.toggle(say("lab.measure"), value=model != SLOW, key=f"lab_measure_{model}")
        pressed = components.submit("lab_card", say("lab.run"))
    if not pressed:
        return None
    baseline, optimised = before(), after()
    on_gpu = tuple(dict.fromkeys(each.precision for each in (baseline, optimised) if each.precision != "int8"))
    lengths = {optimised.width, *LENGTHS}  # a padded row is as long as what it is padded to
    return Wish(
        shown=path(baseline, optimised),
        measured=measured,
        checked=None,
        fits=optimised,
        precisions=on_gpu,
        lengths=tuple(sorted(lengths)),
        card_gib=gib,
        labelled=labelled,
    )


_WISHES: dict[str, Callable[[], Wish | None]] = {"article": _article, "card": _card}


def _side(name: str, model: str, work: Work) -> Callable[[], Configuration]:
    """The fields of the baseline or of the optimised configuration; gives what makes it of them."""
    training, optimised = work == "training_step", name == "after"
    st.subheader(say(f"lab.{name}"), anchor=False)
    precisions: tuple[Precision, ...] = ("fp32", "fp16", "bf16") if training else ("fp32", "fp16", "bf16", "int8")
    layouts = ("longest", "full") if training else ("full", "longest", "packed")
    key = f"lab_{name}_{work}"  # another work, other choices
    precision = st.segmented_control(
        say("lab.precision"), precisions, default=precisions[optimised], required=True, key=f"{key}_precision"
    )
    layout = st.selectbox(
        say("lab.layout"),
        layouts,
        index=2 if optimised and not training else 0,
        format_func=lambda each: say(f"lab.layout.{each}"),
        key=f"{key}_layout",
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
    """Which of `cards_gib` is nearest to this machine's first GPU; 8 GB where there is none."""
    samples = get_sampler().samples()
    sizes = [reading.total_mib for reading in samples[-1].gpus] if samples else []
    gib = sizes[0] / 1024 if sizes and sizes[0] is not None else 8
    return min(range(len(cards_gib)), key=lambda index: abs(cards_gib[index] - gib))


def run(wish: Wish, models: Mapping[TaskName, str], progress: OnProgress, tell: Callable[[str], object]) -> Found:
    """What `wish` asks for. `progress` is called several times a second, so that it can leave by raising.

    `models`: which answer the labelled rows. Raises the errors of `run_preset`, and those of loading a model.
    """
    from wenmo.lab.fits import CARDS_GIB, what_fits
    from wenmo.lab.presets import run_preset

    presets = [(wish.shown, wish.measured)] + ([] if wish.checked is None else [(wish.checked, True)])
    steps = sum(len(preset.steps) for preset, _ in presets)
    of = len(wish.asked) + steps + len(wish.precisions) * len(wish.lengths)
    done = 0

    def beat() -> bool:
        progress(done, of)
        return False

    rows: list[list[Row]] = []
    with _turn(beat, tell):
        answered = None
        if wish.labelled is not None:  # first: it is soon done, and a model that cannot be loaded is told at once
            answered = _answers(wish.labelled, wish.asked, models, beat, tell)
            done = len(wish.asked)
        for preset, measured in presets:
            rows.append([])

            def stage(at: int, _: int, name: str, preset: Preset = preset) -> None:
                if at < len(preset.steps):
                    what = say(f"lab.stage.{name}")
                    tell(f"{what} · {components.literal(preset.steps[at].configuration.name)}")
                beat()

            for row in run_preset(
                preset, measured=measured, runs=RUNS, time_limit_s=TIME_LIMIT_S, progress=stage, cancelled=beat
            ):
                rows[-1].append(row)
                done += 1
        tell(say("lab.stage.fits"))
        fits = []
        for fit in what_fits(wish.fits, precisions=wish.precisions, lengths=wish.lengths, cancelled=beat):
            fits.append(fit)
            done = len(wish.asked) + steps + len(fits) // len(CARDS_GIB)
    checks = tuple(rows[1]) if len(rows) > 1 else ()
    return Found(rows=tuple(rows[0]), checks=checks, fits=tuple(fits), of=wish.fits, accuracy=answered)


def _answers(
    rows: LabelledRows,
    precisions: tuple[Precision, ...],
    models: Mapping[TaskName, str],
    beat: Callable[[], bool],
    tell: Callable[[str], object],
) -> Accuracy:
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
    """Alone in the lab. Waits for as long as another run goes on; `beat` raises when this visitor has left."""
    turn = get_lab_turn()
    if not turn.acquire(blocking=False):
        tell(say("lab.stage.waiting"))
        while not turn.acquire(timeout=0.2):
            beat()
    try:
        yield
    finally:
        turn.release()
