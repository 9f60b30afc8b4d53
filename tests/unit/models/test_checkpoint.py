"""Reading checkpoints: every naming of weights is accepted, and anything that does not fit is named in the error."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from tests.conftest import GOLDEN
from wenmo import CheckpointError, Engine
from wenmo.models.card import read_sizes
from wenmo.models.checkpoint import load_checkpoint, read_shape
from wenmo.models.shape import expected_shapes
from wenmo.models.weights import quantized_rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the golden similarity checkpoint for tests to damage."""
    return Path(shutil.copytree(GOLDEN / "similarity", tmp_path / "model"))


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "pytorch_model.bin", weights_only=True)


def _edit(folder: Path, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads((folder / name).read_text(encoding="utf-8"))
    change(content)
    (folder / name).write_text(json.dumps(content), encoding="utf-8")


def _rename(folder: Path, rename: Callable[[str], str]) -> None:
    torch.save({rename(name): tensor for name, tensor in _weights(folder).items()}, folder / "pytorch_model.bin")


@pytest.mark.parametrize(
    "rename",
    [
        lambda name: name,
        lambda name: name.replace("bert.", "encoder.", 1),
        lambda name: name.removeprefix("bert."),
        lambda name: name.replace("bert.", "encoder.", 1).replace("classifier.", "head.classifier."),
        lambda name: name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"),
    ],
    ids=["bert", "encoder", "bare", "task model", "gamma and beta"],
)
def test_key_layouts(folder: Path, rename: Callable[[str], str]) -> None:
    expected = load_checkpoint(folder).weights
    _rename(folder, rename)
    found = load_checkpoint(folder).weights
    assert set(found) == set(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_names_and_shapes_are_those_of_transformers() -> None:
    from transformers import BertConfig, BertForSequenceClassification

    checkpoint = load_checkpoint(GOLDEN / "zero_shot")
    config = BertConfig(**asdict(checkpoint.shape), num_labels=3)  # type: ignore[call-arg]
    state = BertForSequenceClassification(config).state_dict()
    assert expected_shapes(checkpoint.shape, labels=3) == {name: tuple(t.shape) for name, t in state.items()}


def test_safetensors_in_half_precision(folder: Path) -> None:
    with Engine(device="cpu", precision="fp32", models={"similarity": folder}) as engine:
        before = engine.similarity([("天气好", "天气不错")])[0].similarity
    weights = {name: tensor.half() for name, tensor in _weights(folder).items() if tensor.is_floating_point()}
    save_file(weights, folder / "model.safetensors")
    (folder / "pytorch_model.bin").unlink()
    with Engine(device="cpu", precision="fp32", models={"similarity": folder}) as engine:
        after = engine.similarity([("天气好", "天气不错")])[0].similarity
    assert after == pytest.approx(before, abs=0.01)


def test_matrices_in_int8_with_a_scale_a_row(folder: Path) -> None:
    """As the bundled models are stored: every weight within half a step of its row's scale."""
    weights = _weights(folder)
    (folder / "pytorch_model.bin").unlink()
    stored = dict(weights)
    matrices = [name for name, tensor in weights.items() if tensor.ndim == 2 and tensor.is_floating_point()]
    for name in matrices:
        stored[name], stored[f"{name}_scale"] = quantized_rows(weights[name])
    save_file(stored, folder / "model.safetensors")
    checkpoint = load_checkpoint(folder)
    plain = {name.removeprefix("bert."): tensor for name, tensor in checkpoint.weights.items()}
    for name in matrices:
        step = weights[name].abs().amax(1, keepdim=True) / 127
        own = plain[name.removeprefix("bert.")]
        assert own.dtype == torch.float32
        assert ((own - weights[name]).abs() <= 0.6 * step + 1e-6).all(), name
    assert checkpoint.parameters == sum(tensor.numel() for tensor in weights.values() if tensor.is_floating_point())


def test_int8_without_scales_is_refused(folder: Path) -> None:
    weights = _weights(folder)
    (folder / "pytorch_model.bin").unlink()
    name = next(name for name, tensor in weights.items() if tensor.ndim == 2 and tensor.is_floating_point())
    weights[name] = quantized_rows(weights[name])[0]
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match="no floats"):
        load_checkpoint(folder)


def test_a_missing_key_is_named(folder: Path) -> None:
    weights = _weights(folder)
    del weights["bert.encoder.layer.1.output.dense.bias"]
    torch.save(weights, folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"Missing: bert\.encoder\.layer\.1\.output\.dense\.bias"):
        load_checkpoint(folder)


def test_a_missing_classifier_is_named(folder: Path) -> None:
    weights = {name: tensor for name, tensor in _weights(folder).items() if not name.startswith("classifier")}
    torch.save(weights, folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"Missing: classifier\.weight, classifier\.bias"):
        load_checkpoint(folder)


@pytest.mark.parametrize("name", ["lm_head.weight", "bert.encoder.layer.9.output.dense.weight", "module.bert.x"])
def test_a_surplus_key_is_named(folder: Path, name: str) -> None:
    torch.save({**_weights(folder), name: torch.zeros(2)}, folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=f"Surplus: (bert.)?{name}"):
        load_checkpoint(folder)


def test_unknown_prefix_is_refused(folder: Path) -> None:
    """Here ModelScope only warns, and leaves the weights random."""
    _rename(folder, lambda name: f"module.{name}")
    with pytest.raises(CheckpointError, match="Missing: bert"):
        load_checkpoint(folder)


def test_shapes_must_fit_config(folder: Path) -> None:
    _edit(folder, "config.json", lambda config: config.update(intermediate_size=129))
    with pytest.raises(CheckpointError, match=r"intermediate\.dense\.weight \(128, 64\) instead of \(129, 64\)"):
        load_checkpoint(folder)


def test_vocabulary_must_fit(folder: Path) -> None:
    with (folder / "vocab.txt").open("a", encoding="utf-8") as file:
        file.write("多出来的\n")
    with pytest.raises(CheckpointError, match="1472 tokens"):
        load_checkpoint(folder)


def test_special_tokens_must_be_there(folder: Path) -> None:
    text = (folder / "vocab.txt").read_text(encoding="utf-8")
    (folder / "vocab.txt").write_text(text.replace("[SEP]", "[sep]"), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"\[SEP\]"):
        load_checkpoint(folder)


@pytest.mark.parametrize("name", ["config.json", "configuration.json", "vocab.txt", "pytorch_model.bin"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=name):
        load_checkpoint(folder)


@pytest.mark.parametrize("name", ["config.json", "configuration.json", "label_mapping.json"])
@pytest.mark.parametrize("content", ["{", "[]", "\x00"])
def test_damaged_json_is_named(folder: Path, name: str, content: str) -> None:
    (folder / name).write_text(content, encoding="utf-8")
    with pytest.raises(CheckpointError, match=name):
        load_checkpoint(folder)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
@pytest.mark.parametrize("file_format", ["bin", "safetensors"])
def test_truncated_weights(folder: Path, share: float, file_format: str) -> None:
    path = folder / "pytorch_model.bin"
    if file_format == "safetensors":
        save_file(_weights(folder), folder / "model.safetensors")
        path.unlink()
        path = folder / "model.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(CheckpointError, match=path.name):
        load_checkpoint(folder)


class _Bomb:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._path,)


def test_code_in_a_weights_file_is_not_run(folder: Path, tmp_path: Path) -> None:
    mark = tmp_path / "was-run"
    torch.save({**_weights(folder), "x": _Bomb(mark)}, folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin"):
        load_checkpoint(folder)
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(_Bomb(mark)))
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin"):
        load_checkpoint(folder)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c.update(task="image-captioning", pipeline={}), "image-captioning"),
        (lambda c: c.update(task=None, pipeline=None), "None"),
        (lambda c: c["preprocessor"].update(label2id={"no": 0}), "label2id"),
        (lambda c: c["preprocessor"].update(label2id={"no": 0, "yes": 2}), "label2id"),
        (lambda c: c["preprocessor"].update(label2id={"no": 0, "yes": "x"}), "label2id"),
        (lambda c: c["preprocessor"].update(label2id=["no", "yes"]), "label2id"),
    ],
)
def test_configuration_that_does_not_fit(folder: Path, change: Callable[[dict[str, Any]], object], says: str) -> None:
    _edit(folder, "configuration.json", change)
    with pytest.raises(CheckpointError, match=says):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("configuration.json", lambda c: c.update(model="structbert"), "model"),
        ("configuration.json", lambda c: c.update(preprocessor=[1]), "preprocessor"),
        ("configuration.json", lambda c: c["preprocessor"].update(max_length="abc"), "max_length"),
        ("configuration.json", lambda c: c["preprocessor"].update(max_length=-5), "max_length"),
        ("configuration.json", lambda c: c["preprocessor"].update(max_length=4), "max_length"),
        ("configuration.json", lambda c: c.update(calibration=1.5), "calibration"),
        ("configuration.json", lambda c: c.update(calibration={"nli": 1.5}), "calibration"),
        ("configuration.json", lambda c: c.update(calibration={"similarity": 0}), "calibration.similarity"),
        ("configuration.json", lambda c: c.update(calibration={"similarity": "NaN"}), "calibration.similarity"),
        ("config.json", lambda c: c.update(num_attention_heads=7), "num_attention_heads"),
        ("config.json", lambda c: c.update(num_attention_heads=0), "num_attention_heads"),
        ("config.json", lambda c: c.update(num_attention_heads=True), "num_attention_heads"),
        ("config.json", lambda c: c.update(hidden_act="sorcery"), "hidden_act"),
        ("config.json", lambda c: c.update(layer_norm_eps="small"), "layer_norm_eps"),
        ("config.json", lambda c: c.update(type_vocab_size=0), "type_vocab_size"),
    ],
)
def test_values_that_cannot_be(folder: Path, name: str, change: Callable[[dict[str, Any]], object], says: str) -> None:
    _edit(folder, name, change)
    with pytest.raises(CheckpointError, match=says):
        load_checkpoint(folder)


