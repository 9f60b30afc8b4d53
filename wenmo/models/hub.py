"""Models from ModelScope's hub, downloaded by ModelScope's own client into its own cache.

The client resumes partial files, checks sizes and SHA-256, and names a file only when it is complete. It does not
record whether a *model* is complete: after an interruption the folder may have the weights but no label mapping, and
would be read with wrong labels. So a marker file exists in the cache during a download, and a model with a marker does
not count as cached: it is downloaded again, which fetches only the missing files.

A complete copy is used without contacting the hub. The client is imported on first use, because it imports torch.
"""

from __future__ import annotations

import errno
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from wenmo.errors import DownloadError, ModelNotFoundError
from wenmo.models import hub_files

DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
NOT_WRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG}

_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_MODEL_ID = re.compile(f"{_PART}/{_PART}")

OTHER_WAYS_EN = (
    "download the model on another machine and give its folder, or use a bundled model "
    "(`python -m wenmo models` lists them)"
)
OTHER_WAYS_ZH = "或在别的机器上下载后给出其文件夹，或使用自带模型（用 `python -m wenmo models` 查看）"


@dataclass(frozen=True, kw_only=True)
class DownloadProgress:
    """Progress of one file. `total_bytes` is None if the hub does not send it."""

    file: str
    done_bytes: int
    total_bytes: int | None


OnDownloadProgress = Callable[[DownloadProgress], None]


def is_model_id(text: str) -> bool:
    """Whether `text` has the form of a hub id, `owner/name`. The model may not exist."""
    return _MODEL_ID.fullmatch(text) is not None and ".." not in text


def cached(model_id: str) -> Path | None:
    """The folder of a complete copy in ModelScope's cache, or None. Does not use the network."""
    if not is_model_id(model_id):
        return None
    try:
        if not any(cache_root().glob("*")):  # most people's; the client takes a second to import
            return None
        from modelscope.hub.snapshot_download import snapshot_download
        from modelscope_hub.errors import CacheNotFound
    except ImportError:
        return None
    try:
        folder = Path(snapshot_download(model_id, local_files_only=True))
        return None if _marker(model_id).exists() or hub_files.missing(folder) else folder
    except (CacheNotFound, OSError):
        return None


def list_cached() -> list[str]:
    """Ids of all complete BERT models in the cache, sorted. Does not use the network."""
    try:
        models = cache_root() / "models"
    except ImportError:
        return []
    ids = {snapshot.parents[1].name.replace("--", "/", 1) for snapshot in models.glob("*--*/snapshots/*")}
    return sorted(model_id for model_id in ids if (folder := cached(model_id)) and hub_files.is_bert(folder))


def download(model_id: str, *, progress: OnDownloadProgress | None = None) -> Path:
    """The folder of a complete copy of `owner/name`, downloaded if it is not in the cache.

    `progress` is called from the client's threads, one call at a time; the first exception that it raises is raised
    here after the download. Raises ModelNotFoundError when `model_id` is not of the form owner/name, and DownloadError
    when the download fails.
    """
    if not is_model_id(model_id):
        raise ModelNotFoundError(
            f"{model_id!r} is not a model id of the hub. Write it as owner/name, as on the model's page.",
            f"{model_id!r} 不是有效的模型 ID。请按模型主页上的写法填写：所有者/名称。",
        )
    folder = cached(model_id)
    if folder is not None:
        return folder
    try:
        from modelscope.hub.snapshot_download import snapshot_download
    except ImportError:
        raise DownloadError(
            f"{model_id} cannot be downloaded because the package modelscope is not installed. Run "
            f"`pip install modelscope`, or {OTHER_WAYS_EN}.",
            f"未安装 modelscope，无法下载 {model_id}。请运行 `pip install modelscope`，{OTHER_WAYS_ZH}。",
        ) from None

    raised: list[Exception] = []
    callbacks = None if progress is None else [_relay(progress, raised)]
    try:
        marker = _marker(model_id)
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()

        def fetch(*patterns: str) -> Path:
            return Path(snapshot_download(model_id, allow_patterns=list(patterns), progress_callbacks=callbacks))

        folder = fetch(*hub_files.CONFIGURATION, *hub_files.SAFETENSORS)
        modules = hub_files.module_folders(folder)
        if modules:
            fetch(*hub_files.within(modules, (*hub_files.CONFIGURATION, *hub_files.SAFETENSORS)))
        lacking = [each for each in ("", *modules) if not hub_files.has_weights(folder / each, hub_files.SAFETENSORS)]
        if lacking:
            fetch(*(str(Path(each) / name) for each in lacking for name in hub_files.TORCH))
    except Exception as error:  # the client does not document its exceptions
        raise _explain(model_id, error) from error
    if missing := hub_files.missing(folder):
        raise DownloadError(
            f"{model_id} on the hub is no checkpoint that can be read: it has no {missing}. Choose another model, or "
            f"{OTHER_WAYS_EN}.",
            f"{model_id} 不是可读取的模型：缺少 {missing}。请换一个模型，{OTHER_WAYS_ZH}。",
        )
    marker.unlink(missing_ok=True)
    if raised:
        raise raised[0]
    return folder


