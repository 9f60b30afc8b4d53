"""Measure the speed of the forward pass on this machine, beside peers in the same run: `python -m wenmo bench`.

Contestants take turns, round after round, so that a machine that slows down slows all of them; medians are compared.
Each is timed from texts to logits. Every round also measures the machine's peak speed in a float32 matrix product, so
that a speed can be given as a share of it.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow.parquet as pq
import torch

from wenmo.errors import InputError
from wenmo.inference.precision import computes_natively, resolve_device, resolve_precision
from wenmo.inference.torch_runtime import TorchRuntime
from wenmo.inference.workers import WorkerPool
from wenmo.lab.padded import Answer, Items
from wenmo.models.checkpoint import Checkpoint, load_checkpoint
from wenmo.models.registry import locate
from wenmo.models.shape import BertShape, shape_of
from wenmo.models.weights import random_weights
from wenmo.tasks.encode import encode_pairs, encode_texts
from wenmo.tasks.table import TASKS
from wenmo.telemetry.machine import machine
from wenmo.tokenizer import Encoding
from wenmo.types import Precision, TaskName

ShapeName = Literal["bundled", "base", "large"]
Peers = Mapping[str, Callable[[Path], Answer]]  # each loads the exported checkpoint from a folder
SAME_DECISIONS = 0.005  # share of items with another best label that still counts as none, as for precision=auto
OURS = "wenmo "  # begins the names of our contestants
Export = Callable[[Checkpoint, Path], None]  # writes a checkpoint in the layout that peers load


@dataclass(frozen=True, kw_only=True)
class ContestantResult:
    """One contestant's speed. `share_of_peak` compares the operations that it does with the matrix peak of its run."""

    name: str
    items_per_s: float  # median over the rounds
    lowest: float
    highest: float
    share_of_peak: float
    largest_difference: float  # of a logit, against ours in float32
    decisions_changed: float  # share of the items with another best label than ours in float32


@dataclass(frozen=True, kw_only=True)
class Latency:
    """How long one contestant takes for a call with one item."""

    name: str
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, kw_only=True)
class ThroughputResult:
    """All contestants of one run, as in the files of benchmarks/results/.

    `weights` is "bundled" or "random". `tokens` is the number of tokens of all items, without padding. `precision` is
    the first of those that were asked for, and `ratios` are the speed of ours in that precision over each other's.
    """

    machine: str
    device: str
    precision: str
    shape: str
    weights: str
    items: int
    tokens: int
    rounds: int
    peak_gflops: float
    figures: tuple[ContestantResult, ...]
    ratios: Mapping[str, float]


def checkpoint_of(shape: ShapeName, task: TaskName = "sentiment") -> Checkpoint:
    """The bundled model of `task`, or one of another size with random weights and the bundled vocabulary."""
    bundled = load_checkpoint(locate(TASKS[task].bundled))
    if shape == "bundled":
        return bundled
    sizes = shape_of(shape)
    weights = random_weights(sizes, labels=len(bundled.labels))
    parts = {**vars(bundled), "shape": sizes, "weights": weights, "max_length": 512}
    return Checkpoint(**{**parts, "parameters": sum(tensor.numel() for tensor in weights.values())})


def read_items(path: Path, count: int) -> Items:
    """The first `count` rows of a Parquet file: its column `text`, or its columns `text_a` and `text_b`."""
    try:
        names = set(pq.read_schema(path).names)
        columns = ["text"] if "text" in names else ["text_a", "text_b"]
        table = pq.read_table(path, columns=columns).slice(0, count)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"Cannot read {path}: {error}. Give a Parquet file with a column text, or text_a and text_b.",
            f"无法读取 {path}：{error}。请给出含有 text 列（或 text_a 与 text_b 列）的 Parquet 文件。",
        ) from None
    rows = [table[column].to_pylist() for column in columns]
    return rows[0] if len(rows) == 1 else list(zip(*rows, strict=True))


def invented_reviews(count: int) -> list[str]:
    """`count` meaningless texts, the same in every run, whose lengths are uniform from 50 to 500 characters."""
    rng = np.random.default_rng(0)
    first, last = 0x4E00, 0x5200  # the first thousand of Unicode's Han characters, most of them in any vocabulary
    lengths = rng.integers(50, 501, size=count)
    return ["".join(map(chr, rng.integers(first, last, size=length))) for length in lengths]