def test_labels_in_another_order_are_put_in_order(folder: Path) -> None:
    """Or they would invert `.similarity` and `.positive`."""
    pairs = [("天气好", "天气不错"), ("天气好", "晚饭吃什么")]
    with Engine(device="cpu", precision="fp32", models={"similarity": folder}) as engine:
        before = engine.similarity(pairs)
    _edit(folder, "configuration.json", lambda c: c["preprocessor"].update(label2id={"yes": 0, "no": 1}))
    with Engine(device="cpu", precision="fp32", models={"similarity": folder}) as engine:
        after = engine.similarity(pairs)
        assert engine.model_info("similarity").labels == ("no", "yes")
    assert [one.similarity + other.similarity for one, other in zip(before, after, strict=True)] == pytest.approx(
        [1, 1]
    )


def test_labels_that_contradict_their_places_are_refused(folder: Path) -> None:
    _edit(folder, "configuration.json", lambda c: c["preprocessor"].update(label2id={"yes": 0, "x": 1}))
    with pytest.raises(CheckpointError, match="label_names"):
        load_checkpoint(folder)


def test_a_parameter_under_two_names_is_refused(folder: Path) -> None:
    weights = _weights(folder)
    torch.save({**weights, "head.classifier.bias": torch.ones(2)}, folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"Surplus: (head\.)?classifier\.bias"):
        load_checkpoint(folder)


