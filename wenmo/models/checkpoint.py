"""A StructBERT checkpoint in ModelScope's folder layout, read without running any code of its own.

    config.json          sizes (model_type structbert); StructBERT is BERT's architecture
    configuration.json   ModelScope's: task, preprocessor, where the labels are; our own field `calibration`
    vocab.txt            WordPiece vocabulary
    model.safetensors or pytorch_model.bin
    label_mapping.json   sometimes

Real checkpoints use several layouts of keys. All are brought to transformers' (`bert.*`, `classifier.*`); a key too few
or too many is an error that names it, because a model with a random layer answers confidently and wrongly.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from wenmo.errors import CheckpointError
from wenmo.models.hub_tasks import named_task, task_by_hub_name
from wenmo.models.label_map import logit_labels
from wenmo.models.shape import BertShape
from wenmo.tasks.spec import TaskSpec
from wenmo.tasks.table import TASKS
from wenmo.tokenizer import Tokenizer
from wenmo.types import TaskName

MEAN_POOLING = "avg"  # ModelScope's name of it, in configuration.json's model.emb_pooler_type
MODEL_TYPES = ("structbert", "sbert", "bert")
_ACTIVATIONS = ("gelu", "gelu_new", "relu", "silu", "swish", "tanh")
_SIZES = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
)
DEFAULT_MAX_LENGTH = 512  # tokens; ModelScope's default
MIN_MAX_LENGTH = 5  # [CLS] a [SEP] b [SEP]


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A model as read: nothing is on a device yet. `weights` have the names of BertForSequenceClassification.

    A model for embedding has no labels, and neither pooler nor classifier.
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
    """Read a model folder.

    `task` is what the model is wanted for; a checkpoint of another task is refused, but for embedding any will do.
    `sequence_length` bounds the tokens of an input where configuration.json does not (`preprocessor.max_length` wins,
    as in ModelScope; zero-shot ignores both). Raises CheckpointError.
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
    tokenizer = Tokenizer.from_folder(folder)
    highest = max(tokenizer.vocabulary.values())
    if highest >= shape.vocab_size:
        raise CheckpointError(
            f"{folder}: vocab.txt has {highest + 1} tokens, config.json says {shape.vocab_size}. "
            "Use the vocab.txt that belongs to the model.",
            f"{folder}：vocab.txt 有 {highest + 1} 个词元，config.json 却写着 {shape.vocab_size}。"
            "请使用该模型自带的 vocab.txt。",
        )
    if spec.outputs == "vectors":
        _check_pooling(folder, configuration["model"].get("emb_pooler_type"))
    weights = _canonical(folder, _read_weights(folder), shape, classifies=spec.outputs == "logits")
    count = _rows(weights.get("classifier.weight"))
    wanted = len(spec.roles)
    if count != wanted:
        raise CheckpointError(
            f"{folder}: a {spec.name} model has {wanted} labels, this classifier has {count} rows. "
            "Choose another checkpoint.",
            f"{folder}：{spec.name} 模型应有 {wanted} 个标签，而此分类器有 {count} 行。请换一个模型。",
        )
    labels = spec.label_names
    if spec.roles and not spec.takes_labels:
        has_mapping = (folder / "label_mapping.json").is_file()
        labels = logit_labels(
            folder,
            config=config,
            configuration=configuration,
            label_mapping=_read_json(folder, "label_mapping.json") if has_mapping else None,
            count=count,
        )
        _check_order(folder, spec, labels)
    max_length = DEFAULT_MAX_LENGTH
    if not spec.fixed_length:
        max_length = _own_length(folder, configuration) or sequence_length or DEFAULT_MAX_LENGTH
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
    """The sizes of the model in `folder` and its number of labels (0 for embedding), without reading its weights.

    Raises CheckpointError.
    """
    configuration, config = _read_configuration(folder)
    return _shape(folder, config), len(_task_of(folder, configuration).roles)


