"""Every answer that ModelScope gave on the golden checkpoints (random weights, see README.md beside this file).

Tolerances are the README's: 1e-4 for logits, 1e-5 for probabilities; the furthest case measured stands at a tenth.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from wenmo import Engine
from wenmo.models.checkpoint import load_checkpoint
from wenmo.tasks import zero_shot
from wenmo.tasks.encode import encode_pairs, encode_texts
from wenmo.types import Result, TaskName

HERE = Path(__file__).parent
FOLDERS: dict[str, TaskName] = {
    "similarity": "similarity",
    "similarity_encoder_prefix": "similarity",
    "sentiment": "sentiment",
    "zero_shot": "zero_shot",
}


def _cases(folder: str) -> list[dict[str, Any]]:
    return json.loads((HERE / folder / "golden.json").read_text(encoding="utf-8"))["cases"]


ALL_CASES = [pytest.param(folder, case, id=f"{folder}-{case['id']}") for folder in FOLDERS for case in _cases(folder)]


@pytest.fixture(scope="module")
def engines() -> dict[tuple[str, int | None], Engine]:
    return {}


def _engine(engines: dict[tuple[str, int | None], Engine], folder: str, sequence_length: int | None) -> Engine:
    key = (folder, sequence_length)
    if key not in engines:
        engines[key] = Engine(
            device="cpu", precision="fp32", models={FOLDERS[folder]: HERE / folder}, sequence_length=sequence_length
        )
    return engines[key]


def _inputs(case: dict[str, Any]) -> list[Any]:
    given, kind = case["input"], case["input_type"]
    if kind == "text":
        return [given]
    if kind == "pair":
        return [tuple(given)]
    if kind == "texts":
        return given
    if kind == "pairs":
        return [tuple(pair) for pair in given]
    names = case["pipeline_kwargs"]
    return [(given[names["first_sequence"]], given[names["second_sequence"]])]


def _answer(engine: Engine, task: TaskName, case: dict[str, Any]) -> list[Any]:
    inputs = _inputs(case)
    if task == "similarity":
        return engine.similarity(inputs)
    if task == "sentiment":
        return engine.sentiment(inputs)
    params = case["params"]
    labels = params["candidate_labels"]
    if isinstance(labels, str) and re.search("[、;；|]", labels):
        labels = _given_labels(case)  # ModelScope splits a text at commas alone, wenmo at these marks, too
    return engine.zero_shot(
        inputs,
        labels=labels,
        template=params.get("hypothesis_template", "{}"),
        multi_label=params.get("multi_label", False),
    )


def _given_labels(case: dict[str, Any]) -> list[str]:
    labels = case["params"]["candidate_labels"]
    if isinstance(labels, str):
        return [part.strip() for part in labels.replace("，", ",").split(",") if part.strip()]
    return labels


@pytest.mark.parametrize(("folder", "case"), ALL_CASES)
def test_answer_is_modelscopes(
    engines: dict[tuple[str, int | None], Engine], folder: str, case: dict[str, Any]
) -> None:
    engine = _engine(engines, folder, case["pipeline_kwargs"].get("sequence_length"))
    task = FOLDERS[folder]
    results = _answer(engine, task, case)
    outputs = case["output"] if isinstance(case["output"], list) else [case["output"]]
    assert len(results) == len(outputs)

    logits = [row for result in results for row in result.logits]
    expected_logits = case["logits"]
    if task == "zero_shot":
        given = _given_labels(case)
        # ModelScope keeps blank and repeated labels; wenmo drops them and says so. Each label's logits are its own, so
        # what is left must still agree; the probabilities over fewer labels cannot, and are not compared.
        kept = [index for index, name in enumerate(given) if name.strip() and name not in given[:index]]
        rows = len(expected_logits) // len(given)
        expected_logits = [expected_logits[text * len(given) + index] for text in range(rows) for index in kept]
        assert results[0].dropped_labels == tuple(name for index, name in enumerate(given) if index not in kept)
    for row, expected_row in zip(logits, expected_logits, strict=True):
        assert row == pytest.approx(expected_row, abs=1e-4)
    if task == "zero_shot" and results[0].dropped_labels:
        return
    for result, output in zip(results, outputs, strict=True):
        _check_scores(result, output, topk=len(output["scores"]))


def _check_scores(result: Result, output: dict[str, Any], *, topk: int) -> None:
    expected = dict(zip(output["labels"], output["scores"], strict=True))
    for label, score in expected.items():
        assert result.scores[label] == pytest.approx(score, abs=1e-5)
    order = list(result.scores)[:topk]
    for place, (ours, theirs) in enumerate(zip(order, output["labels"], strict=True)):
        tied = abs(result.scores[ours] - result.scores[theirs]) < 1e-5  # their order is not promised by ModelScope
        assert ours == theirs or tied, f"place {place}: {ours} instead of {theirs}"
    assert result.label == order[0]
    assert result.score == result.scores[result.label]


@pytest.mark.parametrize(("folder", "case"), ALL_CASES)
def test_ids_and_segments_are_modelscopes(folder: str, case: dict[str, Any]) -> None:
    checkpoint = load_checkpoint(HERE / folder, sequence_length=case["pipeline_kwargs"].get("sequence_length"))
    tokenizer, inputs = checkpoint.tokenizer, _inputs(case)
    if FOLDERS[folder] == "zero_shot":
        encodings = zero_shot.encode(
            tokenizer,
            [zero_shot.Question(text=text, labels=tuple(_given_labels(case))) for text in inputs],
            template=case["params"].get("hypothesis_template", "{}"),
            max_length=checkpoint.max_length,
        )
    elif isinstance(inputs[0], tuple):
        encodings = encode_pairs(tokenizer, inputs, max_length=checkpoint.max_length)
    else:
        encodings = encode_texts(tokenizer, inputs, max_length=checkpoint.max_length)
    assert [list(encoding.input_ids) for encoding in encodings] == case["input_ids"]
    assert [encoding.segment_b for encoding in encodings] == case["segment_b"]


def test_modelscopes_batch_size_defect_is_not_copied(engines: dict[tuple[str, int | None], Engine]) -> None:
    """ModelScope answers the first label with 1.0 for each text when batch_size is given."""
    golden = json.loads((HERE / "zero_shot" / "golden.json").read_text(encoding="utf-8"))
    defect = golden["defects"][0]
    results = _engine(engines, "zero_shot", None).zero_shot(
        defect["input"], labels=defect["params"]["candidate_labels"]
    )
    assert all(len(result.scores) == 3 and result.score < 1.0 for result in results)