def operations(encodings: Sequence[Encoding], shape: BertShape) -> float:
    """Count the operations of the full model's matrix products; a multiplication with its addition is two.

    Padding does not count. With hidden size H and inner size I, the linear layers of one encoder layer have
    4 H^2 + 2 H I weights, each used once per token, and attention takes 2 H multiplications per pair of tokens. Pooler,
    classifier and everything that is not a matrix product are left out.
    """
    hidden, inner, layers = shape.hidden_size, shape.intermediate_size, shape.num_hidden_layers
    lengths = np.asarray([len(encoding) for encoding in encodings], dtype=np.float64)
    linear = lengths.sum() * (4 * hidden * hidden + 2 * hidden * inner)
    return float(2 * layers * (linear + (lengths**2).sum() * 2 * hidden))


def matrix_peak(device: torch.device, *, size: int = 2048, seconds: float = 1.0) -> float:
    """Operations per second of the fastest float32 product of two square matrices within `seconds`."""
    a, b = torch.rand(size, size, device=device), torch.rand(size, size, device=device)
    best, end = float("inf"), time.perf_counter() + seconds
    with torch.inference_mode():
        while time.perf_counter() < end:
            start = time.perf_counter()
            a @ b
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best


def write_result(result: Mapping[str, Any], out: Path | None) -> None:
    """Print `result` as one line of JSON, the last line of every benchmark, and write it to `out` where it is given."""
    line = json.dumps(result, ensure_ascii=False)
    if out is not None:
        out.write_text(line + "\n", encoding="utf-8")
    print(line)


def _encode(checkpoint: Checkpoint, items: Items) -> list[Encoding]:
    if isinstance(items[0], str):
        return encode_texts(checkpoint.tokenizer, items, max_length=512)  # type: ignore[arg-type]
    return encode_pairs(checkpoint.tokenizer, items, max_length=512)  # type: ignore[arg-type]


def _ours(checkpoint: Checkpoint, device: str, precision: Precision) -> Answer:
    where = resolve_device(device).value
    runtime = TorchRuntime(
        checkpoint,
        device=torch.device(where),
        precision=precision,
        native=computes_natively(precision, where),
        workers=WorkerPool(torch.get_num_threads()) if where == "cpu" else None,
    )
    return lambda items: runtime.logits(_encode(checkpoint, items))


def _contestants(
    checkpoint: Checkpoint,
    device: str,
    precision: str,
    peers: Peers | None,
    export: Export | None,
    folder: Path,
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Answer]:
    """Ours first, in each precision, then the peers, which load the same checkpoint from `folder`."""
    contestants = {f"{OURS}{each}": _ours(checkpoint, device, each) for each in _resolved(precision, device)}
    if peers and export is not None:
        export(checkpoint, folder)
        for name, make in peers.items():
            progress(f"preparing {name}")
            contestants[name] = make(folder)
    return contestants


def _resolved(precisions: str, device: str) -> list[Precision]:
    where = resolve_device(device).value
    return [resolve_precision(each.strip(), where).value for each in precisions.split(",")]


