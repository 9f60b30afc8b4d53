"""How fast the forward is on this machine, beside others in the same run: `python -m wenmo bench`.

Contestants take turns, round after round, so that a machine that slows down slows all of them; medians are compared.
Each is timed from texts to logits. What a figure means is told by the machine's own matrix peak, taken in every round:
the operations of the full model on real pieces (no padding; multiplications and additions) a second, as a share of it.
"""

from __future__ import annotations

import json
import os
import platform
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
from wenmo.inference.runtime import TorchRuntime
from wenmo.inference.workers import WorkerPool
from wenmo.models.checkpoint import Checkpoint, load_checkpoint, random_weights
from wenmo.models.registry import locate
from wenmo.models.shape import BertShape, shape_of
from wenmo.tasks.encode import encode_pairs, encode_texts
from wenmo.tasks.table import TASKS
from wenmo.tokenizer import Encoding
from wenmo.types import Precision, TaskName

ShapeName = Literal["bundled", "base", "large"]
Items = Sequence[str] | Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One contestant. `share_of_peak` is against the float32 matrix peak of the same run."""

    name: str
    items_per_s: float  # median over the rounds
    lowest: float
    highest: float
    share_of_peak: float
    largest_difference: float  # of a logit, against ours in float32


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Milliseconds of a call with one item, by contestant."""

    name: str
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, kw_only=True)
class Report:
    """`weights`: "bundled" or "random"; `ratios`: ours in `precision`, the first asked for, over each other."""

    machine: str
    device: str
    precision: str
    shape: str
    weights: str
    items: int
    pieces: int
    rounds: int
    peak_gflops: float
    figures: tuple[Figure, ...]
    ratios: Mapping[str, float]


