"""Files that are there whole or not at all, even when the machine loses its power in between."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from wenmo.errors import InputError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file that takes the place of `path` when the block ends well: written, synchronised, renamed.

    Its temporary name is the same each time, so that what a killed process left there is overwritten by the next.
    Raises InputError when it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.wenmo-part")
    with writing(path):
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
def writing(path: Path) -> Iterator[None]:
    """Says of an OSError what could not be written, and what to do."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in _FULL:
            raise InputError(
                f"{path} could not be written: {reason}. Make room, then run the same command again with --resume: "
                "what is finished is kept.",
                f"无法写入 {path}：{reason}。请腾出空间，再用同一命令加 --resume 运行：已完成的部分都保留着。",
            ) from error
        raise InputError(
            f"{path} could not be written: {reason}. Check the folder's permissions and free space.",
            f"无法写入 {path}：{reason}。请检查目录权限与剩余空间。",
        ) from error


def _sync_folder(folder: Path) -> None:
    """Make a rename last; where a system cannot open folders (Windows), it does so by itself."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