def throughput(
    *,
    shape: ShapeName,
    items: Items,
    device: str = "auto",
    precision: str = "auto",
    rounds: int = 3,
    peers: Peers | None = None,
    export: Export | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> ThroughputResult:
    """Let ours and the `peers` take turns over `items`.

    `precision` is one precision or several separated by commas; ours takes a turn in each.
    """
    checkpoint = checkpoint_of(shape)
    encodings = _encode(checkpoint, items)
    with tempfile.TemporaryDirectory() as folder:
        contestants = _contestants(checkpoint, device, precision, peers, export, Path(folder), progress)
        differences = _differences(contestants, items, _ours(checkpoint, device, "fp32")(items), progress)
        able = {name: contestants[name] for name in differences}
        speeds, peak = _speeds(able, items, resolve_device(device).value, rounds, progress)
    median = {name: statistics.median(values) for name, values in speeds.items()}
    first = next(iter(median))
    work = operations(encodings, checkpoint.shape) / len(items)
    return ThroughputResult(
        machine=machine(),
        device=resolve_device(device).value,
        precision=_resolved(precision, device)[0],
        shape=shape,
        weights="bundled" if shape == "bundled" else "random",
        items=len(items),
        tokens=sum(len(encoding) for encoding in encodings),
        rounds=rounds,
        peak_gflops=round(peak / 1e9, 1),
        figures=tuple(
            ContestantResult(
                name=name,
                items_per_s=round(median[name], 3),
                lowest=round(min(values), 3),
                highest=round(max(values), 3),
                share_of_peak=round(median[name] * work / peak, 4),
                largest_difference=differences[name][0],
                decisions_changed=differences[name][1],
            )
            for name, values in speeds.items()
        ),
        ratios={name: round(median[first] / median[name], 3) for name in median if name != first},
    )


def _differences(
    contestants: Mapping[str, Answer], items: Items, reference: np.ndarray, progress: Callable[[str], None]
) -> dict[str, tuple[float, float]]:
    """The largest difference of a logit from `reference`, and the share of items with another best label.

    Of each contestant that can read such items.
    """
    found = {}
    for name, answer in contestants.items():
        try:
            logits = answer(items)
            changed = float((logits.argmax(axis=1) != reference.argmax(axis=1)).mean())
            found[name] = float(np.abs(logits - reference).max()), changed
        except NotImplementedError as why:  # a peer that reads pairs alone, say
            progress(f"{name} is left out: {why}")
    return found


def _speeds(
    contestants: Mapping[str, Answer], items: Items, device: str, rounds: int, progress: Callable[[str], None]
) -> tuple[dict[str, list[float]], float]:
    """Items per second of each contestant in each round, and the median of the rounds' matrix peaks."""
    speeds: dict[str, list[float]] = {name: [] for name in contestants}
    peaks = []
    for number in range(1, rounds + 1):
        peaks.append(matrix_peak(torch.device(device)))
        for name, answer in contestants.items():
            start = time.perf_counter()
            answer(items)
            speeds[name].append(len(items) / (time.perf_counter() - start))
            progress(f"round {number} of {rounds}: {name} {speeds[name][-1]:,.1f} a second")
    return speeds, statistics.median(peaks)


def latency(
    *,
    shape: ShapeName,
    items: Items,
    device: str = "auto",
    precision: str = "auto",
    peers: Peers | None = None,
    export: Export | None = None,
) -> list[Latency]:
    """Ask every contestant for one item after another, in turns; ours comes first."""
    checkpoint = checkpoint_of(shape)
    with tempfile.TemporaryDirectory() as folder:
        contestants = _contestants(checkpoint, device, precision, peers, export, Path(folder))
        times: dict[str, list[float]] = {name: [] for name in contestants}
        for answer in contestants.values():
            answer(items[:1])
        for index in range(len(items)):
            for name, answer in contestants.items():
                start = time.perf_counter()
                answer(items[index : index + 1])
                times[name].append((time.perf_counter() - start) * 1000)
    return [
        Latency(name=name, p50_ms=_percentile(taken, 50), p95_ms=_percentile(taken, 95))
        for name, taken in times.items()
    ]


def _percentile(values: list[float], share: float) -> float:
    return round(float(np.percentile(values, share)), 2)


def table(result: ThroughputResult) -> str:
    """The result as a table in Markdown."""
    lines = [
        "| what | items/s (lowest - highest) | of the fp32 peak | ours is | largest difference | other decisions |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for figure in result.figures:
        ratio = result.ratios.get(figure.name)
        lines.append(
            f"| {figure.name} | {figure.items_per_s:,.2f} ({figure.lowest:,.2f} - {figure.highest:,.2f}) "
            f"| {figure.share_of_peak:.0%} | {'' if ratio is None else f'{ratio:.2f} times as fast'} "
            f"| {figure.largest_difference:.1e} | {figure.decisions_changed:.1%} |"
        )
    if same := headline(result):
        lines += ["", same]
    return "\n".join(lines)


def headline(result: ThroughputResult) -> str:
    """The fastest of ours beside the fastest peer, of those that decide as float32 does; "" where one is missing."""
    same = [figure for figure in result.figures if figure.decisions_changed <= SAME_DECISIONS]
    ours = max((each for each in same if each.name.startswith(OURS)), key=_speed, default=None)
    peer = max((each for each in same if not each.name.startswith(OURS)), key=_speed, default=None)
    if ours is None or peer is None:
        return ""
    return (
        f"Fastest with the decisions of fp32 ({SAME_DECISIONS:.1%} may differ): {ours.name} {ours.items_per_s:,.1f} "
        f"a second, {ours.items_per_s / peer.items_per_s:.2f} times {peer.name} ({peer.items_per_s:,.1f})."
    )


def _speed(figure: ContestantResult) -> float:
    return figure.items_per_s
