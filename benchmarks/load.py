"""How the service holds up under load: `python -m wenmo bench load`. Real HTTP over loopback, ours beside others.

Every contestant is a server of its own process with the same weights, is sent the same texts by the same generator
(`benchmarks.client`, which takes a share of the same cores, and tells it), and they take turns, one at a time, round
after round: medians are compared. Answers are compared with those of the engine called directly.

    original              transformers' pipeline in fp32, one request at a time: what the articles begin with
    one at a time         wenmo's engine, one request at a time, nothing joined
    one client            wenmo, asked by a single client
    LitServe, ...         its dynamic batching, over transformers in fp32 or over wenmo's engine

Result caches are off, but where caching is what is measured. Not covered: networks, TLS, several machines.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from benchmarks import services
from benchmarks.client import Call, Load, drive
from benchmarks.services import Command, Service, running
from wenmo.api.schemas import MAX_ANALYZE_CHARACTERS
from wenmo.engine import Engine
from wenmo.errors import InputError
from wenmo.inference.precision import resolve_device, resolve_precision
from wenmo.lab.padded import Items
from wenmo.lab.throughput import ShapeName
from wenmo.telemetry.machine import machine
from wenmo.telemetry.statistics import Percentiles

PATH = "/analyze"
TOLERANCE = 1e-3  # of a probability: another process, padding, and int8 have roundings of their own
OVERLOAD = 5.0  # times what is answered at `clients` at once
LABELS = ("物流", "价格", "质量", "包装", "客服", "退货", "发票", "活动", "预约", "投诉", "建议")
OURS, ONE_CLIENT = "wenmo", "wenmo, one client"
Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Options:
    """`seconds` a turn, `overload_s` of overload; `litserve` is a Python that has it, or None to leave it out."""

    shape: ShapeName
    precision: str
    clients: int = 50
    seconds: float = 10.0
    overload_s: float = 60.0
    rounds: int = 2
    litserve: str | None = None


@dataclass(frozen=True, kw_only=True)
class Turns:
    """One contestant. `answered` is of all its turns; `wrong` counts answers that are not the engine's own."""

    name: str
    clients: int | None
    rate: float | None
    requests_per_s: float  # median
    lowest: float
    highest: float
    answered: Percentiles | None
    by_status: Mapping[str, int]
    wrong: int
    generator_cpu_share: float
    generator_late_p99_ms: float | None


def texts_of(items: Items) -> list[str]:
    """The (first) text of each, as long as /analyze takes them."""
    return [(item if isinstance(item, str) else item[0])[:MAX_ANALYZE_CHARACTERS] for item in items]


def wrong_answers(calls: Iterable[Call], expected: Sequence[float]) -> int:
    """How many answers of /analyze are not `expected`, the probability of positive for each body."""
    wrong = 0
    for call in calls:
        if call.answer is not None:
            answer = json.loads(call.answer)
            positive = answer["confidence"] if answer["label"] == "Positive" else 1 - answer["confidence"]
            wrong += abs(positive - expected[call.body]) > TOLERANCE
    return wrong


def turns(
    name: str,
    loads: Sequence[Load],
    expected: Sequence[float],
    *,
    clients: int | None = None,
    rate: float | None = None,
) -> Turns:
    """The figures of a contestant's turns."""
    speeds = [load.requests_per_s for load in loads]
    statuses = sorted({status for load in loads for status in load.by_status})
    late = [load.late_p99_ms for load in loads if load.late_p99_ms is not None]
    calls = [call for load in loads for call in load.calls]
    counted = [call for call in calls if call.start_s >= 0 and call.status == 200]
    return Turns(
        name=name,
        clients=clients,
        rate=None if rate is None else round(rate, 2),
        requests_per_s=round(statistics.median(speeds), 2),
        lowest=round(min(speeds), 2),
        highest=round(max(speeds), 2),
        answered=Percentiles.of([call.end_s - call.start_s for call in counted]),
        by_status={status: sum(load.by_status.get(status, 0) for load in loads) for status in statuses},
        wrong=wrong_answers(calls, expected),
        generator_cpu_share=round(max(load.cpu_share for load in loads), 3),
        generator_late_p99_ms=round(max(late), 2) if late else None,
    )


