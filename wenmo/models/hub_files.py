"""Which files of a hub's repository make a checkpoint, and whether a folder has them.

Only these are downloaded, and no code in them is run.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from wenmo.errors import CheckpointError
from wenmo.files import read_small_text
from wenmo.models.config_files import (
    CONFIG_FILE,
    CONFIGURATION_FILE,
    ENCODER_FILE,
    MODULES_FILE,
    PROMPTS_FILE,
    read_json_list,
)
from wenmo.models.shape import MODEL_TYPES
from wenmo.tokenizer import OPTIONS_FILE, PIPELINE_FILE, VOCABULARY_FILE

CONFIGURATION = (
    CONFIG_FILE,
    CONFIGURATION_FILE,
    "label_mapping.json",
    VOCABULARY_FILE,
    PIPELINE_FILE,
    OPTIONS_FILE,
    MODULES_FILE,
    ENCODER_FILE,
    PROMPTS_FILE,
    "README.md",
)
# Of weights the first kind that a folder has is read; the second is downloaded only where the first is missing.
SAFETENSORS = ("model.safetensors", "model.safetensors.index.json", "model-*-of-*.safetensors")
TORCH = ("pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model-*-of-*.bin")


def module_folders(folder: Path) -> list[str]:
    """The folders of the modules of a model for vectors, relative to its own; none where there is no modules.json."""
    if not (folder / MODULES_FILE).is_file():
        return []
    try:
        paths = [module.get("path") for module in read_json_list(folder, MODULES_FILE)]
    except CheckpointError:
        return []
    return [path for path in paths if isinstance(path, str) and path and ".." not in Path(path).parts]


def within(folders: Sequence[str], names: Sequence[str]) -> list[str]:
    """The paths of `names` in each of `folders`."""
    return [f"{folder}/{name}" for folder in folders for name in names]


def has_weights(folder: Path, names: Sequence[str]) -> bool:
    """Whether the folder has a file of weights that one of `names` is, the index of several included."""
    return any((folder / name).is_file() for name in names if "*" not in name)


def missing(folder: Path) -> str:
    """Names of the required files that the folder lacks; empty if it has all."""
    modules = module_folders(folder)
    encoder = next((folder / path for path in modules if (folder / path / CONFIG_FILE).is_file()), folder)
    encoder = folder if (folder / CONFIG_FILE).is_file() else encoder
    lacking = [] if (encoder / CONFIG_FILE).is_file() else [CONFIG_FILE]
    if not any((encoder / name).is_file() for name in (VOCABULARY_FILE, PIPELINE_FILE)):
        lacking.append(f"{VOCABULARY_FILE} / {PIPELINE_FILE}")
    if not has_weights(encoder, SAFETENSORS) and not has_weights(encoder, TORCH):
        lacking.append(f"{SAFETENSORS[0]} / {TORCH[0]}")
    lacking += [f"{path}/{CONFIG_FILE}" for path in modules if not (folder / path).is_dir()]
    # A download by ModelScope's own command line has no marker, but its unfinished files have this suffix.
    lacking += [name for name in CONFIGURATION if (folder / f"{name}.incomplete").exists()]
    return ", ".join(lacking)


def is_bert(folder: Path) -> bool:
    """Whether config.json, where the encoder is, says that it is BERT."""
    for path in (folder, *(folder / path for path in module_folders(folder))):
        try:
            config = json.loads(read_small_text(path / CONFIG_FILE))
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(config, dict) and config.get("model_type") in MODEL_TYPES:
            return True
    return False
