"""What the rows of a preset come to: how much was saved, step by step, at what cost, and how good the prediction was.

Plain figures, which the page, the report and the command's JSON show each in its own way.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wenmo.errors import Language
from wenmo.lab.configuration import Configuration
from wenmo.lab.measure import Measurement
from wenmo.lab.presets import Row

WAYS = ("one", "eight", "path")  # groups whose steps follow one another, each with a waterfall
_AFTER = {"one": "one-packed", "eight": "eight-packed"}
CHECKPOINTING, LEFT = "checkpointing_inference", "left"  # bars of a waterfall that are no step


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Bytes on a GPU as its allocator counts them, by prediction, of the first and last step of a group."""

    before: int
    after: int
    half_alone: int  # fp16 with the same padding

    @property
    def saved(self) -> float:
        return 1 - self.after / self.before


@dataclass(frozen=True, kw_only=True)
class Checkpointing:
    """Shares: of activations saved, and of time added; None where not measured. `training` is what was trained."""

    training: Configuration
    inference_saved: float | None
    training_saved: float
    training_time: float | None


@dataclass(frozen=True, kw_only=True)
class Throughput:
    """The first and the last step of `group`, both measured."""

    group: str
    before: Measurement
    after: Measurement

    @property
    def ratio(self) -> float:
        return self.after.sequences_per_s / self.before.sequences_per_s


@dataclass(frozen=True, kw_only=True)
class Bar:
    """Bytes from `low` to `high`; `saved` is None for the first and the last bar, below 0 for what was added.

    A title that is one of CHECKPOINTING and LEFT is the key of a text.
    """

    title: str
    title_zh: str
    low: int
    high: int
    saved: int | None = None

    def title_in(self, language: Language) -> str:
        return self.title_zh if language == "zh" else self.title


@dataclass(frozen=True, kw_only=True)
class Waterfall:
    """From the first step down to what is left. `of_gpu`: predicted for a GPU's allocator; otherwise, because one of
    the steps is int8, predicted for this machine's CPU.
    """

    of_gpu: bool
    bars: tuple[Bar, ...]


def compared(rows: Sequence[Row], group: str) -> Compared | None:
    """The article's comparison for "one" or "eight"; None where these rows are not there."""
    of = {row.step.key: row for row in rows}
    found = [of.get(key) for key in (f"{group}-fp32", f"{group}-fp16", _AFTER[group])]
    if any(row is None or row.gpu is None or row.gpu.gpu is None for row in found):
        return None
    before, half, after = (row.gpu.gpu.allocated for row in found)  # type: ignore[union-attr]
    return Compared(before=before, after=after, half_alone=half)


def checkpointing(rows: Sequence[Row]) -> Checkpointing | None:
    """What recomputing saved and cost; measured where the rows were measured, otherwise predicted for this machine."""
    of = {row.step.key: row for row in rows}
    plain, saved = of.get("training"), of.get("training-checkpointing")
    if plain is None or saved is None:
        return None
    inference_saved = None
    if (without := of.get("eight-fp16")) is not None and (with_ := of.get("eight-checkpointing")) is not None:
        inference_saved = 1 - _activations(with_) / _activations(without)
    time = None
    if plain.measured is not None and saved.measured is not None:
        time = saved.measured.median_ms / plain.measured.median_ms - 1
    return Checkpointing(
        training=plain.step.configuration,
        inference_saved=inference_saved,
        training_saved=1 - _activations(saved) / _activations(plain),
        training_time=time,
    )


def throughputs(rows: Sequence[Row]) -> list[Throughput]:
    """Before and after, of each group that is a way from one configuration to another and was measured at both ends."""
    found = []
    for group in WAYS:
        steps = [row for row in rows if row.step.group == group]
        if len(steps) > 1 and steps[0].measured is not None and steps[-1].measured is not None:
            found.append(Throughput(group=group, before=steps[0].measured, after=steps[-1].measured))
    return found


def _activations(row: Row) -> int:
    return (row.measured or row.cpu).most_activations


def waterfall(rows: Sequence[Row], group: str) -> Waterfall | None:
    """What each step of `group` saved over the one before it; None for fewer than two steps."""
    shown = [row for row in rows if row.step.group == group]
    if len(shown) < 2:
        return None
    on_gpu = [row.gpu.gpu.allocated for row in shown if row.gpu is not None and row.gpu.gpu is not None]
    of_gpu = len(on_gpu) == len(shown)
    sizes = on_gpu if of_gpu else [row.cpu.peak.total for row in shown]
    bars = [Bar(title=shown[0].step.title, title_zh=shown[0].step.title_zh, low=0, high=sizes[0])]
    for row, last, size in zip(shown[1:], sizes, sizes[1:], strict=False):
        bars.append(_bar(row.step.title, row.step.title_zh, last, size))
    of = {row.step.key: row for row in rows}
    if group == "eight" and {"eight-fp16", "eight-checkpointing"} <= of.keys():
        nothing = _activations(of["eight-fp16"]) - _activations(of["eight-checkpointing"])
        bars.append(_bar(CHECKPOINTING, CHECKPOINTING, sizes[-1], sizes[-1] - nothing))
    bars.append(Bar(title=LEFT, title_zh=LEFT, low=0, high=sizes[-1]))
    return Waterfall(of_gpu=of_gpu, bars=tuple(bars))


def _bar(title: str, title_zh: str, before: int, after: int) -> Bar:
    low, high = sorted((before, after))
    return Bar(title=title, title_zh=title_zh, low=low, high=high, saved=before - after)


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """The figures that the targets are about, as plain values.

    Errors of predictions are shares of what was measured, without their signs. What a peak is over is the floor of
    `wenmo.lab.predict.floor_bytes`: weights, and the largest activations that no forward can do without.
    """
    errors = [abs(row.prediction_error) for row in rows if row.prediction_error is not None]
    over = [row.over_floor for row in rows if row.over_floor is not None and row.step.configuration.layout == "packed"]
    found = checkpointing(rows)
    saved = {group: compared(rows, group) for group in ("one", "eight")}
    return {
        "gpu_saved": {group: None if each is None else each.saved for group, each in saved.items()},
        "gpu_saved_by_fp16_alone": {
            group: None if each is None else 1 - each.half_alone / each.before for group, each in saved.items()
        },
        "configurations_measured": len(errors),
        "largest_prediction_error": max(errors, default=None),
        "median_prediction_error": statistics.median(errors) if errors else None,
        "largest_packed_peak_over_floor": max(over, default=None),
        "checkpointing_saves_in_inference": None if found is None else found.inference_saved,
        "checkpointing_saves_in_training": None if found is None else found.training_saved,
        "checkpointing_adds_time_in_training": None if found is None else found.training_time,
        "times_as_fast": {each.group: each.ratio for each in throughputs(rows)},
    }
