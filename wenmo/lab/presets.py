"""Configurations that belong together, and their figures one by one: predicted for a GPU, predicted and measured here.

The preset "article" asks what an article on this application's GPU memory says it measured (docs/decisions/0007): what
half precision, real lengths and checkpointing save for one pair and for eight, and beside it the truth on
checkpointing: nothing in inference, and what a training step gains and pays. "check" is for the prediction itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any, get_args

from wenmo.errors import InputError, WenmoError
from wenmo.lab.configuration import Attention, Configuration, equal_lengths
from wenmo.lab.measure import RUNS, TIME_LIMIT_S, Measurement, measure
from wenmo.lab.predict import Prediction, predict
from wenmo.types import PRECISIONS, Precision

PAIR = 128  # pieces of the one pair: what the article cuts its inputs to
EIGHT_PAIRS = (40, 80, 120, 160, 200, 240, 280, 320)  # pieces: evenly spread, so that padding has something to waste
_FLOATS: tuple[Precision, ...] = ("fp32", "fp16", "bf16")
# The fields that one step of a path changes. Precision first: what it saves is told of the whole padded batch.
_CHANGES = (("model",), ("precision",), ("layout", "pad_to", "attention"), ("lengths",), ("checkpointing",))
CHECKED = ("tiny", "base")
PADDED = 512  # to which ModelScope's pipeline fills every pair


@dataclass(frozen=True, kw_only=True)
class Step:
    """`after`: the step that this one is compared with, None for a beginning. `group`: a waterfall of its own."""

    key: str
    group: str
    title: str
    title_zh: str
    configuration: Configuration
    after: str | None = None


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Steps in the order in which they are run, each timed `runs` times."""

    name: str
    steps: tuple[Step, ...]
    runs: int = RUNS


@dataclass(frozen=True, kw_only=True)
class Row:
    """A step with what came of it. `gpu` is None for what a GPU does not run, `measured` where `failed` tells why."""

    step: Step
    gpu: Prediction | None
    cpu: Prediction
    measured: Measurement | None
    failed: str | None
    failed_zh: str | None

    @property
    def prediction_error(self) -> float | None:
        """Of the prediction for this machine, against the tracker: 0.01 is 1% too much."""
        return None if self.measured is None else self.cpu.peak.total / self.measured.peak.total - 1

    @property
    def over_floor(self) -> float | None:
        """Share of the peak, measured where it was, above `wenmo.lab.predict.floor_bytes`; None without a floor."""
        floor, figures = self.cpu.floor_bytes, self.measured or self.cpu
        return None if floor is None else figures.peak.total / floor - 1

    def as_json(self) -> dict[str, Any]:
        """Plain values, with what is worked out of them."""
        return {
            **asdict(self),
            "prediction_error": self.prediction_error,
            "peak_over_floor": self.over_floor,
            "gpu_total": None if self.gpu is None or self.gpu.gpu is None else self.gpu.gpu.total,
            "median_ms": None if self.measured is None else self.measured.median_ms,
            "pieces_per_s": None if self.measured is None else self.measured.pieces_per_s,
        }


def article(model: str = "large", *, training_model: str = "base") -> Preset:
    """The article's table: one pair and eight, then checkpointing in inference and in a training step."""
    steps: list[Step] = []
    for group, lengths in (("one", (PAIR,)), ("eight", EIGHT_PAIRS)):
        padded = Configuration(model=model, lengths=lengths, layout="padded", pad_to=PADDED)
        half = replace(padded, precision="fp16")
        packed = Configuration(model=model, lengths=lengths, precision="fp16")
        steps += [
            Step(
                key=f"{group}-fp32",
                group=group,
                title=f"fp32, every pair padded to {PADDED}",
                title_zh=f"fp32，每对填充到 {PADDED}",
                configuration=padded,
            ),
            Step(
                key=f"{group}-fp16",
                group=group,
                title="fp16",
                title_zh="改用 fp16",
                configuration=half,
                after=f"{group}-fp32",
            ),
            Step(
                key=f"{group}-packed",
                group=group,
                title="real lengths, packed",
                title_zh="按实际长度打包",
                configuration=packed,
                after=f"{group}-fp16",
            ),
        ]
    eight = next(step.configuration for step in steps if step.key == "eight-fp16")
    training = Configuration(
        model=training_model, lengths=equal_lengths(8, PAIR), layout="padded", work="training_step"
    )
    steps += [
        Step(
            key="eight-checkpointing",
            group="inference",
            title="fp16 padded, with checkpointing, in inference",
            title_zh="推理中打开检查点（fp16，填充）",
            configuration=replace(eight, checkpointing=True),
            after="eight-fp16",
        ),
        Step(
            key="eight-int8",
            group="cpu",
            title="int8, packed, on a CPU",
            title_zh="int8 打包（CPU）",
            configuration=Configuration(model=model, lengths=EIGHT_PAIRS, precision="int8"),
            after="eight-fp32",
        ),
        Step(
            key="training",
            group="training",
            title="a training step",
            title_zh="一个训练步",
            configuration=training,
        ),
        Step(
            key="training-checkpointing",
            group="training",
            title="with checkpointing",
            title_zh="打开检查点",
            configuration=replace(training, checkpointing=True),
            after="training",
        ),
    ]
    return Preset(name="article", steps=tuple(steps))


