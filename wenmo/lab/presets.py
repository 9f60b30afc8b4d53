"""Presets: configurations that belong together, predicted for a GPU and for this CPU, and measured here.

The preset "article" repeats the table of an article on this application's GPU memory (docs/decisions/0007): what half
precision, real lengths and checkpointing save for one pair and for eight. It also shows that checkpointing saves
nothing in inference, and what it saves and costs in a training step. The preset "check" tests the prediction itself.
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

PAIR = 128  # tokens of the one pair: the article truncates its inputs to so many
EIGHT_PAIRS = (40, 80, 120, 160, 200, 240, 280, 320)  # tokens: spread evenly, so that padding costs something
_FLOATS: tuple[Precision, ...] = ("fp32", "fp16", "bf16")
# The fields that each step of a path changes. Precision comes first, so that it is applied to the whole padded batch.
_CHANGES = (("model",), ("precision",), ("layout", "pad_to", "attention"), ("lengths",), ("checkpointing",))
CHECKED = ("tiny", "base")
PADDED = 512  # tokens to which ModelScope's pipeline pads every pair


@dataclass(frozen=True, kw_only=True)
class PresetStep:
    """`after` is the step that this one is compared with, None for the first. Steps of one `group` share a chart."""

    key: str
    group: str
    title: str
    title_zh: str
    configuration: Configuration
    after: str | None = None


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Steps in the order in which they run; each is timed `runs` times."""

    name: str
    steps: tuple[PresetStep, ...]
    runs: int = RUNS

    @property
    def sides(self) -> tuple[Configuration, ...]:
        """The configurations before and after, without those that no GPU runs; none where steps are not a path."""
        of = [step.configuration for step in self.steps if step.group in ("eight", "path")]
        return tuple(dict.fromkeys(each for each in (*of[:1], *of[-1:]) if each.precision != "int8"))


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """A step, predicted for a GPU and for this CPU, and measured here.

    `gpu` is None for what a GPU does not run. `measured` is None where nothing was measured; `failed` gives the reason
    where measuring failed.
    """

    step: PresetStep
    gpu: Prediction | None
    cpu: Prediction
    measured: Measurement | None
    failed: str | None
    failed_zh: str | None

    @property
    def gpu_allocated_bytes(self) -> int | None:
        """Predicted: what PyTorch's allocator hands out on a GPU."""
        return None if self.gpu is None or self.gpu.gpu is None else self.gpu.gpu.allocated

    @property
    def gpu_total_bytes(self) -> int | None:
        """Predicted: what the process takes on a GPU, with all that the allocator reserves and the context."""
        return None if self.gpu is None or self.gpu.gpu is None else self.gpu.gpu.total

    @property
    def most_activations_bytes(self) -> int:
        """Measured where there is a measurement, otherwise predicted for this CPU."""
        return (self.measured or self.cpu).most_activations

    @property
    def prediction_error(self) -> float | None:
        """The prediction for this CPU against what the tracker measured: 0.01 is 1% too much."""
        return None if self.measured is None else self.cpu.peak.total / self.measured.peak.total - 1

    @property
    def over_floor(self) -> float | None:
        """Share of the peak above `wenmo.lab.predict.floor_bytes`; None for a training step, which has no floor.

        The peak is measured where there is a measurement, otherwise predicted.
        """
        floor, figures = self.cpu.floor_bytes, self.measured or self.cpu
        return None if floor is None else figures.peak.total / floor - 1

    def as_json(self) -> dict[str, Any]:
        """Plain values, with those that follow from them. The keys are those of the files in benchmarks/results/."""
        return {
            **asdict(self),
            "prediction_error": self.prediction_error,
            "peak_over_floor": self.over_floor,
            "gpu_total": self.gpu_total_bytes,
            "median_ms": None if self.measured is None else self.measured.median_ms,
            "pieces_per_s": None if self.measured is None else self.measured.tokens_per_s,
        }


