"""The methods of zero-shot side by side: how often each is right, and how long a text takes.

    python -m benchmarks.zero_shot_methods --data DIR [--limit 400] [--out FILE]

On the topic rows that are held out of training (topics/train.parquet, see `held_out_rows`), whose label sets have 15 to
119 names. The texts are new to the models, the names are not. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from recipes.data_pack import held_out_rows
from wenmo.engine import Engine
from wenmo.evaluation.metrics import bootstrap_interval
from wenmo.lab.throughput import write_result
from wenmo.telemetry.machine import machine
from wenmo.types import ZeroShotMethod


def _questions(data: Path, limit: int) -> dict[str, tuple[list[str], list[str], list[str]]]:
    """For each task its held-out texts, their labels, and all names to choose from."""
    rows = pq.read_table(data / "topics" / "train.parquet").to_pylist()
    names: dict[str, list[str]] = json.loads((data / "topics" / "labels.json").read_text(encoding="utf-8"))
    held = [rows[index] for index in held_out_rows(len(rows))]
    questions = {}
    for task in sorted(names, key=lambda task: len(names[task])):
        own = [row for row in held if row["task"] == task][:limit]
        if own:
            questions[task] = ([row["text"] for row in own], [row["label"] for row in own], names[task])
    return questions


def _mean_of(values: np.ndarray) -> Callable[[np.ndarray], float]:
    return lambda rows: float(values[rows].mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=400, help="texts a label set (400)")
    parser.add_argument("--shortlists", default="5,10,20", help="of two_stage (5,10,20)")
    parser.add_argument("--out", type=Path, help="write the JSON there, too")
    options = parser.parse_args()
    shortlists = [int(count) for count in options.shortlists.split(",")]
    ways: list[tuple[ZeroShotMethod, int]] = [("nli", 0), ("ensemble", 0), ("embedding", 0)]
    ways += [("two_stage", count) for count in shortlists]
    figures: list[dict[str, Any]] = []
    print("| label set | labels | texts | method | accuracy (95% interval) | ms a text |")
    print("| --- | --- | --- | --- | --- | --- |")
    with Engine(device="cpu", precision="fp32", cache_mib=0) as engine:
        for task, (texts, truth, names) in _questions(options.data, options.limit).items():
            for method, shortlist in ways:
                if shortlist >= len(names):
                    continue
                ask = partial(engine.zero_shot, labels=names, method=method, shortlist=max(1, shortlist))
                ask(texts[:2])  # loads: not counted
                start = time.perf_counter()
                results = ask(texts)
                ms = (time.perf_counter() - start) / len(texts) * 1000
                right = np.asarray([result.label == label for result, label in zip(results, truth, strict=True)])
                low, high = bootstrap_interval(_mean_of(right), len(right))
                way = f"{method}, {shortlist} of them" if shortlist else method
                figure = {
                    "set": task,
                    "labels": len(names),
                    "texts": len(texts),
                    "method": way,
                    "accuracy": float(right.mean()),
                    "accuracy_interval": (low, high),
                    "ms_a_text": round(ms, 3),
                }
                figures.append(figure)
                print(
                    f"| {task} | {len(names)} | {len(texts)} | {way} | {100 * right.mean():.1f} "
                    f"({100 * low:.1f}-{100 * high:.1f}) | {ms:.2f} |",
                    flush=True,
                )
    write_result({"benchmark": "zero-shot-methods", "machine": machine(), "figures": figures}, options.out)


if __name__ == "__main__":
    main()
