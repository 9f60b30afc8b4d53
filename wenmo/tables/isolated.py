"""Reads a file that a stranger made in a process of its own, which has a limit for memory and for CPU time.

Whatever such a file does to a parser, it ends that process alone, and the caller gets an InputError. Rows come over a
pipe, a chunk at a time. The process starts anew for each call, since one that has read one file should not read
another; it takes a fraction of a second. Few run at a time, so that many files are bounded, too.

A process of the service has its whole configuration in the environment; this one gets no variable of wenmo's.
"""

from __future__ import annotations

import io
import os
import pickle
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import IO, Any, BinaryIO

from wenmo.errors import BusyError, InputError, WenmoError
from wenmo.tables.read_parquet import ArrowChunk
from wenmo.tables.readers import open_reader
from wenmo.tables.table import CHUNK_ROWS, Chunk, Notice, ReadOptions, TableReader

MEMORY_MIB = 256  # beyond what the process takes before it reads
CPU_S = 300
MOST_DECODED_MIB = 2048  # of a whole file, as it comes over the pipe
PLACES = 4
WAIT_S = 30.0  # for a place
_MOST_MESSAGE = 160 << 20  # a chunk has some MiB, and one row more
_WRITTEN, _FAILED, _BUG = 0, 1, 2


def open_isolated(path: Path, options: ReadOptions | None = None) -> TableReader:
    """As `open_reader`, and all rows are read in processes of their own, too."""
    return _IsolatedReader(call(open_reader, path, options))


def call(function: Callable[..., Any], path: Path, *args: Any) -> Any:
    """What `function(path, *args)` returns. It and its arguments and result must be picklable."""
    with closing(_stream(_once, path, function, args)) as results:
        return next(results)


class _IsolatedReader(TableReader):
    """What `reader` knows of its file, and a process for whatever has to look into the file again."""

    def __init__(self, reader: TableReader) -> None:
        super().__init__(reader.path)
        self.columns, self.types, self.row_count = reader.columns, reader.types, reader.row_count
        self.notices = reader.notices
        self.encoding = getattr(reader, "encoding", None)  # of text formats; the page tells it
        self._reader = reader

    def refuse_column(self, column: str) -> None:
        self._reader.refuse_column(column)

    def missing_column_hint(self, names: Sequence[str]) -> Notice | None:
        hint: Notice | None = call(_hint, self.path, self._reader, names)
        return hint

    def chunks(self, rows: int = CHUNK_ROWS, columns: Sequence[str] | None = None) -> Iterator[Chunk]:
        with closing(_stream(_chunks, self.path, self._reader, rows, columns)) as chunks:
            yield from chunks

    def arrow_schema(self) -> Any:
        return self._reader.arrow_schema()


def _once(path: Path, function: Callable[..., Any], args: Sequence[Any]) -> Iterator[Any]:
    yield function(path, *args)


def _hint(_: Path, reader: TableReader, names: Sequence[str]) -> Notice | None:
    return reader.missing_column_hint(names)


def _chunks(_: Path, reader: TableReader, rows: int, columns: Sequence[str] | None) -> Iterator[Chunk]:
    for chunk in reader.chunks(rows, columns):
        if isinstance(chunk, ArrowChunk):
            chunk.convert_nested()  # here, where it costs nobody anything: 4 bytes can become a list of 64
        yield chunk


@cache
def _places() -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(PLACES)


def _stream(generator: Callable[..., Iterator[Any]], path: Path, *args: Any) -> Generator[Any]:
    """What `generator(path, *args)` yields in a new process, which ends with this generator."""
    if not _places().acquire(timeout=WAIT_S):
        raise BusyError(
            f"{PLACES} files are being read for others just now. Try again shortly.",
            f"此刻正在为其他访客读取 {PLACES} 个文件。请稍后再试。",
            retry_after_s=WAIT_S,
        )
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", "from wenmo.tables import isolated; isolated.main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
        )
        assert process.stdin is not None and process.stdout is not None
        try:
            with suppress(BrokenPipeError), process.stdin as stdin:
                pickle.dump((generator, path, args), stdin)
            yield from _received(process, process.stdout, path)
        finally:
            process.kill()
            process.stdout.close()
            process.wait()
    finally:
        _places().release()


