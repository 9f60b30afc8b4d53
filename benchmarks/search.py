"""Search beside judging all pairs: how fast, and how often the true partner comes first.

    python -m benchmarks.search --data DIR [--questions 20000] [--answers 1000] [--all-pairs 100] [--out FILE]

Questions and answers are sentences of LCQMC's test (similarity/test_lcqmc.parquet). Each answer is the partner of one
question, by a pair whose label is "same meaning"; the other questions have no known partner, and only cost time. All
pairs are judged for the first `--all-pairs` questions, since all of them would take hours. The last line is JSON.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from wenmo.engine import Engine
from wenmo.evaluation.metrics import bootstrap_interval
from wenmo.lab.throughput import write_result
from wenmo.telemetry.machine import machine


def lists(data: Path, questions: int, answers: int) -> tuple[list[str], list[str]]:
    """The questions, the first of which have the answer of the same index as their partner, and the answers."""
    rows = pq.read_table(data / "similarity" / "test_lcqmc.parquet").to_pylist()
    pairs: list[tuple[str, str]] = []
    seen: set[str] = set()
    for row in rows:
        first, second = row["text_a"], row["text_b"]
        if row["label"] == 1 and first != second and not {first, second} & seen and len(pairs) < answers:
            seen |= {first, second}
            pairs.append((first, second))
    others = dict.fromkeys(text for row in rows for text in (row["text_a"], row["text_b"]) if text not in seen)
    asked = [first for first, _ in pairs] + list(others)
    return asked[:questions], [second for _, second in pairs]


def _recall(found: Sequence[int]) -> dict[str, Any]:
    """Of questions whose partners have their own indices."""
    right = np.asarray([best == own for own, best in enumerate(found)])
    mean: Callable[[np.ndarray], float] = lambda rows: float(right[rows].mean())  # noqa: E731
    return {"recall_at_1": float(right.mean()), "interval": bootstrap_interval(mean, len(right)), "of": len(right)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--questions", type=int, default=20_000)
    parser.add_argument("--answers", type=int, default=1_000)
    parser.add_argument("--rerank", type=int, default=10)
    parser.add_argument("--all-pairs", type=int, default=100, help="questions for which all pairs are judged (100)")
    parser.add_argument("--out", type=Path, help="write the JSON there, too")
    options = parser.parse_args()
    questions, answers = lists(options.data, options.questions, options.answers)
    judged = min(options.all_pairs, len(answers))
    figures: list[dict[str, Any]] = []

    def report(way: str, seconds: float, asked: int, best: Sequence[int]) -> None:
        figure = {
            "way": way,
            "questions": asked,
            "answers": len(answers),
            "seconds": round(seconds, 2),
            "pairs_per_s": round(asked * len(answers) / seconds),
            "all": _recall(best[: len(answers)]),
            "those_of_all_pairs": _recall(best[:judged]),
        }
        figures.append(figure)
        print(figure, flush=True)

    with Engine(device="cpu", precision="fp32", cache_mib=0) as engine:
        engine.search(questions[:2], answers[:2])  # loads: not counted
        for way, rerank in (("vectors", 0), (f"vectors, {options.rerank} judged", options.rerank)):
            start = time.perf_counter()
            hits = engine.search(questions, answers, top_k=1, rerank=rerank)
            report(way, time.perf_counter() - start, len(questions), [found[0].index for found in hits])
        start = time.perf_counter()
        results = engine.similarity([(question, answer) for question in questions[:judged] for answer in answers])
        scores = np.asarray([result.similarity for result in results]).reshape(judged, len(answers))
        report("all pairs judged", time.perf_counter() - start, judged, scores.argmax(axis=1).tolist())
    write_result({"benchmark": "search", "machine": machine(), "figures": figures}, options.out)


if __name__ == "__main__":
    main()
