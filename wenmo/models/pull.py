"""A download with progress that can be stopped at any moment, because it runs in a process of its own.

The hubs' clients cannot be told to stop, and a thread that waits for a dead network cannot be killed; a process can.
The files that arrived stay, with the marker of an unfinished download (see `hub`), and the next download resumes.

    python -m wenmo.models.pull ID      writes its progress as lines of JSON
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from wenmo.errors import DownloadError, WenmoError
from wenmo.models import hub, hubs

_POLL_S = 0.2  # the generator yields at least this often, so that its caller can stop
_SEND_INTERVAL_S = 0.1


@dataclass(frozen=True, kw_only=True)
class PullState:
    """Progress over all files that were started; `file` is the latest one. `total_bytes` is None if not known."""

    file: str | None
    done_bytes: int
    total_bytes: int | None
    seconds: float


def pull(model_id: str) -> Generator[PullState]:
    """Download `model_id` into the hub's cache; yields several times a second, and once more at the end.

    Closing the generator stops the download. Raises DownloadError if it fails.
    """
    command = [sys.executable, "-m", __name__, model_id]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONIOENCODING": "utf-8"}
    process = subprocess.Popen(  # noqa: S603 - this Python interpreter, and an id that the child process checks
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8", env=environment
    )
    assert process.stdout is not None
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(process.stdout, lines), name="wenmo-pull", daemon=True)
    reader.start()
    started = time.monotonic()
    files: dict[str, tuple[int, int | None]] = {}
    try:
        while True:
            line: str | None = ""
            with contextlib.suppress(queue.Empty):
                line = lines.get(timeout=_POLL_S)
            if line is None:
                raise DownloadError(
                    f"The download of {model_id} ended without saying why. Try again; it goes on where it was.",
                    f"{model_id} 的下载意外中断。请重试，会从中断处继续。",
                )
            message: dict[str, Any] = json.loads(line) if line else {}
            if "error" in message:
                raise DownloadError(*message["error"])
            if "file" in message:
                files.pop(message["file"], None)  # so that the latest is last
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


def free_mib(model_id: str = "") -> float | None:
    """Free space on the disk of the cache of the model's hub; None if it cannot be read."""
    folder = hubs.cache_root(model_id)
    existing = next((each for each in (folder, *folder.parents) if each.is_dir()), None)
    try:
        return None if existing is None else shutil.disk_usage(existing).free / 2**20
    except OSError:
        return None


def _read(stream: IO[str], lines: queue.SimpleQueue[str | None]) -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)


def main(model_id: str) -> None:
    """The child process. Writes one JSON object per line."""
    out, sys.stdout = sys.stdout, sys.stderr  # keeps the client's own output out
    last = 0.0

    def send(**message: Any) -> None:
        try:
            out.write(json.dumps(message) + "\n")
            out.flush()
        except OSError:  # the parent process is gone
            os._exit(1)

    def progress(state: hub.DownloadProgress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _SEND_INTERVAL_S or state.done_bytes == state.total_bytes:
            last = now
            send(**asdict(state))

    try:
        folder: Path = hubs.download(model_id, progress=progress)
    except WenmoError as error:
        send(error=[error.en, error.zh])
    else:
        send(folder=str(folder))


if __name__ == "__main__":
    main(sys.argv[1])