def test_an_nli_model_is_not_taken_for_zero_shot(folder: Path) -> None:
    """According to the hub's model cards its labels have another order: contradiction, entailment, neutral."""
    _edit(folder, "configuration.json", lambda c: c.update(task="nli", pipeline={"type": "nli"}))
    with pytest.raises(CheckpointError, match="nli"):
        load_checkpoint(folder)


@pytest.mark.parametrize("seed", range(40))
def test_flipped_bytes_are_read_or_refused(folder: Path, seed: int) -> None:
    """The user would see any error but a CheckpointError as a traceback."""
    import contextlib
    import random

    rng = random.Random(seed)
    data = bytearray((folder / "pytorch_model.bin").read_bytes())
    for _ in range(20):  # mostly in the parsed parts: the pickle at the start and the zip directory at the end
        place = rng.choice([rng.randrange(4000), len(data) - 1 - rng.randrange(4000)])
        data[place] ^= 1 << rng.randrange(8)
    (folder / "pytorch_model.bin").write_bytes(data)
    with contextlib.suppress(CheckpointError):
        assert load_checkpoint(folder).parameters > 0


def test_wrong_model_type(folder: Path) -> None:
    _edit(folder, "config.json", lambda config: config.update(model_type="t5"))
    with pytest.raises(CheckpointError, match="t5"):
        load_checkpoint(folder)


