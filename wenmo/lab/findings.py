"""What a run of the lab found, as numbers: what was saved, at what cost, and how good the predictions were.

`wenmo.lab.sections` says these findings in words, charts and tables; the command's JSON holds them as they are.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from wenmo.lab.accuracy import AccuracyByPrecision
from wenmo.lab.configuration import Configuration
from wenmo.lab.document import Text
from wenmo.lab.fits import Fit
from wenmo.lab.measure import Measurement
from wenmo.lab.presets import StepResult

WAYS = ("one", "eight", "path")  # groups whose steps follow one another, each with a waterfall


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Everything that one run found.

    `checks`: the same steps with a smaller model that was measured, where `steps` were only predicted. `fits`: the
    largest batches on each card, of the configurations before and after; None where they were not asked for.
    `accuracy`: labelled rows answered in each precision. `card_gib`: the card that the visitor asked about.
    """

    steps: tuple[StepResult, ...]
    checks: tuple[StepResult, ...] = ()
    fits: tuple[Fit, ...] | None = None
    accuracy: AccuracyByPrecision | None = None
    card_gib: int | None = None
    machine: str
    day: date

    @property
    def measured(self) -> tuple[StepResult, ...]:
        """The steps that this machine was asked to measure."""
        return self.checks or self.steps

    @property
    def sides(self) -> tuple[StepResult, StepResult] | None:
        """The steps before and after; None where the steps do not lead from one to the other."""
        of = [each for each in self.steps if each.step.group in ("eight", "path")]
        return (of[0], of[-1]) if len(of) > 1 else None

    def largest_batch(self, side: StepResult) -> int | None:
        """The most texts of the length of `side` that go on the visitor's card at once; None where it is not known."""
        configuration = side.step.configuration
        wanted = (configuration, self.card_gib, max(configuration.lengths))
        found = (each.batch for each in self.fits or () if (each.configuration, each.card_gib, each.length) == wanted)
        return next(found, None)


@dataclass(frozen=True, kw_only=True)
class PredictedGpuMemory:
    """Bytes that PyTorch's allocator hands out on a GPU, predicted, for the article's steps."""

    fp32_padded_bytes: int
    fp16_padded_bytes: int
    fp16_packed_bytes: int

    @property
    def saved(self) -> float:
        """The share that both steps save together."""
        return 1 - self.fp16_packed_bytes / self.fp32_padded_bytes

    @property
    def saved_by_fp16(self) -> float:
        return 1 - self.fp16_padded_bytes / self.fp32_padded_bytes

    @property
    def saved_by_packing(self) -> float:
        """The share of what fp16 left."""
        return 1 - self.fp16_packed_bytes / self.fp16_padded_bytes


@dataclass(frozen=True, kw_only=True)
class MeasuredCpuMemory:
    """Peak bytes of the article's eight pairs, measured on a CPU; `fp32_padded_bytes` is None where it failed."""

    fp32_padded_bytes: int | None
    fp16_packed_bytes: int
    int8_packed_bytes: int


@dataclass(frozen=True, kw_only=True)
class Checkpointing:
    """Inference and a training step, each without and with gradient checkpointing."""

    inference_off: StepResult
    inference_on: StepResult
    training_off: StepResult
    training_on: StepResult

    @property
    def results(self) -> tuple[StepResult, ...]:
        return (self.inference_off, self.inference_on, self.training_off, self.training_on)

    @property
    def inference_saved(self) -> float:
        """The share of activations."""
        return 1 - self.inference_on.most_activations_bytes / self.inference_off.most_activations_bytes

    @property
    def training_saved(self) -> float:
        """The share of activations."""
        return 1 - self.training_on.most_activations_bytes / self.training_off.most_activations_bytes

    @property
    def training_time_added(self) -> float | None:
        """The share of time; None where it was not measured."""
        off, on = self.training_off.measured, self.training_on.measured
        return None if off is None or on is None else on.median_ms / off.median_ms - 1


@dataclass(frozen=True, kw_only=True)
class MeasuredThroughput:
    """The first and the last step of `group`."""

    group: str
    before: Measurement
    after: Measurement

    @property
    def ratio(self) -> float:
        return self.after.sequences_per_s / self.before.sequences_per_s


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A bar of a waterfall. `saved_bytes` is None for the first and the last bar, below 0 for what was added."""

    title: Text
    low_bytes: int
    high_bytes: int
    saved_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Waterfall:
    """From the first step of `group` down to what is left.

    `of_gpu`: predicted for a GPU's allocator; otherwise, because one of the steps is int8, for this machine's CPU.
    """

    group: str
    of_gpu: bool
    configuration: Configuration
    bars: tuple[Bar, ...]


@dataclass(frozen=True, kw_only=True)
class PredictionErrors:
    """Predictions for this machine against what was measured: shares of the latter, above 0 for too much.

    `largest` is the farthest from 0. `packed_over_floor`: the largest share of a packed peak above its floor.
    """

    errors: tuple[float, ...]
    packed_over_floor: float | None

    @property
    def largest(self) -> float | None:
        return max(self.errors, key=abs, default=None)


def predicted_gpu_memory(steps: Iterable[StepResult], group: str) -> PredictedGpuMemory | None:
    """The article's comparison for "one" or "eight"; None where these steps are not there."""
    of = {each.step.key: each.gpu_allocated_bytes for each in steps}
    padded, half, packed = (of.get(f"{group}-{name}") for name in ("fp32", "fp16", "packed"))
    if padded is None or half is None or packed is None:
        return None
    return PredictedGpuMemory(fp32_padded_bytes=padded, fp16_padded_bytes=half, fp16_packed_bytes=packed)


