"""The user's own models: folders in any layout that is read, inside of one models folder, addressed by their names.

`python -m wenmo train adapt` writes them; checkpoints can also be copied there by hand. Names consist of a-z, digits
and hyphens, so that no name leads out of the folder. Writing a model is atomic: it is written to a temporary folder
beside the others, which is then renamed.

What visitors of the Adapt page make is in a folder of its own and called `visitor:NAME`, so that no visitor can take
the name of a model that the server uses, or will use.
"""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from platformdirs import user_data_path

from wenmo.errors import InputError
from wenmo.models.config_files import CONFIG_FILE, CONFIGURATION_FILE, MODULES_FILE
from wenmo.paths import INSTALLED, ROOT
from wenmo.tasks.table import TASKS

# Beside the code in a checkout, and a volume in a container. site-packages is no place for a user's own files.
DEFAULT_MODELS_FOLDER = (user_data_path("wenmo", appauthor=False) if INSTALLED else ROOT) / "models"
VISITOR = "visitor:"
_VISITORS = "_visitors"  # no name of a model
MAX_MODELS = 50  # of each kind; whoever reaches the page can make one: a bound for the disk

_NAME = re.compile(r"[a-z0-9-]{1,64}")
_OF_A_MODEL = (CONFIGURATION_FILE, CONFIG_FILE, MODULES_FILE)


def is_name(name: str) -> bool:
    """Whether `name` is a valid name for a local model."""
    return _NAME.fullmatch(name.removeprefix(VISITOR)) is not None


def find(name: str, models_folder: Path) -> Path | None:
    """The folder of the local model `name`, or None."""
    folder = folder_of(name, models_folder)
    return folder if is_name(name) and any((folder / file).is_file() for file in _OF_A_MODEL) else None


def names(models_folder: Path) -> list[str]:
    """The names of all local models, sorted, those of visitors last."""
    return [
        name
        for prefix in ("", VISITOR)
        if (place := _place(prefix, models_folder)).is_dir()
        for name in sorted(f"{prefix}{path.name}" for path in place.iterdir())
        if name.startswith(VISITOR) == bool(prefix) and find(name, models_folder) is not None
    ]


def _place(name: str, models_folder: Path) -> Path:
    """The folder of all models of the same kind as `name`."""
    return models_folder / _VISITORS if name.startswith(VISITOR) else models_folder


def folder_of(name: str, models_folder: Path) -> Path:
    """Where the local model `name` is, or would be."""
    return _place(name, models_folder) / name.removeprefix(VISITOR)


def check_free(name: str, models_folder: Path) -> None:
    """Raises InputError if a new model cannot be called `name`. To be called before training, too, not only after."""
    if not is_name(name):
        name = name.removeprefix(VISITOR)
        shown = repr(name if len(name) <= 80 else f"{name[:80]}…")
        raise InputError(
            f"{shown} cannot be the name of a model: use 1 to 64 small letters a-z, digits and hyphens.",
            f"{shown} 不能作为模型名：请用 1 至 64 个小写字母、数字或连字符。",
        )
    place, folder = _place(name, models_folder), folder_of(name, models_folder)
    if any(name == spec.bundled for spec in TASKS.values()) or folder.exists():
        raise InputError(
            f"There is a model called {name} already. Choose another name, or remove {folder}.",
            f"已有名为 {name} 的模型。请另取名称，或删除 {folder}。",
        )
    same_kind = [other for other in names(models_folder) if other.startswith(VISITOR) == name.startswith(VISITOR)]
    if len(same_kind) >= MAX_MODELS:
        raise InputError(
            f"{place} holds {MAX_MODELS} models, and takes no more. Remove some.",
            f"{place} 中已有 {MAX_MODELS} 个模型，不能再多。请删除一些。",
        )


@contextmanager
def new_model(name: str, models_folder: Path) -> Iterator[Path]:
    """An empty folder that becomes the local model `name` when the block ends, and is deleted if the block raises.

    Raises InputError when the name is taken or the folder is not writable.
    """
    check_free(name, models_folder)
    folder = folder_of(name, models_folder)
    partial = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.partial")
    try:
        with _writing(models_folder):
            partial.mkdir(parents=True)
        yield partial
        with _writing(models_folder):
            check_free(name, models_folder)
            partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _writing(models_folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"{models_folder} could not be written to: {reason}. Check permissions and free space, or set "
            "WENMO_MODELS_FOLDER to another folder.",
            f"无法写入 {models_folder}：{reason}。请检查权限与剩余空间，或把 WENMO_MODELS_FOLDER 设为别的文件夹。",
        ) from error
