"""What makes a sentence vector of the last layer: pooling over the tokens, then dense layers and normalisation.

sentence-transformers lists these in `modules.json`, with a folder for each; ModelScope has two fields of
configuration.json. Not read: modules of other kinds, which are refused by their names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from wenmo.errors import CheckpointError
from wenmo.models.config_files import (
    CONFIG_FILE,
    ENCODER_FILE,
    MODULES_FILE,
    PROMPTS_FILE,
    bad_value,
    read_json,
    read_json_list,
    read_optional_json,
)

Pooling = Literal["cls", "max", "mean", "mean_sqrt_len_tokens"]  # sentence-transformers' names
_POOLINGS: tuple[Pooling, ...] = ("cls", "max", "mean", "mean_sqrt_len_tokens")
# By sentence-transformers' former fields, which do not keep an order: vectors are joined in this one.
_FORMER_FIELDS: Mapping[str, str] = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
_MODELSCOPE_POOLINGS: Mapping[str, Pooling] = {"avg": "mean", "cls": "cls"}
_ACTIVATIONS: Mapping[str, str] = {"Identity": "linear", "Tanh": "tanh", "ReLU": "relu", "GELU": "gelu"}


@dataclass(frozen=True, kw_only=True)
class Dense:
    """A linear layer on vectors with an activation; its weights are in `folder`, a path inside of the model's."""

    folder: str
    columns: int
    rows: int
    bias: bool
    activation: str


@dataclass(frozen=True, kw_only=True)
class VectorHead:
    """`pooling` over the tokens, whose vectors are joined; then `steps` in their order."""

    pooling: tuple[Pooling, ...] = ("mean",)
    steps: tuple[Dense | Literal["normalize"], ...] = ()

    @property
    def dense(self) -> tuple[Dense, ...]:
        return tuple(step for step in self.steps if isinstance(step, Dense))

    def width(self, hidden_size: int) -> int:
        """The size of the vectors."""
        return self.dense[-1].rows if self.dense else len(self.pooling) * hidden_size


MEAN = VectorHead()


@dataclass(frozen=True, kw_only=True)
class Modules:
    """What sentence-transformers' files say.

    The encoder is in the folder `encoder` of the model's. `prompts` are put before texts, by name. `lower_case`: texts
    are put into lower case before anything else.
    """

    encoder: str
    head: VectorHead
    max_length: int | None
    lower_case: bool
    prompts: Mapping[str, str]
    default_prompt: str | None


def modelscope_head(folder: Path, model: Mapping[str, Any]) -> VectorHead:
    """The pooling that the section `model` of configuration.json names; "cls" is ModelScope's default."""
    name = model.get("emb_pooler_type", "cls")
    if name not in _MODELSCOPE_POOLINGS:
        raise CheckpointError(
            f"{folder}: configuration.json says model.emb_pooler_type {name!r}; {' and '.join(_MODELSCOPE_POOLINGS)} "
            "can be computed. Choose another embedding model.",
            f"{folder}：configuration.json 的 model.emb_pooler_type 为 {name!r}；"
            f"这里支持 {'、'.join(_MODELSCOPE_POOLINGS)}。请换一个向量模型。",
        )
    return VectorHead(pooling=(_MODELSCOPE_POOLINGS[name],), steps=("normalize",) if model.get("normalize") else ())