def test_wrong_number_of_labels(folder: Path) -> None:
    weights = _weights(folder)
    weights["classifier.weight"], weights["classifier.bias"] = torch.zeros(5, 64), torch.zeros(5)
    torch.save(weights, folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="5 rows"):
        load_checkpoint(folder)


def test_label_sources_in_modelscopes_order(folder: Path) -> None:
    """The first of seven places that exists counts, see the README of tests/golden."""
    _edit(
        folder,
        "configuration.json",
        lambda c: (
            c["model"].update(label2id={"c0": 0, "c1": "1"}, id2label={"0": "d0", "1": "d1"}),
            c["preprocessor"].update(id2label={"1": "e1", "0": "e0"}),
        ),
    )
    (folder / "label_mapping.json").write_text('{"b1": 1, "b0": 0}', encoding="utf-8")
    seen = [load_checkpoint(folder).labels]
    _edit(folder, "configuration.json", lambda c: c["preprocessor"].pop("label2id"))
    seen.append(load_checkpoint(folder).labels)
    (folder / "label_mapping.json").unlink()
    seen.append(load_checkpoint(folder).labels)
    _edit(folder, "configuration.json", lambda c: c["model"].pop("label2id"))
    seen.append(load_checkpoint(folder).labels)
    _edit(folder, "configuration.json", lambda c: c["model"].pop("id2label"))
    seen.append(load_checkpoint(folder).labels)
    _edit(folder, "configuration.json", lambda c: c["preprocessor"].pop("id2label"))
    seen.append(load_checkpoint(folder).labels)
    _edit(folder, "config.json", lambda c: c.pop("label2id"))
    seen.append(load_checkpoint(folder).labels)
    _edit(folder, "config.json", lambda c: c.pop("id2label"))
    seen.append(load_checkpoint(folder).labels)
    assert seen == [
        ("no", "yes"),
        ("b0", "b1"),
        ("c0", "c1"),
        ("d0", "d1"),
        ("e0", "e1"),
        ("LABEL_0", "LABEL_1"),
        ("LABEL_0", "LABEL_1"),
        ("0", "1"),
    ]


def test_lengths(folder: Path) -> None:
    assert load_checkpoint(folder).max_length == 512
    assert load_checkpoint(folder, sequence_length=64).max_length == 64
    _edit(folder, "configuration.json", lambda c: c["preprocessor"].update(max_length=100))
    assert load_checkpoint(folder, sequence_length=64).max_length == 100
    _edit(folder, "configuration.json", lambda c: c["preprocessor"].update(max_length=4096))
    assert load_checkpoint(folder).max_length == 512  # the model has no more positions


def _for_embedding(folder: Path, pooling: str | None) -> None:
    model = {"type": "structbert", **({"emb_pooler_type": pooling} if pooling else {})}
    task = "sentence-embedding"
    _edit(folder, "configuration.json", lambda c: c.update(task=task, pipeline={"type": task}, model=model))


@pytest.mark.parametrize("with_pooler", [False, True])
def test_an_embedding_model_has_no_classifier(folder: Path, with_pooler: bool) -> None:
    """Its vectors equal those of the whole model, as pooler and classifier do not affect them."""
    whole = {name: tensor for name, tensor in _weights(folder).items() if not name.startswith("classifier.")}
    encoder = {name: tensor for name, tensor in whole.items() if not name.startswith("bert.pooler.")}
    with Engine(device="cpu", precision="fp32", models={"embedding": folder}) as engine:
        expected = engine.embed(["下班以后去哪里吃饭", "短"])
    torch.save(whole if with_pooler else encoder, folder / "pytorch_model.bin")
    _for_embedding(folder, "avg")
    checkpoint = load_checkpoint(folder)
    assert (checkpoint.task, checkpoint.labels) == ("embedding", ())
    assert set(checkpoint.weights) == set(encoder) - {"bert.embeddings.position_ids"}
    with Engine(device="cpu", precision="fp32", models={"embedding": folder}) as engine:
        assert (engine.embed(["下班以后去哪里吃饭", "短"]) == expected).all()