def check(models: Sequence[str] = CHECKED) -> Preset:
    """More than forty configurations, to hold the prediction for this machine against the tracker.

    Each is run once, since sizes repeat to the byte and times are not looked at.
    """
    found = [configuration for model in models for configuration in _checked(model)]
    return replace(custom(found), name="check", runs=1)


def _checked(model: str) -> Iterator[Configuration]:
    """Packed in every precision; padded with both kinds of attention; training; the ways to recompute activations."""
    for lengths, precision in product(((PAIR,), equal_lengths(2, PADDED), EIGHT_PAIRS), PRECISIONS):
        yield Configuration(model=model, lengths=lengths, precision=precision)
    padded = Configuration(model=model, layout="padded")
    for lengths, attention, precision in product(
        (equal_lengths(8, PAIR), EIGHT_PAIRS), get_args(Attention), _FLOATS[:2]
    ):
        yield replace(padded, lengths=lengths, attention=attention, precision=precision)
    step = replace(padded, lengths=equal_lengths(4, 64), work="training_step")
    for precision, checkpointing in product(_FLOATS[::2], (False, True)):
        yield replace(step, precision=precision, checkpointing=checkpointing)
    yield replace(step, attention="eager")
    yield replace(step, work="inference", checkpointing=True)


def preset_of(name: str, *, model: str | None = None) -> Preset:
    """The preset called `name`, on `model` or those that it is meant for. Raises InputError when there is none."""
    if name == "article":
        return article(model or "large", training_model=model if model and model != "large" else "base")
    if name == "check":
        return check((model,) if model else CHECKED)
    raise InputError(
        f"No such preset: {name}. Known: article, check.", f"没有这样的预设：{name}。可选：article、check。"
    )


def custom(configurations: list[Configuration]) -> Preset:
    """The caller's own configurations, each compared with the first."""
    return Preset(
        name="custom",
        steps=tuple(
            Step(
                key=str(number),
                group="custom",
                title=configuration.name,
                title_zh=configuration.name,
                configuration=configuration,
                after=None if number == 1 else "1",
            )
            for number, configuration in enumerate(configurations, start=1)
        ),
    )


def path(baseline: Configuration, optimised: Configuration) -> Preset:
    """From one configuration to the other, a change at a time, each step compared with the one before it.

    Changes that cannot be made alone are made together: int8 is packed, say. Raises InputError for different work.
    """
    if baseline.work != optimised.work:
        raise InputError(
            f"{baseline.work} and {optimised.work} cannot be compared. Choose the same work for both.",
            f"{baseline.work} 与 {optimised.work} 无法比较。请为两者选择同一种工作。",
        )
    steps = [Step(key="1", group="path", title="baseline", title_zh="基线", configuration=baseline)]
    waiting: list[str] = []
    at = baseline
    for fields in _CHANGES:
        changed = [name for name in fields if getattr(at, name) != getattr(optimised, name)]
        if not changed and not waiting:
            continue
        waiting += changed
        try:
            at = replace(at, **{name: getattr(optimised, name) for name in waiting})
        except InputError:
            continue  # with the next one, then
        steps.append(
            Step(
                key=str(len(steps) + 1),
                group="path",
                title=", ".join(dict.fromkeys(_change(name, at)[0] for name in waiting)),
                title_zh="、".join(dict.fromkeys(_change(name, at)[1] for name in waiting)),
                configuration=at,
                after=steps[-1].key,
            )
        )
        waiting = []
    return Preset(name="path", steps=tuple(steps))


def _change(name: str, to: Configuration) -> tuple[str, str]:
    """What a step is called that changes the field `name`, in English and Chinese."""
    if name in ("layout", "pad_to"):
        return ("packed", "打包") if to.layout == "packed" else (f"padded to {to.width}", f"填充到 {to.width}")
    if name == "lengths":
        size = f"{to.batch} x {max(to.lengths)}"
        return (size, size)
    if name == "checkpointing":
        return ("checkpointing", "打开检查点") if to.checkpointing else ("no checkpointing", "关闭检查点")
    value = str(getattr(to, name))
    return (value, value)


def run_preset(
    preset: Preset,
    *,
    measured: bool = True,
    runs: int | None = None,
    time_limit_s: float = TIME_LIMIT_S,
    progress: Callable[[int, int, str], None] = lambda done, of, stage: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[Row]:
    """A row as soon as it is there; ends early, and with no process left behind, when `cancelled()`.

    `progress` is told the rows done, of how many, and the stage of the one at hand. `measured` False only predicts;
    `runs` overrides those of `preset`. A configuration that cannot be measured here gives a row that says why; one that
    cannot be predicted raises.
    """
    of = len(preset.steps)
    for done, step in enumerate(preset.steps):
        if cancelled():
            return
        progress(done, of, "predicting")
        configuration = step.configuration
        gpu = None if configuration.precision == "int8" else predict(configuration, device="cuda")
        cpu = predict(configuration, device="cpu")
        result: Measurement | None = None
        error: WenmoError | None = None
        if measured:
            try:
                result = measure(
                    configuration,
                    device="cpu",
                    runs=runs or preset.runs,
                    time_limit_s=time_limit_s,
                    progress=lambda stage, done=done: progress(done, of, stage),  # type: ignore[misc]
                    cancelled=cancelled,
                )
            except WenmoError as why:
                error = why
            if result is None and error is None:  # cancelled
                return
        yield Row(
            step=step,
            gpu=gpu,
            cpu=cpu,
            measured=result,
            failed=None if error is None else error.en,
            failed_zh=None if error is None else error.zh,
        )
    progress(of, of, "done")
