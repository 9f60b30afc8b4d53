"""Checkpoints in sentence-transformers' layout: the same vectors as sentence-transformers makes of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer, models

from tests.transformers_models import TEXTS, edit, encoder, save
from wenmo import CheckpointError, Engine, InputError
from wenmo.models.description import describe

POOLINGS = ["cls", "mean", "max", "mean_sqrt_len_tokens", ("cls", "max"), ("mean", "cls", "max")]
FORMER_FIELDS = {"cls": "cls_token", "max": "max_tokens", "mean": "mean_tokens"}


def build(tmp_path: Path, pooling: Any, *after: Any, **options: Any) -> Path:
    """A model with `pooling`, and the modules `after` it."""
    body = save(encoder(), tmp_path / "body")
    first = models.Transformer(str(body), max_seq_length=options.pop("max_seq_length", 64))
    model = SentenceTransformer(modules=[first, models.Pooling(32, pooling_mode=pooling), *after], **options)
    model.save(str(tmp_path / "model"))
    return tmp_path / "model"


def vectors(folder: Path, **options: Any) -> np.ndarray:
    return SentenceTransformer(str(folder), device="cpu").encode(TEXTS, **options)


def assert_same(folder: Path, *, ours: dict[str, Any] | None = None, **theirs: Any) -> None:
    expected = vectors(folder, **theirs)
    with Engine(device="cpu", precision="fp32", models={"embedding": folder}) as engine:
        found = engine.embed(TEXTS, **(ours or {}))
        assert engine.model_info("embedding").vector_size == found.shape[1] == expected.shape[1]
        assert engine.embed([]).shape == (0, found.shape[1])
    assert np.abs(found - expected).max() < 1e-5


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("pooling", POOLINGS, ids=str)
def test_pooling(pooling: Any, normalized: bool, tmp_path: Path) -> None:
    assert_same(build(tmp_path, pooling, *([models.Normalize()] if normalized else [])))


@pytest.mark.parametrize("pooling", ["cls", "mean", ("cls", "max"), ("max", "mean")], ids=str)
def test_the_former_fields_of_pooling(pooling: Any, tmp_path: Path) -> None:
    """Of the models that people have; their vectors are joined in a fixed order."""
    folder = build(tmp_path, pooling)
    chosen = (pooling,) if isinstance(pooling, str) else pooling
    fields = {f"pooling_mode_{field}": name in chosen for name, field in FORMER_FIELDS.items()}
    config = {"word_embedding_dimension": 32, **fields, "pooling_mode_mean_sqrt_len_tokens": False}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert_same(folder)


@pytest.mark.parametrize(
    "activation", [torch.nn.Tanh(), torch.nn.Identity(), torch.nn.ReLU(), torch.nn.GELU()], ids=str
)
@pytest.mark.parametrize("bias", [True, False])
def test_dense_layers_and_normalisation(activation: Any, bias: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    dense = models.Dense(64, 16, bias=bias, activation_function=activation)
    second = models.Dense(16, 8)
    assert_same(build(tmp_path, ("cls", "mean"), dense, models.Normalize(), second, models.Normalize()))


def test_prompts_by_name_and_by_default(tmp_path: Path) -> None:
    folder = build(tmp_path, "cls", models.Normalize(), prompts={"query": "天气：", "document": ""})
    assert_same(folder)
    assert_same(folder, ours={"prompt_name": "query"}, prompt_name="query")
    with Engine(device="cpu", precision="fp32", models={"embedding": folder}) as engine:
        assert engine.model_info("embedding").prompts == {"query": "天气：", "document": ""}
        with pytest.raises(InputError, match="document, query"):
            engine.embed(TEXTS, prompt_name="passage")
    edit(folder, "config_sentence_transformers.json", default_prompt_name="query")
    assert_same(folder)


def test_the_longest_input(tmp_path: Path) -> None:
    folder = build(tmp_path, "mean", max_seq_length=9)
    text = "下班以后去哪里吃饭比较好呢"
    with Engine(device="cpu", precision="fp32", models={"embedding": folder}) as engine:
        assert engine.model_info("embedding").max_length == 9
        found = engine.embed([text])
    assert np.abs(found - SentenceTransformer(str(folder), device="cpu").encode([text])).max() < 1e-5


def test_lower_case_and_the_encoder_in_a_folder_of_its_own(tmp_path: Path) -> None:
    """As older versions write it."""
    folder = build(tmp_path, "mean")
    inner = folder / "0_Transformer"
    inner.mkdir()
    for path in folder.iterdir():
        if path.is_file() and path.name not in ("modules.json", "config_sentence_transformers.json"):
            path.rename(inner / path.name)
    modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    modules[0]["path"] = "0_Transformer"
    (folder / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    pipeline = json.loads((inner / "tokenizer.json").read_text(encoding="utf-8"))
    pipeline["normalizer"]["lowercase"] = False
    (inner / "tokenizer.json").write_text(json.dumps(pipeline), encoding="utf-8")
    edit(inner, "tokenizer_config.json", do_lower_case=False)
    assert_same(folder)
    with Engine(device="cpu", precision="fp32", models={"embedding": folder}) as engine:
        cased = engine.embed(["ABC 天气", "abc 天气"])
    edit(inner, "sentence_bert_config.json", do_lower_case=True)
    with Engine(device="cpu", precision="fp32", models={"embedding": folder}) as engine:
        lower = engine.embed(["ABC 天气", "abc 天气"])
    assert not np.allclose(cased[0], cased[1])
    assert (lower[0] == lower[1]).all()
    assert np.allclose(lower[1], cased[1], atol=1e-6)


def test_zero_shot_by_vectors_has_the_default_prompt(tmp_path: Path) -> None:
    folder = build(tmp_path, "cls", prompts={"query": "天气："}, default_prompt_name="query")
    with Engine(device="cpu", precision="fp32", models={"embedding": folder}) as engine:
        result = engine.zero_shot([TEXTS[0]], labels=["美食", "天气"], method="embedding")[0]
        cosines = engine.cosine_similarity([(TEXTS[0], "美食"), (TEXTS[0], "天气")])
    assert result.logits == tuple((pytest.approx(float(value), abs=1e-6),) for value in cosines)


def test_a_cross_encoder_is_a_classifier(tmp_path: Path) -> None:
    """Its modules.json has no pooling: what it is, config.json says."""
    from tests.transformers_models import classifier

    folder = save(classifier(("不同", "相同")), tmp_path / "model")
    modules = [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.base.modules.Transformer"}]
    (folder / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    assert describe(folder).tasks[0].name == "similarity"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f: edit(f / "1_Pooling", "config.json", pooling_mode="lasttoken"), "lasttoken"),
        (lambda f: edit(f / "1_Pooling", "config.json", pooling_mode=["mean", "weightedmean"]), "weightedmean"),
        (lambda f: edit(f / "1_Pooling", "config.json", pooling_mode=[]), "pooling_mode"),
        (lambda f: edit(f / "1_Pooling", "config.json", include_prompt=False), "include_prompt"),
        (lambda f: edit(f / "2_Dense", "config.json", activation_function="torch.nn.SELU"), "activation_function"),
        (lambda f: edit(f / "2_Dense", "config.json", in_features=33), "in_features"),
        (lambda f: edit(f / "2_Dense", "config.json", out_features=0), "out_features"),
        (lambda f: edit(f, "config_sentence_transformers.json", prompts=["查"]), "prompts"),
        (lambda f: edit(f, "config_sentence_transformers.json", default_prompt_name="x"), "default_prompt_name"),
        (lambda f: edit(f, "config.json", model_type="xlm-roberta"), "XLM-RoBERTa"),
        (lambda f: (f / "modules.json").write_text("{}"), "modules.json"),
        (lambda f: _module(f, 2, type="sentence_transformers.models.LSTM"), "LSTM"),
        (lambda f: _module(f, 1, path="../1_Pooling"), "path"),
        (lambda f: _module(f, 1, path="/etc"), "path"),
        (lambda f: _module(f, 0, type=5), "type"),
    ],
)
def test_what_is_refused(change: Any, says: str, tmp_path: Path) -> None:
    folder = build(tmp_path, "mean", models.Dense(32, 16))
    change(folder)
    with pytest.raises(CheckpointError, match=says):
        describe(folder)


def test_dense_weights_of_another_size_are_refused(tmp_path: Path) -> None:
    folder = build(tmp_path, "mean", models.Dense(32, 16))
    edit(folder / "2_Dense", "config.json", out_features=17)
    with Engine(models={"embedding": folder}) as engine, pytest.raises(CheckpointError, match=r"linear\.weight"):
        engine.embed(TEXTS)


def _module(folder: Path, index: int, **changes: Any) -> None:
    modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    modules[index] |= changes
    (folder / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
