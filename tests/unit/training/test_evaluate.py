from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wenmo import Engine, InputError
from wenmo.training.evaluate import evaluate, expected_calibration_error, macro_f1


def test_macro_f1_by_hand() -> None:
    """Class 0: 2 hits of 3 predicted and 2 true -> 4/5; class 1: 1 of 1 and 2 -> 2/3."""
    assert macro_f1(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1])) == pytest.approx((4 / 5 + 2 / 3) / 2)


def test_ece_by_hand() -> None:
    """Four answers at 0.9, three right: |0.75 - 0.9|; two at 0.6, both right: |1 - 0.6|."""
    confidence = np.array([0.9, 0.9, 0.9, 0.9, 0.6, 0.6])
    correct = np.array([True, True, True, False, True, True])
    assert expected_calibration_error(confidence, correct) == pytest.approx(4 / 6 * 0.15 + 2 / 6 * 0.4)
    assert expected_calibration_error(np.array([1.0]), np.array([True])) == pytest.approx(0.0)


def test_accuracy_is_that_of_the_engine(golden_engine: Engine, tmp_path: Path) -> None:
    texts = [f"第{number}件商品{'很好' if number % 3 else '不好'}" for number in range(40)]
    answers = [int(result.positive > 0.5) for result in golden_engine.sentiment(texts)]
    labels = [*answers[:30], *(1 - answer for answer in answers[30:])]
    pq.write_table(pa.table({"text": texts, "label": labels}), tmp_path / "file.parquet")
    evaluation = evaluate(golden_engine, "sentiment", tmp_path / "file.parquet")
    assert (evaluation.n, evaluation.accuracy) == (40, 0.75)
    assert evaluate(golden_engine, "sentiment", tmp_path / "file.parquet", limit=30).accuracy == 1.0


@pytest.mark.parametrize("task", ["similarity", "nli", "zero-shot"])
def test_other_tasks(golden_engine: Engine, tmp_path: Path, task: str) -> None:
    tables = {
        "similarity": {"text_a": ["天", "地"], "text_b": ["天", "人"], "label": [1, 0]},
        "nli": {"premise": ["天", "地"], "hypothesis": ["天", "人"], "label": ["neutral", "entailment"]},
        "zero-shot": {"text": ["天", "地"], "label": ["体育", "科技"]},
    }
    pq.write_table(pa.table(tables[task]), tmp_path / "file.parquet")
    evaluation = evaluate(golden_engine, task, tmp_path / "file.parquet")  # type: ignore[arg-type]
    assert evaluation.n == 2
    assert evaluation.accuracy in (0.0, 0.5, 1.0)


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
    pq.write_table(pa.table({"text": ["好"], "label": [7]}), path)
    with pytest.raises(InputError, match="7"):
        evaluate(golden_engine, "sentiment", path)
    pq.write_table(pa.table({"text": pa.array([], pa.string()), "label": pa.array([], pa.int8())}), path)
    with pytest.raises(InputError, match="no rows"):
        evaluate(golden_engine, "sentiment", path)
    pq.write_table(pa.table({"text": ["好", None], "label": [1, 0]}), path)
    with pytest.raises(InputError, match="empty cells"):
        evaluate(golden_engine, "sentiment", path)
