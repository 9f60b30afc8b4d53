"""The files around the weights: configuration, tokenizer, pooling. transformers and sentence-transformers read them.

Beside theirs is a configuration.json with what they have no place for: the task and the temperatures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from wenmo.errors import InputError
from wenmo.models.checkpoint import Checkpoint
from wenmo.models.config_files import CONFIG_FILE, CONFIGURATION_FILE, ENCODER_FILE, MODULES_FILE, PROMPTS_FILE
from wenmo.models.vector_head import Dense, Pooling
from wenmo.tasks.spec import TaskSpec
from wenmo.tasks.table import TASKS
from wenmo.tokenizer import OPTIONS_FILE, PIPELINE_FILE, VOCABULARY_FILE
from wenmo.version import __version__

# sentence-transformers' former fields, which all its versions read; they keep this order.
_POOLING_FIELDS: Mapping[Pooling, str] = {
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
}
_ACTIVATIONS: Mapping[str, str] = {
    "linear": "torch.nn.modules.linear.Identity",
    "tanh": "torch.nn.modules.activation.Tanh",
    "relu": "torch.nn.modules.activation.ReLU",
    "gelu": "torch.nn.modules.activation.GELU",
}
_MODULES = "sentence_transformers.models"
# Of tokenizer_config.json: what our reader of vocab.txt makes the steps of.
_STEPS = ("do_lower_case", "strip_accents", "tokenize_chinese_chars")


def write_transformers(checkpoint: Checkpoint, folder: Path) -> None:
    """config.json, the tokenizer and configuration.json; a model for vectors is a BertModel without their pooling."""
    spec = TASKS[checkpoint.task]
    _write(folder / CONFIG_FILE, _config(checkpoint, spec))
    _write(folder / CONFIGURATION_FILE, _configuration(checkpoint, spec))
    # Where lower case comes before everything else, only tokenizer.json says so.
    _write_tokenizer(checkpoint, folder, vocabulary=not checkpoint.lower_case)


def write_sentence_transformers(checkpoint: Checkpoint, folder: Path) -> None:
    """Like `write_transformers`, with modules.json and a folder for each module."""
    write_transformers(checkpoint, folder)
    head, hidden = checkpoint.vector_head, checkpoint.shape.hidden_size
    _write(
        folder / ENCODER_FILE,
        {"max_seq_length": checkpoint.max_length, "do_lower_case": checkpoint.lower_case},
    )
    _write(
        folder / PROMPTS_FILE,
        {
            "prompts": dict(checkpoint.prompts),
            "default_prompt_name": checkpoint.default_prompt,
            "similarity_fn_name": "cosine",
        },
    )
    names = ["Transformer", "Pooling", *("Dense" if isinstance(step, Dense) else "Normalize" for step in head.steps)]
    paths = ["", *(f"{index}_{name}" for index, name in enumerate(names) if index)]
    modules = [
        {"idx": index, "name": str(index), "path": path, "type": f"{_MODULES}.{name}"}
        for index, (name, path) in enumerate(zip(names, paths, strict=True))
    ]
    (folder / MODULES_FILE).write_text(json.dumps(modules, indent=2) + "\n", encoding="utf-8")
    for path in paths[1:]:
        (folder / path).mkdir()
    pooling: dict[str, Any] = {"word_embedding_dimension": hidden}
    if tuple(name for name in _POOLING_FIELDS if name in head.pooling) == head.pooling:
        pooling |= {field: name in head.pooling for name, field in _POOLING_FIELDS.items()}
    else:  # joined in another order, which only newer versions can say
        pooling["pooling_mode"] = list(head.pooling)
    _write(folder / paths[1] / CONFIG_FILE, pooling)
    for step, path in zip(head.steps, paths[2:], strict=True):
        if isinstance(step, Dense):
            _write(
                folder / path / CONFIG_FILE,
                {
                    "in_features": step.columns,
                    "out_features": step.rows,
                    "bias": step.bias,
                    "activation_function": _ACTIVATIONS[step.activation],
                },
            )


def dense_folders(folder: Path) -> list[Path]:
    """The folders of the dense layers that `write_sentence_transformers` has written, in their order."""
    return sorted(folder.glob("*_Dense"), key=lambda path: int(path.name.partition("_")[0]))


def write_card(folder: Path, *, source: str, licence: str | None, checkpoint: Checkpoint, lines: str) -> None:
    """A README.md that says where the model came from; `lines` say in what form it is here."""
    front = f"---\nlicense: {licence}\n---\n" if licence else ""
    labels = f"Labels: {', '.join(checkpoint.labels)}.\n" if checkpoint.labels else ""
    own = "" if licence else "The licence is that of the model.\n"
    (folder / "README.md").write_text(
        f"{front}# {source}\n\n{lines} Written by `wenmo export`, version {__version__}, for {checkpoint.task}.\n"
        f"{labels}{own}",
        encoding="utf-8",
    )


def check_class(checkpoint: Checkpoint, *, to: str) -> None:
    """Raises InputError for a model that the classes of `to` do not compute."""
    spec = TASKS[checkpoint.task]
    if to == "sentence-transformers" and spec.outputs == "logits":
        raise InputError(
            "sentence-transformers holds models for vectors. Use --to transformers, which its CrossEncoder opens, too, "
            "or --task embedding for the vectors of this model.",
            "sentence-transformers 存放的是向量模型。请用 --to transformers（其 CrossEncoder 也能打开），"
            "或用 --task embedding 导出此模型的向量。",
        )
    if to == "transformers" and spec.outputs == "logits" and "bert.pooler.dense.weight" not in checkpoint.weights:
        raise InputError(
            "This model's classifier is on the last layer, without a pooler, which no class of transformers computes. "
            "Use --to onnx.",
            "此模型的分类器直接位于最后一层之上，没有 pooler，transformers 没有这样的类。请用 --to onnx。",
        )
    head = checkpoint.vector_head
    if to == "transformers" and spec.outputs == "vectors" and _pooler_type(checkpoint) is None:
        raise InputError(
            f"This model's vectors are pooled by {', '.join(head.pooling)} with {len(head.dense)} dense layers, which "
            "transformers has no place for. Use --to sentence-transformers.",
            f"此模型的向量由 {'、'.join(head.pooling)} 池化并经过 {len(head.dense)} 个全连接层，"
            "transformers 的文件无法记录。请用 --to sentence-transformers。",
        )


def _pooler_type(checkpoint: Checkpoint) -> str | None:
    """ModelScope's name of the pooling; None where it has none."""
    head = checkpoint.vector_head
    if head.steps not in ((), ("normalize",)) or any(checkpoint.prompts.values()) or len(head.pooling) > 1:
        return None
    return {"mean": "avg", "cls": "cls"}.get(head.pooling[0])


