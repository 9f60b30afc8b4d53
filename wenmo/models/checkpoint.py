"""A StructBERT checkpoint in ModelScope's folder layout, read without running any code of its own.

    config.json          sizes (model_type structbert); StructBERT is BERT's architecture
    configuration.json   ModelScope's: task, preprocessor, where the labels are; our own field `calibration`
    vocab.txt            WordPiece vocabulary; without one, tokenizer.json
    model.safetensors or pytorch_model.bin
    label_mapping.json   sometimes

Checkpoints name their weights in several ways; all are renamed to transformers' names (`bert.*`, `classifier.*`).
Missing and surplus names are errors, because a model with a random layer gives confident wrong answers.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from wenmo.errors import CheckpointError
from wenmo.models.hub_tasks import named_task, task_by_hub_name
from wenmo.models.label_map import logit_labels
from wenmo.models.shape import MODEL_TYPES, SCALE, BertShape
from wenmo.tasks.spec import TaskSpec
from wenmo.tasks.table import TASKS
from wenmo.tokenizer import Tokenizer
from wenmo.types import TaskName

MEAN_POOLING = "avg"  # the value of model.emb_pooler_type in ModelScope's configuration.json
_ACTIVATIONS = ("gelu", "gelu_new", "relu", "silu", "swish", "tanh")
_SIZES = tuple(field.name for field in fields(BertShape) if field.default is MISSING)
DEFAULT_MAX_LENGTH = 512  # tokens; ModelScope's default
MIN_MAX_LENGTH = 5  # tokens: [CLS] a [SEP] b [SEP]


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A model folder in memory; nothing is on a device yet.

    `weights` are named as in transformers' BertForSequenceClassification; `max_length` counts tokens. A checkpoint for
    embedding has no labels, no pooler and no classifier.
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


def load_checkpoint(folder: Path, *, task: TaskName | None = None, sequence_length: int | None = None) -> Checkpoint:
    """Read a model folder for `task` (None: the checkpoint's own).

    A checkpoint of another task is refused, except for embedding, which can use any. `sequence_length` is the maximum
    number of tokens if configuration.json has no `preprocessor.max_length`, as in ModelScope; zero-shot ignores both.
    Raises CheckpointError.
    """
    if not folder.is_dir():
        raise CheckpointError(
            f"{folder} is not a folder. Give a model folder, a bundled name or a hub id (iic/...).",
            f"{folder} 不是文件夹。请给出模型文件夹、内置模型名或模型库 ID（iic/…）。",
        )
    configuration, config = _read_configuration(folder)
    spec = _task_of(folder, configuration)
    if task is not None and TASKS[task].outputs == "logits" and spec.name != task:
        raise CheckpointError(
            f"{folder} is a model for {spec.name}, not for {task}. Choose a {task} model.",
            f"{folder} 是 {spec.name} 模型，而不是 {task} 模型。请选择 {task} 模型。",
        )
    shape = _shape(folder, config)
    tokenizer = _read_tokenizer(folder, shape)
    if spec.outputs == "vectors":
        _check_pooling(folder, configuration["model"].get("emb_pooler_type"))
    weights = _read_parameters(folder, shape, spec)
    labels = _labels(folder, spec, configuration, config)
    max_length = DEFAULT_MAX_LENGTH
    if not spec.fixed_length:
        max_length = _configured_length(folder, configuration) or sequence_length or DEFAULT_MAX_LENGTH
    return Checkpoint(
        folder=folder,
        task=spec.name,
        shape=shape,
        labels=labels,
        max_length=min(max_length, shape.max_position_embeddings),
        tokenizer=tokenizer,
        temperatures=_temperatures(folder, configuration, spec),
        parameters=sum(tensor.numel() for tensor in weights.values()),
        weights=weights,
    )


def read_shape(folder: Path) -> tuple[BertShape, int]:
    """The shape of the model in `folder` and its number of labels (0 for embedding), without reading the weights.

    Raises CheckpointError.
    """
    configuration, config = _read_configuration(folder)
    return _shape(folder, config), len(_task_of(folder, configuration).roles)


def _read_configuration(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """configuration.json, with all sections that are read, and config.json, completed by `model.backbone`."""
    configuration = _read_json(folder, "configuration.json")
    for section in ("model", "pipeline", "preprocessor"):
        if not isinstance(configuration.setdefault(section, {}) or {}, dict):
            raise _bad_value(folder, "configuration.json", section, configuration[section])
        configuration[section] = configuration[section] or {}
    config = _read_json(folder, "config.json")
    backbone = configuration["model"].get("backbone")
    if isinstance(backbone, Mapping):
        config = {**backbone, **config}
    return configuration, config


def _configured_length(folder: Path, configuration: Mapping[str, Any]) -> int | None:
    length = configuration["preprocessor"].get("max_length")
    if length is not None and not (type(length) is int and length >= MIN_MAX_LENGTH):
        raise _bad_value(folder, "configuration.json", "preprocessor.max_length", length)
    return length


def _read_tokenizer(folder: Path, shape: BertShape) -> Tokenizer:
    tokenizer = Tokenizer.from_folder(folder)
    if tokenizer.vocab_size > shape.vocab_size:
        raise CheckpointError(
            f"{folder}: the vocabulary has {tokenizer.vocab_size} tokens, config.json says {shape.vocab_size}. "
            "Use the vocab.txt or tokenizer.json that belongs to the model.",
            f"{folder}：词表有 {tokenizer.vocab_size} 个词元，config.json 却写着 {shape.vocab_size}。"
            "请使用该模型自带的 vocab.txt 或 tokenizer.json。",
        )
    return tokenizer


def _labels(
    folder: Path, spec: TaskSpec, configuration: Mapping[str, Any], config: Mapping[str, Any]
) -> tuple[str, ...]:
    """The checkpoint's names of its logits, in their order.

    Unknown names are accepted. Known ones in the wrong order would swap all answers, so they raise CheckpointError.
    """
    if not spec.roles or spec.takes_labels:
        return spec.label_names
    has_mapping = (folder / "label_mapping.json").is_file()
    labels = logit_labels(
        folder,
        config=config,
        configuration=configuration,
        label_mapping=_read_json(folder, "label_mapping.json") if has_mapping else None,
        count=len(spec.roles),
    )
    if any(spec.role_of(label) not in (None, index) for index, label in enumerate(labels)):
        raise CheckpointError(
            f"{folder}: a {spec.name} model has its labels in the order negative, positive; this has "
            f"{', '.join(labels)}. Correct the label map, or choose another checkpoint.",
            f"{folder}：{spec.name} 模型的标签顺序应为先否后是，而这里是 {'、'.join(labels)}。请更正或换一个模型。",
        )
    return labels


def _check_pooling(folder: Path, pooling: object) -> None:
    """Refuse models trained for another pooling, such as ModelScope's default, "cls": their means are not useful."""
    if pooling != MEAN_POOLING:
        raise CheckpointError(
            f"{folder}: configuration.json says model.emb_pooler_type {pooling!r}; only {MEAN_POOLING!r}, the mean "
            "over the tokens, is computed. Choose another embedding model.",
            f"{folder}：configuration.json 的 model.emb_pooler_type 为 {pooling!r}；这里只支持 {MEAN_POOLING!r}"
            "（对词元取平均）。请换一个向量模型。",
        )


def _temperatures(folder: Path, configuration: Mapping[str, Any], spec: TaskSpec) -> dict[str, float]:
    """The temperatures in configuration.json, `{"calibration": {"similarity": 1.3}}`; 1 where there is none."""
    given = configuration.get("calibration", {})
    temperatures = dict.fromkeys(spec.calibrations, 1.0)
    if not isinstance(given, dict) or set(given) - set(temperatures):
        raise _bad_value(folder, "configuration.json", "calibration", given)
    for name in temperatures:
        value = given.get(name, 1.0)
        if type(value) not in (int, float) or not 0.05 <= value <= 20:
            raise _bad_value(folder, "configuration.json", f"calibration.{name}", value)
        temperatures[name] = float(value)
    return temperatures


def _read_json(folder: Path, name: str) -> dict[str, Any]:
    path = folder / name
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(
            f"{folder} has no {name}. Download the whole model again, or copy the file there.",
            f"{folder} 里没有 {name}。请重新下载完整的模型，或把该文件放进去。",
        ) from None
    except (ValueError, OSError, RecursionError) as error:
        raise CheckpointError(
            f"Cannot read {path}: {error}. Download the model again.",
            f"无法读取 {path}：{error}。请重新下载模型。",
        ) from None
    if not isinstance(content, dict):
        raise CheckpointError(
            f"{path} must hold a JSON object. Download the model again.",
            f"{path} 应当是一个 JSON 对象。请重新下载模型。",
        )
    return content


def _bad_value(folder: Path, file: str, name: str, value: object) -> CheckpointError:
    shown = repr(value)[:80]
    return CheckpointError(
        f"{folder}: {name} in {file} cannot be {shown}. Download the model again, or correct the file.",
        f"{folder}：{file} 中的 {name} 不能是 {shown}。请重新下载模型，或更正该文件。",
    )


def _task_of(folder: Path, configuration: Mapping[str, Any]) -> TaskSpec:
    spec = named_task(configuration)
    if spec is not None:
        return spec
    known = ", ".join(sorted(task_by_hub_name()))
    raise CheckpointError(
        f"{folder}: configuration.json names the task {configuration.get('task')!r}, which is none of {known}. "
        "Choose a model for one of these tasks.",
        f"{folder}：configuration.json 中的任务 {configuration.get('task')!r} 不属于 {known}。请选择这些任务的模型。",
    )


def _shape(folder: Path, config: Mapping[str, Any]) -> BertShape:
    model_type = config.get("model_type")
    if model_type not in MODEL_TYPES:
        raise CheckpointError(
            f"{folder}: config.json has model_type {model_type!r}; only StructBERT (BERT's architecture) can be read.",
            f"{folder}：config.json 的 model_type 是 {model_type!r}；这里只能读取 StructBERT（即 BERT 结构）。",
        )
    missing = [name for name in _SIZES if type(config.get(name)) is not int]
    if missing:
        names = ", ".join(missing)
        raise CheckpointError(
            f"{folder}: config.json lacks {names}. Download the model again.",
            f"{folder}：config.json 缺少 {names}。请重新下载模型。",
        )
    sizes = {name: config[name] for name in _SIZES}
    for name, value in sizes.items():
        if value < (2 if name == "type_vocab_size" else 1):
            raise _bad_value(folder, "config.json", name, value)
    if sizes["hidden_size"] % sizes["num_attention_heads"]:
        raise _bad_value(folder, "config.json", "num_attention_heads", sizes["num_attention_heads"])
    if config.get("hidden_act", "gelu") not in _ACTIVATIONS:
        raise _bad_value(folder, "config.json", "hidden_act", config["hidden_act"])
    eps = config.get("layer_norm_eps", 1e-12)
    if type(eps) is not float or not 0 < eps < 1:
        raise _bad_value(folder, "config.json", "layer_norm_eps", eps)
    return BertShape(**sizes, hidden_act=config.get("hidden_act", "gelu"), layer_norm_eps=eps)


def _read_weights(folder: Path) -> dict[str, torch.Tensor]:
    safe, torch_file = folder / "model.safetensors", folder / "pytorch_model.bin"
    try:
        if safe.is_file():
            return _dequantized(load_file(safe))
        if torch_file.is_file():
            # weights_only refuses anything but tensors and plain containers, and so executes nothing.
            content = torch.load(torch_file, map_location="cpu", weights_only=True)
            if isinstance(content, dict) and all(isinstance(value, torch.Tensor) for value in content.values()):
                return content
            raise CheckpointError(
                f"{torch_file} is no plain dictionary of tensors. Save the state_dict, or use model.safetensors.",
                f"{torch_file} 不是单纯的张量字典。请保存模型的 state_dict，或使用 model.safetensors。",
            )
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{torch_file} is damaged, or holds code besides tensors, which is not run: {str(error).splitlines()[0]} "
            "Delete it and download the model again, or convert it to model.safetensors where you trust it.",
            f"{torch_file} 已损坏，或含有张量以外的代码（不会执行）。"
            "请删除后重新下载，或在可信环境中转换为 model.safetensors。",
        ) from None
    except (
        SafetensorError,
        RuntimeError,
        EOFError,
        OSError,
        LookupError,
        ValueError,
        TypeError,
        AttributeError,
    ) as error:
        path = safe if safe.is_file() else torch_file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(
            f"{path} cannot be read: {reason}. The file is incomplete or damaged; delete it and download it again.",
            f"无法读取 {path}：{reason}。文件不完整或已损坏，请删除后重新下载模型。",
        ) from None
    raise CheckpointError(
        f"{folder} has neither model.safetensors nor pytorch_model.bin. Download the whole model again.",
        f"{folder} 里既没有 model.safetensors，也没有 pytorch_model.bin。请重新下载完整的模型。",
    )


