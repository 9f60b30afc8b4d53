"""Small files that somebody else made, which may be a pipe that never ends, or of any size; and temporary ones."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from pathlib import Path

from wenmo.errors import InputError


def read_small(path: Path, most_mib: int = 16) -> bytes:
    """The content of a regular file. Raises OSError for anything else, such as a pipe or a device, and a larger file.

    Opening a pipe would wait for somebody who writes, and a link may lead to /dev/zero.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(descriptor, "rb") as file:  # noqa: PTH123 - of a descriptor
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        content = file.read((most_mib << 20) + 1)
    if len(content) > most_mib << 20:
        raise OSError(errno.EFBIG, f"it is larger than {most_mib} MiB")
    return content


def read_small_text(path: Path, most_mib: int = 16) -> str:
    """As `read_small`, in UTF-8, with the line ends as they are. Raises UnicodeDecodeError, too."""
    return read_small(path, most_mib).decode("utf-8")


def check_temporary_folder() -> None:
    """Raises InputError when no temporary file can be written: models could not be loaded, nor files uploaded."""
    try:
        with tempfile.TemporaryFile():
            pass
    except OSError as error:
        raise InputError(
            f"No temporary file can be written ({error}). Set TMPDIR to a folder that can be, in a container with a "
            "read-only root by --tmpfs /tmp.",
            f"无法写入临时文件（{error}）。请把 TMPDIR 设为可写的文件夹；根目录只读的容器可用 --tmpfs /tmp。",
        ) from None
