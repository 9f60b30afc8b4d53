"""`precision="auto"`: what is measured, which rule decides, and that it is decided once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import GOLDEN_MODELS
from wenmo import Engine
from wenmo.engine import auto_precision
from wenmo.engine.auto_precision import LEAST_GAIN, MOST_CHANGE, MOST_DECISIONS, Tried
from wenmo.models.checkpoint import Checkpoint, load_checkpoint
from wenmo.tasks.table import TASKS

EXACT = Tried(precision="fp32", seconds=1.0, change=0.0, decisions=0.0)
HALF = Tried(precision="bf16", seconds=0.5, change=MOST_CHANGE, decisions=MOST_DECISIONS)
BYTES = Tried(precision="int8", seconds=0.3, change=MOST_CHANGE, decisions=MOST_DECISIONS)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(auto_precision, "FOLDER", tmp_path / "precision")
    yield tmp_path / "precision"


@pytest.mark.parametrize(
    ("tried", "expected"),
    [
        ([EXACT], "fp32"),
        ([EXACT, HALF, BYTES], "int8"),
        ([EXACT, HALF, replace(BYTES, change=1.01 * MOST_CHANGE)], "bf16"),
        ([EXACT, HALF, replace(BYTES, decisions=1.01 * MOST_DECISIONS)], "bf16"),
        ([EXACT, replace(HALF, seconds=1.01 / LEAST_GAIN)], "fp32"),  # hardly quicker
        ([EXACT, replace(HALF, seconds=70.0), replace(BYTES, change=0.1)], "fp32"),  # no units for it
    ],
)
def test_the_quickest_that_answers_as_fp32_does(tried: list[Tried], expected: str) -> None:
    chosen = auto_precision._decision(tried)
    assert chosen.value == expected
    for each in tried[1:]:
        assert each.precision in chosen.reason and each.precision in chosen.reason_zh


@pytest.mark.parametrize("task", ["similarity", "sentiment", "zero_shot", "embedding", "classify"])
def test_a_model_is_measured_once(task: str, _own_folder: Path) -> None:
    models = {task: GOLDEN_MODELS[task]}
    with Engine(device="cpu", models=models) as engine:
        assert engine.precision.value == "auto"
        first = engine.model_info(task).precision
    (path,) = _own_folder.glob("*.json")
    written = json.loads(path.read_text(encoding="utf-8"))
    precisions = [each["precision"] for each in written["tried"]]
    assert precisions[0] == "fp32" and first.value in precisions
    path.write_text(json.dumps({**written, "tried": written["tried"][:1]}), encoding="utf-8")
    with Engine(device="cpu", models=models) as engine:  # reads the file: what was tried is now fp32 alone
        assert engine.model_info(task).precision.value == "fp32"


def test_a_file_that_cannot_be_read_is_made_anew(_own_folder: Path) -> None:
    for content in ("", "{}", "[]", '{"tried": []}', '{"tried": [{"precision": "bf16"}]}'):
        for path in _own_folder.glob("*.json"):
            path.write_text(content, encoding="utf-8")
        with Engine(device="cpu", models={"sentiment": GOLDEN_MODELS["sentiment"]}) as engine:
            assert engine.model_info("sentiment").precision.value in ("fp32", "bf16", "int8")
        (path,) = _own_folder.glob("*.json")
        assert json.loads(path.read_text(encoding="utf-8"))["tried"][0]["precision"] == "fp32"


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(auto_precision, "FOLDER", tmp_path / "file" / "precision")
    with Engine(device="cpu", models={"sentiment": GOLDEN_MODELS["sentiment"]}) as engine:
        assert engine.model_info("sentiment").precision.value in ("fp32", "bf16", "int8")


class _Coarse:
    """A runtime whose logits are those of fp32, moved by `by`."""

    def __init__(self, by: float) -> None:
        self._by = by

    def logits(self, encodings: list[object], **_: object) -> np.ndarray:
        logits = np.zeros((len(encodings), 2), dtype=np.float32)
        logits[:, 1] = np.linspace(-4, 4, len(encodings))
        logits[:, 1] += self._by
        return logits


def test_what_changed_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auto_precision, "_candidates", lambda: ("fp32", "int8"))
    checkpoint: Checkpoint = load_checkpoint(Path(GOLDEN_MODELS["sentiment"]), task="sentiment")
    exact, coarse = auto_precision.measure(
        checkpoint, TASKS["sentiment"], make=lambda precision: _Coarse(0.2 * (precision == "int8"))
    )
    assert (exact.change, exact.decisions) == (0, 0) and exact.holds
    # A logit of 0.2 is 5 points of probability at most, and decides anew for the texts within 0.2 of the middle.
    assert coarse.change == pytest.approx(0.05, abs=0.001) and not coarse.holds
    assert coarse.decisions == pytest.approx(0.2 / 8, abs=0.01)


def test_another_machine_or_model_decides_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = TASKS["sentiment"]
    keys = {auto_precision._key(spec, "a"), auto_precision._key(spec, "b"), auto_precision._key(TASKS["classify"], "a")}
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    keys.add(auto_precision._key(spec, "a"))
    monkeypatch.setattr(auto_precision, "machine", lambda: "another, 2 cores")
    keys.add(auto_precision._key(spec, "a"))
    assert len(keys) == 5
