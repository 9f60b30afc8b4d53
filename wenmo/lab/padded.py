"""The classifier as most programs run it, for comparison: transformers in padded batches, with its own tokenizer.

It is loaded from a folder in transformers' layout, as transformers' documentation shows. Only `wenmo.lab.race` and
the peers of benchmarks/ run it; it answers no user.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wenmo.models.checkpoint import Checkpoint
from wenmo.tokenizer import PIPELINE_FILE, SPECIAL_TOKENS

Items = Sequence[str] | Sequence[tuple[str, str]]
Answer = Callable[[Items], np.ndarray]  # texts or pairs to logits (N, labels), in the order of the items
MAX_LENGTH = 512


def export(checkpoint: Checkpoint, folder: Path) -> None:
    """Write `checkpoint` to `folder` in transformers' layout, which other libraries read, too."""
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizer, PreTrainedTokenizerFast

    config = BertConfig(**asdict(checkpoint.shape), num_labels=len(checkpoint.labels))  # type: ignore[call-arg]
    model = BertForSequenceClassification(config)
    model.load_state_dict({name: tensor.float() for name, tensor in checkpoint.weights.items()})
    model.save_pretrained(folder)
    checkpoint.tokenizer.save(folder)
    if (folder / PIPELINE_FILE).is_file():  # BertTokenizer would replace its steps by BERT's own
        tokenizer: Any = PreTrainedTokenizerFast(
            tokenizer_file=str(folder / PIPELINE_FILE),
            model_max_length=MAX_LENGTH,
            model_input_names=["input_ids", "token_type_ids", "attention_mask"],  # its default leaves out the second
            **{f"{token.strip('[]').lower()}_token": token for token in SPECIAL_TOKENS},
        )
    else:
        tokenizer = BertTokenizer.from_pretrained(folder, model_max_length=MAX_LENGTH)
    tokenizer.save_pretrained(folder)
    if (folder / PIPELINE_FILE).is_file():  # transformers has written one name of each id alone
        (folder / PIPELINE_FILE).write_text(checkpoint.tokenizer.to_json(), encoding="utf-8")


def tokenizer_of(folder: Path) -> Any:
    """transformers' tokenizer of an exported folder."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, model_max_length=MAX_LENGTH)


def columns(items: Sequence[str | tuple[str, str]]) -> tuple[list[str], ...]:
    """The arguments of a tokenizer: the texts, or the first and the second texts of the pairs."""
    rows = [(item,) if isinstance(item, str) else item for item in items]
    return tuple(list(column) for column in zip(*rows, strict=True))


def classifier(
    folder: Path,
    *,
    batch: int,
    device: str = "cpu",
    max_length: int = MAX_LENGTH,
    dtype: torch.dtype = torch.float32,
) -> Answer:
    """BertForSequenceClassification over batches of `batch` items in the order given, each padded to its longest.

    This is the second row of the batch article's table; with `batch` 1 it is the first.
    """
    from transformers import BertForSequenceClassification

    model: Any = BertForSequenceClassification.from_pretrained(folder).eval().to(device, dtype)
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
                rows.append(model(**inputs.to(device)).logits.float().cpu().numpy())
        return np.concatenate(rows)

    return answer
