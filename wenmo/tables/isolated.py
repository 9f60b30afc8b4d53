"""Reads a file that a stranger made in a process of its own, which has a limit for memory and for CPU time.

Whatever such a file does to a parser, it ends that process alone, and the caller gets an InputError. Rows come over a
pipe, a chunk at a time, as data of which nothing can run (`messages.py`). The process starts anew for each call, since
one that has read one file should not read another; it takes a fraction of a second. Few run at a time, so that many
files are bounded, too.

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
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, Any, BinaryIO, get_type_hints

from wenmo.errors import BusyError, InputError
from wenmo.tables.messages import (
    MOST_BYTES,
    KnownTable,
    MalformedError,
    decode_batch,
    decode_error,
    decode_result,
    decode_rows,
    encode_batch,
    encode_error,
    encode_result,
    encode_rows,
)
from wenmo.tables.read_parquet import ArrowChunk
from wenmo.tables.readers import open_reader
from wenmo.tables.table import CHUNK_ROWS, Chunk, Notice, ReadOptions, TableReader

MEMORY_MIB = 256  # beyond what the process takes before it reads
CPU_S = 300
MOST_DECODED_MIB = 2048  # of a whole file, as it comes over the pipe
PLACES = 4
WAIT_S = 30.0  # for a place
_RESULT, _STATE, _ROWS, _BATCH, _FAILED, _BUG = range(6)
_Message = tuple[int, bytes]  # what it is, one of these, and its content


def open_isolated(path: Path, options: ReadOptions | None = None) -> TableReader:
    """As `open_reader`, and all rows are read in processes of their own, too."""
    with _checked(path), closing(_stream(_open, path, options)) as messages:
        known: KnownTable = decode_result(_content(next(messages, None), _RESULT), KnownTable)
        known.check()
        return _IsolatedReader(path, known, _content(next(messages, None), _STATE))


def call(function: Callable[..., Any], path: Path, *args: Any) -> Any:
    """What `function(path, *args)` returns, of the type that it is written to return, which JSON can hold.

    The function and its arguments must be picklable.
    """
    with _checked(path), closing(_stream(_once, path, function, args)) as messages:
        return decode_result(_content(next(messages, None), _RESULT), get_type_hints(function)["return"])


class _IsolatedReader(TableReader):
    """What is known of a file, and a process for whatever has to look into the file again.

    `state` is what spares that process the first pass: the reader, as the first process left it. Here it stays bytes.
    """

    def __init__(self, path: Path, known: KnownTable, state: bytes) -> None:
        super().__init__(path)
        self.columns, self.types, self.row_count = known.columns, known.types, known.row_count
        self.notices = known.notices
        self.encoding = known.encoding  # of text formats; the page tells it
        self._known, self._state = known, state
        self._schema = None if known.schema is None else known.arrow_schema()

    def refuse_column(self, column: str) -> None:
        if column in self._known.refused:
            raise InputError(*self._known.refused[column])

    def missing_column_hint(self, names: Sequence[str]) -> Notice | None:
        with _checked(self.path), closing(_stream(_hint, self.path, self._state, names)) as messages:
            hint: Notice | None = decode_result(_content(next(messages, None), _RESULT), Notice | None)
        return hint

    def chunks(self, rows: int = CHUNK_ROWS, columns: Sequence[str] | None = None) -> Iterator[Chunk]:
        total = 0
        with _checked(self.path), closing(_stream(_chunks, self.path, self._state, rows, columns)) as messages:
            for message in messages:
                if self._schema is None:
                    chunk = decode_rows(_content(message, _ROWS), self._known)
                else:
                    chunk = decode_batch(_content(message, _BATCH), self._known, self._schema, columns)
                total += len(chunk)
                if not 0 < len(chunk) <= rows or total > self.row_count:
                    raise MalformedError
                yield chunk
            if total != self.row_count:
                raise MalformedError

    def arrow_schema(self) -> Any:
        return super().arrow_schema() if self._schema is None else self._schema


def _content(message: _Message | None, kind: int) -> bytes:
    """The content of a message of that kind. Raises MalformedError for another one, and for none."""
    if message is None or message[0] != kind:
        raise MalformedError
    return message[1]


@contextmanager
def _checked(path: Path) -> Iterator[None]:
    """A message that is none of wenmo's becomes the error of the file: it may have taken its parser over."""
    try:
        yield
    except MalformedError as error:
        raise InputError(
            f"{path.name} could not be read: the process that reads it sent something else than its rows. The file may "
            "be damaged, or made to harm. Save it anew, best as CSV.",
            f"无法读取 {path.name}：读取它的进程发来的并非其数据行。文件可能已损坏，或被恶意构造。"
            "请重新保存，最好存为 CSV。",
        ) from error


