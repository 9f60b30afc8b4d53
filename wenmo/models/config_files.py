"""The JSON files of a model folder, and what is said of values in them that cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from wenmo.errors import CheckpointError
from wenmo.files import read_small_text

CONFIG_FILE = "config.json"  # of transformers; a module of sentence-transformers has one of its own
CONFIGURATION_FILE = "configuration.json"  # of ModelScope
ENCODER_FILE = "sentence_bert_config.json"  # of sentence-transformers, as are the next two
PROMPTS_FILE = "config_sentence_transformers.json"
MODULES_FILE = "modules.json"


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """The object in the file `name` of `folder`. Raises CheckpointError."""
    content = _read(folder / name)
    if not isinstance(content, dict):
        raise CheckpointError(
            f"{folder / name} must hold a JSON object. Download the model again.",
            f"{folder / name} 应当是一个 JSON 对象。请重新下载模型。",
        )
    return content


def read_optional_json(folder: Path, name: str) -> dict[str, Any]:
    """Like `read_json`; an empty object where there is no such file."""
    return read_json(folder, name) if (folder / name).is_file() else {}


def read_json_list(folder: Path, name: str) -> list[dict[str, Any]]:
    """The list of objects in the file `name` of `folder`. Raises CheckpointError."""
    content = _read(folder / name)
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        raise CheckpointError(
            f"{folder / name} must hold a list of JSON objects. Download the model again.",
            f"{folder / name} 应当是由 JSON 对象组成的列表。请重新下载模型。",
        )
    return content


def _read(path: Path) -> Any:
    try:
        return json.loads(read_small_text(path))
    except FileNotFoundError:
        raise CheckpointError(
            f"{path.parent} has no {path.name}. Download the whole model again, or copy the file there.",
            f"{path.parent} 里没有 {path.name}。请重新下载完整的模型，或把该文件放进去。",
        ) from None
    except (ValueError, OSError, RecursionError) as error:
        raise CheckpointError(
            f"Cannot read {path}: {error}. Download the model again.",
            f"无法读取 {path}：{error}。请重新下载模型。",
        ) from None


def bad_value(folder: Path, file: str, name: str, value: object) -> CheckpointError:
    """The error for a value in a file that cannot be."""
    shown = repr(value)[:80]
    return CheckpointError(
        f"{folder}: {name} in {file} cannot be {shown}. Download the model again, or correct the file.",
        f"{folder}：{file} 中的 {name} 不能是 {shown}。请重新下载模型，或更正该文件。",
    )
