"""A loaded model is what was loaded, whatever happens to its folder; caches and jobs know it by its content."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.conftest import GOLDEN
from wenmo import Engine, InputError
from wenmo.jobs.backend import EngineBackend
from wenmo.jobs.job import run_job
from wenmo.jobs.options import RunOptions
from wenmo.jobs.sources import partial_folder

TEXTS = ["墨色温润", "纸太薄了", "一般"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model with its weights in safetensors, which are mapped into memory when they are read."""
    made = Path(shutil.copytree(GOLDEN / "sentiment", tmp_path / "model"))
    weights = torch.load(made / "pytorch_model.bin", weights_only=True)
    (made / "pytorch_model.bin").unlink()
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, made / "model.safetensors")
    return made


def _turned(folder: Path) -> dict[str, torch.Tensor]:
    """Weights of another model: the classifier says the opposite."""
    weights = {name: tensor.clone() for name, tensor in load_file(folder / "model.safetensors").items()}
    for name in [name for name in weights if "classifier." in name]:
        weights[name] = -weights[name]
    return weights


def _answers(engine: Engine, texts: list[str]) -> list[float]:
    return [result.positive for result in engine.sentiment(texts)]


def _engine(folder: Path) -> Engine:
    return Engine(device="cpu", precision="fp32", models={"sentiment": folder})


def test_weights_that_are_overwritten_or_cut_change_nothing_in_use(folder: Path) -> None:
    with _engine(folder) as engine:
        before = _answers(engine, TEXTS[:1])
        save_file(_turned(folder), folder / "new.safetensors")
        file = folder / "model.safetensors"
        with file.open("r+b") as weights:  # in place: the same inode
            weights.write((folder / "new.safetensors").read_bytes())
        assert _answers(engine, TEXTS[1:2]) != []
        with file.open("r+b") as weights:
            weights.truncate(1000)
        other_texts = _answers(engine, ["又看了一遍", *TEXTS])  # touches every weight
        assert other_texts[1] == pytest.approx(before[0], abs=1e-6)


def test_a_model_that_replaced_another_in_its_folder_gives_its_own_answers(folder: Path) -> None:
    with _engine(folder) as first, _engine(folder) as same:
        before, digest = _answers(first, TEXTS), first.model_info("sentiment").digest
        assert same.model_info("sentiment").digest == digest
        changed = folder.stat().st_mtime_ns
        save_file(_turned(folder), folder / "model.safetensors")
        os.utime(folder, ns=(changed, changed))  # the folder does not show it
        first.close()
        after = _answers(first, TEXTS)
        assert first.model_info("sentiment").digest != digest
    assert after == pytest.approx([1 - value for value in before], abs=0.05)


def test_a_job_is_not_resumed_with_another_model(folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("text\n" + "墨色温润\n" * 30, encoding="utf-8")
    target = tmp_path / "out.csv"

    class StoppedError(Exception):
        pass

    def stop(progress: object) -> None:
        raise StoppedError

    def run(*, resume: bool) -> None:
        with _engine(folder) as engine:
            run_job(
                EngineBackend(engine),
                "sentiment",
                source,
                target,
                RunOptions(),
                resume=resume,
                shard_rows=5,
                progress=None if resume else stop,
            )

    with pytest.raises(StoppedError):
        run(resume=False)
    assert partial_folder(target).is_dir()
    save_file(_turned(folder), folder / "model.safetensors")
    with pytest.raises(InputError, match="model"):
        run(resume=True)