def measure(options: Options, texts: Sequence[str], progress: Progress) -> dict[str, Any]:
    """Everything, one thing after the other; the report as JSON can hold it.

    Raises InputError when the turns are too short for a single answer.
    """
    precision = resolve_precision(options.precision, resolve_device("cpu").value).value
    bodies = [{"text": text} for text in texts]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        checkpoint = services.export_model(options.shape, "sentiment", folder)
        ours = services.wenmo(folder, device="cpu", precision=precision, cache_mib=0, calibrated=0)
        contestants: dict[str, tuple[Command, int, str]] = {  # started how, asked by how many, in which precision
            OURS: (ours, options.clients, precision),
            ONE_CLIENT: (ours, 1, precision),
            "wenmo, one at a time": (
                services.original("one at a time", folder, "--forward", "wenmo", precision=precision),
                options.clients,
                precision,
            ),
            "original, fp32": (services.original("original", folder), options.clients, "fp32"),
        }
        if options.litserve is not None:
            for forward, computed in (("transformers", "fp32"), ("wenmo", precision)):
                command = services.litserve(
                    "LitServe", folder, "--forward", forward, python=options.litserve, precision=precision
                )
                contestants[f"LitServe, {forward} {computed}"] = (command, options.clients, computed)
        expected = {name: _direct(folder, texts, name) for name in {each for _, _, each in contestants.values()}}
        loads: dict[str, list[Load]] = {name: [] for name in contestants}
        for number in range(options.rounds):
            for name, (command, clients, _) in contestants.items():
                with running(command) as service:
                    service.post(PATH, bodies[0])  # loads the model
                    load = drive(service.url + PATH, bodies, seconds=options.seconds, clients=clients)
                loads[name].append(load)
                progress(f"round {number + 1} of {options.rounds}: {name} {load.requests_per_s:,.1f} requests/s")
        figures = [
            turns(name, loads[name], expected[computed], clients=clients)
            for name, (_, clients, computed) in contestants.items()
        ]
        capacity = figures[0].requests_per_s
        if not capacity:
            raise InputError(
                f"Nothing was answered within {options.seconds:g} s. Give more --seconds, or fewer --clients.",
                f"{options.seconds:g} 秒内没有任何请求得到答复。请加大 --seconds 或减少 --clients。",
            )
        with running(ours) as service:
            service.post(PATH, bodies[0])
            progress("at half of what it can answer")
            half = drive(service.url + PATH, bodies, seconds=options.seconds, rate=capacity / 2)
            figures.append(turns("wenmo, half load", [half], expected[precision], rate=capacity / 2))
            progress(f"{OVERLOAD:g} times what it can answer, for {options.overload_s:g} s")
            before_mib = service.resident_mib()
            much = drive(service.url + PATH, bodies, seconds=options.overload_s, rate=capacity * OVERLOAD)
            after_mib = service.resident_mib()
            figures.append(turns("wenmo, overload", [much], expected[precision], rate=capacity * OVERLOAD))
    progress("label sets asked again; a start")
    return {
        "benchmark": "load",
        "machine": machine(),
        "taken": datetime.now().astimezone().isoformat(timespec="seconds"),
        "shape": options.shape,
        "weights": "bundled" if options.shape == "bundled" else "random",
        "parameters": checkpoint.parameters,
        "precision": precision,
        "texts": len(texts),
        "characters": {"least": min(map(len, texts)), "most": max(map(len, texts))},
        "seconds": options.seconds,
        "rounds": options.rounds,
        "figures": [asdict(figure) for figure in figures],
        "ratios": {
            figure.name: round(capacity / figure.requests_per_s, 3)
            for figure in figures[1 : len(contestants)]
            if figure.requests_per_s
        },
        "overload": {
            "times": OVERLOAD,
            "seconds": options.overload_s,
            "before_mib": round(before_mib, 1),
            "after_mib": round(after_mib, 1),
            "p99_ratio": _p99_ratio(figures),
        },
        "labels": repeated_labels(clients=options.clients, seconds=min(options.seconds, 5.0)),
        "start": start(),
    }


def _p99_ratio(figures: Sequence[Turns]) -> float | None:
    """Of the accepted calls in overload over those at `clients` at once."""
    usual, much = figures[0].answered, figures[-1].answered
    return None if usual is None or much is None else round(much.p99_ms / usual.p99_ms, 2)


def _direct(folder: Path, texts: Sequence[str], precision: str) -> list[float]:
    """What the engine itself answers, without any service."""
    models = {"sentiment": folder}
    with Engine(device="cpu", precision=precision, calibrated=False, cache_mib=0, models=models) as engine:
        return [result.positive for result in engine.sentiment(texts)]


