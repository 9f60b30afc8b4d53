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
from wenmo.lab.accuracy import Accuracy, accuracy, read_labelled
from wenmo.lab.configuration import Configuration, parse_configurations
from wenmo.lab.findings import summary
from wenmo.lab.fits import Fit, what_fits
from wenmo.lab.presets import Row, custom, preset_of, run_preset
from wenmo.lab.report import Report, as_csv, as_html
from wenmo.lab.throughput import machine, write_result
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
    """Run the command; the arguments are its options.

    Raises what `run_preset` and `read_labelled` do, and OSError when a file cannot be written.
    """
    selected = custom(parse_configurations(configurations)) if configurations else preset_of(preset, model=model)
    rows: list[Row] = []
    for row in run_preset(selected, measured=not predict_only, runs=runs, progress=_progress):
        rows.append(row)
        print(_line(row))
    fits: list[Fit] = []
    if selected.name == "article":
        print("what fits on a card", file=sys.stderr, flush=True)
        fits = list(what_fits(Configuration(model=model or "large")))
    figures = summary(rows)
    print(_verdict(figures))
    accuracies = None if labelled is None else _accuracy(labelled)
    details = Report(rows=rows, fits=fits, accuracy=accuracies, machine=machine(), day=date.today())
    if report is not None:
        report.write_text(as_html(details, language=language), encoding="utf-8")
    if csv is not None:
        csv.write_text(as_csv(rows, accuracies), encoding="utf-8")
    result: dict[str, Any] = {
        "benchmark": "memory",
        "machine": details.machine,
        "preset": selected.name,
        "summary": figures,
        "rows": [row.as_json() for row in rows],
        "fits": [asdict(fit) for fit in fits],
        "accuracy": None if accuracies is None else asdict(accuracies),
    }
    write_result(result, out)


def _accuracy(labelled: Path) -> Accuracy:
    def show(precision: Precision, done: int, of: int) -> None:
        print(f"\r{precision}: {done:,} of {of:,}", end="", file=sys.stderr, flush=True)

    def engine_in(precision: Precision) -> Engine:
        return Engine(device="cpu", precision=precision, cache_mib=0)

    accuracies = accuracy(read_labelled(labelled), _PRECISIONS, engine_in, progress=show)
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


def _line(row: Row) -> str:
    """A line of the table: configuration, MiB predicted for a GPU, MiB predicted and measured here, error, time."""

    def mib(size: int | None) -> str:
        return "-" if size is None else f"{size / 2**20:,.1f}"

    gpu = row.gpu.gpu.allocated if row.gpu is not None and row.gpu.gpu is not None else None
    measured = row.measured
    error = "-" if row.prediction_error is None else f"{row.prediction_error:+.2%}"
    time = (row.failed or "-") if measured is None else f"{measured.median_ms:,.0f} ms"
    here = mib(measured.peak.total if measured is not None else None)
    return (
        f"{row.step.configuration.name:44} GPU {mib(gpu):>9}  predicted {mib(row.cpu.peak.total):>9}  "
        f"measured {here:>9} MiB  {error:>7}  {time}"
    )
