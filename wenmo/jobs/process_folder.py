"""A temporary folder of this process, which the next one deletes if this one is killed."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path

from filelock import FileLock, Timeout

_LOCK = ".lock"


def delete_abandoned(folder: Path, prefix: str) -> None:
    """Delete the folders of that prefix in `folder` whose process was killed: nobody holds their lock."""
    for root in folder.glob(f"{prefix}*"):
        if root.is_symlink() or not (root / _LOCK).is_file():
            continue
        # Held by a process that lives; an OSError for another user's, or one that was just deleted.
        with contextlib.suppress(OSError, Timeout), FileLock(root / _LOCK, timeout=0):
            shutil.rmtree(root, ignore_errors=True)


class ProcessFolder:
    """A folder that only the user of this process can read, deleted at its end. Its name begins with `prefix`."""

    def __init__(self, prefix: str) -> None:
        delete_abandoned(Path(tempfile.gettempdir()), prefix)
        self._folder = tempfile.TemporaryDirectory(prefix=prefix)
        self._alive = FileLock(Path(self._folder.name) / _LOCK, timeout=0)  # for as long as the process lives
        self._alive.acquire()
        self.path = Path(self._folder.name)

    def delete(self) -> None:
        self._alive.release()
        with contextlib.suppress(OSError):
            self._folder.cleanup()
