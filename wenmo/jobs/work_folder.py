"""The folder OUT.partial, where an unfinished job keeps its manifest and shards. One process at a time works in it.

OUT.partial/manifest.json    what the job was started with (`manifest.py`)
OUT.partial/0000/            the shards of the first file (`shards.py`)
OUT.partial/lock             held by the process at work; the system releases the lock of a process that dies
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wenmo.errors import InputError
from wenmo.jobs.atomic_write import explain_write_errors
from wenmo.jobs.sources import partial_folder

_LOCK, _MANIFEST = "lock", "manifest.json"


@contextmanager
def locked_work_folder(target: Path) -> Iterator[Path]:
    """The work folder of the job that writes `target`: created, and locked while the block runs.

    It is removed if the job leaves it without a manifest, as one does that is finished or was never started. Raises
    InputError when another process holds the lock, or the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    folder = partial_folder(target)
    with explain_write_errors(folder):
        folder.mkdir(exist_ok=True)
    lock = FileLock(folder / _LOCK, timeout=0)
    with explain_write_errors(folder):
        try:
            lock.acquire()
        except Timeout:
            raise InputError(
                f"Another process is working on {target}. Wait for it, or choose another output.",
                f"另一个进程正在处理 {target}。请等待其完成，或换一个输出位置。",
            ) from None
    try:
        yield folder
    finally:
        if not manifest_file(folder).exists():
            with suppress(OSError, InputError):
                clear(folder)
                (folder / _LOCK).unlink()
                folder.rmdir()
        lock.release()


def manifest_file(folder: Path) -> Path:
    return folder / _MANIFEST


def shards_folder(folder: Path, number: int) -> Path:
    """Where the shards of the job's file with this number (from 0) are."""
    return folder / f"{number:04}"


def clear(folder: Path) -> None:
    """Delete everything but the lock. The manifest goes last: while it exists, what is left belongs to a known job."""
    with explain_write_errors(folder):
        for path in folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
        for path in folder.iterdir():
            if path.name != _LOCK:
                path.unlink()