def _environment() -> dict[str, str]:
    package = Path(__file__).resolve().parents[2]
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("WENMO_")}
    return kept | {
        "PYTHONPATH": os.pathsep.join([str(package), *filter(None, sys.path)]),
        "ARROW_DEFAULT_MEMORY_POOL": "system",  # the others reserve gigabytes of addresses, which are limited here
        "MALLOC_ARENA_MAX": "2",
        "ARROW_IO_THREADS": "2",
        "OMP_NUM_THREADS": "1",  # Arrow's, too
        "OPENBLAS_NUM_THREADS": "1",
    }


def _received(process: subprocess.Popen[bytes], pipe: IO[bytes], path: Path) -> Iterator[Any]:
    total = 0
    while head := pipe.read(9):
        kind, size = head[0], int.from_bytes(head[1:], "big")
        total += size
        if size > _MOST_MESSAGE or total > MOST_DECODED_MIB << 20:
            raise _too_large(path)
        content = pipe.read(size)
        if len(head) < 9 or len(content) < size:
            break
        if kind == _FAILED:
            raise pickle.loads(content)  # noqa: S301 - wenmo's own process wrote it
        if kind == _BUG:
            raise RuntimeError(f"Reading in a process of its own failed:\n{content.decode()}")
        yield pickle.loads(content)  # noqa: S301
    pipe.close()
    code = process.wait()
    if code in (-getattr(signal, "SIGXCPU", 0), -getattr(signal, "SIGKILL", 0)):
        raise InputError(
            f"{path.name} takes longer to read than {CPU_S} s, or more memory than there is. Save it as CSV, or use "
            "`python -m wenmo run`.",
            f"读取 {path.name} 超过 {CPU_S} 秒，或内存不足。请另存为 CSV，或使用 `python -m wenmo run`。",
        )
    if code:
        raise _too_large(path)


def _too_large(path: Path) -> InputError:
    return InputError(
        f"{path.name} becomes too large when it is decoded: a process that reads it has {MEMORY_MIB} MiB, and all of "
        f"its rows {MOST_DECODED_MIB:,} MiB. Save it as CSV, or use `python -m wenmo run`.",
        f"{path.name} 解码后过大：读取它的进程有 {MEMORY_MIB} MiB 内存，全部数据行最多 {MOST_DECODED_MIB:,} MiB。"
        "请另存为 CSV，或使用 `python -m wenmo run`。",
    )


# --- in the process of its own ---


def main() -> None:
    """Write what a generator yields to standard output, each item with its kind and its size in front."""
    output = sys.stdout.buffer
    sys.stdout = io.TextIOWrapper(io.BytesIO())  # what a library prints is no message
    generator, path, args = pickle.load(sys.stdin.buffer)  # noqa: S301 - wenmo's own process wrote it
    _limit(path.suffix.lower())
    try:
        for item in generator(path, *args):
            _send(output, _WRITTEN, pickle.dumps(item, protocol=pickle.HIGHEST_PROTOCOL))
    except MemoryError:
        _send(output, _FAILED, pickle.dumps(_too_large(path)))
    except WenmoError as error:
        # Arrow reports memory that it does not get as an error of its own, which becomes "could not be read".
        out_of_memory = isinstance(error.__cause__, MemoryError)
        _send(output, _FAILED, pickle.dumps(_too_large(path) if out_of_memory else error))
    except Exception:
        _send(output, _BUG, traceback.format_exc().encode())
    output.flush()
    os._exit(0)  # nothing is left to tidy up; freeing a damaged heap may crash


def _send(output: BinaryIO, kind: int, content: bytes) -> None:
    output.write(bytes([kind]) + len(content).to_bytes(8, "big"))
    output.write(content)
    output.flush()


def _limit(suffix: str) -> None:
    """Limit this process to MEMORY_MIB beyond what it has now, and to CPU_S; Windows has no such limits."""
    if suffix == ".parquet":  # what a reader would import
        import pyarrow.parquet  # noqa: F401
    elif suffix == ".xlsx":
        import openpyxl  # noqa: F401

    with suppress(ImportError, OSError, ValueError):
        import resource

        _lower(resource.RLIMIT_CPU, CPU_S)
        _lower(resource.RLIMIT_CORE, 0)
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        _lower(resource.RLIMIT_AS, taken + (MEMORY_MIB << 20))
        Path("/proc/self/oom_score_adj").write_text("1000")  # if memory runs out, this process is to go


def _lower(limit: int, value: int) -> None:
    import resource

    _, hard = resource.getrlimit(limit)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(limit, (value, value))