def _read_configuration(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """configuration.json, with all its sections, and config.json."""
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


def _own_length(folder: Path, configuration: Mapping[str, Any]) -> int | None:
    own_length = configuration["preprocessor"].get("max_length")
    if own_length is not None and not (type(own_length) is int and own_length >= MIN_MAX_LENGTH):
        raise _bad_value(folder, "configuration.json", "preprocessor.max_length", own_length)
    return own_length


def _check_pooling(folder: Path, pooling: object) -> None:
    """ModelScope's own default is "cls": vectors averaged where they were trained to be read off [CLS] mean nothing."""
    if pooling != MEAN_POOLING:
        raise CheckpointError(
            f"{folder}: configuration.json says model.emb_pooler_type {pooling!r}; only {MEAN_POOLING!r}, the mean "
            "over the tokens, is computed. Choose another embedding model.",
            f"{folder}：configuration.json 的 model.emb_pooler_type 为 {pooling!r}；这里只支持 {MEAN_POOLING!r}"
            "（对词元取平均）。请换一个向量模型。",
        )


def _temperatures(folder: Path, configuration: Mapping[str, Any], spec: TaskSpec) -> dict[str, float]:
    """The calibration of configuration.json, `{"calibration": {"similarity": 1.3}}`; 1 where there is none."""
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


def _check_order(folder: Path, spec: TaskSpec, labels: tuple[str, ...]) -> None:
    """Labels under other names pass; known names in the wrong places would turn every answer round."""
    if any(spec.role_of(label) not in (None, index) for index, label in enumerate(labels)):
        raise CheckpointError(
            f"{folder}: a {spec.name} model has its labels in the order negative, positive; this has "
            f"{', '.join(labels)}. Correct the label map, or choose another checkpoint.",
            f"{folder}：{spec.name} 模型的标签顺序应为先否后是，而这里是 {'、'.join(labels)}。请更正或换一个模型。",
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
            return load_file(safe)
        if torch_file.is_file():
            # weights_only: tensors and plain containers; anything else in the file is refused, not executed.
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


def _canonical(
    folder: Path, weights: Mapping[str, torch.Tensor], shape: BertShape, *, classifies: bool
) -> dict[str, torch.Tensor]:
    """Names as transformers' BertForSequenceClassification has them; missing, surplus or misshapen ones are refused."""
    marker = "embeddings.word_embeddings.weight"
    prefix = next(
        (name[: -len(marker)] for name in ("bert." + marker, "encoder." + marker, marker) if name in weights), ""
    )
    found: dict[str, torch.Tensor] = {}
    surplus = []
    for name, tensor in weights.items():
        if name.endswith("embeddings.position_ids"):
            continue  # a buffer of older transformers: 0, 1, 2, ...
        if name.startswith("head.classifier."):
            target = name.removeprefix("head.")
        elif name.startswith("classifier."):
            target = name
        elif name.startswith(prefix):
            target = "bert." + name.removeprefix(prefix)
        else:
            surplus.append(name)
            continue
        target = target.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
        if target in found:  # the same parameter under two names: which of them is meant?
            surplus.append(name)
        else:
            found[target] = tensor
    if not classifies:  # a pooler is in the file of many an embedding model, and nothing reads it
        found = {name: tensor for name, tensor in found.items() if not name.startswith("bert.pooler.")}
    wanted = expected_shapes(shape, labels=_rows(found.get("classifier.weight")) if classifies else None)
    surplus += [name for name in found if name not in wanted]
    missing = [name for name in wanted if name not in found]
    if missing or surplus:
        kind, kind_zh = ("classifier", "分类器") if classifies else ("encoder", "编码器")
        raise CheckpointError(
            f"{folder}: the weights are no BERT {kind}. Missing: {_names(missing)}. Surplus: {_names(surplus)}."
            " The file belongs to another model or was cut; download the model again.",
            f"{folder}：权重与 BERT {kind_zh}不符。缺少：{_names(missing)}。多余：{_names(surplus)}。"
            "文件属于别的模型或已被截断，请重新下载模型。",
        )
    misshapen = [
        f"{name} {tuple(found[name].shape)} instead of {shape}"
        for name, shape in wanted.items()
        if tuple(found[name].shape) != shape
    ]
    if misshapen:
        raise CheckpointError(
            f"{folder}: config.json and the weights disagree: {_names(misshapen)}. Download the model again.",
            f"{folder}：config.json 与权重不一致：{_names(misshapen)}。请重新下载模型。",
        )
    not_numbers = [name for name, tensor in found.items() if not tensor.is_floating_point()]
    if not_numbers:
        raise CheckpointError(
            f"{folder}: no floats: {_names(not_numbers)}. A quantised checkpoint cannot be read; use the original.",
            f"{folder}：不是浮点数：{_names(not_numbers)}。无法读取量化模型，请用原模型。",
        )
    return found


def _rows(classifier: torch.Tensor | None) -> int:
    return classifier.shape[0] if classifier is not None and classifier.ndim else 0


def expected_shapes(shape: BertShape, *, labels: int | None) -> dict[str, tuple[int, ...]]:
    """Name and shape of every parameter of a BERT classifier: known from the sizes, without building it.

    Without `labels` of the encoder alone, which has no pooler.
    """
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
    """As BERT is initialised, always the same ones: for measuring speed and memory, which do not depend on them."""
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
