"""Models from Hugging Face's hub, downloaded by its own client into its own cache.

The client goes on where a connection broke, respects HF_ENDPOINT (a mirror), HF_HUB_CACHE, HF_HUB_OFFLINE and HF_TOKEN,
and knows whether a copy in its cache has all files that were asked for. A download that was given up is continued with
the files that are missing, each from its start. The client is imported on first use.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from wenmo.errors import DownloadError
from wenmo.models import hub_files
from wenmo.models.hub import (
    DISK_FULL,
    NOT_WRITABLE,
    OTHER_WAYS_EN,
    OTHER_WAYS_ZH,
    DownloadProgress,
    OnDownloadProgress,
    is_model_id,
    reason_of,
)


def cached(model_id: str) -> Path | None:
    """The folder of a complete copy in the client's cache, or None. Does not use the network."""
    if not is_model_id(model_id):
        return None
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(model_id, local_files_only=True, allow_patterns=[*hub_files.CONFIGURATION]))
        for files in (hub_files.SAFETENSORS, hub_files.TORCH):
            if hub_files.has_weights(folder, files):
                snapshot_download(model_id, local_files_only=True, allow_patterns=[*files])
                break
        if modules := hub_files.module_folders(folder):
            snapshot_download(model_id, local_files_only=True, allow_patterns=hub_files.within(modules, ["*.json"]))
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError):
        return None
    return None if hub_files.missing(folder) else folder


def list_cached() -> list[str]:
    """Ids of all complete BERT models in the cache, sorted. Does not use the network."""
    snapshots = cache_root().glob("models--*--*/snapshots/*")
    names = {snapshot.parents[1].name.removeprefix("models--") for snapshot in snapshots}
    ids = sorted(name.replace("--", "/", 1) for name in names)
    return [model_id for model_id in ids if (folder := cached(model_id)) and hub_files.is_bert(folder)]


def download(model_id: str, *, progress: OnDownloadProgress | None = None) -> Path:
    """The folder of a complete copy of `owner/name`, downloaded if it is not in the cache.

    `progress` is called from the client's threads, one call at a time; the first exception that it raises is raised
    here after the download. Raises DownloadError when the download fails.
    """
    folder = cached(model_id)
    if folder is not None:
        return folder
    from huggingface_hub import snapshot_download

    raised: list[Exception] = []
    bar = _silent() if progress is None else _relay(model_id.partition("/")[2], progress, raised)

    def fetch(*patterns: str) -> Path:
        return Path(snapshot_download(model_id, allow_patterns=list(patterns), tqdm_class=bar))

    try:
        folder = fetch(*hub_files.CONFIGURATION)
        modules = hub_files.module_folders(folder)
        fetch(*hub_files.SAFETENSORS, *hub_files.within(modules, (*hub_files.CONFIGURATION, *hub_files.SAFETENSORS)))
        lacking = [each for each in ("", *modules) if not hub_files.has_weights(folder / each, hub_files.SAFETENSORS)]
        if lacking:
            fetch(*(str(Path(each) / name) for each in lacking for name in hub_files.TORCH))
    except Exception as error:  # the client raises its own, its HTTP library's, and the system's
        raise _explain(model_id, error) from error
    if missing := hub_files.missing(folder):
        raise DownloadError(
            f"{model_id} on Hugging Face is no checkpoint that can be read: it has no {missing}. Choose another model, "
            f"or {OTHER_WAYS_EN}.",
            f"Hugging Face 上的 {model_id} 不是可读取的模型：缺少 {missing}。请换一个模型，{OTHER_WAYS_ZH}。",
        )
    if raised:
        raise raised[0]
    return folder


def cache_root() -> Path:
    """The client's cache folder, which may not exist yet."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE).expanduser()


def _silent() -> type[Any]:
    """A progress bar of the client that shows nothing."""
    from huggingface_hub.utils import tqdm  # type: ignore[attr-defined]

    class Silent(tqdm):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **{**options, "disable": True})

    return Silent


def _relay(file: str, progress: OnDownloadProgress, raised: list[Exception]) -> type[Any]:
    """A progress bar of the client that passes on the bytes of all files; it has one for bytes and one for files."""
    lock = threading.Lock()
    silent = _silent()

    class Relay(silent):  # type: ignore[valid-type, misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self._counts = options.get("unit") == "B" and str(options.get("desc", "")).startswith("Reconstruct")
            self._done = 0

        def update(self, n: float | None = 1) -> None:
            with lock:
                self._done += int(n or 0)
                if not self._counts or raised:
                    return
                try:
                    progress(
                        DownloadProgress(file=file, done_bytes=self._done, total_bytes=int(self.total or 0) or None)
                    )
                except Exception as error:  # the client would take it for a broken connection
                    raised.append(error)

    return Relay


def _explain(model_id: str, error: Exception) -> DownloadError:
    """The client's error with its meaning and a remedy."""
    from huggingface_hub import constants
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    causes = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and isinstance(cause, Exception):
        causes.append(cause)
    numbers = {each.errno for each in causes if isinstance(each, OSError)}
    reason, cache = reason_of(causes[-1]), cache_root()
    refused = any(isinstance(each, HfHubHTTPError) and each.response.status_code in (401, 403) for each in causes)
    if numbers & DISK_FULL:
        en = f"the disk of Hugging Face's cache at {cache} is full. Free some space or set HF_HUB_CACHE to another"
        zh = f"Hugging Face 缓存文件夹 {cache} 所在磁盘已满。请清理磁盘，或将 HF_HUB_CACHE 设为其他磁盘上的文件夹"
    elif numbers & NOT_WRITABLE:
        name = next(os.strerror(number) for number in numbers & NOT_WRITABLE if number is not None)
        en = f"Hugging Face's cache at {cache} cannot be written ({name}). Set HF_HUB_CACHE to a folder that can"
        zh = f"Hugging Face 缓存文件夹 {cache} 无法写入（{name}）。请将 HF_HUB_CACHE 设为可写的文件夹"
    elif any(isinstance(each, GatedRepoError) for each in causes):
        en = "its owner gives access on request. Ask for it on the model's page and set HF_TOKEN"
        zh = "该模型需先申请。请在模型主页申请，并设置 HF_TOKEN"
    elif any(isinstance(each, RepositoryNotFoundError) for each in causes):
        en = "the hub has no public model of this id. Check the spelling; for a private one set HF_TOKEN"
        zh = "模型库中没有这个公开模型。请检查拼写；私有模型请设置 HF_TOKEN"
    elif refused:
        en = f"the hub refused access ({reason}). Set HF_TOKEN to a token that may read it"
        zh = f"模型库拒绝访问（{reason}）。请将 HF_TOKEN 设为有权限的令牌"
    else:
        address = urlsplit(str(constants.ENDPOINT)).netloc.rpartition("@")[2]
        en = (
            f"it is not whole in the cache, and the hub at {address} could not be used ({reason}). Check the network, "
            "or set HF_ENDPOINT to a mirror that can be reached, and try again to fetch the rest"
        )
        zh = (
            f"缓存中没有完整的模型，且无法使用模型库 {address}（{reason}）。请检查网络，"
            "或将 HF_ENDPOINT 设为可访问的镜像，再重试以续传"
        )
    return DownloadError(
        f"{model_id} could not be downloaded from Hugging Face: {en}; or {OTHER_WAYS_EN}.",
        f"无法从 Hugging Face 下载 {model_id}：{zh}；{OTHER_WAYS_ZH}。",
    )