def test_vectors_of_several_layers_are_refused(folder: Path) -> None:
    _for_embedding(folder, "avg_top2")
    with pytest.raises(CheckpointError, match="emb_pooler_type"):
        load_checkpoint(folder, task="embedding")


@pytest.mark.parametrize("pooling", [None, "cls"])  # ModelScope's default is cls
def test_vectors_of_the_first_token(folder: Path, pooling: str | None) -> None:
    whole = {name: tensor for name, tensor in _weights(folder).items() if not name.startswith("classifier.")}
    text = "下班以后去哪里吃饭"
    with Engine(device="cpu", precision="fp32", models={"embedding": folder}) as engine:
        tokenizer = load_checkpoint(folder).tokenizer
        (ids,) = tokenizer.tokenize([text], limit=512)
        first = engine._models.get("embedding").bulk.states(tokenizer.encode_single(ids, max_length=512))[0]
    torch.save(whole, folder / "pytorch_model.bin")
    _for_embedding(folder, pooling)
    with Engine(device="cpu", precision="fp32", models={"embedding": folder}) as engine:
        assert engine.embed([text])[0] == pytest.approx(first, abs=1e-5)


def test_an_embedding_model_with_a_classifier_is_refused(folder: Path) -> None:
    _for_embedding(folder, "avg")
    with pytest.raises(CheckpointError, match=r"no BERT encoder.*classifier\.weight"):
        load_checkpoint(folder)


# --- folders that somebody made to do harm ---


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_hidden_layers", 10_000_000),
        ("num_hidden_layers", 900),
        ("hidden_size", 1 << 20),
        ("intermediate_size", 1 << 40),
        ("vocab_size", 1 << 50),
        ("max_position_embeddings", 1 << 40),
        ("type_vocab_size", 1 << 40),
    ],
)
def test_sizes_that_the_weights_cannot_have_are_refused_before_anything_is_made(
    folder: Path, name: str, value: int
) -> None:
    _edit(folder, "config.json", lambda config: config.update({name: value}))
    for read in (load_checkpoint, read_shape):
        with pytest.raises(CheckpointError, match=r"disagree|num_hidden_layers"):
            read(folder)


@pytest.mark.parametrize("name", ["vocab.txt", "config.json", "configuration.json", "pytorch_model.bin"])
@pytest.mark.parametrize("what", ["pipe", "/dev/zero"])
def test_what_is_no_file_is_refused_and_not_waited_for(folder: Path, name: str, what: str) -> None:
    (folder / name).unlink()
    if what == "pipe":
        os.mkfifo(folder / name)
    else:
        (folder / name).symlink_to(what)
    with pytest.raises(CheckpointError):
        load_checkpoint(folder, task="similarity")
    assert read_sizes(folder)


def test_an_index_that_names_a_pipe_is_refused(folder: Path) -> None:
    names = dict.fromkeys(_weights(folder), "part.bin")
    (folder / "pytorch_model.bin").unlink()
    os.mkfifo(folder / "part.bin")
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": names}), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"part\.bin"):
        load_checkpoint(folder)


def test_a_huge_text_file_is_refused(folder: Path) -> None:
    for name in ("vocab.txt", "config.json"):
        with (folder / name).open("r+b") as file:
            file.truncate(1 << 40)  # sparse
        with pytest.raises(CheckpointError, match="larger than"):
            load_checkpoint(folder)


def test_a_tensor_of_more_values_than_are_stored_is_refused(folder: Path) -> None:
    weights = _weights(folder)
    name = next(name for name, tensor in weights.items() if tensor.ndim == 2)
    torch.save({**weights, name: torch.zeros(1).expand(1 << 20, 1 << 20)}, folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="more values than are stored"):
        load_checkpoint(folder)


def test_compressed_weights_are_refused(folder: Path) -> None:
    path = folder / "pytorch_model.bin"
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(CheckpointError, match=r"compressed|disagree"):
        load_checkpoint(folder)