def read_modules(folder: Path, *, hidden_size: int | None = None) -> Modules | None:
    """sentence-transformers' description of a model for vectors; None where `folder` has none.

    With `hidden_size`, that of the encoder, sizes are checked. Raises CheckpointError for modules of other kinds.
    """
    if not (folder / MODULES_FILE).is_file():
        return None
    modules = [(_kind(folder, item), _inside(folder, item)) for item in read_json_list(folder, MODULES_FILE)]
    kinds = [kind for kind, _ in modules]
    if "Pooling" not in kinds:
        return None  # such as a cross-encoder, which is a classifier in transformers' layout
    if kinds[:2] != ["Transformer", "Pooling"]:
        raise _refused(folder, " → ".join(kinds))
    (_, encoder), (_, pooling), *rest = modules
    steps: list[Dense | Literal["normalize"]] = []
    for kind, path in rest:
        if kind == "Dense":
            steps.append(_dense(folder, path))
        elif kind == "Normalize":
            steps.append("normalize")
        else:
            raise _refused(folder, kind)
    head = VectorHead(pooling=_pooling(folder, pooling), steps=tuple(steps))
    if hidden_size is not None:
        width = len(head.pooling) * hidden_size
        for dense in head.dense:
            if dense.columns != width:
                raise bad_value(folder, f"{dense.folder}/{CONFIG_FILE}", "in_features", dense.columns)
            width = dense.rows
    options = read_optional_json(folder / encoder, ENCODER_FILE)
    own = read_optional_json(folder, PROMPTS_FILE)
    prompts = own.get("prompts") or {}
    default = own.get("default_prompt_name")
    if not isinstance(prompts, dict) or not all(isinstance(text, str) for text in prompts.values()):
        raise bad_value(folder, PROMPTS_FILE, "prompts", prompts)
    if default is not None and default not in prompts:
        raise bad_value(folder, PROMPTS_FILE, "default_prompt_name", default)
    length = options.get("max_seq_length")
    return Modules(
        encoder=encoder,
        head=head,
        max_length=length if type(length) is int else None,
        lower_case=options.get("do_lower_case") is True,
        prompts=prompts,
        default_prompt=default,
    )


def _kind(folder: Path, item: Mapping[str, Any]) -> str:
    if not isinstance(item.get("type"), str):
        raise bad_value(folder, MODULES_FILE, "type", item.get("type"))
    return str(item["type"]).rpartition(".")[2]


def _inside(folder: Path, item: Mapping[str, Any]) -> str:
    """The module's path, which must not lead out of the folder."""
    path = item.get("path", "")
    if not isinstance(path, str) or Path(path).is_absolute() or ".." in Path(path).parts:
        raise bad_value(folder, MODULES_FILE, "path", path)
    return path


def _pooling(folder: Path, path: str) -> tuple[Pooling, ...]:
    file, config = f"{path}/{CONFIG_FILE}", read_json(folder / path, CONFIG_FILE)
    named = config.get("pooling_mode")
    if named is None:
        names = [name for field, name in _FORMER_FIELDS.items() if config.get(field)] or ["mean"]
    else:
        names = [named] if isinstance(named, str) else named
    if not isinstance(names, list) or not names:
        raise bad_value(folder, file, "pooling_mode", named)
    found = tuple(pooling for name in names for pooling in _POOLINGS if pooling == name)
    if len(found) != len(names):
        raise CheckpointError(
            f"{folder}: {file} pools by {', '.join(map(str, names))}; {', '.join(_POOLINGS)} can be computed. Choose "
            "another embedding model.",
            f"{folder}：{file} 的池化方式为 {'、'.join(map(str, names))}；这里支持 {'、'.join(_POOLINGS)}。"
            "请换一个向量模型。",
        )
    if config.get("include_prompt") is False:
        raise bad_value(folder, file, "include_prompt", False)
    return found


def _dense(folder: Path, path: str) -> Dense:
    file, config = f"{path}/{CONFIG_FILE}", read_json(folder / path, CONFIG_FILE)
    sizes = {name: config.get(name) for name in ("in_features", "out_features")}
    for name, value in sizes.items():
        if type(value) is not int or value < 1:
            raise bad_value(folder, file, name, value)
    activation = str(config.get("activation_function", "torch.nn.modules.activation.Tanh")).rpartition(".")[2]
    if activation not in _ACTIVATIONS:
        raise bad_value(folder, file, "activation_function", activation)
    for name in ("module_input_name", "module_output_name"):
        if config.get(name) not in (None, "sentence_embedding"):
            raise bad_value(folder, file, name, config[name])
    return Dense(
        folder=path,
        columns=config["in_features"],
        rows=config["out_features"],
        bias=config.get("bias", True) is not False,
        activation=_ACTIVATIONS[activation],
    )


def _refused(folder: Path, kind: str) -> CheckpointError:
    return CheckpointError(
        f"{folder}: {MODULES_FILE} has {kind}; a Transformer, a Pooling, then Dense and Normalize can be computed. "
        "Choose another embedding model.",
        f"{folder}：{MODULES_FILE} 中有 {kind}；这里支持 Transformer、Pooling，其后为 Dense 与 Normalize。"
        "请换一个向量模型。",
    )
