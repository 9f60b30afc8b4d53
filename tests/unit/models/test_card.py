"""The facts about a model without loading it equal those of the loaded model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import GOLDEN
from wenmo.models import card
from wenmo.models.checkpoint import load_checkpoint
from wenmo.models.registry import bundled_models
from wenmo.ui.models.catalogue import SETS

BUNDLED = bundled_models()


@pytest.mark.parametrize("name", list(BUNDLED))
def test_sizes_are_those_of_the_checkpoint(name: str) -> None:
    sizes, checkpoint = card.read_sizes(BUNDLED[name]), load_checkpoint(BUNDLED[name])
    assert sizes.parameters == checkpoint.parameters
    assert (sizes.layers, sizes.hidden_size) == (checkpoint.shape.num_hidden_layers, checkpoint.shape.hidden_size)
    assert (sizes.heads, sizes.vocab_size) == (checkpoint.shape.num_attention_heads, checkpoint.shape.vocab_size)
    assert sizes.weights_mib == pytest.approx((BUNDLED[name] / "model.safetensors").stat().st_size / 2**20)


def test_a_pickle_is_not_opened() -> None:
    sizes = card.read_sizes(GOLDEN / "sentiment")
    assert (sizes.layers, sizes.parameters) == (3, None)
    assert sizes.weights_mib is not None


@pytest.mark.parametrize("config", ["{", "[]", json.dumps({"num_hidden_layers": "three"})])
def test_of_what_cannot_be_read_nothing_is_known(tmp_path: Path, config: str) -> None:
    (tmp_path / "config.json").write_text(config, encoding="utf-8")
    (tmp_path / "model.safetensors").write_bytes(b"no tensors")
    sizes = card.read_sizes(tmp_path)
    assert (sizes.layers, sizes.parameters) == (None, None)
    assert card.read_sizes(tmp_path / "none").weights_mib is None


@pytest.mark.parametrize("name", list(BUNDLED))
def test_the_cards_of_bundled_models_have_a_table(name: str) -> None:
    """At least two test sets each, named in the first column; the third column is a percentage with its interval."""
    accuracy = card.read_accuracy_table(name)
    assert accuracy is not None
    assert len(accuracy.rows) >= 2
    assert all(len(row) == len(accuracy.header) for row in accuracy.rows)
    assert all(0 < float(row[2].split()[0]) < 100 for row in accuracy.rows)
    assert accuracy.measured_by.startswith("python -m ")
    assert all(row[0] in SETS for row in accuracy.rows)  # has a name in Chinese


def test_a_card_without_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(BUNDLED["wenmo-sentiment"] / "README.md", tmp_path / "README.md")
    monkeypatch.setattr(card, "bundled_models", lambda: {"here": tmp_path, "not": tmp_path / "not"})
    assert card.read_accuracy_table("here") is not None
    (tmp_path / "README.md").write_text("# A model\n\nGood.\n", encoding="utf-8")
    assert card.read_accuracy_table("here") is None
    assert card.read_accuracy_table("not") is None
