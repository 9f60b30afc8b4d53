from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import GOLDEN_MODELS
from tests.fakes import LengthRuntime
from wenmo import Engine, InputError
from wenmo.evaluation.evaluate import evaluate
from wenmo.inference.runtime import OnBatch
from wenmo.models.checkpoint import Checkpoint
from wenmo.tokenizer import Encoding


def test_accuracy_is_that_of_the_engine(golden_engine: Engine, tmp_path: Path) -> None:
    texts = [f"第{number}件商品{'很好' if number % 3 else '不好'}" for number in range(40)]
    answers = [int(result.positive > 0.5) for result in golden_engine.sentiment(texts)]
    labels = [*answers[:30], *(1 - answer for answer in answers[30:])]
    pq.write_table(pa.table({"text": texts, "label": labels}), tmp_path / "file.parquet")
    evaluation = evaluate(golden_engine, "sentiment", tmp_path / "file.parquet")
    assert (evaluation.n, evaluation.accuracy) == (40, 0.75)
    assert evaluate(golden_engine, "sentiment", tmp_path / "file.parquet", limit=30).accuracy == 1.0


def test_the_cost_of_a_precision_by_hand(tmp_path: Path) -> None:
    """Fakes whose answer is the length of the text: one says positive from 10 characters on, the other from 8."""
    texts = ["好" * length for length in range(1, 21)]
    labels = [int(length >= 8) for length in range(1, 21)]
    pq.write_table(pa.table({"text": texts, "label": labels}), tmp_path / "file.parquet")

    class From(LengthRuntime):
        def __init__(self, checkpoint: Checkpoint, length: int) -> None:
            super().__init__(checkpoint)
            self.length = length

        def logits(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
            lengths = super().logits(encodings, on_batch=on_batch)[:, 0] - 2  # without [CLS] and [SEP]
            return np.stack([np.zeros_like(lengths), lengths - self.length + 0.5], axis=1)

    def engine(length: int) -> Engine:
        return Engine(device="cpu", models=GOLDEN_MODELS, make_runtime=lambda checkpoint: From(checkpoint, length))

    evaluation = evaluate(engine(10), "sentiment", tmp_path / "file.parquet", against=engine(8))
    assert evaluation.accuracy == 0.9 and evaluation.against is not None
    assert evaluation.against.accuracy == 1.0
    assert evaluation.against.accuracy_lost == pytest.approx(10.0)
    assert evaluation.against.decisions_changed == pytest.approx(0.1)
    low, high = evaluation.against.accuracy_lost_interval
    assert 0 <= low < 10 < high


def test_other_tasks(golden_engine: Engine, tmp_path: Path) -> None:
    """The truth is the engine's own answer, but for one row in four."""
    path = tmp_path / "file.parquet"
    first, second = [f"天气{'很' * n}好" for n in range(8)], [f"第{n}天下雨" for n in range(8)]
    pairs = list(zip(first, second, strict=True))

    same = [int(result.similarity > 0.5) for result in golden_engine.similarity(pairs)]
    same[0], same[4] = 1 - same[0], 1 - same[4]
    pq.write_table(pa.table({"text_a": first, "text_b": second, "label": same}), path)
    assert evaluate(golden_engine, "similarity", path).accuracy == 0.75

    names = ("entailment", "neutral", "contradiction")
    best = golden_engine.nli(pairs).argmax(1).tolist()
    nli = [names[(index + (row % 4 == 0)) % 3] for row, index in enumerate(best)]
    pq.write_table(pa.table({"premise": first, "hypothesis": second, "label": nli}), path)
    assert evaluate(golden_engine, "nli", path).accuracy == 0.75

    labels = ["体育", "科技", "天气"]
    topics = [result.label for result in golden_engine.zero_shot(first, labels=labels, template="关于{}")]
    wrong = [labels[(labels.index(name) + (row % 4 == 0)) % 3] for row, name in enumerate(topics)]
    pq.write_table(pa.table({"text": first, "label": [f" {name} " for name in wrong]}), path)
    assert evaluate(golden_engine, "zero-shot", path, labels=labels, template="关于{}").accuracy == 0.75


def test_refusals(golden_engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "file.parquet"
    with pytest.raises(InputError, match="Cannot read"):
        evaluate(golden_engine, "sentiment", path)
    path.write_text("no parquet", encoding="utf-8")
    with pytest.raises(InputError, match="Cannot read"):
        evaluate(golden_engine, "sentiment", path)
    pq.write_table(pa.table({"words": ["好"]}), path)
    with pytest.raises(InputError, match="lacks the columns text, label"):
        evaluate(golden_engine, "sentiment", path)
    for label in ([7], [[7]], [{"x": 1}], [1.5]):
        pq.write_table(pa.table({"text": ["好"], "label": label}), path)
        with pytest.raises(InputError, match="unknown meaning"):
            evaluate(golden_engine, "sentiment", path)
    pq.write_table(pa.table({"text": [5], "label": [1]}), path)
    with pytest.raises(InputError, match="no text"):
        evaluate(golden_engine, "sentiment", path)
    pq.write_table(pa.table({"text": ["好"], "label": [" "]}), path)
    with pytest.raises(InputError):
        evaluate(golden_engine, "zero-shot", path)
    pq.write_table(pa.table({"text": ["好"], "label": [7]}), path)
    with pytest.raises(InputError, match="7"):
        evaluate(golden_engine, "sentiment", path)
    pq.write_table(pa.table({"text": pa.array([], pa.string()), "label": pa.array([], pa.int8())}), path)
    with pytest.raises(InputError, match="no rows"):
        evaluate(golden_engine, "sentiment", path)
    pq.write_table(pa.table({"text": ["好", None], "label": [1, 0]}), path)
    with pytest.raises(InputError, match="empty cells"):
        evaluate(golden_engine, "sentiment", path)