def forward_inputs(metrics: str, task: str) -> float:
    """Rows that forwards were given since the start, from the text of /metrics; 0 before the task's first."""
    samples = (sample for family in text_string_to_metric_families(metrics) for sample in family.samples)
    wanted = "wenmo_forward_inputs_sum"
    return sum(sample.value for sample in samples if sample.name == wanted and sample.labels["task"] == task)


def repeated_labels(*, clients: int, seconds: float, count: int = 20) -> dict[str, float]:
    """Rows of forward that `count` texts with ten labels cost at first, again (many times), and with one label more."""

    def rows(service: Service) -> float:
        return forward_inputs(service.get("/api/metrics").decode(), "zero_shot")

    texts = [f"第{number}号订单什么时候能送到" for number in range(count)]
    path = "/api/v1/zero-shot"
    ten = _with_labels(texts, LABELS[:10])
    with running(services.wenmo(device="cpu")) as service:
        for body in ten:
            service.post(path, body)
        first = rows(service)
        load = drive(service.url + path, ten, seconds=seconds, clients=clients, warm_s=0.0)
        again = rows(service)
        for body in _with_labels(texts, LABELS):
            service.post(path, body)
        more = rows(service)
    return {
        "rows_at_first": first / count,
        "rows_again": again - first,
        "rows_for_one_label_more": (more - again) / count,
        "requests_per_s_again": round(load.requests_per_s, 1),
    }


def _with_labels(texts: Sequence[str], labels: Sequence[str]) -> list[dict[str, Any]]:
    return [{"texts": [text], "labels": list(labels), "template": "这句话与{}有关"} for text in texts]


def start() -> dict[str, float]:
    """From the start of `wenmo serve`, as shipped, to ready and to the first answer; memory with all models in use."""
    begin = time.perf_counter()
    with running(services.wenmo(device="cpu")) as service:
        service.post(PATH, {"text": "墨色温润"})
        first_answer_s = time.perf_counter() - begin
        service.post("/api/v1/similarity", {"pairs": [["墨色温润", "墨色很好"]]})
        service.post("/api/v1/zero-shot", {"texts": ["墨色温润"], "labels": ["文具", "天气"]})
        service.post("/api/v1/embed", {"texts": ["墨色温润"]})
        return {
            "ready_s": round(service.ready_s, 2),
            "first_answer_s": round(first_answer_s, 2),
            "resident_all_models_mib": round(service.resident_mib(), 1),
        }


def table(report: Mapping[str, Any]) -> str:
    """The report as Markdown."""
    lines = [
        "| what | asked by | requests/s (lowest - highest) | ours is | p50 / p95 / p99, ms | answers | wrong |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for figure in report["figures"]:
        ratio = report["ratios"].get(figure["name"])
        asked = f"{figure['clients']} at once" if figure["clients"] else f"{figure['rate']:,} a second"
        times = figure["answered"]
        shown = "-" if times is None else " / ".join(f"{times[name]:,.0f}" for name in ("p50_ms", "p95_ms", "p99_ms"))
        statuses = ", ".join(f"{status}: {count:,}" for status, count in figure["by_status"].items())
        lines.append(
            f"| {figure['name']} | {asked} | {figure['requests_per_s']:,.1f} ({figure['lowest']:,.1f} - "
            f"{figure['highest']:,.1f}) | {'' if ratio is None else f'{ratio:.2f} times as fast'} | {shown} "
            f"| {statuses} | {figure['wrong']} |"
        )
    overload, labels, begun = report["overload"], report["labels"], report["start"]
    lines += [
        "",
        f"Overload, {overload['times']:g} times for {overload['seconds']:g} s: resident memory "
        f"{overload['before_mib']:,.0f} -> {overload['after_mib']:,.0f} MiB, p99 of the accepted "
        f"{overload['p99_ratio']} times that of {OURS} above.",
        f"Ten labels, a text: {labels['rows_at_first']:g} rows of forward at first, {labels['rows_again']:g} again, "
        f"{labels['rows_for_one_label_more']:g} for one label more.",
        f"As shipped: ready after {begun['ready_s']} s, first answer after {begun['first_answer_s']} s, "
        f"{begun['resident_all_models_mib']:,.0f} MiB with all four models.",
    ]
    return "\n".join(lines)
