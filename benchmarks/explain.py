"""How faithful explanations are: does the score fall fast when parts are hidden in the order of their weights?

    python -m benchmarks.explain --texts FILE.parquet [--count 60] [--out FILE.json]

Texts are read by the sentiment model, pairs by the similarity model.

Parts are taken away cumulatively, a tenth of the text a step, the strongest first, and the probability of the class
that the model had chosen is averaged over the curve (area under the deletion curve; Petsiuk et al., 2018, arXiv
1806.07421; lower is better). Orders: ours, which replaces a part by [MASK]; the same by taking its tokens out; and at
random, the mean of three. Either way of hiding is judged by both, since each flatters itself. The last line is JSON.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from wenmo.engine import Engine
from wenmo.lab.throughput import read_items, write_result
from wenmo.tasks.encode import encode_pairs, encode_texts
from wenmo.tasks.explain import Unit, mask, units
from wenmo.telemetry.machine import machine
from wenmo.tokenizer import Encoding

STEPS = 10
RANDOM_ORDERS = 3
Hide = Callable[[Encoding, Sequence[Unit], int], Encoding]


def by_mask(encoding: Encoding, hidden: Sequence[Unit], mask_id: int) -> Encoding:
    """Every token of `hidden` becomes [MASK]."""
    for unit in hidden:
        encoding = mask(encoding, unit, mask_id=mask_id)
    return encoding


def by_removal(encoding: Encoding, hidden: Sequence[Unit], mask_id: int) -> Encoding:
    """Every token of `hidden` is taken out."""
    gone = {position for unit in hidden for position in range(unit.first, unit.last)}
    second = len(encoding) - encoding.segment_b
    kept = tuple(token for position, token in enumerate(encoding.input_ids) if position not in gone)
    return replace(encoding, input_ids=kept, segment_b=encoding.segment_b - sum(each >= second for each in gone))


RULES: dict[str, Hide] = {"mask": by_mask, "removal": by_removal}


def areas(engine: Engine, texts: Sequence[str], random: np.random.Generator) -> dict[tuple[str, str], float] | None:
    """(order, how it is judged) -> area under the deletion curve of one input; None where it has under five units."""
    model = engine._models.get("similarity" if len(texts) == 2 else "sentiment")
    if len(texts) == 2:
        (base,) = encode_pairs(model.tokenizer, [(texts[0], texts[1])], max_length=model.info.max_length)
    else:
        (base,) = encode_texts(model.tokenizer, texts, max_length=model.info.max_length)
    words = [model.tokenizer.words(text, limit=model.info.max_length) for text in texts]
    found = units(base, texts, words)
    if len(found) < 5:
        return None
    mask_id = model.tokenizer.mask_id

    def odds(encodings: list[Encoding]) -> np.ndarray:
        logits = model.bulk.logits(encodings)
        return logits[:, 1] - logits[:, 0]

    whole = float(odds([base])[0])
    sign = 1.0 if whole >= 0 else -1.0
    orders = {
        name: np.argsort(sign * odds([rule(base, [unit], mask_id) for unit in found]), kind="stable")
        for name, rule in RULES.items()
    }
    orders |= {f"random {number}": random.permutation(len(found)) for number in range(RANDOM_ORDERS)}
    result: dict[tuple[str, str], float] = {}
    for judge, rule in RULES.items():
        for name, order in orders.items():
            counts = [round(len(found) * step / STEPS) for step in range(1, STEPS + 1)]
            left = odds([rule(base, [found[index] for index in order[:count]], mask_id) for count in counts])
            curve = 1.0 / (1.0 + np.exp(-sign * np.concatenate([[whole], left])))
            key = (name.split()[0], judge)
            result[key] = result.get(key, 0.0) + float(curve.mean()) / (RANDOM_ORDERS if key[0] == "random" else 1)
    return result


def main() -> None:
    """See the head of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, required=True, help="Parquet with text, or text_a and text_b")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--out", type=Path, help="write the JSON there, too")
    options = parser.parse_args()
    items = read_items(options.texts, options.count)
    engine = Engine(device="cpu", precision="fp32", cache_mib=0)
    random = np.random.default_rng(0)
    each = [areas(engine, (item,) if isinstance(item, str) else item, random) for item in items]
    counted = [area for area in each if area is not None]
    mean = {
        f"{order}, judged by {judge}": round(float(np.mean([area[order, judge] for area in counted])), 4)
        for order, judge in counted[0]
    }
    print("| order | area |\n| --- | --- |")
    for name, value in mean.items():
        print(f"| {name} | {value} |")
    result = {
        "benchmark": "explain",
        "machine": machine(),
        "texts": options.texts.name,
        "inputs": len(counted),
        "steps": STEPS,
        "deletion_area": mean,
    }
    write_result(result, options.out)


if __name__ == "__main__":
    main()
