"""`bench memory`: measures and predicts the memory of a preset or of given configurations, and reports it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from wenmo.engine import Engine
from wenmo.errors import Language
from wenmo.lab.accuracy import AccuracyByPrecision, accuracy, read_labelled
from wenmo.lab.configuration import parse_configurations
from wenmo.lab.findings import Findings, summary
from wenmo.lab.fits import Fit, what_fits
from wenmo.lab.presets import StepResult, custom, preset_of, run_preset
from wenmo.lab.report import as_csv, as_html
from wenmo.lab.throughput import write_result
from wenmo.telemetry.machine import machine
from wenmo.types import Precision

_PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8")  # whose accuracy is compared; the first is the baseline


def bench_memory(
    *,
    preset: str,
    model: str | None,
    configurations: str | None,
    predict_only: bool,
    runs: int | None,
    labelled: Path | None,
    report: Path | None,
    csv: Path | None,
    out: Path | None,
    language: Language,
) -> None:
    """Raises the errors of `run_preset`, of reading `labelled` (see `read_labelled`), and OSError."""
    chosen = custom(parse_configurations(configurations)) if configurations else preset_of(preset, model=model)
    steps: list[StepResult] = []
    for step in run_preset(chosen, measured=not predict_only, runs=runs, progress=_progress):
        steps.append(step)
        print(_line(step))
    fits: list[Fit] = []
    for side in chosen.sides:
        print(f"what fits on a card: {side.name}", file=sys.stderr, flush=True)
        fits += what_fits(side)
    in_short = summary(steps)
    print(_verdict(in_short))
    found = Findings(
        steps=tuple(steps),
        fits=tuple(fits) if chosen.sides else None,
        accuracy=None if labelled is None else _accuracy(labelled),
        machine=machine(),
        day=date.today(),
    )
    if report is not None:
        report.write_text(as_html(found, language=language), encoding="utf-8")
    if csv is not None:
        csv.write_text(as_csv(found), encoding="utf-8")
    result: dict[str, Any] = {
        "benchmark": "memory",
        "machine": found.machine,
        "preset": chosen.name,
        "summary": in_short,
        "rows": [step.as_json() for step in steps],
        "fits": [asdict(fit) for fit in fits],
        "accuracy": None if found.accuracy is None else asdict(found.accuracy),
    }
    write_result(result, out)


def _accuracy(labelled: Path) -> AccuracyByPrecision:
    def tell(precision: Precision, done: int, of: int) -> None:
        print(f"\r{precision}: {done:,} of {of:,}", end="", file=sys.stderr, flush=True)

    def engine_in(precision: Precision) -> Engine:
        return Engine(device="cpu", precision=precision, cache_mib=0)

    accuracies = accuracy(read_labelled(labelled), _PRECISIONS, engine_in, progress=tell)
    print(file=sys.stderr)
    return accuracies


def _progress(done: int, of: int, stage: str) -> None:
    print(f"{done} of {of}: {stage}", file=sys.stderr, flush=True)


def _verdict(figures: Mapping[str, Any]) -> str:
    """A sentence on the errors of the predictions, and on how near packed peaks came to their lower bound."""

    def percent(share: float | None) -> str:
        return "-" if share is None else f"{share:.2%}"

    floor = f"packed peaks were at most {percent(figures['largest_packed_peak_over_floor'])} over their floor"
    if not figures["configurations_measured"]:
        return f"nothing measured; {floor}"
    largest, median = percent(figures["largest_prediction_error"]), percent(figures["median_prediction_error"])
    return (
        f"{figures['configurations_measured']} measured: the prediction was {largest} off at most, "
        f"{median} in the median; {floor}"
    )


def _line(result: StepResult) -> str:
    """Fixed columns: configuration, predicted for a GPU, predicted and measured here in MiB, error, time."""

    def mib(size: int | None) -> str:
        return "-" if size is None else f"{size / 2**20:,.1f}"

    measured, gpu = result.measured, result.gpu_allocated_bytes
    error = "-" if result.prediction_error is None else f"{result.prediction_error:+.2%}"
    time = (result.failed or "-") if measured is None else f"{measured.median_ms:,.0f} ms"
    here = mib(None if measured is None else measured.peak.total)
    return (
        f"{result.step.configuration.name:44} GPU {mib(gpu):>9}  predicted {mib(result.cpu.peak.total):>9}  "
        f"measured {here:>9} MiB  {error:>7}  {time}"
    )