def _config(checkpoint: Checkpoint, spec: TaskSpec) -> dict[str, Any]:
    classifies = spec.outputs == "logits"
    config = {
        "model_type": "bert",
        "architectures": ["BertForSequenceClassification" if classifies else "BertModel"],
        **asdict(checkpoint.shape),
        "attention_probs_dropout_prob": 0.1,
        "hidden_dropout_prob": 0.1,
        "initializer_range": 0.02,
        "pad_token_id": checkpoint.tokenizer.pad_id,
    }
    if classifies:
        config["id2label"] = {str(index): label for index, label in enumerate(checkpoint.labels)}
        config["label2id"] = {label: index for index, label in enumerate(checkpoint.labels)}
        config["problem_type"] = "single_label_classification"
    return config


def _configuration(checkpoint: Checkpoint, spec: TaskSpec) -> dict[str, Any]:
    configuration: dict[str, Any] = {"framework": "pytorch", "model": {"type": "bert"}}
    # An NLI model of two classes is known by its labels alone.
    if not spec.roles or len(checkpoint.labels) == len(spec.roles):
        configuration |= {"task": spec.hub_task, "pipeline": {"type": spec.hub_task}}
    if spec.outputs == "vectors" and (pooler := _pooler_type(checkpoint)) is not None:
        configuration["model"] |= {"emb_pooler_type": pooler, "normalize": bool(checkpoint.vector_head.steps)}
    configuration["preprocessor"] = {"max_length": checkpoint.max_length}
    temperatures = {name: checkpoint.temperatures.get(name, 1.0) for name in spec.calibrations}
    if set(temperatures.values()) != {1.0}:
        configuration["calibration"] = temperatures
    return configuration


def _write_tokenizer(checkpoint: Checkpoint, folder: Path, *, vocabulary: bool) -> None:
    tokenizer = checkpoint.tokenizer
    given: dict[str, Any] = json.loads(tokenizer.files.get(OPTIONS_FILE, "{}"))
    inputs = ["input_ids", "token_type_ids", "attention_mask"]
    if checkpoint.shape.type_vocab_size == 1:
        inputs.remove("token_type_ids")
    options = {
        "tokenizer_class": "PreTrainedTokenizerFast",  # it reads tokenizer.json as it is
        "model_max_length": checkpoint.max_length,
        "model_input_names": inputs,
        **{name: given[name] for name in _STEPS if name in given},
        **tokenizer.special_tokens(),
    }
    _write(folder / OPTIONS_FILE, options)
    (folder / PIPELINE_FILE).write_text(tokenizer.to_json(), encoding="utf-8")
    if vocabulary and VOCABULARY_FILE in tokenizer.files:
        (folder / VOCABULARY_FILE).write_bytes(tokenizer.files[VOCABULARY_FILE].encode())


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
