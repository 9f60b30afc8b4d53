"""Measured results for the story, made up with plain numbers: steps of the memory lab, a race."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from wenmo.lab.allocations import Breakdown
from wenmo.lab.configuration import Configuration
from wenmo.lab.findings import Findings
from wenmo.lab.measure import Measurement
from wenmo.lab.predict import GpuTerms, Prediction
from wenmo.lab.presets import PresetStep, StepResult, article
from wenmo.lab.race import Lane, Race

GIB = 2**30
MACHINE = "a <b>machine</b>, 2 cores"


def prediction(configuration: Configuration, size: int, *, gpu: bool) -> Prediction:
    terms = GpuTerms(rounding=0, cublas=0, allocated=size, reserved=size, context=0) if gpu else None
    return Prediction(
        configuration=configuration,
        device="cuda" if gpu else "cpu",
        native=True,
        peak=Breakdown(weights=size - 10, activations=10),
        most_activations=10,
        floor_bytes=size,
        gpu=terms,
    )


def row(step: PresetStep, size: int, *, activations: int = 10, seconds: float = 1.0) -> StepResult:
    """A row of `size` bytes, predicted and measured."""
    on_gpu = step.configuration.precision != "int8"
    measured = Measurement(
        configuration=step.configuration,
        device="cpu",
        device_name=MACHINE,
        threads=2,
        native=True,
        peak=Breakdown(weights=size - activations, activations=activations),
        most_activations=activations,
        seconds=(seconds,),
        resident=None,
        libraries=0,
        reserved=None,
        process_gpu=None,
    )
    return StepResult(
        step=step,
        gpu=prediction(step.configuration, size, gpu=True) if on_gpu else None,
        cpu=prediction(step.configuration, size, gpu=False),
        measured=measured,
        failed=None,
        failed_zh=None,
    )


SIZES = {
    "one-fp32": 2 * GIB,
    "one-fp16": GIB,
    "one-packed": GIB,
    "eight-fp32": 4 * GIB,
    "eight-fp16": 2 * GIB,
    "eight-packed": GIB,
    "eight-checkpointing": 2 * GIB,
    "eight-int8": GIB // 2,
    "training": 4 * GIB,
    "training-checkpointing": 3 * GIB,
}


def rows() -> tuple[StepResult, ...]:
    """4 GiB -> 2 (fp16) -> 1 (packed); int8 0.5; checkpointing keeps a quarter in training and takes 1.5 the time."""
    special: Mapping[str, dict[str, Any]] = {
        "training": {"activations": 800, "seconds": 2.0},
        "training-checkpointing": {"activations": 200, "seconds": 3.0},
    }
    return tuple(row(step, SIZES[step.key], **special.get(step.key, {})) for step in article().steps)


def findings(steps: tuple[StepResult, ...]) -> Findings:
    return Findings(steps=steps, machine=MACHINE, day=date(2026, 1, 2))


def race() -> Race:
    """In fp16, which is slower here than what came before it."""
    lanes = [
        Lane(step=step, seconds=1, texts_per_s=speed, computed_tokens=1, agreeing=1, largest_difference=0)
        for step, speed in (("one_by_one", 7.0), ("fixed", 5.0), ("sorted", 10.0), ("packed", 20.0), ("fp16", 10.0))
    ]
    return Race(
        machine=MACHINE,
        device="cuda",
        precision="fp16",
        model="wenmo-sentiment",
        texts=32,
        tokens=100,
        full_length_tokens=200,
        other_cores=0.0,
        lanes=tuple(lanes),
    )
