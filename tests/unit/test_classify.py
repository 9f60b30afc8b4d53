"""Classifiers with labels of their own: as transformers answers, by every way in; and one made from a user's rows."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from tests import transformers_models as tiny
from tests.transformers_models import TEXTS, classifier, encoder, save
from wenmo import CheckpointError, ClassifyResult, Engine, InputError, ModelNotFoundError
from wenmo.__main__ import main
from wenmo.api.routes import create_api
from wenmo.evaluation.compare import compare
from wenmo.evaluation.labelled import labelled_rows
from wenmo.evaluation.metrics import class_scores, confusion_matrix
from wenmo.models.description import describe
from wenmo.settings import Settings
from wenmo.tasks.table import TASKS

EMOTIONS = ("愤怒", "厌恶", "恐惧", "高兴", "喜好", "悲伤", "惊讶")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save(classifier(EMOTIONS), tmp_path / "model")


def engine_on(folder: Path, tmp_path: Path, **options: Any) -> Engine:
    return Engine(
        device="cpu", precision="fp32", models={"classify": folder}, models_folder=tmp_path / "own", **options
    )


def test_seven_classes_as_transformers_answers(model: Path, tmp_path: Path) -> None:
    with engine_on(model, tmp_path) as engine:
        results = engine.classify(TEXTS)
        assert engine.model_info("classify").labels == EMOTIONS
    for result, theirs in zip(results, tiny.probabilities(model, TEXTS), strict=True):
        assert isinstance(result, ClassifyResult)
        assert result.scores == pytest.approx(theirs, abs=1e-5)
        assert result.label == max(theirs, key=theirs.__getitem__)


@pytest.mark.parametrize("count", [2, 200])
def test_from_two_labels_to_two_hundred(count: int, tmp_path: Path) -> None:
    labels = [f"类别{index}" for index in range(count)]
    folder = save(classifier(labels), tmp_path / "model")
    with engine_on(folder, tmp_path) as engine:
        results = engine.ask("classify", TEXTS)
    for result, theirs in zip(results, tiny.probabilities(folder, TEXTS), strict=True):
        assert result.scores == pytest.approx(theirs, abs=1e-5)


def test_a_sentiment_model_is_a_classifier_as_well(tmp_path: Path) -> None:
    folder = save(classifier(("正面", "负面")), tmp_path / "model")
    assert [spec.name for spec in describe(folder).tasks] == ["sentiment", "classify"]
    with engine_on(folder, tmp_path) as engine:
        assert engine.model_info("classify").labels == ("正面", "负面")  # in its own order


def test_an_nli_model_and_nameless_labels_are_not_classifiers(tmp_path: Path) -> None:
    nli = save(classifier(("entailment", "neutral", "contradiction")), tmp_path / "nli")
    with engine_on(nli, tmp_path) as engine, pytest.raises(CheckpointError, match="zero_shot"):
        engine.classify(TEXTS)
    nameless = save(classifier(("LABEL_0", "LABEL_1", "LABEL_2")), tmp_path / "nameless")
    with engine_on(nameless, tmp_path) as engine, pytest.raises(CheckpointError, match="label_names"):
        engine.classify(TEXTS)
    with engine_on(nameless, tmp_path, label_names={"classify": "咨询,投诉,建议"}) as engine:
        assert set(engine.classify(TEXTS)[0].scores) == {"咨询", "投诉", "建议"}


def test_modelscopes_text_classification(tmp_path: Path) -> None:
    """As the emotion models of its hub are: configuration.json with the general task, and label_mapping.json."""
    folder = save(classifier(EMOTIONS), tmp_path / "model")
    expected = tiny.probabilities(folder, TEXTS)
    configuration = {"task": "text-classification", "pipeline": {"type": "text-classification"}}
    (folder / "configuration.json").write_text(json.dumps(configuration), encoding="utf-8")
    mapping = {f"情绪{index}": index for index in range(7)}
    (folder / "label_mapping.json").write_text(json.dumps(mapping), encoding="utf-8")
    with engine_on(folder, tmp_path) as engine:
        result = engine.classify(TEXTS)[0]
    assert result.scores == pytest.approx(
        {f"情绪{EMOTIONS.index(name)}": share for name, share in expected[0].items()}, abs=1e-5
    )


def test_without_a_model_it_says_what_to_do() -> None:
    engine = Engine(device="cpu", precision="fp32")
    assert engine.model_names["classify"] == ""
    with pytest.raises(ModelNotFoundError, match="train adapt --task classify") as caught:
        engine.classify(["好"])
    assert "WENMO_CLASSIFY_MODEL" in caught.value.text("zh")
    response = TestClient(create_api(lambda: engine)).post("/v1/classify", json={"texts": ["好"]})
    assert response.status_code == 500 and "WENMO_CLASSIFY_MODEL" in response.json()["detail"]


def test_it_is_not_preloaded_without_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WENMO_CLASSIFY_MODEL", raising=False)
    assert Settings.read().to_preload(TASKS) == ("similarity", "sentiment", "zero_shot", "embedding")
    assert Settings.read(preload="all").to_preload(()) == ("similarity", "sentiment", "zero_shot", "embedding")
    assert "classify" in Settings.read(classify_model="./mine").to_preload(TASKS)


def test_rest_a_file_and_the_command_line(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with engine_on(model, tmp_path) as engine:
        labels = [result.label for result in engine.classify(TEXTS)]
        reply = TestClient(create_api(lambda: engine)).post("/v1/classify", json={"texts": TEXTS}).json()
    assert [item["label"] for item in reply["results"]] == labels
    assert set(reply["results"][0]["scores"]) == set(EMOTIONS)

    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS), encoding="utf-8")
    options = ["--model", str(model), "--precision", "fp32", "--device", "cpu"]
    assert main(["run", "classify", str(source), str(target), *options]) == 0
    assert [json.loads(line)["label"] for line in target.read_text(encoding="utf-8").splitlines()] == [
        label if text.strip() else None for text, label in zip(TEXTS, labels, strict=True)
    ]

    table = pa.table({"text": TEXTS[:3], "label": [labels[0], labels[1], EMOTIONS[0]]})
    pq.write_table(table, tmp_path / "labelled.parquet")
    capsys.readouterr()
    assert main(["eval", "classify", str(tmp_path / "labelled.parquet"), *options]) == 0
    evaluation = json.loads(capsys.readouterr().out.splitlines()[-1])
    right = 2 + (labels[2] == EMOTIONS[0])
    assert (evaluation["n"], evaluation["accuracy"]) == (3, pytest.approx(right / 3))


def test_comparing_two_models(model: Path, tmp_path: Path) -> None:
    other = save(classifier(EMOTIONS, seed=5), tmp_path / "other")
    with engine_on(model, tmp_path) as first, engine_on(other, tmp_path) as second:
        compared = compare(
            first,
            second,
            "classify",
            TEXTS,
            lambda engine, inputs: engine.classify(inputs),
            progress=lambda done, of: None,
        )
    theirs = [tiny.probabilities(folder, TEXTS) for folder in (model, other)]
    best = [[max(each, key=each.__getitem__) for each in side] for side in theirs]
    assert compared.differing == tuple(index for index in range(len(TEXTS)) if best[0][index] != best[1][index])


def test_explaining_a_label(model: Path, tmp_path: Path) -> None:
    text = "天气好不错"
    with engine_on(model, tmp_path) as engine:
        result = engine.classify([text])[0]
        best = engine.explain_classify(text)
        ranked = list(result.scores)
        assert (best.label, best.rival) == (ranked[0], ranked[1])
        assert best.score == pytest.approx(result.score)
        assert best.log_odds == pytest.approx(np.log(result.scores[ranked[0]] / result.scores[ranked[1]]), abs=1e-4)
        other = engine.explain_classify(text, label=ranked[2])
        assert (other.label, other.rival) == (ranked[2], ranked[0])
        masked = engine.classify(["天气好不[MASK]"])[0]
        odds = np.log(masked.scores[ranked[0]] / masked.scores[ranked[1]])
        assert best.parts[0][-1].weight == pytest.approx(best.log_odds - odds, abs=1e-4)
        with pytest.raises(InputError, match="愤怒"):
            engine.explain_classify(text, label="平静")


def test_scores_by_class() -> None:
    truth, predicted = np.array([0, 0, 1, 1, 1, 2]), np.array([0, 1, 1, 1, 0, 0])
    confusion = confusion_matrix(truth, predicted, 3)
    assert confusion.tolist() == [[1, 1, 0], [1, 2, 0], [1, 0, 0]]
    first, second, third = class_scores(confusion)
    assert (first.n, first.precision, first.recall, first.f1) == pytest.approx((2, 1 / 3, 1 / 2, 0.4))
    assert (second.n, second.precision, second.recall, second.f1) == pytest.approx((3, 2 / 3, 2 / 3, 2 / 3))
    assert (third.n, third.precision, third.recall, third.f1) == (1, 0, 0, 0)


WORDS = {"天气": "晴雨风雪云", "饮食": "饭菜汤面茶", "出行": "车船路桥站", "学习": "书笔字课题"}


def _rows(count: int) -> list[tuple[str, str]]:
    rng = random.Random(0)
    return [
        (f"{''.join(rng.choices(words, k=4))}的{index}", label)
        for index in range(count)
        for label, words in WORDS.items()
    ]


@pytest.mark.parametrize("start", ["encoder", "sentiment"])
def test_a_classifier_from_labelled_rows(start: str, tmp_path: Path) -> None:
    from wenmo.adapt.run import adapt
    from wenmo.adapt.types import AdaptOptions

    begun_with = save(encoder() if start == "encoder" else classifier(("负面", "正面")), tmp_path / "start")
    rows = labelled_rows(_rows(24), "classify")
    assert rows.names == tuple(sorted(WORDS))
    adapted = adapt(
        rows,
        name="mine",
        start_from=str(begun_with),
        options=AdaptOptions(epochs=12, learning_rate=2e-3, device="cpu", precision="fp32"),
        models_folder=tmp_path / "own",
    )
    assert adapted.before_is == "tfidf" and adapted.before.accuracy > 0.8  # the words tell the labels apart
    assert adapted.after.accuracy > adapted.majority_share
    confusion = np.array(adapted.confusion)
    assert confusion.shape == (4, 4) and confusion.sum() == adapted.after.n
    assert np.trace(confusion) == adapted.after.correct
    assert set(adapted.class_scores) == set(WORDS)
    figures = adapted.figures()
    assert figures["f1"] == {name: score.f1 for name, score in adapted.class_scores.items()}
    assert "TF-IDF" in (adapted.folder / "README.md").read_text(encoding="utf-8")
    with engine_on(adapted.folder, tmp_path) as engine:
        assert engine.model_info("classify").labels == rows.names
        assert engine.model_info("classify").temperatures == adapted.temperatures
        found = [result.label for result in engine.classify(rows.inputs)]
    truth = [rows.names[index] for index in rows.label]
    assert np.mean([one == other for one, other in zip(found, truth, strict=True)]) > 0.5


def test_adapting_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setenv("WENMO_MODELS_FOLDER", str(tmp_path / "own"))
    monkeypatch.delenv("WENMO_CLASSIFY_MODEL", raising=False)
    start = save(encoder(), tmp_path / "start")
    with (tmp_path / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(
            [("text", "label"), *((text, str(len(label) + len(text))) for text, label in _rows(9))]
        )
    command = ["train", "adapt", str(tmp_path / "rows.csv"), "--task", "classify", "--name", "numbers"]
    assert main([*command, "--from", str(start), "--epochs", "1", "--device", "cpu", "--precision", "fp32"]) == 2
    assert "one label" in capsys.readouterr().err
    with (tmp_path / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        numbers = {label: str(index) for index, label in enumerate(WORDS)}
        csv.writer(file).writerows([("text", "label"), *((text, numbers[label]) for text, label in _rows(9))])
    assert main([*command, "--from", str(start), "--epochs", "1", "--device", "cpu", "--precision", "fp32"]) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed.splitlines()[-1])["f1_before"].keys() == {"0", "1", "2", "3"}
    assert "TF-IDF" in printed
    with engine_on(tmp_path / "own" / "numbers", tmp_path) as engine:  # labels that are numbers are labels here
        assert engine.model_info("classify").labels == ("0", "1", "2", "3")
