"""Models of one's own: folders in ModelScope's layout under one folder, called by their names.

`python -m wenmo train adapt` and the page put them there; a checkpoint copied there by hand is one as well. Names are
small letters, digits and hyphens, so that no name leads out of the folder. A model appears whole or not at all: it is
made beside the others under a name that is none, and renamed.
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
from wenmo.paths import INSTALLED, ROOT
from wenmo.tasks.table import TASKS

# Beside the code in a checkout, and a volume in a container. site-packages is no place for a user's own files.
DEFAULT_MODELS_FOLDER = (user_data_path("wenmo", appauthor=False) if INSTALLED else ROOT) / "models"
MAX_MODELS = 50  # whoever reaches the page can make one: a bound for the disk

_NAME = re.compile(r"[a-z0-9-]{1,64}")


def is_name(name: str) -> bool:
    """Whether a local model may be called so."""
    return _NAME.fullmatch(name) is not None


def find(name: str, models_folder: Path) -> Path | None:
    """The folder of the local model `name`, or None where there is none."""
    folder = models_folder / name
    return folder if is_name(name) and (folder / "configuration.json").is_file() else None


def names(models_folder: Path) -> list[str]:
    """All local models, sorted."""
    if not models_folder.is_dir():
        return []
    return sorted(path.name for path in models_folder.iterdir() if find(path.name, models_folder) is not None)


def check_free(name: str, models_folder: Path) -> None:
    """Raises InputError unless a new model may be called `name`: to be asked before hours of work, not after."""
    if not is_name(name):
        shown = repr(name if len(name) <= 80 else f"{name[:80]}…")
        raise InputError(
            f"{shown} cannot be the name of a model: use 1 to 64 small letters a-z, digits and hyphens.",
            f"{shown} 不能作为模型名：请用 1 至 64 个小写字母、数字或连字符。",
        )
    if any(name == spec.bundled for spec in TASKS.values()) or (models_folder / name).exists():
        raise InputError(
            f"There is a model called {name} already. Choose another name, or remove {models_folder / name}.",
            f"已有名为 {name} 的模型。请另取名称，或删除 {models_folder / name}。",
        )
    if len(names(models_folder)) >= MAX_MODELS:
        raise InputError(
            f"{models_folder} holds {MAX_MODELS} models, and takes no more. Remove some.",
            f"{models_folder} 中已有 {MAX_MODELS} 个模型，不能再多。请删除一些。",
        )


@contextmanager
def new_model(name: str, models_folder: Path) -> Iterator[Path]:
    """An empty folder to write a model into; when the block ends well it is the local model `name`, else it is gone.

    Raises InputError when the name is not free, or the folder cannot be written to.
    """
    check_free(name, models_folder)
    partial = models_folder / f".{name}.{secrets.token_hex(4)}.partial"
    try:
        with _writing(models_folder):
            partial.mkdir(parents=True)
        yield partial
        with _writing(models_folder):
            check_free(name, models_folder)
            partial.rename(models_folder / name)
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
