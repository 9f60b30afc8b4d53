"""Tiny checkpoints that transformers itself writes, with random weights, and its own answers to compare ours with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import BertConfig, BertForSequenceClassification, BertModel, BertTokenizer

from tests.conftest import GOLDEN

VOCABULARY = GOLDEN / "sentiment" / "vocab.txt"
SIZES = {
    "vocab_size": len(VOCABULARY.read_bytes().decode().removesuffix("\n").split("\n")),
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}
TEXTS = ["下班以后去哪里吃饭", "短", "ABC 天气Ｘ好 café，不错！", ""]
PAIRS = [("天气好", "天气不错"), ("下班以后去哪里吃饭", "短"), ("", "天气")]


def config(**more: Any) -> BertConfig:
    return BertConfig(**{**SIZES, **more})


def classifier(labels: Sequence[str] | None, *, seed: int = 0, **more: Any) -> BertForSequenceClassification:
    """A classifier whose weights are large enough for answers to differ. Without `labels` they are LABEL_0, LABEL_1."""
    torch.manual_seed(seed)
    names = (
        {}
        if labels is None
        else {"id2label": dict(enumerate(labels)), "label2id": {n: i for i, n in enumerate(labels)}}
    )
    model = BertForSequenceClassification(config(**names, **more)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return model


def encoder(*, seed: int = 0, **more: Any) -> BertModel:
    torch.manual_seed(seed)
    model = BertModel(config(**more)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return model


def tokenizer(**options: Any) -> BertTokenizer:
    return BertTokenizer(vocab=str(VOCABULARY), **options)


def save(model: Any, folder: Path, *, tokenizer_options: Mapping[str, Any] | None = None, **options: Any) -> Path:
    """`model` and a tokenizer in `folder`, by `save_pretrained`."""
    model.save_pretrained(folder, **options)
    tokenizer(**(tokenizer_options or {})).save_pretrained(folder)
    return folder


def edit(folder: Path, name: str, **changes: Any) -> None:
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")


def logits(folder: Path, inputs: Sequence[Any]) -> np.ndarray:
    """(N, labels): what transformers computes from the folder, one input at a time."""
    model = BertForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    own = BertTokenizer.from_pretrained(folder)
    rows = []
    for item in inputs:
        encoded = own(*([item] if isinstance(item, str) else item), return_tensors="pt")
        with torch.inference_mode():
            rows.append(model(**encoded).logits[0].numpy())
    return np.stack(rows)


def probabilities(folder: Path, inputs: Sequence[Any]) -> list[dict[str, float]]:
    """By label, as a pipeline of transformers answers."""
    shares = torch.from_numpy(logits(folder, inputs)).softmax(-1).numpy()
    names = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("id2label")
    return [
        {names[str(index)] if names else f"LABEL_{index}": float(share) for index, share in enumerate(row)}
        for row in shares
    ]
