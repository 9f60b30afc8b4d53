"""Zero-shot classification beside transformers' pipeline, on the same weights in the same run.

    python -m benchmarks.zero_shot [--texts FILE.parquet] [--count 100] [--labels 10] [--rounds 3]

Both answer the same texts with the same labels and the same template; their probabilities are compared first. The last
line is JSON.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wenmo.engine import Engine
from wenmo.lab.padded import export, tokenizer_of
from wenmo.lab.throughput import invented_reviews, read_items, write_result
from wenmo.models.checkpoint import load_checkpoint
from wenmo.models.registry import locate
from wenmo.tasks.zero_shot import ZERO_SHOT
from wenmo.telemetry.machine import machine

TEMPLATE = "这段话与{}有关"
LABELS = [
    "体育",
    "科技",
    "财经",
    "娱乐",
    "旅游",
    "教育",
    "美食",
    "汽车",
    "房产",
    "军事",
    "医疗",
    "法律",
    "农业",
    "天气",
    "历史",
    "音乐",
    "电影",
    "游戏",
    "宠物",
    "家居",
]
Answer = Callable[[Sequence[str]], np.ndarray]


def _ours(folder: Path, labels: list[str], precision: str) -> Answer:
    engine = Engine(device="cpu", precision=precision, models={"zero_shot": folder}, calibrated=False, cache_mib=0)

    def answer(texts: Sequence[str]) -> np.ndarray:
        results = engine.zero_shot(texts, labels=labels, template=TEMPLATE, method="nli")
        return np.asarray([[result.scores[label] for label in labels] for result in results])

    return answer


def _theirs(folder: Path, labels: list[str], batch: int) -> Answer:
    from transformers import BertForSequenceClassification, pipeline

    model = BertForSequenceClassification.from_pretrained(folder)
    model.config.id2label = dict(enumerate(ZERO_SHOT.label_names))
    model.config.label2id = {
        name: index for index, name in enumerate(ZERO_SHOT.label_names)
    }  # without it, it ranks upside down
    pipe: Any = pipeline("zero-shot-classification", model=model, tokenizer=tokenizer_of(folder), device="cpu")

    def answer(texts: Sequence[str]) -> np.ndarray:
        results = pipe(list(texts), labels, hypothesis_template=TEMPLATE, batch_size=batch)
        scores = [dict(zip(result["labels"], result["scores"], strict=True)) for result in results]
        return np.asarray([[each[label] for label in labels] for each in scores])

    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--labels", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="write the JSON there, too")
    options = parser.parse_args()
    items = read_items(options.texts, options.count) if options.texts else invented_reviews(options.count)
    texts = [item if isinstance(item, str) else item[0] for item in items]
    labels = LABELS[: options.labels]
    bundled = locate(ZERO_SHOT.bundled)
    with tempfile.TemporaryDirectory() as folder:
        export(load_checkpoint(bundled), Path(folder))
        contestants = {
            "wenmo fp32": _ours(bundled, labels, "fp32"),
            "transformers pipeline, batch 1": _theirs(Path(folder), labels, 1),
            "transformers pipeline, batch 32": _theirs(Path(folder), labels, 32),
        }
        reference = contestants["wenmo fp32"](texts)
        differences = {name: float(np.abs(run(texts) - reference).max()) for name, run in contestants.items()}
        speeds: dict[str, list[float]] = {name: [] for name in contestants}
        for _ in range(options.rounds):
            for name, run in contestants.items():
                start = time.perf_counter()
                run(texts)
                speeds[name].append(len(texts) / (time.perf_counter() - start))
    median = {name: statistics.median(values) for name, values in speeds.items()}
    print("| what | texts/s | ours is | largest difference of a probability |")
    print("| --- | --- | --- | --- |")
    for name, speed in median.items():
        ratio = median["wenmo fp32"] / speed
        print(f"| {name} | {speed:,.1f} | {ratio:.2f} times as fast | {differences[name]:.1e} |")
    result = {
        "benchmark": "zero-shot",
        "machine": machine(),
        "texts": len(texts),
        "labels": len(labels),
        "rounds": options.rounds,
        "texts_per_s": {name: round(speed, 2) for name, speed in median.items()},
        "largest_difference": differences,
    }
    write_result(result, options.out)


if __name__ == "__main__":
    main()
