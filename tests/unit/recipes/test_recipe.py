"""The whole recipe at toy scale: it runs, it learns, a killed run goes on to the same weights, the result loads."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from recipes import e5, label_pool
from recipes.__main__ import main
from recipes.recipe import STAGES, Recipe, Run
from tests.conftest import ROOT
from tests.unit.recipes import tiny_e5
from wenmo import Engine, InputError
from wenmo.tasks.table import TASKS

GOOD, BAD = "好棒赞喜欢满意", "差烂坏讨厌失望"
FILLER = "这本书的纸张和故事让我觉得今天下雨"


def _write(path: Path, columns: dict[str, list[Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data pack of invented sentences with the columns of the real one."""
    folder = tmp_path_factory.mktemp("data")
    rng = random.Random(3)

    def sentence(extra: str = "") -> str:
        return "".join(rng.sample(FILLER, 6)) + extra + "".join(rng.sample(FILLER, 5))

    for name, rows in (("train", 600), ("dev", 100)):
        mood = [row % 2 for row in range(rows)]
        texts = [sentence(rng.choice(GOOD if label else BAD)) for label in mood]
        plain = [sentence() for _ in mood]
        _write(
            folder / "sentiment" / f"{name}.parquet",
            {"text": texts, "label": mood, "source": ["waimai" if row % 3 else "street" for row in range(rows)]},
        )
        _write(
            folder / "similarity" / f"{name}.parquet",
            {
                "text_a": plain,
                "text_b": [text if same else sentence() for text, same in zip(plain, mood, strict=True)],
                "label": mood,
                "source": ["lcqmc" if row % 3 else "bank" for row in range(rows)],
            },
        )
        nli = [("entailment", "neutral", "contradiction")[row % 3] for row in range(rows)]
        _write(
            folder / "nli" / f"{name}.parquet",
            {"premise": texts, "hypothesis": texts[::-1], "label": nli, "source": ["invented"] * rows},
        )
    _write(
        folder / "similarity" / "more.parquet",
        {"text_a": texts[:50], "text_b": texts[50:], "label": mood[:50], "source": ["bank"] * 50},
    )
    _write(
        folder / "similarity" / "graded.parquet",
        {"text_a": texts[:50], "text_b": texts[50:], "score": [0.4, 0.8] * 25, "source": ["graded"] * 50},
    )
    _write(
        folder / "nli" / "idioms.parquet",
        {"premise": texts, "hypothesis": texts, "label": ["entailment"] * 100, "source": ["idioms"] * 100},
    )
    topics = [("书", "雨")[row % 2] for row in range(200)]
    _write(
        folder / "topics" / "train.parquet",
        {"text": [sentence(label) for label in topics], "label": topics, "task": ["toy"] * 200, "source": ["x"] * 200},
    )
    (folder / "topics" / "labels.json").write_text(json.dumps({"toy": ["书", "雨"]}), encoding="utf-8")
    _write(
        folder / "text" / "pretrain.parquet",
        {"text": [sentence() + sentence() for _ in range(300)], "source": ["web", "laws"] * 150},
    )
    return folder