def machine() -> str:
    """The processor's name and the number of its cores."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores"


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
    """Texts of 50 to 500 characters without meaning, evenly spread, always the same."""
    rng = np.random.default_rng(0)
    first, last = 0x4E00, 0x5200  # the first thousand of Unicode's Han characters, most of them in any vocabulary
    lengths = rng.integers(50, 501, size=count)
    return ["".join(map(chr, rng.integers(first, last, size=length))) for length in lengths]


def operations(encodings: Sequence[Encoding], shape: BertShape) -> float:
    """Of the full model's matrix products on real pieces: 2 a multiplication with its addition.

    A layer has 4 H^2 + 2 H I weights in its linear layers, each used once a piece, and attention takes 2 H products a
    pair of pieces. Pooler, classifier and everything that is no matrix product are left out.
    """
    hidden, inner, layers = shape.hidden_size, shape.intermediate_size, shape.num_hidden_layers
    lengths = np.asarray([len(encoding) for encoding in encodings], dtype=np.float64)
    linear = lengths.sum() * (4 * hidden * hidden + 2 * hidden * inner)
    return float(2 * layers * (linear + (lengths**2).sum() * 2 * hidden))


def matrix_peak(device: torch.device, *, size: int = 2048, seconds: float = 1.0) -> float:
    """Operations a second of a square float32 product, the best of those that fit into `seconds`."""
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
    """The JSON that ends every benchmark: on the last line of its output, and in `out` where it is given."""
    line = json.dumps(result, ensure_ascii=False)
    if out is not None:
        out.write_text(line + "\n", encoding="utf-8")
    print(line)


def _encode(checkpoint: Checkpoint, items: Items) -> list[Encoding]:
    if isinstance(items[0], str):
        return encode_texts(checkpoint.tokenizer, items, max_length=512)  # type: ignore[arg-type]
    return encode_pairs(checkpoint.tokenizer, items, max_length=512)  # type: ignore[arg-type]


def _ours(checkpoint: Checkpoint, device: str, precision: Precision) -> Callable[[Items], np.ndarray]:
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
    peers: Mapping[str, Callable[[Path], Callable[[Items], np.ndarray]]] | None,
    export: Callable[[Checkpoint, Path], None] | None,
    folder: Path,
    progress: Callable[[str], None],
) -> dict[str, Callable[[Items], np.ndarray]]:
    """Ours first, in each precision, then the peers on the same checkpoint, written to `folder` for them."""
    contestants = {f"wenmo {each}": _ours(checkpoint, device, each) for each in _resolved(precision, device)}
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
    peers: Mapping[str, Callable[[Path], Callable[[Items], np.ndarray]]] | None = None,
    export: Callable[[Checkpoint, Path], None] | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> Report:
    """Let ours and the `peers` take turns over `items`. `export` writes the checkpoint for the peers to load.

    `precision`: one, or several with commas between, each of which takes turns, too.
    """
    checkpoint = checkpoint_of(shape)
    with tempfile.TemporaryDirectory() as folder:
        contestants = _contestants(checkpoint, device, precision, peers, export, Path(folder), progress)
        reference = _ours(checkpoint, device, "fp32")(items)
        differences = {}
        for name, run in list(contestants.items()):
            try:
                differences[name] = float(np.abs(run(items) - reference).max())
            except NotImplementedError as why:  # a peer that reads pairs alone, say
                progress(f"{name} is left out: {why}")
                del contestants[name]
        encodings = _encode(checkpoint, items)
        work = operations(encodings, checkpoint.shape)
        where = resolve_device(device).value
        speeds: dict[str, list[float]] = {name: [] for name in contestants}
        peaks = []
        for number in range(rounds):
            peaks.append(matrix_peak(torch.device(where)))
            for name, run in contestants.items():
                start = time.perf_counter()
                run(items)
                speeds[name].append(len(items) / (time.perf_counter() - start))
                progress(f"round {number + 1} of {rounds}: {name} {speeds[name][-1]:,.1f} a second")
    peak = statistics.median(peaks)
    median = {name: statistics.median(values) for name, values in speeds.items()}
    first = next(iter(contestants))
    return Report(
        machine=machine(),
        device=where,
        precision=_resolved(precision, device)[0],
        shape=shape,
        weights="bundled" if shape == "bundled" else "random",
        items=len(items),
        pieces=sum(len(encoding) for encoding in encodings),
        rounds=rounds,
        peak_gflops=round(peak / 1e9, 1),
        figures=tuple(
            Figure(
                name=name,
                items_per_s=round(median[name], 3),
                lowest=round(min(values), 3),
                highest=round(max(values), 3),
                share_of_peak=round(median[name] / len(items) * work / peak, 4),
                largest_difference=differences[name],
            )
            for name, values in speeds.items()
        ),
        ratios={name: round(median[first] / median[name], 3) for name in contestants if name != first},
    )


def latency(
    *,
    shape: ShapeName,
    items: Items,
    device: str = "auto",
    precision: str = "auto",
    peers: Mapping[str, Callable[[Path], Callable[[Items], np.ndarray]]] | None = None,
    export: Callable[[Checkpoint, Path], None] | None = None,
) -> list[Latency]:
    """One item a call, contestants in turn for every item; ours first."""
    checkpoint = checkpoint_of(shape)
    with tempfile.TemporaryDirectory() as folder:
        contestants = _contestants(checkpoint, device, precision, peers, export, Path(folder), lambda line: None)
        times: dict[str, list[float]] = {name: [] for name in contestants}
        for run in contestants.values():
            run(items[:1])
        for index in range(len(items)):
            for name, run in contestants.items():
                start = time.perf_counter()
                run(items[index : index + 1])
                times[name].append((time.perf_counter() - start) * 1000)
    return [
        Latency(name=name, p50_ms=_percentile(taken, 50), p95_ms=_percentile(taken, 95))
        for name, taken in times.items()
    ]


def _percentile(values: list[float], share: float) -> float:
    return round(float(np.percentile(values, share)), 2)


def table(report: Report) -> str:
    """The report as Markdown."""
    lines = [
        "| what | items/s (lowest - highest) | of the fp32 peak | ours is | largest difference of a logit |",
        "| --- | --- | --- | --- | --- |",
    ]
    for figure in report.figures:
        ratio = report.ratios.get(figure.name)
        lines.append(
            f"| {figure.name} | {figure.items_per_s:,.2f} ({figure.lowest:,.2f} - {figure.highest:,.2f}) "
            f"| {figure.share_of_peak:.0%} | {'' if ratio is None else f'{ratio:.2f} times as fast'} "
            f"| {figure.largest_difference:.1e} |"
        )
    return "\n".join(lines)
