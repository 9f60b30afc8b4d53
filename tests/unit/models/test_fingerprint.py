"""Two folders have the same fingerprint if and only if they compute the same."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.conftest import GOLDEN
from wenmo.models.checkpoint import Checkpoint, load_checkpoint
from wenmo.models.fingerprint import fingerprint


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return load_checkpoint(GOLDEN / "sentiment")


def test_folder_file_format_and_calibration_do_not_matter(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = tmp_path / "another name"
    shutil.copytree(GOLDEN / "sentiment", folder)
    weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, folder / "model.safetensors")
    (folder / "pytorch_model.bin").unlink()
    copied = dataclasses.replace(load_checkpoint(folder), temperatures={"sentiment": 2.0}, labels=("坏", "好"))
    assert fingerprint(copied) == fingerprint(checkpoint)


def test_models_are_told_apart(checkpoint: Checkpoint) -> None:
    others = [load_checkpoint(GOLDEN / name) for name in ("similarity", "similarity_encoder_prefix", "zero_shot")]
    assert len({fingerprint(each) for each in (checkpoint, *others)}) == 4


def test_the_smallest_change_of_any_weight_counts(checkpoint: Checkpoint) -> None:
    for name in checkpoint.weights:
        weights = {key: tensor.clone() for key, tensor in checkpoint.weights.items()}
        last = weights[name].view(-1)[-1:]
        last.copy_(torch.nextafter(last, torch.full_like(last, torch.inf)))
        assert fingerprint(dataclasses.replace(checkpoint, weights=weights)) != fingerprint(checkpoint), name


def test_what_the_weights_do_not_show_counts(checkpoint: Checkpoint) -> None:
    """Heads, activation and epsilon change every output, but no shape of a weight."""
    shape = checkpoint.shape
    changed = (
        dataclasses.replace(shape, num_attention_heads=2 * shape.num_attention_heads),
        dataclasses.replace(shape, hidden_act="relu"),
        dataclasses.replace(shape, layer_norm_eps=1e-5),
    )
    prints = {fingerprint(dataclasses.replace(checkpoint, shape=each)) for each in (shape, *changed)}
    assert len(prints) == 4
    halves = {name: tensor.half() for name, tensor in checkpoint.weights.items()}
    assert fingerprint(dataclasses.replace(checkpoint, weights=halves)) not in prints