def _dequantized(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """int8 matrices (rows, columns) with a scale a row, `<name>_scale`, as float32; see `quantized_rows`."""
    scales = {name for name in weights if name.endswith(SCALE) and name.removesuffix(SCALE) in weights}
    return {
        name: tensor.float() * weights[name + SCALE].float().reshape(-1, 1)
        if tensor.dtype == torch.int8 and name + SCALE in scales and tensor.ndim == 2
        else tensor
        for name, tensor in weights.items()
        if name not in scales
    }


def quantized_rows(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A matrix (rows, columns) as int8, and the fp16 scale of each row (rows,): how the bundled models are stored.

    Symmetric, the largest value of a row becoming 127, which halves the size of fp16. Only the file is in int8; the
    arithmetic is that of the precision asked for.
    """
    scale = (matrix.float().abs().amax(1) / 127).clamp(min=1e-7).half()
    return (matrix.float() / scale.float()[:, None]).round().clamp(-127, 127).to(torch.int8), scale


def _read_parameters(folder: Path, shape: BertShape, spec: TaskSpec) -> dict[str, torch.Tensor]:
    """The weights under the names of transformers' BertForSequenceClassification.

    Raises CheckpointError for parameters that are missing, surplus, misshapen or no floats, and for a classifier with
    another number of labels than the task has.
    """
    parameters, surplus = _renamed(_read_weights(folder))
    classifies = spec.outputs == "logits"
    if not classifies:  # the file of an embedding model often has a pooler, which is not used
        parameters = {name: tensor for name, tensor in parameters.items() if not name.startswith("bert.pooler.")}
    count = _rows(parameters.get("classifier.weight"))
    expected = expected_shapes(shape, labels=count if classifies else None)
    surplus += [name for name in parameters if name not in expected]
    missing = [name for name in expected if name not in parameters]
    if missing or surplus:
        kind, kind_zh = ("classifier", "分类器") if classifies else ("encoder", "编码器")
        raise CheckpointError(
            f"{folder}: the weights are no BERT {kind}. Missing: {_names(missing)}. Surplus: {_names(surplus)}."
            " The file belongs to another model or was cut; download the model again.",
            f"{folder}：权重与 BERT {kind_zh}不符。缺少：{_names(missing)}。多余：{_names(surplus)}。"
            "文件属于别的模型或已被截断，请重新下载模型。",
        )
    misshapen = [
        f"{name} {tuple(parameters[name].shape)} instead of {size}"
        for name, size in expected.items()
        if tuple(parameters[name].shape) != size
    ]
    if misshapen:
        raise CheckpointError(
            f"{folder}: config.json and the weights disagree: {_names(misshapen)}. Download the model again.",
            f"{folder}：config.json 与权重不一致：{_names(misshapen)}。请重新下载模型。",
        )
    not_numbers = [name for name, tensor in parameters.items() if not tensor.is_floating_point()]
    if not_numbers:
        raise CheckpointError(
            f"{folder}: no floats: {_names(not_numbers)}. A quantised checkpoint cannot be read; use the original.",
            f"{folder}：不是浮点数：{_names(not_numbers)}。无法读取量化模型，请用原模型。",
        )
    if count != len(spec.roles):
        raise CheckpointError(
            f"{folder}: a {spec.name} model has {len(spec.roles)} labels, this classifier has {count} rows. "
            "Choose another checkpoint.",
            f"{folder}：{spec.name} 模型应有 {len(spec.roles)} 个标签，而此分类器有 {count} 行。请换一个模型。",
        )
    return parameters


def _renamed(weights: Mapping[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], list[str]]:
    """`weights` under transformers' names, and the names that have no place there or take one twice."""
    marker = "embeddings.word_embeddings.weight"
    prefix = next((prefix for prefix in ("bert.", "encoder.", "") if prefix + marker in weights), "")
    parameters: dict[str, torch.Tensor] = {}
    surplus = []
    for name, tensor in weights.items():
        if name.endswith("embeddings.position_ids"):
            continue  # a buffer of older transformers: 0, 1, 2, ...
        if name.startswith(("head.classifier.", "classifier.")):
            target = name.removeprefix("head.")
        elif name.startswith(prefix):
            target = "bert." + name.removeprefix(prefix)
        else:
            surplus.append(name)
            continue
        target = target.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
        if target in parameters:  # one parameter under two names
            surplus.append(name)
        else:
            parameters[target] = tensor
    return parameters, surplus


def _rows(classifier: torch.Tensor | None) -> int:
    return classifier.shape[0] if classifier is not None and classifier.ndim else 0


def expected_shapes(shape: BertShape, *, labels: int | None) -> dict[str, tuple[int, ...]]:
    """Name and shape of every parameter of a BERT classifier; without `labels`, of the encoder alone (no pooler)."""
    hidden, inner = shape.hidden_size, shape.intermediate_size
    shapes: dict[str, tuple[int, ...]] = {
        "bert.embeddings.word_embeddings.weight": (shape.vocab_size, hidden),
        "bert.embeddings.position_embeddings.weight": (shape.max_position_embeddings, hidden),
        "bert.embeddings.token_type_embeddings.weight": (shape.type_vocab_size, hidden),
    }

    def norm(name: str) -> None:
        shapes[f"{name}.weight"] = shapes[f"{name}.bias"] = (hidden,)

    def linear(name: str, rows: int, columns: int) -> None:
        shapes[f"{name}.weight"] = (rows, columns)
        shapes[f"{name}.bias"] = (rows,)

    norm("bert.embeddings.LayerNorm")
    for index in range(shape.num_hidden_layers):
        layer = f"bert.encoder.layer.{index}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            linear(f"{layer}.attention.{part}", hidden, hidden)
        norm(f"{layer}.attention.output.LayerNorm")
        linear(f"{layer}.intermediate.dense", inner, hidden)
        linear(f"{layer}.output.dense", hidden, inner)
        norm(f"{layer}.output.LayerNorm")
    if labels is not None:
        linear("bert.pooler.dense", hidden, hidden)
        linear("classifier", labels, hidden)
    return shapes


def random_weights(shape: BertShape, *, labels: int) -> dict[str, torch.Tensor]:
    """BERT's initial weights from a fixed seed, to measure speed and memory, which do not depend on the weights."""
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.ones(size)
        if name.endswith("LayerNorm.weight")
        else torch.randn(size, generator=generator) * (0.02 if len(size) > 1 else 0.0)
        for name, size in expected_shapes(shape, labels=labels).items()
    }


def _names(names: list[str], *, most: int = 6) -> str:
    if not names:
        return "-"
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} (+{len(names) - most})"
