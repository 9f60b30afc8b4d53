"""A model folder in memory: what its files describe (`description`), its tokenizer and its weights (`weights`).

    config.json          sizes (model_type bert or structbert); StructBERT is BERT's architecture
    configuration.json   ModelScope's: task, preprocessor, where the labels are; our own field `calibration`
    modules.json         sentence-transformers': pooling and what follows it
    vocab.txt            WordPiece vocabulary; without one, tokenizer.json
    model.safetensors or pytorch_model.bin, or several files and their index
    label_mapping.json   sometimes

Nothing in the files is run. docs/models.md tells what is read and what is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from wenmo.errors import CheckpointError
from wenmo.models.description import Description, describe
from wenmo.models.shape import BertShape
from wenmo.models.vector_head import VectorHead
from wenmo.models.weights import check_fits, read_dense, read_parameters
from wenmo.tokenizer import Tokenizer
from wenmo.types import TaskName

_TOKEN_TYPES = "bert.embeddings.token_type_embeddings.weight"  # noqa: S105 - a name of weights


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A model folder in memory; nothing is on a device yet.

    `weights` are named as in transformers' BertForSequenceClassification, with those of the vector head's dense layers
    beside them. The classifier's rows are in the order of `labels`, which is that of the task's roles, whatever ids the
    labels have in the folder. `max_length` counts tokens. A checkpoint for embedding has no labels, no pooler and no
    classifier; `vector_head` makes vectors of the last layer, and `prompts` are put before texts, by name.
    """

    folder: Path
    task: TaskName
    shape: BertShape
    labels: tuple[str, ...]
    max_length: int
    tokenizer: Tokenizer
    temperatures: Mapping[str, float]
    parameters: int
    weights: Mapping[str, torch.Tensor]
    vector_head: VectorHead
    prompts: Mapping[str, str]
    default_prompt: str | None


def load_checkpoint(
    folder: Path,
    *,
    task: TaskName | None = None,
    sequence_length: int | None = None,
    label_names: Sequence[str] | str | None = None,
) -> Checkpoint:
    """Read a model folder for `task` (None: the checkpoint's own).

    A checkpoint of another task is refused, except for embedding, which can use any. `sequence_length` is the maximum
    number of tokens where the files do not say, as in ModelScope; zero-shot ignores both. `label_names` are names for
    its labels, in the order of the ids, instead of its own. Raises CheckpointError.
    """
    described = describe(folder, label_names=label_names)
    spec = described.task_for(task)
    order = described.order_for(spec)
    check_fits(described)
    tokenizer = _read_tokenizer(described)
    weights = read_parameters(described)
    shape = described.shape
    if not described.token_types and shape.type_vocab_size > 1:
        shape = replace(shape, type_vocab_size=1)
        weights[_TOKEN_TYPES] = weights[_TOKEN_TYPES][:1]
    if order != tuple(range(len(described.labels))):
        rows = torch.tensor(order)
        for name in ("classifier.weight", "classifier.bias"):
            weights[name] = weights[name][rows]
    weights |= read_dense(folder, described.vector_head)
    return Checkpoint(
        folder=folder,
        task=spec.name,
        shape=shape,
        labels=tuple(described.labels[index] for index in order),
        max_length=described.length(spec, sequence_length),
        tokenizer=tokenizer,
        temperatures=described.temperatures(),
        parameters=sum(tensor.numel() for tensor in weights.values()),
        weights=weights,
        vector_head=described.vector_head,
        prompts=described.prompts,
        default_prompt=described.default_prompt,
    )


def read_shape(folder: Path) -> tuple[BertShape, int]:
    """The shape of the model in `folder` and its number of labels (0 for embedding), without reading the weights.

    Raises CheckpointError.
    """
    described = describe(folder)
    check_fits(described)
    return described.shape, len(described.labels)


def _read_tokenizer(described: Description) -> Tokenizer:
    folder, shape = described.encoder_folder, described.shape
    tokenizer = Tokenizer.from_folder(folder, lower_case_first=described.lower_case)
    if tokenizer.vocab_size > shape.vocab_size:
        raise CheckpointError(
            f"{folder}: the vocabulary has {tokenizer.vocab_size} tokens, config.json says {shape.vocab_size}. "
            "Use the vocab.txt or tokenizer.json that belongs to the model.",
            f"{folder}：词表有 {tokenizer.vocab_size} 个词元，config.json 却写着 {shape.vocab_size}。"
            "请使用该模型自带的 vocab.txt 或 tokenizer.json。",
        )
    return tokenizer
