"""How good the bundled models are, what half precision and INT8 cost them, and what vectors alone would do.

    python -m benchmarks.accuracy --data DIR [--out FILE] [--precisions fp32,bf16,int8] [--limit N] [--sets NAMES]

DIR holds the public test sets (similarity/test_*.parquet and so on). Prints two Markdown tables; the last line is JSON.
The vector baselines use the embedding model: cosines, for pairs with the threshold that is best on
similarity/dev.parquet, for topics the label whose vector is nearest.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow.parquet as pq

from wenmo.engine import Engine
from wenmo.evaluation.evaluate import EvalTask, Evaluation, evaluate
from wenmo.evaluation.everyday import everyday
from wenmo.evaluation.metrics import bootstrap_interval
from wenmo.lab.throughput import write_result
from wenmo.tasks.everyday import QuestionSet
from wenmo.telemetry.machine import machine

SETS: tuple[tuple[str, EvalTask, str], ...] = (
    ("ChnSentiCorp", "sentiment", "sentiment/test_chnsenticorp.parquet"),
    ("waimai", "sentiment", "sentiment/test_waimai.parquet"),
    ("LCQMC", "similarity", "similarity/test_lcqmc.parquet"),
    ("AFQMC", "similarity", "similarity/test_afqmc.parquet"),
    ("OCNLI", "nli", "nli/test_ocnli.parquet"),
    ("TNEWS", "zero-shot", "topics/test_tnews.parquet"),
)


def _cosines(engine: Engine, path: Path, limit: int | None) -> tuple[np.ndarray, np.ndarray]:
    table = pq.read_table(path).slice(0, limit)
    pairs = list(zip(table["text_a"].to_pylist(), table["text_b"].to_pylist(), strict=True))
    return engine.cosine_similarity(pairs), np.asarray(table["label"].to_pylist())


def _best_threshold(cosines: np.ndarray, label: np.ndarray) -> float:
    tried = np.quantile(cosines, np.linspace(0, 1, 501))
    return float(tried[np.argmax([((cosines >= value) == label).mean() for value in tried])])


def _figure(name: str, correct: np.ndarray) -> dict[str, Any]:
    interval = bootstrap_interval(lambda rows: float(correct[rows].mean()), len(correct))
    return {"set": name, "n": len(correct), "accuracy": float(correct.mean()), "accuracy_interval": interval}


def vector_baselines(data: Path, limit: int | None) -> list[dict[str, Any]]:
    """Accuracy of cosines on the pair sets and on TNEWS."""
    figures = []
    with Engine(device="cpu", precision="fp32", cache_mib=0) as engine:
        threshold = _best_threshold(*_cosines(engine, data / "similarity" / "dev.parquet", limit))
        for name, task, file in SETS:
            if task == "similarity":
                cosines, label = _cosines(engine, data / file, limit)
                figures.append({**_figure(name, (cosines >= threshold) == label), "threshold": threshold})
            elif task == "zero-shot":
                nearest = evaluate(engine, task, data / file, limit=limit, method="embedding")
                figures.append(
                    {
                        "set": name,
                        "n": nearest.n,
                        "accuracy": nearest.accuracy,
                        "accuracy_interval": nearest.accuracy_interval,
                    }
                )
    return figures


def own_questions(engine: Engine) -> list[dict[str, Any]]:
    """Accuracy on each set of the project's own questions; of the neutral ones the share that it is unsure of."""
    found = everyday(engine)
    return [
        _figure(f"everyday {name}", np.asarray([each.right for each in found if each.questions == name]))
        for name in get_args(QuestionSet)
    ]


def _percent(value: float, interval: tuple[float, float] | None = None) -> str:
    shown = f"{100 * value:.1f}"
    return shown if interval is None else f"{shown} ({100 * interval[0]:.1f}-{100 * interval[1]:.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="write the JSON there, too")
    parser.add_argument("--precisions", default="fp32,bf16,int8")
    parser.add_argument("--limit", type=int, help="only the first rows of each set")
    parser.add_argument("--sets", default=",".join(name for name, _, _ in SETS), help="separated by commas (all)")
    options = parser.parse_args()
    sets = [each for each in SETS if each[0] in options.sets.split(",")]
    evaluations: list[tuple[str, Evaluation]] = []
    # What the others are held against is computed once and kept.
    with Engine(device="cpu", precision="fp32", cache_mib=1024) as exact:
        for precision in options.precisions.split(","):
            with Engine(device="cpu", precision=precision, cache_mib=0) as other:
                for name, task, file in sets:
                    engine, against = (exact, None) if precision == "fp32" else (other, exact)
                    print(f"{name} {precision}", file=sys.stderr, flush=True)
                    evaluation = evaluate(engine, task, options.data / file, limit=options.limit, against=against)
                    evaluations.append((name, evaluation))
    with Engine(device="cpu", precision="fp32") as engine:
        own = own_questions(engine)
    vectors = vector_baselines(options.data, options.limit)
    print("| test set | n | accuracy (95% interval) | macro F1 | ECE | cosine of vectors |")
    print("| --- | --- | --- | --- | --- | --- |")
    cosine = {figure["set"]: _percent(figure["accuracy"]) for figure in vectors}
    for name, each in evaluations:
        if each.precision == "fp32":
            shown = _percent(each.accuracy, each.accuracy_interval)
            ece, f1 = _percent(each.ece, each.ece_interval), _percent(each.macro_f1)
            print(f"| {name} | {each.n:,} | {shown} | {f1} | {ece} | {cosine.get(name, '')} |")
    for figure in own:
        shown = _percent(figure["accuracy"], figure["accuracy_interval"])
        print(f"| {figure['set']} | {figure['n']:,} | {shown} | | | |")
    print("\n| test set | precision | points lost against fp32 (95% interval) | decisions changed |")
    print("| --- | --- | --- | --- |")
    for name, each in evaluations:
        if each.against is not None:
            low, high = each.against.accuracy_lost_interval
            lost = f"{each.against.accuracy_lost:.2f} ({low:.2f} to {high:.2f})"
            print(f"| {name} | {each.precision} | {lost} | {100 * each.against.decisions_changed:.2f}% |")
    result = {
        "benchmark": "accuracy",
        "machine": machine(),
        "evaluations": [{"set": name, **asdict(each)} for name, each in evaluations],
        "everyday": own,
        "vectors": vectors,
    }
    write_result(result, options.out)


if __name__ == "__main__":
    main()
