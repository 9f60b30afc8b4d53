"""The report for those who must be shown: one HTML file that needs nothing else, and the same figures as CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import fields

from wenmo.errors import Language
from wenmo.lab.accuracy import AccuracyByPrecision
from wenmo.lab.allocations import Breakdown
from wenmo.lab.document import Text
from wenmo.lab.findings import Findings
from wenmo.lab.html import page, paragraph, section
from wenmo.lab.presets import StepResult
from wenmo.lab.sections import appendix, sections
from wenmo.tables.cells import csv_cell

TITLE = Text("文墨共鸣 · 显存报告", "wenmo · memory report")
_LEAD = Text(
    "同一份配置，先预测，再实测，再解释省下的每一步。显存数字是对一块未必在场的 GPU 的预测；同样的预测也对本机 CPU 做一"
    "遍，与实测对照，误差列在旁边。",
    "Each configuration predicted, measured, and each step of the saving explained. Figures of GPU memory are "
    "predictions for a GPU that need not be there; the same prediction is made for this machine's CPU, and its error "
    "against what was measured stands beside it.",
)


def as_html(found: Findings, *, language: Language = "zh") -> str:
    """The whole file, in the reader's language."""
    title = TITLE.in_(language)
    shown = [section(each, language) for each in (*sections(found), *appendix(found))]
    body = "\n".join([f"<h1>{title}</h1>", paragraph(_LEAD, language, kind="lead"), *shown])
    return page(title=title, body=body, language=language)


def as_csv(found: Findings) -> str:
    """A line per step; the columns are named for what they hold, in English, and their bytes are integers.

    Accuracy stands beside each step of inference in a precision in which the labelled rows were answered.
    """
    out = io.StringIO()
    lines = [_line(each, found.accuracy) for each in (*found.steps, *found.checks)]
    writer = csv.DictWriter(out, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue()


def _line(result: StepResult, accuracy: AccuracyByPrecision | None) -> dict[str, object]:
    gpu, measured = result.gpu, result.measured
    terms = None if gpu is None else gpu.gpu
    parts = [field.name for field in fields(Breakdown)]
    return {
        "step": csv_cell(result.step.key),
        "configuration": csv_cell(result.step.configuration.name),
        "gpu_predicted_tensor_bytes": None if gpu is None else gpu.peak.total,
        "gpu_predicted_allocated_bytes": result.gpu_allocated_bytes,
        "gpu_predicted_reserved_bytes": None if terms is None else terms.reserved,
        "gpu_predicted_total_bytes": result.gpu_total_bytes,
        "cpu_predicted_bytes": result.cpu.peak.total,
        "cpu_measured_bytes": None if measured is None else measured.peak.total,
        "prediction_error": _decimals(result.prediction_error, 6),
        "peak_over_floor": _decimals(result.over_floor, 6),
        **{f"cpu_measured_{part}_bytes": None if measured is None else getattr(measured.peak, part) for part in parts},
        "cpu_measured_most_activations_bytes": None if measured is None else measured.most_activations,
        "cpu_resident_bytes": None if measured is None else measured.resident,
        "median_ms": None if measured is None else _decimals(measured.median_ms, 2),
        "sequences_per_s": None if measured is None else _decimals(measured.sequences_per_s, 4),
        **_labelled(result, accuracy),
        "failed": csv_cell(result.failed),
    }


def _labelled(result: StepResult, accuracy: AccuracyByPrecision | None) -> dict[str, object]:
    """Accuracy on labelled rows, with the name of the model that answered: the step's own weights may be random."""
    configuration = result.step.configuration
    found = None if accuracy is None or configuration.work != "inference" else accuracy.of(configuration.precision)
    figures = None if found is None else found.figures
    low, high = (None, None) if figures is None else figures.interval
    return {
        "labelled_model": None if accuracy is None or found is None else csv_cell(accuracy.model),
        "labelled_rows": None if figures is None else figures.n,
        "labelled_accuracy": _decimals(None if figures is None else figures.accuracy, 6),
        "labelled_accuracy_low": _decimals(low, 6),
        "labelled_accuracy_high": _decimals(high, 6),
        "labelled_decisions_changed": None if found is None or found.changed is None else found.changed.decisions,
    }


def _decimals(value: float | None, places: int) -> str | None:
    return None if value is None else f"{value:.{places}f}"
