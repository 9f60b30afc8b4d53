"""A download that can be watched and stopped at any moment: in a process of its own.

ModelScope's client takes no order to stop, and a thread that waits for a dead network cannot be ended. A process can.
What had arrived by then is kept: the mark of an unfinished download stays (see `hub`), and the next one goes on there.

    python -m wenmo.models.pull ID      writes what it is at as lines of JSON
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from wenmo.errors import DownloadError, WenmoError
from wenmo.models import hub

_WAIT_S = 0.2  # so often somebody who wants to stop is asked
_TELL_S = 0.1


@dataclass(frozen=True, kw_only=True)
class PullState:
    """Bytes of the files that were begun; `file` is the latest of them. `total_bytes` is None where it is not known."""

    file: str | None
    done_bytes: int
    total_bytes: int | None
    seconds: float


def pull(model_id: str) -> Generator[PullState]:
    """Download `model_id` into the hub's cache; yields several times a second, and once more when it is there.

    Closing the generator ends the download. Raises DownloadError where it fails.
    """
    command = [sys.executable, "-m", __name__, model_id]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONIOENCODING": "utf-8"}
    process = subprocess.Popen(  # noqa: S603 - this very Python, and an id that the child checks
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8", env=environment
    )
    assert process.stdout is not None
    told: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(process.stdout, told), name="wenmo-pull", daemon=True)
    reader.start()
    started = time.monotonic()
    files: dict[str, tuple[int, int | None]] = {}
    try:
        while True:
            line: str | None = ""
            with contextlib.suppress(queue.Empty):
                line = told.get(timeout=_WAIT_S)
            if line is None:
                raise DownloadError(
                    f"The download of {model_id} ended without saying why. Try again; it goes on where it was.",
                    f"{model_id} 的下载意外中断。请重试，会从中断处继续。",
                )
            message: dict[str, Any] = json.loads(line) if line else {}
            if "error" in message:
                raise DownloadError(*message["error"])
            if "file" in message:
                files.pop(message["file"], None)  # the latest stands last
                files[message["file"]] = (message["done_bytes"], message["total_bytes"])
            totals = [total for _, total in files.values()]
            yield PullState(
                file=next(reversed(files), None),
                done_bytes=sum(done for done, _ in files.values()),
                total_bytes=None if None in totals or not totals else sum(each for each in totals if each is not None),
                seconds=time.monotonic() - started,
            )
            if "folder" in message:
                return
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stdout.close()


def free_mib() -> float | None:
    """Of the disk on which the hub's cache is, or will be; None where that cannot be told."""
    import shutil

    folder = hub.cache_root()
    there = next((each for each in (folder, *folder.parents) if each.is_dir()), None)
    try:
        return None if there is None else shutil.disk_usage(there).free / 2**20
    except OSError:
        return None


def _read(stream: IO[str], told: queue.SimpleQueue[str | None]) -> None:
    for line in stream:
        told.put(line)
    told.put(None)


def main(model_id: str) -> None:
    """The process: every line that it writes is a JSON object."""
    out, sys.stdout = sys.stdout, sys.stderr  # the client's own words go elsewhere
    last = 0.0

    def tell(**message: Any) -> None:
        try:
            out.write(json.dumps(message) + "\n")
            out.flush()
        except OSError:  # nobody reads any more
            os._exit(1)

    def progress(state: hub.DownloadProgress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _TELL_S or state.done_bytes == state.total_bytes:
            last = now
            tell(**asdict(state))

    try:
        folder: Path = hub.download(model_id, progress=progress)
    except WenmoError as error:
        tell(error=[error.en, error.zh])
    else:
        tell(folder=str(folder))


if __name__ == "__main__":
    main(sys.argv[1])