def article(model: str = "large", *, training_model: str = "base") -> Preset:
    """The article's table: one pair and eight, then checkpointing in inference and in a training step."""
    packed = Configuration(model=model, lengths=EIGHT_PAIRS, precision="fp16")
    padded = replace(packed, layout="padded", pad_to=PADDED)
    training = Configuration(
        model=training_model, lengths=equal_lengths(8, PAIR), layout="padded", work="training_step"
    )
    rest = (
        PresetStep(
            key="eight-checkpointing",
            group="inference",
            title="fp16 padded, with checkpointing, in inference",
            title_zh="推理中打开检查点（fp16，填充）",
            configuration=replace(padded, checkpointing=True),
            after="eight-fp16",
        ),
        PresetStep(
            key="eight-int8",
            group="cpu",
            title="int8, packed, on a CPU",
            title_zh="int8 打包（CPU）",
            configuration=replace(packed, precision="int8"),
            after="eight-fp32",
        ),
        PresetStep(
            key="training",
            group="training",
            title="a training step",
            title_zh="一个训练步",
            configuration=training,
        ),
        PresetStep(
            key="training-checkpointing",
            group="training",
            title="with checkpointing",
            title_zh="打开检查点",
            configuration=replace(training, checkpointing=True),
            after="training",
        ),
    )
    pairs = (*_padded_to_packed("one", model, (PAIR,)), *_padded_to_packed("eight", model, EIGHT_PAIRS))
    return Preset(name="article", steps=(*pairs, *rest))


def _padded_to_packed(group: str, model: str, lengths: tuple[int, ...]) -> Iterator[PresetStep]:
    """Three steps of the pairs with these `lengths`: fp32 padded, fp16 padded, fp16 packed."""
    padded = Configuration(model=model, lengths=lengths, layout="padded", pad_to=PADDED)
    packed = Configuration(model=model, lengths=lengths, precision="fp16")
    after: str | None = None
    for name, title, title_zh, configuration in (
        ("fp32", f"fp32, every pair padded to {PADDED}", f"fp32，每对填充到 {PADDED}", padded),
        ("fp16", "fp16", "改用 fp16", replace(padded, precision="fp16")),
        ("packed", "real lengths, packed", "按实际长度打包", packed),
    ):
        key = f"{group}-{name}"
        yield PresetStep(key=key, group=group, title=title, title_zh=title_zh, configuration=configuration, after=after)
        after = key


def check(models: Sequence[str] = CHECKED) -> Preset:
    """More than forty configurations that compare the prediction for this machine with the tracker.

    Each runs once, since sizes repeat to the byte and times do not matter here.
    """
    found = [configuration for model in models for configuration in _checked(model)]
    return replace(custom(found), name="check", runs=1)


def _checked(model: str) -> Iterator[Configuration]:
    """Packed in every precision, padded with both kinds of attention, and training with and without checkpointing."""
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
    """The preset called `name`, on `model` or on its usual models. Raises InputError for an unknown name."""
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
            PresetStep(
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
    """Steps from one configuration to the other, each with one change against the step before it.

    Changes that cannot be made alone are made together, such as int8, which must be packed. Raises InputError when the
    configurations do different work.
    """
    if baseline.work != optimised.work:
        raise InputError(
            f"{baseline.work} and {optimised.work} cannot be compared. Choose the same work for both.",
            f"{baseline.work} 与 {optimised.work} 无法比较。请为两者选择同一种工作。",
        )
    steps = [PresetStep(key="1", group="path", title="baseline", title_zh="基线", configuration=baseline)]
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
            continue  # to be made together with the next change
        steps.append(
            PresetStep(
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
    """The name, in English and Chinese, of the step that changes the field `name`."""
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
) -> Iterator[StepResult]:
    """Yield each result as soon as it is there; end early, without leaving a process behind, when `cancelled()`.

    `progress` takes the number of steps done, the number of all steps, and the stage of the current one. `measured`
    False only predicts. `runs` overrides that of `preset`. A configuration that cannot be measured here gives a result
    with the reason; one that cannot be predicted raises.
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
        yield StepResult(
            step=step,
            gpu=gpu,
            cpu=cpu,
            measured=result,
            failed=None if error is None else error.en,
            failed_zh=None if error is None else error.zh,
        )
    progress(of, of, "done")
