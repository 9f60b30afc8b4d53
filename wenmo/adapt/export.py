"""Writes a trained model as a checkpoint in ModelScope's layout, with weights in safetensors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import BertForSequenceClassification

from wenmo.models.config_files import CONFIG_FILE, CONFIGURATION_FILE
from wenmo.models.shape import SCALE
from wenmo.models.weights import quantized_rows
from wenmo.tasks.table import TASKS
from wenmo.tokenizer import Tokenizer
from wenmo.types import TaskName

_CONFIG_FIELDS = (
    "attention_probs_dropout_prob",
    "hidden_act",
    "hidden_dropout_prob",
    "hidden_size",
    "initializer_range",
    "intermediate_size",
    "layer_norm_eps",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "pad_token_id",
    "type_vocab_size",
    "vocab_size",
)


def export_checkpoint(
    model: BertForSequenceClassification,
    tokenizer: Tokenizer,
    task: TaskName,
    folder: Path,
    *,
    labels: Sequence[str] | None = None,
    max_length: int | None = None,
    quantized: bool = False,
) -> None:
    """Write config.json, configuration.json, the tokenizer's files and model.safetensors into `folder`.

    `labels` are the names of the classes in the order of the logits, by default those of the task. `max_length` is the
    number of tokens that the model reads of an input; None leaves it out, and the engine then uses its default.
    `quantized` stores the encoder's matrices in int8 with a scale a row instead of fp16, in half of the space.
    """
    folder.mkdir(parents=True, exist_ok=True)
    spec = TASKS[task]
    labels = spec.label_names if labels is None else tuple(labels)
    config = {
        "model_type": "structbert",
        **{name: getattr(model.config, name) for name in _CONFIG_FIELDS},
        "id2label": {str(index): name for index, name in enumerate(labels)},
        "label2id": {name: index for index, name in enumerate(labels)},
    }
    embeds = spec.outputs == "vectors"
    configuration = {
        "framework": "pytorch",
        "task": spec.hub_task,
        "model": {"type": "structbert", **({"emb_pooler_type": "avg"} if embeds else {})},
        "pipeline": {"type": spec.hub_task},
        **({} if max_length is None else {"preprocessor": {"max_length": max_length}}),
    }
    _write_json(folder / CONFIG_FILE, config)
    _write_json(folder / CONFIGURATION_FILE, configuration)
    tokenizer.save(folder)
    weights = {
        name: tensor.detach().to("cpu", torch.float16).contiguous()
        for name, tensor in model.state_dict().items()
        if tensor.is_floating_point() and not (embeds and name.startswith(("bert.pooler.", "classifier.")))
    }
    if quantized:
        for name in [name for name, tensor in weights.items() if tensor.ndim == 2 and name.startswith("bert.")]:
            weights[name], weights[name + SCALE] = quantized_rows(model.state_dict()[name].detach().cpu())
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
