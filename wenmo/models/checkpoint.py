"""A model folder in memory: what its files describe (`description`), its tokenizer and its weights (`weights`).

    config.json          sizes (model_type bert or structbert); StructBERT is BERT's architecture
    configuration.json   ModelScope's: task, preprocessor, where the labels are; our own field `calibration`
    modules.json         sentence-transformers': pooling and what follows it
    vocab.txt            WordPiece vocabulary; without one, tokenizer.json
    model.safetensors or pytorch_model.bin, or several files and their index; or model.onnx
    label_mapping.json   sometimes

Nothing in the files is run. docs/models.md tells what is read and what is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from wenmo.errors import CheckpointError
from wenmo.models.description import ONNX_FILE, Description, describe
from wenmo.models.shape import BertShape, expected_shapes
from wenmo.models.vector_head import VectorHead
from wenmo.tasks.spec import TaskSpec
from wenmo.tokenizer import Tokenizer
from wenmo.types import TaskName

if TYPE_CHECKING:
    import torch


_TOKEN_TYPES = "bert.embeddings.token_type_embeddings.weight"  # noqa: S105 - a name of weights


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A model folder in memory; nothing is on a device yet.

    `weights` are named as in transformers' BertForSequenceClassification, with those of the vector head's dense layers
    beside them. The classifier's rows are in the order of `labels`, which is that of the task's roles, whatever ids the
    labels have in the folder. `max_length` counts tokens. A checkpoint for embedding has no labels, no pooler and no
    classifier; `vector_head` makes vectors of the last layer, and `prompts` are put before texts, by name.

    `order` are the ids that `labels` have in the folder. With an `onnx_file`, which has the weights, `weights` are
    empty, and the logits of the file are in the order of these ids.
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
    lower_case: bool = False  # before anything else, which vocab.txt cannot say
    onnx_file: Path | None = None
    order: tuple[int, ...] = ()


def load_checkpoint(
    folder: Path,
    *,
    task: TaskName | None = None,
    sequence_length: int | None = None,
    label_names: Sequence[str] | str | None = None,
    onnx: bool = False,
) -> Checkpoint:
    """Read a model folder for `task` (None: the checkpoint's own).

    A checkpoint of another task is refused, except for embedding, which can use any. `sequence_length` is the maximum
    number of tokens where the files do not say, as in ModelScope; zero-shot ignores both. `label_names` are names for
    its labels, in the order of the ids, instead of its own. `onnx`: the folder has an ONNX file instead of weights, and
    nothing of it is read by torch. Raises CheckpointError.
    """
    described = describe(folder, label_names=label_names)
    spec = described.task_for(task)
    if onnx and not (folder / ONNX_FILE).is_file():
        raise CheckpointError(
            f"{folder} has no {ONNX_FILE}, which runtime='onnx' needs. Make one of the model: "
            f"`wenmo export {folder} OUT --to onnx`.",
            f"{folder} 里没有 {ONNX_FILE}，而 runtime='onnx' 需要它。请先导出：`wenmo export {folder} OUT --to onnx`。",
        )
    order = described.order_for(spec)
    tokenizer = _read_tokenizer(described)
    shape, weights = (described.shape, {}) if onnx else _read_weights(described, order)
    return Checkpoint(
        folder=folder,
        task=spec.name,
        shape=shape,
        labels=tuple(described.labels[index] for index in order),
        max_length=described.length(spec, sequence_length),
        tokenizer=tokenizer,
        temperatures=described.temperatures(),
        parameters=_parameters(described, spec) if onnx else sum(tensor.numel() for tensor in weights.values()),
        weights=weights,
        vector_head=described.vector_head,
        prompts=described.prompts,
        default_prompt=described.default_prompt,
        lower_case=described.lower_case,
        onnx_file=folder / ONNX_FILE if onnx else None,
        order=order,
    )


def _read_weights(described: Description, order: tuple[int, ...]) -> tuple[BertShape, dict[str, torch.Tensor]]:
    """The weights, the classifier's rows in `order`, and the shape that they have then."""
    import torch

    from wenmo.models.weights import check_fits, read_dense, read_parameters

    check_fits(described)
    weights, shape = read_parameters(described), described.shape
    if not described.token_types and shape.type_vocab_size > 1:
        shape = replace(shape, type_vocab_size=1)
        weights[_TOKEN_TYPES] = weights[_TOKEN_TYPES][:1]
    if order != tuple(range(len(described.labels))):
        rows = torch.tensor(order)
        for name in ("classifier.weight", "classifier.bias"):
            weights[name] = weights[name][rows]
    return shape, weights | read_dense(described.folder, described.vector_head)


def _parameters(described: Description, spec: TaskSpec) -> int:
    """How many parameters such a model has, by its shape."""
    labels = len(described.labels) if spec.outputs == "logits" else None
    sizes = expected_shapes(described.shape, labels=labels, pooler=described.has_pooler)
    dense = sum(each.rows * (each.columns + each.bias) for each in described.vector_head.dense)
    return sum(map(prod, sizes.values())) + dense


def read_shape(folder: Path) -> tuple[BertShape, int]:
    """The shape of the model in `folder` and its number of labels (0 for embedding), without reading the weights.

    Raises CheckpointError.
    """
    from wenmo.models.weights import check_fits  # brings torch

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
