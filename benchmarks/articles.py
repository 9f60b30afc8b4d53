"""What two articles measured, measured here, before and after: `python -m wenmo bench articles`.

Published figures stand beside ours to show what was asked for. They come from other machines and larger models: the
ratios of before and after can be compared, and nothing else. Before is transformers' pipeline as the articles'
originals have it (`benchmarks.original`), after is `wenmo serve`, both over HTTP with the bundled weights. Every text
is sent once, so that no cache of results can answer it, except in the row that says so.

The result is written into benchmarks/results/, from where the app's Service page shows the last one.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks import services
from benchmarks.client import ROOT, Load, drive
from benchmarks.services import Command, Service, running
from wenmo.engine import Engine
from wenmo.evaluation.evaluate import evaluate
from wenmo.telemetry.machine import machine

ACCELERATION = {
    "article": "StructBERT性能优化:推理速度提升3倍的配置方案",
    "hardware": "a GPU, not named for the table (an NVIDIA T4 in its text); zero-shot large",
}
CPU = {"article": "StructBERT性能优化指南:CPU环境推理加速", "hardware": "2 CPU cores, 4 GB; sentiment small"}
LABELS = ["咨询", "投诉", "建议"]
TEMPLATE = "这句话的意图是{}"
PATIENCE_MS = 1000.0  # a number of clients is sustained when 95% of their calls are answered within this
MOST_CLIENTS = 256  # what is tried
ANALYZE, ZERO_SHOT = "/analyze", "/api/v1/zero-shot"
Progress = Callable[[str], None]


def default_file() -> Path:
    """Where a run of today is kept."""
    return ROOT / "benchmarks" / "results" / f"{datetime.now():%Y-%m-%d}-articles.json"


class _Texts:
    """Short messages of customers, none of them twice."""

    def __init__(self) -> None:
        self._number = 0

    def take(self, count: int) -> list[str]:
        first, self._number = self._number, self._number + count
        kinds = ("想问一下第{}号订单的发票怎么开", "第{}号包裹送来时盒子压坏了", "第{}号客服回答得很耐心，希望周末也在")
        return [kinds[number % len(kinds)].format(number) for number in range(first, first + count)]


def _mean_ms(load: Load) -> float | None:
    times = [call.end_s - call.start_s for call in load.calls if call.start_s >= 0 and call.status == 200]
    return round(statistics.fmean(times) * 1000, 2) if times else None


def _first_call_s(service: Service, path: str, body: Any) -> float:
    start = time.perf_counter()
    service.post(path, body)
    return time.perf_counter() - start


def _questions(texts: Sequence[str]) -> list[dict[str, Any]]:
    return [{"texts": [text], "labels": LABELS, "template": TEMPLATE} for text in texts]


def _zero_shot(command: Command, texts: _Texts, *, clients: int, seconds: float, ahead: int) -> dict[str, float | None]:
    """One side of the acceleration article. `ahead` texts are prepared for a measurement: more than it can take."""
    with running(command) as service:
        url = service.url + ZERO_SHOT
        first_s = _first_call_s(service, ZERO_SHOT, _questions(texts.take(1))[0])
        mean_ms = _mean_ms(drive(url, _questions(texts.take(ahead)), seconds=seconds, clients=1, warm_s=0.5))
        many = drive(url, _questions(texts.take(ahead)), seconds=seconds, clients=clients)
        again = drive(url, _questions(texts.take(20)), seconds=seconds, clients=clients)
        return {
            "mean_latency_ms": mean_ms,
            "requests_per_s": round(many.requests_per_s, 2),
            "p99_ms": None if many.answered is None else round(many.answered.p99_ms, 1),
            "requests_per_s_again": round(again.requests_per_s, 2),
            "resident_mib": round(service.resident_mib(), 1),
            "load_s": None if mean_ms is None else round(first_s - mean_ms / 1000, 2),
        }


def acceleration(
    *, clients: int, seconds: float, labelled: Path | None, limit: int, template: str, progress: Progress
) -> dict[str, Any]:
    """Zero-shot: fp32, a pair at a time, no cache, against INT8, joined calls and the cache of results."""
    texts, ahead = _Texts(), int(1000 * (seconds + 1))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        services.export_model("bundled", "zero_shot", folder)
        progress("acceleration: before")
        before = _zero_shot(services.original("original", folder), texts, clients=clients, seconds=seconds, ahead=ahead)
        progress("acceleration: after")
        ours = services.wenmo(folder, task="zero_shot", device="cpu", precision="int8", calibrated=0)
        after = _zero_shot(ours, texts, clients=clients, seconds=seconds, ahead=ahead)
    f1: dict[str, float | None] = {"fp32": None, "int8": None}
    if labelled is not None:
        for precision in f1:
            progress(f"acceleration: F1 in {precision}")
            with Engine(device="cpu", precision=precision, cache_mib=0) as engine:
                found = evaluate(engine, "zero-shot", labelled, limit=limit, template=template)
            f1[precision] = round(100 * found.macro_f1, 2)
    published: dict[str, tuple[float | None, float | None]] = {
        "mean_latency_ms": (820, 240),
        "requests_per_s": (18, 62),
        "p99_ms": (None, 300),
        "resident_mib": (3.2 * 1024, 1.8 * 1024),  # of GPU memory, there
        "load_s": (4.1, 2.3),
        "f1": (96.7, 95.2),
    }
    before["f1"], after["f1"] = f1["fp32"], f1["int8"]
    rows = [
        {"what": what, "published": published.get(what, (None, None)), "before": before[what], "after": after[what]}
        for what in before
    ]
    return {
        **ACCELERATION,
        "labels": len(LABELS),
        "clients": clients,
        "labelled_rows": limit if labelled else None,
        "rows": rows,
    }


def greatest_concurrency(sustains: Callable[[int], bool], *, most: int = MOST_CLIENTS) -> int:
    """The largest number of clients up to `most` that is sustained, to an eighth; 0 where one is too many.

    Tried are 1, 4, 16, ... until too many, then in between.
    """
    low, high = 0, 1
    while sustains(high):
        if high >= most:
            return high
        low, high = high, min(4 * high, most)
    while high - low > max(1, low // 8):
        middle = (low + high) // 2
        low, high = (middle, high) if sustains(middle) else (low, middle)
    return low


def _stage(command: Command, texts: _Texts, *, seconds: float) -> dict[str, float | None]:
    """One row of the CPU article."""
    with running(command) as service:
        url = service.url + ANALYZE

        def bodies() -> list[dict[str, str]]:
            return [{"text": text} for text in texts.take(int(2000 * (seconds + 1)))]

        def sustains(clients: int) -> bool:
            load = drive(url, bodies(), seconds=seconds, clients=clients, warm_s=0.5)
            return load.answered is not None and load.answered.p95_ms < PATIENCE_MS and set(load.by_status) == {"200"}

        first_s = _first_call_s(service, ANALYZE, bodies()[0])
        mean_ms = _mean_ms(drive(url, bodies(), seconds=seconds, clients=1, warm_s=0.5))
        return {
            "first_s": round(first_s, 2),
            "mean_latency_ms": mean_ms,
            "clients": greatest_concurrency(sustains),
            "resident_mib": round(service.resident_mib(), 1),
        }


def cpu(*, seconds: float, progress: Progress) -> dict[str, Any]:
    """Sentiment over /analyze, stage by stage; `wenmo` is as shipped, its calls joined."""
    texts = _Texts()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        services.export_model("bundled", "sentiment", folder)
        workers = str((os.cpu_count() or 1) + 1)
        stages: dict[str, tuple[Command, tuple[float, ...]]] = {  # published: first_s, latency, concurrency, memory
            "load_per_call": (services.original("load per call", folder, "--load-per-call"), (12.3, 1200, 1, 1126)),
            "cached_model": (services.original("cached model", folder), (8.1, 320, 3, 780)),
            "workers": (services.original("workers", folder, "--workers", workers), (8.3, 280, 8, 820)),
            "joined": (services.wenmo(device="cpu"), (8.5, 210, 15, 850)),
        }
        names = ("first_s", "mean_latency_ms", "clients", "resident_mib")
        rows = []
        for name, (command, published) in stages.items():
            progress(f"CPU: {name}")
            measured = _stage(command, texts, seconds=seconds)
            rows.append({"stage": name, "published": dict(zip(names, published, strict=True)), "measured": measured})
    return {**CPU, "patience_ms": PATIENCE_MS, "most_clients": MOST_CLIENTS, "workers": int(workers), "rows": rows}


def measure(
    *, clients: int, seconds: float, labelled: Path | None, limit: int, template: str, progress: Progress
) -> dict[str, Any]:
    """Both articles; the report as JSON can hold it. Without `labelled` the F1 is not measured."""
    return {
        "benchmark": "articles",
        "machine": machine(),
        "taken": datetime.now().astimezone().isoformat(timespec="seconds"),
        "model": "bundled",
        "acceleration": acceleration(
            clients=clients, seconds=seconds, labelled=labelled, limit=limit, template=template, progress=progress
        ),
        "cpu": cpu(seconds=min(seconds, 3.0), progress=progress),
    }


def table(report: dict[str, Any]) -> str:
    """The report as Markdown."""
    return "\n".join(_lines(report))


def _lines(report: dict[str, Any]) -> Iterator[str]:
    first, second = report["acceleration"], report["cpu"]
    yield f"{first['article']} ({first['hardware']}), beside {report['machine']}, bundled model:"
    yield "| what | article: before | after | here: before | after |"
    yield "| --- | --- | --- | --- | --- |"
    for row in first["rows"]:
        there = [_cell(value, missing="-") for value in row["published"]]
        yield f"| {row['what']} | {' | '.join([*there, _cell(row['before']), _cell(row['after'])])} |"
    yield ""
    yield f"{second['article']} ({second['hardware']}), beside {report['machine']}, bundled model:"
    names = list(second["rows"][0]["published"])
    yield f"| stage (article / here) | {' | '.join(names)} |"
    yield f"| --- {'| --- ' * len(names)}|"
    for row in second["rows"]:
        cells = [f"{_cell(row['published'][name])} / {_cell(row['measured'][name])}" for name in names]
        yield f"| {row['stage']} | {' | '.join(cells)} |"


def _cell(value: float | None, *, missing: str = "not measured") -> str:
    return missing if value is None else f"{value:,.6g}"
