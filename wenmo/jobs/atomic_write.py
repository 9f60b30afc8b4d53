"""Writes a file whole or not at all, even if the process is killed or the machine loses power meanwhile."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from wenmo.errors import InputError

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """A new file that replaces `path` when the block ends without an exception: written, flushed to disk, renamed.

    Its temporary name is always the same, so that the next attempt overwrites what a killed process left there. Raises
    InputError when it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.wenmo-part")
    with explain_write_errors(path):
        try:
            with temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            _sync_folder(path.parent)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


@contextmanager
def explain_write_errors(path: Path) -> Iterator[None]:
    """Turns an OSError into an InputError that says that `path` could not be written, why, and what to do."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in _DISK_FULL:
            raise InputError(
                f"{path} could not be written: {reason}. Make room, then run the same command again with --resume: "
                "what is finished is kept.",
                f"无法写入 {path}：{reason}。请腾出空间，再用同一命令加 --resume 运行：已完成的部分都保留着。",
            ) from error
        raise InputError(
            f"{path} could not be written: {reason}. Check the folder's permissions and free space.",
            f"无法写入 {path}：{reason}。请检查文件夹权限与剩余空间。",
        ) from error


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a loss of power."""
    if os.name == "nt":  # a folder cannot be opened there; the system syncs it by itself
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