@cache
def _places() -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(PLACES)


def _stream(generator: Callable[..., Iterator[_Message]], path: Path, *args: Any) -> Generator[_Message]:
    """The messages that `generator(path, *args)` yields in a new process, which ends with this generator.

    Raises MalformedError for what is no message.
    """
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


def _received(process: subprocess.Popen[bytes], pipe: IO[bytes], path: Path) -> Iterator[_Message]:
    total = 0
    while head := pipe.read(9):
        kind, size = head[0], int.from_bytes(head[1:], "big")
        total += size
        if size > MOST_BYTES or total > MOST_DECODED_MIB << 20:
            raise _too_large(path)
        content = pipe.read(size)
        if len(head) < 9 or len(content) < size:
            break
        if kind == _FAILED:
            raise decode_error(content)
        if kind == _BUG:
            raise RuntimeError(f"Reading in a process of its own failed:\n{content.decode(errors='replace')}")
        yield kind, content
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


def _once(path: Path, function: Callable[..., Any], args: Sequence[Any]) -> Iterator[_Message]:
    yield _RESULT, encode_result(function(path, *args))


def _open(path: Path, options: ReadOptions | None) -> Iterator[_Message]:
    reader = open_reader(path, options)
    yield _RESULT, encode_result(KnownTable.of(reader))
    yield _STATE, pickle.dumps(reader, protocol=pickle.HIGHEST_PROTOCOL)


def _reader(state: bytes) -> TableReader:
    """The reader that another such process made of this file. A file that took that one over could this one, too."""
    reader: TableReader = pickle.loads(state)  # noqa: S301
    return reader


def _hint(_: Path, state: bytes, names: Sequence[str]) -> Iterator[_Message]:
    yield _RESULT, encode_result(_reader(state).missing_column_hint(names))


def _chunks(_: Path, state: bytes, rows: int, columns: Sequence[str] | None) -> Iterator[_Message]:
    reader = _reader(state)
    for chunk in reader.chunks(rows, columns):
        if isinstance(chunk, ArrowChunk):
            chunk.convert_nested()  # here, where it costs nobody anything: 4 bytes can become a list of 64
            yield _BATCH, encode_batch(chunk, reader.arrow_schema(), columns)
        else:
            yield _ROWS, encode_rows(chunk, reader.columns)


def main() -> None:
    """Write the messages that a generator yields to standard output, each with its kind and its size in front."""
    output = sys.stdout.buffer
    sys.stdout = io.TextIOWrapper(io.BytesIO())  # what a library prints is no message
    generator, path, args = pickle.load(sys.stdin.buffer)  # noqa: S301 - the server wrote it
    _limit(path.suffix.lower())
    try:
        for kind, content in generator(path, *args):
            _send(output, kind, content)
    except MemoryError:
        _send(output, _FAILED, encode_error(_too_large(path)))
    except InputError as error:
        # Arrow reports memory that it does not get as an error of its own, which becomes "could not be read".
        out_of_memory = isinstance(error.__cause__, MemoryError)
        _send(output, _FAILED, encode_error(_too_large(path) if out_of_memory else error))
    except Exception:
        _send(output, _BUG, traceback.format_exc().encode(errors="replace"))
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