@pytest.fixture(autouse=True)
def pretrained(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A toy model stands in for the pretrained one, which is read from its package."""
    names = {character for labels in label_pool.SETS.values() for name in labels for character in name}
    path = tmp_path_factory.mktemp("e5") / "tiny.bin"
    tiny_e5.write(path, sorted({*FILLER, *GOOD, *BAD, *names}))
    monkeypatch.setattr(e5, "installed", lambda: path)


@pytest.fixture
def recipe() -> Recipe:
    schedule = {"batch_tokens": 1024, "learning_rate": 2e-3}
    task = {**schedule, "max_length": 48, "start_from": "encoder", "tokens": 20_000}
    topics = {"draw": {"toy": 100, "mood": 100}, "templates": ["{}", "关于{}"]}
    labels = {"texts": 60, "draws": 20, "group": 3, "scale": 10.0, "shares": {"laws": 0.0}}
    return Recipe(
        vocabulary={"characters": 100, "words": 10, "min_count": 1, "without": ["laws"]},
        encoder={
            **schedule,
            "tokens": 20_000,
            "layers": [1, 3],
            "max_length": 48,
            "texts": 600,
            "vector": 1.0,
            "restore": 0.1,
            "shares": {"laws": 0.0},
        },
        similarity={**task, "made": 10, "times": {"bank": 1.5}},
        embedding={**task, "made": 10, "topics": topics},
        zero_shot={
            **task,
            "start_from": "similarity",
            "averaging": 0.9,
            "topics": {**topics, "group": 3, "moods": [["好评", "差评"]], "wordings": {"雨": ["下雨"]}},
            "open_labels": labels,
        },
        sentiment={**task, "tokens": 60_000, "made": 20, "dropout": 0.1, "times": {"waimai": 2}},
    )


def _run(recipe: Recipe, data: Path, folder: Path, *, max_steps: int | None = None) -> tuple[Run, list[str]]:
    lines: list[str] = []
    run = Run(recipe, data_folder=data, work=folder / "work", out=folder / "out", log=lines.append, max_steps=max_steps)
    return run, lines


def _figures(lines: list[str]) -> dict[str, Any]:
    return [json.loads(line) for line in lines if line.startswith("{") and "step" in json.loads(line)][-1]


def test_the_whole_recipe_makes_models_that_work(recipe: Recipe, data: Path, tmp_path: Path) -> None:
    run, lines = _run(recipe, data, tmp_path)
    for stage in STAGES:
        run.stage(stage)
    assert _figures(lines)["dev_auc"] > 0.9  # of the last stage, embedding
    out = tmp_path / "out"
    with Engine(
        device="cpu", precision="fp32", models={name: out / name for name, spec in TASKS.items() if spec.bundled}
    ) as engine:
        dev = pq.read_table(data / "sentiment" / "dev.parquet").to_pydict()
        moods = [result.positive > 0.5 for result in engine.sentiment(dev["text"])]
        assert np.mean(np.asarray(moods) == np.asarray(dev["label"])) > 0.9
        assert engine.model_info("similarity").labels == ("不相似", "相似")
        assert set(engine.zero_shot(["今天下雨"], labels="书，雨")[0].scores) == {"书", "雨"}
        # Every checkpoint carries the temperatures that were fitted, and the engine has read them.
        for task, readings in ((name, spec.calibrations) for name, spec in TASKS.items() if spec.bundled):
            configuration = json.loads((out / task / "configuration.json").read_text(encoding="utf-8"))
            written = configuration.get("calibration", {})
            assert engine.model_info(task).temperatures == written
            assert set(written) == set(readings) and all(0.1 <= value <= 10 for value in written.values())


def test_a_finished_stage_is_not_run_again(recipe: Recipe, data: Path, tmp_path: Path) -> None:
    run, lines = _run(recipe, data, tmp_path)
    run.stage("encoder")
    before = (tmp_path / "work" / "encoder.pt").stat().st_mtime_ns
    run, lines = _run(recipe, data, tmp_path)
    run.stage("encoder")
    assert (tmp_path / "work" / "encoder.pt").stat().st_mtime_ns == before
    assert not [line for line in lines if line.startswith("{")]


def test_the_encoder_comes_nearer_to_its_teacher(recipe: Recipe, data: Path, tmp_path: Path) -> None:
    run, lines = _run(recipe, data, tmp_path, max_steps=1)
    run.stage("encoder")
    first = _figures(lines)
    run, lines = _run(recipe, data, tmp_path)
    run.stage("encoder")
    last = _figures(lines)
    assert last["layer"] < 0.8 * first["layer"] and last["restore"] < first["restore"]


def test_a_resumed_run_ends_with_the_same_weights(recipe: Recipe, data: Path, tmp_path: Path) -> None:
    """Stopped after 7 steps and resumed, or not stopped: dropout, masks and batches are functions of the step."""
    straight, _ = _run(recipe, data, tmp_path / "straight")
    straight.stage("encoder")
    stopped, _ = _run(recipe, data, tmp_path / "stopped", max_steps=7)
    stopped.stage("encoder")
    resumed, lines = _run(recipe, data, tmp_path / "stopped")
    resumed.stage("encoder")
    assert any("resumed" in line for line in lines)
    states = [
        torch.load(tmp_path / name / "work" / "encoder.pt", weights_only=True) for name in ("straight", "stopped")
    ]
    assert states[0]["state"] == states[1]["state"]
    for name, tensor in states[0]["module"].items():
        assert torch.equal(tensor, states[1]["module"][name]), name


def test_a_stage_without_its_forerunner_says_so(recipe: Recipe, data: Path, tmp_path: Path) -> None:
    run, _ = _run(recipe, data, tmp_path)
    with pytest.raises(InputError, match="encoder"):
        run.stage("sentiment")
    with pytest.raises(InputError, match="no stage"):
        run.stage("polish")


def test_recipe_files(tmp_path: Path) -> None:
    bundled = Recipe.read(ROOT / "recipes" / "bundled.toml")
    assert bundled.encoder["layers"] == [1, 3, 5, 7, 9, 11]
    with pytest.raises(InputError, match="Cannot read"):
        Recipe.read(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("[model", encoding="utf-8")
    with pytest.raises(InputError, match="TOML"):
        Recipe.read(tmp_path / "bad.toml")
    (tmp_path / "short.toml").write_text("[model]", encoding="utf-8")
    with pytest.raises(InputError, match="sections"):
        Recipe.read(tmp_path / "short.toml")


def test_a_recipe_that_is_missing_is_an_error_of_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [option for name in ("--data", "--work", "--out") for option in (name, str(tmp_path))]
    monkeypatch.setattr("sys.argv", ["recipes", str(tmp_path / "none.toml"), *folders])
    assert main() == 2
    assert "none.toml" in capsys.readouterr().err
