"""The same classifier by transformers, in padded batches: what most programs do, and what ours is measured against.

Read from a folder in transformers' layout, with transformers' own tokenizer, as its documentation shows. Not used to
answer anybody: `wenmo.lab.race` and the peers of benchmarks/ run it beside ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wenmo.models.checkpoint import Checkpoint

Items = Sequence[str] | Sequence[tuple[str, str]]
Answer = Callable[[Items], np.ndarray]  # texts, or pairs, to logits (N, labels), in order
MAX_LENGTH = 512


def export(checkpoint: Checkpoint, folder: Path) -> None:
    """`checkpoint` as a folder that transformers, and all that read its layout, can load."""
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

    config = BertConfig(**asdict(checkpoint.shape), num_labels=len(checkpoint.labels))  # type: ignore[call-arg]
    model = BertForSequenceClassification(config)
    model.load_state_dict({name: tensor.float() for name, tensor in checkpoint.weights.items()})
    model.save_pretrained(folder)
    pieces = sorted(checkpoint.tokenizer.vocabulary, key=checkpoint.tokenizer.vocabulary.__getitem__)
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    BertTokenizer.from_pretrained(folder, model_max_length=MAX_LENGTH).save_pretrained(folder)


def tokenizer_of(folder: Path) -> Any:
    """transformers' tokenizer of an exported folder."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, model_max_length=MAX_LENGTH)


def columns(items: Sequence[str | tuple[str, str]]) -> tuple[list[str], ...]:
    """What a tokenizer takes: the texts, or the first and the second ones of the pairs."""
    rows = [(item,) if isinstance(item, str) else item for item in items]
    return tuple(list(column) for column in zip(*rows, strict=True))


def classifier(folder: Path, *, batch: int, device: str = "cpu", max_length: int = MAX_LENGTH) -> Answer:
    """BertForSequenceClassification over fixed batches in the order given, each padded to its longest.

    The batch article's second row; with `batch` 1 its first.
    """
    from transformers import BertForSequenceClassification

    model: Any = BertForSequenceClassification.from_pretrained(folder).eval().to(device)
    tokenizer = tokenizer_of(folder)

    def answer(items: Items) -> np.ndarray:
        rows = []
        with torch.inference_mode():
            for start in range(0, len(items), batch):
                inputs = tokenizer(
                    *columns(items[start : start + batch]),
                    padding=True,
                    truncation=True,
                    max_length=max_length,
                    return_tensors="pt",
                )
                rows.append(model(**inputs.to(device)).logits.cpu().numpy())
        return np.concatenate(rows)

    return answer
