"""Ids of models on the hubs: `ms:owner/name` is ModelScope's, `hf:owner/name` Hugging Face's, a bare one ModelScope's.

Each is downloaded by the hub's own client into the client's own cache, where a complete copy is used without contacting
the hub. `WENMO_HUB` makes bare ids Hugging Face's: `Settings` writes them with their prefix.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Literal

from wenmo.errors import ModelNotFoundError
from wenmo.models import hub, huggingface
from wenmo.models.hub import OnDownloadProgress, is_model_id

HubName = Literal["modelscope", "huggingface"]
MODELSCOPE, HUGGING_FACE = "ms:", "hf:"
_HUBS: dict[str, ModuleType] = {MODELSCOPE: hub, HUGGING_FACE: huggingface}


def is_hub_id(name: str) -> bool:
    """Whether `name` has the form of an id, with or without a prefix. The model may not exist."""
    return is_model_id(_split(name)[1])


def qualified(name: str, default: HubName) -> str:
    """A bare id with the prefix of the hub `default`, if that is not ModelScope; other names unchanged."""
    bare = default == "huggingface" and is_model_id(name) and not Path(name).is_dir()
    return f"{HUGGING_FACE}{name}" if bare else name


def cached(name: str) -> Path | None:
    """The folder of a complete copy in the hub's cache, or None. Does not use the network."""
    prefix, model_id = _split(name)
    found: Path | None = _HUBS[prefix].cached(model_id)
    return found


def list_cached() -> list[str]:
    """Names of all complete BERT models in the caches, sorted, those of Hugging Face with their prefix."""
    return [*hub.list_cached(), *(f"{HUGGING_FACE}{model_id}" for model_id in huggingface.list_cached())]


def download(name: str, *, progress: OnDownloadProgress | None = None) -> Path:
    """The folder of a complete copy, downloaded if it is not in the hub's cache.

    Raises ModelNotFoundError for a name of another form, and DownloadError when the download fails.
    """
    prefix, model_id = _split(name)
    if not is_model_id(model_id):
        raise ModelNotFoundError(
            f"{name!r} is not a model id of a hub. Write it as owner/name, as on the model's page, with hf: before it "
            "for Hugging Face.",
            f"{name!r} 不是有效的模型 ID。请按模型主页上的写法填写：所有者/名称；Hugging Face 的请在前面加 hf:。",
        )
    folder: Path = _HUBS[prefix].download(model_id, progress=progress)
    return folder


def cache_root(name: str) -> Path:
    """The cache folder of the hub's client, which may not exist yet."""
    folder: Path = _HUBS[_split(name)[0]].cache_root()
    return folder


def _split(name: str) -> tuple[str, str]:
    """The prefix of the hub and the id."""
    for prefix in _HUBS:
        if name.startswith(prefix):
            return prefix, name.removeprefix(prefix)
    return MODELSCOPE, name