def cache_root() -> Path:
    """The cache folder of ModelScope's client, which may not exist yet."""
    from modelscope_hub import get_default_config

    return Path(get_default_config().cache_dir)


def _marker(model_id: str) -> Path:
    """The file that exists while a download of the model is incomplete."""
    return cache_root() / ".wenmo-unfinished" / model_id.replace("/", "--")


def _relay(progress: OnDownloadProgress, raised: list[Exception]) -> type[Any]:
    """A callback class for the client, which makes one object per file and reports the bytes that arrive."""
    from modelscope_hub import ProgressCallback

    lock = threading.Lock()

    class Relay(ProgressCallback):
        done_bytes = 0

        def update(self, size: int) -> None:
            with lock:
                self.done_bytes += size  # negative when a file starts again
                if raised:
                    return
                try:
                    progress(
                        DownloadProgress(
                            file=self.filename, done_bytes=self.done_bytes, total_bytes=self.file_size or None
                        )
                    )
                except Exception as error:  # the client would retry, as after a broken connection
                    raised.append(error)

    return Relay


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, the errors of single files, and all their causes."""
    yield error
    for inner in (*getattr(error, "failed_files", {}).values(), error.__cause__):
        if inner is not None:
            yield from _causes(inner)


def reason_of(error: BaseException) -> str:
    """The client's message, shortened, without the queries of URLs, which may contain signatures."""
    text = next(iter(str(getattr(error, "message", error)).splitlines()), "")
    if match := re.search(r"\[Errno -?\d+\] ([\w ]+)", text):
        return match[1]
    if not text.isascii():  # some messages are Chinese only; the type's name suits both languages
        text = ""
    return re.sub(r"\?\S+", "", text)[:200] or type(error).__name__


def _explain(model_id: str, error: Exception) -> DownloadError:
    """The client's error with its meaning and a remedy."""
    from modelscope_hub import get_default_config
    from modelscope_hub.errors import AuthenticationError, FileIntegrityError, NotExistError, PermissionDeniedError

    causes = list(_causes(error))
    numbers = {cause.errno for cause in causes if isinstance(cause, OSError)}
    failed: dict[str, BaseException] = getattr(error, "failed_files", {})
    files = ", ".join(failed)
    reason = reason_of(next(iter(failed.values()), error))
    cache = cache_root()

    def has(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    if numbers & DISK_FULL:
        en = f"the disk of ModelScope's cache at {cache} is full. Free some space or set MODELSCOPE_CACHE to another"
        zh = f"ModelScope 缓存文件夹 {cache} 所在磁盘已满。请清理磁盘，或将 MODELSCOPE_CACHE 设为其他磁盘上的文件夹"
    elif numbers & NOT_WRITABLE:
        en = f"ModelScope's cache at {cache} cannot be written ({reason}). Set MODELSCOPE_CACHE to a folder that can"
        zh = f"ModelScope 缓存文件夹 {cache} 无法写入（{reason}）。请将 MODELSCOPE_CACHE 设为可写的文件夹"
    elif has(FileIntegrityError):
        en = f"what arrived for {files} is not what the hub lists ({reason}), and was thrown away. Try again later"
        zh = f"收到的 {files} 与模型库登记的不符（{reason}），已丢弃。请稍后重试"
    elif files:
        en = f"the transfer of {files} broke off ({reason}). Check the network and try again to fetch the rest"
        zh = f"{files} 传输中断（{reason}）。请检查网络后重试以续传"
    elif has(NotExistError):
        en = "the hub has no public model of this id. Check the spelling; for a private one set MODELSCOPE_API_TOKEN"
        zh = "模型库中没有这个公开模型。请检查拼写；私有模型请设置 MODELSCOPE_API_TOKEN"
    elif has(AuthenticationError, PermissionDeniedError):
        en = f"the hub refused access ({reason}). Set MODELSCOPE_API_TOKEN to a token that may read it"
        zh = f"模型库拒绝访问（{reason}）。请将 MODELSCOPE_API_TOKEN 设为有权限的令牌"
    else:
        address = urlsplit(str(get_default_config().endpoint)).netloc.rpartition("@")[2]
        en = (
            f"it is not in the cache, and the hub at {address} could not be used ({reason}). Check the network, or set "
            "MODELSCOPE_ENDPOINT to an address of the hub that can be reached, and try again"
        )
        zh = (
            f"缓存中没有它，且无法使用模型库 {address}（{reason}）。请检查网络，"
            "或将 MODELSCOPE_ENDPOINT 设为可访问的地址后重试"
        )
    return DownloadError(
        f"{model_id} could not be downloaded: {en}; or {OTHER_WAYS_EN}.",
        f"无法下载 {model_id}：{zh}；{OTHER_WAYS_ZH}。",
    )
