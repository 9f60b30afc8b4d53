"""The same words for labels, wherever a column of labels is read: Adapt and the lab, `eval`, agreement on Batch."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wenmo import Engine
from wenmo.evaluation.evaluate import evaluate
from wenmo.evaluation.labelled import read_rows
from wenmo.lab.accuracy import read_labelled
from wenmo.tasks.spec import TaskSpec
from wenmo.tasks.table import TASKS, row_tasks

OWN_LABELS = [spec for spec in row_tasks() if spec.roles and not spec.takes_labels]


def _words(spec: TaskSpec) -> list[tuple[object, int]]:
    """Each way to write a label: names and words, in another case, with spaces, a number that was a float."""
    words = [
        (written, index)
        for index, role in enumerate(spec.roles)
        for word in (role.name, role.key, *role.words)
        for written in (word, word.upper(), word.capitalize(), f" {word} ")
    ]
    return [*words, *((f"{index}.0", index) for index in (0, 1))]


@pytest.mark.parametrize("spec", OWN_LABELS, ids=lambda spec: spec.name)
@pytest.mark.parametrize("kind", ["text", "integer", "float", "boolean"])
def test_every_reader_knows_every_word(spec: TaskSpec, kind: str, golden_engine: Engine, tmp_path: Path) -> None:
    kinds = {"integer": [0, 1], "float": [0.0, 1.0], "boolean": [False, True]}
    labels = _words(spec) if kind == "text" else [(kinds[kind][row % 2], row % 2) for row in range(24)]
    values, truth = [value for value, _ in labels], [index for _, index in labels]
    if kind == "text":
        assert {"1", "1.0", "正面" if spec.name == "sentiment" else "相似"} <= set(values)
    texts: list[object] = [f"第{row}条" for row in range(len(labels))]
    inputs = {"文本1": texts, "文本2": texts} if spec.inputs == "pair" else {"评论": texts}
    columns = {**inputs, "标签": values}
    parquet, text = tmp_path / "rows.parquet", tmp_path / "rows.csv"
    pq.write_table(pa.table(columns), parquet)
    with text.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([list(columns), *zip(*columns.values(), strict=True)])
    for path in (parquet, text):
        assert read_rows(path, spec.name).label.tolist() == truth  # the Adapt page and `train adapt`
        rows = read_labelled(path)  # the memory lab
        assert (rows.task, rows.label.tolist()) == (spec.name, truth)
    names = golden_engine.model_info(spec.name).labels
    assert [spec.label_index(str(value), names) for value in values] == truth  # agreement on the Batch page
    answers = golden_engine.ask(spec.name, read_rows(parquet, spec.name).inputs)
    correct = [answer.label == names[index] for answer, index in zip(answers, truth, strict=True)]
    assert evaluate(golden_engine, spec.name, parquet).accuracy == pytest.approx(sum(correct) / len(correct))


def test_labels_that_are_asked_about_are_known_by_their_names_alone() -> None:
    zero_shot = TASKS["zero_shot"]
    assert [zero_shot.label_index(value, ["News", "体育", "2"]) for value in ("news", " 体育 ", "2.0")] == [0, 1, 2]
    assert zero_shot.label_index("1", ["体育", "财经"]) is None
    assert zero_shot.label_index("entailment", ["体育", "财经"]) is None
    assert zero_shot.label_index("A", ["a", "A"]) == 1


def test_a_model_may_call_its_labels_otherwise() -> None:
    sentiment = TASKS["sentiment"]
    assert [sentiment.label_index(value, ["贬", "褒"]) for value in ("褒", "1", "差评", "五星")] == [1, 1, 0, None]