def measured_cpu_memory(steps: Iterable[StepResult]) -> MeasuredCpuMemory | None:
    """None where fp16 and int8, both packed, were not measured."""
    of = {each.step.key: each.measured.peak.total for each in steps if each.measured is not None}
    if "eight-packed" not in of or "eight-int8" not in of:
        return None
    return MeasuredCpuMemory(
        fp32_padded_bytes=of.get("eight-fp32"),
        fp16_packed_bytes=of["eight-packed"],
        int8_packed_bytes=of["eight-int8"],
    )


def checkpointing(steps: Iterable[StepResult]) -> Checkpointing | None:
    """None where one of the four steps is not there."""
    of = {each.step.key: each for each in steps}
    keys = ("eight-fp16", "eight-checkpointing", "training", "training-checkpointing")
    if not of.keys() >= set(keys):
        return None
    inference_off, inference_on, training_off, training_on = (of[key] for key in keys)
    return Checkpointing(
        inference_off=inference_off,
        inference_on=inference_on,
        training_off=training_off,
        training_on=training_on,
    )


def measured_throughputs(steps: Sequence[StepResult]) -> list[MeasuredThroughput]:
    """Of each group that leads from one configuration to another and was measured at both ends."""
    found = []
    for group in WAYS:
        measured = [each.measured for each in steps if each.step.group == group]
        if len(measured) > 1 and measured[0] is not None and measured[-1] is not None:
            found.append(MeasuredThroughput(group=group, before=measured[0], after=measured[-1]))
    return found


def waterfall(steps: Sequence[StepResult], group: str) -> Waterfall | None:
    """What each step of `group` saved over the one before it; None for fewer than two steps."""
    shown = [each for each in steps if each.step.group == group]
    if len(shown) < 2:
        return None
    allocated = [each.gpu_allocated_bytes for each in shown]
    on_gpu = [each for each in allocated if each is not None]
    of_gpu = len(on_gpu) == len(shown)
    sizes = on_gpu if of_gpu else [each.cpu.peak.total for each in shown]
    titles = [Text(each.step.title_zh, each.step.title) for each in shown]
    bars = [Bar(title=titles[0], low_bytes=0, high_bytes=sizes[0])]
    bars += [_bar(*each) for each in zip(titles[1:], sizes, sizes[1:], strict=False)]
    found = checkpointing(steps)
    if group == "eight" and found is not None:
        saved = found.inference_off.most_activations_bytes - found.inference_on.most_activations_bytes
        bars.append(_bar(Text("推理中打开检查点", "checkpointing, in inference"), sizes[-1], sizes[-1] - saved))
    bars.append(Bar(title=Text("优化之后", "what is left"), low_bytes=0, high_bytes=sizes[-1]))
    return Waterfall(group=group, of_gpu=of_gpu, configuration=shown[0].step.configuration, bars=tuple(bars))


def _bar(title: Text, before: int, after: int) -> Bar:
    low, high = sorted((before, after))
    return Bar(title=title, low_bytes=low, high_bytes=high, saved_bytes=before - after)


def prediction_errors(steps: Sequence[StepResult]) -> PredictionErrors:
    packed = [each.over_floor for each in steps if each.step.configuration.layout == "packed"]
    return PredictionErrors(
        errors=tuple(each.prediction_error for each in steps if each.prediction_error is not None),
        packed_over_floor=max((each for each in packed if each is not None), default=None),
    )


def summary(steps: Sequence[StepResult]) -> dict[str, Any]:
    """The figures that the project's targets are about, as plain values for the command's JSON.

    Errors of predictions are without their signs.
    """
    predicted = prediction_errors(steps)
    errors = [abs(each) for each in predicted.errors]
    found = checkpointing(steps)
    memory = {group: predicted_gpu_memory(steps, group) for group in ("one", "eight")}
    return {
        "gpu_saved": {group: None if each is None else each.saved for group, each in memory.items()},
        "gpu_saved_by_fp16_alone": {
            group: None if each is None else each.saved_by_fp16 for group, each in memory.items()
        },
        "configurations_measured": len(errors),
        "largest_prediction_error": max(errors, default=None),
        "median_prediction_error": statistics.median(errors) if errors else None,
        "largest_packed_peak_over_floor": predicted.packed_over_floor,
        "checkpointing_saves_in_inference": None if found is None else found.inference_saved,
        "checkpointing_saves_in_training": None if found is None else found.training_saved,
        "checkpointing_adds_time_in_training": None if found is None else found.training_time_added,
        "times_as_fast": {each.group: each.ratio for each in measured_throughputs(steps)},
    }
