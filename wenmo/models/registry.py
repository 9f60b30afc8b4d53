"""Finding models by name, and listing them.

A name is that of a bundled model, of a local one (see local.py), a folder, or an id of a hub (see hubs.py), tried in
this order. The bundled models are part of the repository, so that all tasks work from a fresh clone without the hub.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wenmo.errors import CheckpointError, InputError, ModelNotFoundError
from wenmo.models import hub, hubs, local
from wenmo.models.description import describe
from wenmo.models.label_names import remembered
from wenmo.paths import ASSETS
from wenmo.tasks.table import TASKS
from wenmo.types import TaskName


def bundled_models() -> dict[str, Path]:
    """The folders of the bundled models by name."""
    return {spec.bundled: ASSETS / "models" / spec.name for spec in TASKS.values() if spec.bundled}


def known_hub_ids() -> tuple[tuple[str, TaskName], ...]:
    """The ids and tasks of the hub's models that `listing` shows."""
    return tuple((model_id, spec.name) for spec in TASKS.values() for model_id in spec.hub_ids)


_EXAMPLE_ID = "iic/nlp_structbert_sentence-similarity_chinese-base"  # in messages

ModelKind = Literal["bundled", "local", "visitor", "cached", "known"]


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """One entry of the list of models. `folder` and `size_mib` are None where they are not known.

    `tasks` are those that it can serve, the likeliest first, without embedding, which all can; none where they are not
    known. `task` is the first.
    """

    name: str
    kind: ModelKind
    task: TaskName | None
    tasks: tuple[TaskName, ...]
    folder: Path | None
    size_mib: float | None


def locate(
    name: str, *, models_folder: Path = local.DEFAULT_MODELS_FOLDER, progress: hub.OnDownloadProgress | None = None
) -> Path:
    """The folder of the model called `name`, downloaded from the hub if necessary. Its content is not checked.

    `name` is a bundled name, that of a local model in `models_folder`, an existing folder (absolute, relative or with
    `~`; it takes precedence over a hub id), or a hub id `owner/name`, `ms:owner/name` or `hf:owner/name`. Raises
    ModelNotFoundError when it is none of these, and DownloadError when the hub's model is not in the cache and cannot
    be downloaded.
    """
    name = name.strip()
    bundled = bundled_models()
    if name in bundled:
        folder = bundled[name]
        if not folder.is_dir():
            raise ModelNotFoundError(
                f"The bundled model {name} should be in {folder}, but that folder is missing. Restore it from the "
                f"repository, or name another model: a folder, or a hub id such as {_EXAMPLE_ID}.",
                f"自带模型 {name} 应位于 {folder}，但该文件夹不存在。请从仓库恢复，"
                f"或改用其他模型：本地文件夹，或模型 ID（如 {_EXAMPLE_ID}）。",
            )
        return folder
    if own := find_folder(name, models_folder=models_folder):
        return own
    if not hubs.is_hub_id(name):
        shown = repr(name if len(name) <= 100 else f"{name[:100]}…")
        raise ModelNotFoundError(
            f"There is no model {shown}: it is not a bundled name ({', '.join(bundled)}), not a local model in "
            f"{models_folder}, not an existing folder, and not a hub id of the form owner/name, such as "
            f"{_EXAMPLE_ID}. Check the spelling.",
            f"找不到模型 {shown}：它既不是自带模型（{'、'.join(bundled)}），也不是 {models_folder} 中的本地模型"
            f"或已有的文件夹，"
            f"也不是“所有者/名称”形式的模型 ID（如 {_EXAMPLE_ID}）。请检查拼写。",
        )
    return _cached_under_any_name(name) or hubs.download(name, progress=progress)


def find_folder(name: str, *, models_folder: Path) -> Path | None:
    """The folder of a bundled or local model, or the existing folder `name`; None for any other name, as of a hub."""
    name = name.strip()
    bundled = bundled_models().get(name)
    return bundled or local.find(name, models_folder) or _existing_folder(name)


def listing(models_folder: Path = local.DEFAULT_MODELS_FOLDER) -> list[ModelEntry]:
    """The bundled, the local and the hub's known models, then others in the hubs' caches. Uses no network."""
    bundled = bundled_models()
    entries = [
        _entry(spec.bundled, (spec.name,), own if (own := bundled[spec.bundled]).is_dir() else None, kind="bundled")
        for spec in TASKS.values()
        if spec.bundled
    ]
    for name in local.names(models_folder):
        own = local.folder_of(name, models_folder)
        kind: ModelKind = "visitor" if name.startswith(local.VISITOR) else "local"
        entries.append(_entry(name, _tasks_of(own, models_folder), own, kind=kind))
    for name, task in known_hub_ids():
        cached = _cached_under_any_name(name)
        entries.append(_entry(name, (task,), cached, kind="cached" if cached else "known"))
    listed = {entry.folder for entry in entries}
    entries += [
        _entry(name, _tasks_of(folder, models_folder), folder, kind="cached")
        for name in hubs.list_cached()
        if (folder := hubs.cached(name)) is not None and folder not in listed
    ]
    return entries


def entry_of(folder: Path, models_folder: Path) -> ModelEntry:
    """The entry of a model in any folder, under the folder's path."""
    return _entry(str(folder), _tasks_of(folder, models_folder), folder, kind="local")


def _existing_folder(name: str) -> Path | None:
    if not name.strip("./~"):  # blank, `.`, `..`, `/`: a typing error, never meant as a model
        return None
    try:
        folder = Path(name).expanduser()
        return folder.resolve() if folder.is_dir() else None
    except (OSError, ValueError, RuntimeError):  # too long, not allowed, a zero byte, `~nobody`
        return None


def _cached_under_any_name(model_id: str) -> Path | None:
    """Like `hub.cached`; the hub's known models moved from damo/ to iic/, so a copy under either owner counts."""
    owner, _, short = model_id.partition("/")
    names = [model_id]
    if owner in ("iic", "damo") and any(known == f"iic/{short}" for known, _ in known_hub_ids()):
        names.append(f"{'damo' if owner == 'iic' else 'iic'}/{short}")
    return next((folder for folder in map(hubs.cached, names) if folder is not None), None)


def _tasks_of(folder: Path, models_folder: Path) -> tuple[TaskName, ...]:
    """The tasks that the model in `folder` can serve; none if it cannot be read or nothing tells what it does."""
    try:
        described = describe(folder, label_names=remembered(folder, models_folder))
    except (CheckpointError, InputError):
        return ()
    return tuple(spec.name for spec in described.tasks)


def _entry(name: str, tasks: tuple[TaskName, ...], folder: Path | None, *, kind: ModelKind) -> ModelEntry:
    size_mib = None
    if folder is not None:
        size_mib = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20
    task = tasks[0] if tasks else None
    return ModelEntry(name=name, kind=kind, task=task, tasks=tasks, folder=folder, size_mib=size_mib)
