"""An index: texts with their vectors, made once, kept in a folder, opened again, grown.

    index.json      the model that made the vectors, and how much of the other files counts, with their digests
    vectors.f32     a vector of length 1 for each text, one after another; zeros for a blank text
    texts.jsonl     the texts, one a line
    graph.faiss   for approximate search, where there are very many (`graph.py`)
    lock            held by the process that writes

Vectors and texts are only ever appended to, and index.json is replaced last. So a writer that dies leaves the index as
it was: what lies beyond the lengths in index.json does not count, and the next writer writes over it.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from wenmo.errors import InputError
from wenmo.search.graph import Graph
from wenmo.search.nearest import nearest
from wenmo.tables.cells import is_blank

EXACT_ROWS = 1_000_000  # more are searched approximately
_FORMAT = 1
_META, _VECTORS, _TEXTS, _GRAPH, _LOCK = "index.json", "vectors.f32", "texts.jsonl", "graph.faiss", "lock"
_BLOCK_BYTES = 1 << 20
_FLOAT_BYTES = 4


class Index:
    """Texts with their vectors (N, H), for `Engine.search`. Made by `Engine.build_index`, or opened from a folder.

    `model` is the digest of the embedding model that made the vectors; an engine with another one refuses the index.
    Blank texts are kept in their places and never found. With more than `exact_rows` texts the search is approximate.
    Any thread may search while another one adds.
    """

    def __init__(self, *, model: str, hidden_size: int, exact_rows: int = EXACT_ROWS) -> None:
        self.model = model
        self.hidden_size = hidden_size
        self.folder: Path | None = None
        self._exact_rows = exact_rows
        self._texts: list[str] = []
        self._vectors = np.empty((0, hidden_size), dtype=np.float32)
        self._filled = np.empty(0, dtype=bool)  # which texts are not blank
        self._graph: Graph | None = None
        self._digests = (hashlib.sha256(), hashlib.sha256())  # of the vectors' and the texts' file
        self._texts_bytes = 0
        self._writing = threading.Lock()

    def __len__(self) -> int:
        return len(self._vectors)

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy for another process is in memory, and belongs to no folder."""
        content = list(self._texts[: len(self)]), np.asarray(self._vectors)
        return _in_memory, (self.model, self.hidden_size, self._exact_rows, *content)

    @property
    def texts(self) -> Sequence[str]:
        return self._texts

    @property
    def vectors(self) -> np.ndarray:
        """(N, H) float32: of length 1, or zeros for a blank text. Those of an index in a folder are not in memory."""
        return self._vectors

    @property
    def is_exact(self) -> bool:
        """Whether a search compares each text, rather than those that a graph of neighbours leads to."""
        return len(self) <= self._exact_rows

    def nearest(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The indices and the cosines (Q, k) of the texts nearest to `queries` (Q, H), of length 1; best first.

        Where there are fewer than `k` texts that are not blank, the rest has the index -1.
        """
        vectors, filled = self._vectors, self._filled[: len(self._vectors)]
        k = min(k, len(vectors))
        if len(vectors) <= self._exact_rows:
            return nearest(queries, vectors, k, among=None if filled.all() else filled)
        return self._grown_graph().nearest(queries, vectors, k)

    def add(self, texts: Sequence[str], vectors: np.ndarray) -> None:
        """Add `texts` with their `vectors` (N, H), in memory and in the folder, if there is one.

        Raises InputError for vectors of another size, and when another process writes or has written to the folder.
        """
        if vectors.shape != (len(texts), self.hidden_size):
            raise InputError(
                f"The index holds vectors of {self.hidden_size} numbers; {len(texts)} texts came with {vectors.shape}. "
                "Use the model that made it.",
                f"索引中的向量为 {self.hidden_size} 维，而 {len(texts)} 条文本的向量形状为 {vectors.shape}。"
                "请使用建立它的模型。",
            )
        vectors = np.ascontiguousarray(vectors, dtype="<f4")
        with self._writing:
            if self.folder is None:
                self._extend(texts, np.concatenate([self._vectors, vectors]))
                return
            with _locked(self.folder):
                self._check_unchanged()
                self._append(self.folder, texts, vectors)
                self._extend(texts, _mapped(self.folder, len(self) + len(texts), self.hidden_size))

    def save(self, folder: Path) -> None:
        """Write the index to `folder`, which is made, and which later `add` writes to, too.

        Raises InputError when the folder holds an index or other files, and when it cannot be written.
        """
        folder = Path(folder)
        with self._writing, _explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
            if any(path.name != _LOCK for path in folder.iterdir()):
                raise InputError(
                    f"{folder} is not empty. Choose another folder, or open the index that is in it.",
                    f"{folder} 不是空文件夹。请另选一个，或打开其中已有的索引。",
                )
            with _locked(folder):
                self._digests, self._texts_bytes = (hashlib.sha256(), hashlib.sha256()), 0
                texts, vectors = self._texts, self._vectors
                self._texts, self._vectors = [], vectors[:0]
                try:
                    self._append(folder, texts, np.ascontiguousarray(vectors, dtype="<f4"))
                finally:
                    self._texts, self._vectors = texts, vectors
                self._vectors = _mapped(folder, len(texts), self.hidden_size)
                self.folder = folder
                if self._graph is not None:
                    self._graph.save(folder / _GRAPH)

    @classmethod
    def open(cls, folder: Path | str, *, exact_rows: int = EXACT_ROWS) -> Index:
        """The index in `folder`; all of it is read once, to see that it is whole.

        Raises InputError where there is none, and for one that is damaged.
        """
        folder = Path(folder)
        try:
            meta = json.loads((folder / _META).read_bytes())
            rows, hidden_size, texts_bytes = int(meta["rows"]), int(meta["hidden_size"]), int(meta["texts_bytes"])
            index = cls(model=str(meta["model"]), hidden_size=hidden_size, exact_rows=exact_rows)
            digests = str(meta["vectors_sha256"]), str(meta["texts_sha256"])
            known = int(meta["format"]) == _FORMAT
        except FileNotFoundError:
            raise InputError(
                f"There is no index in {folder}. Make one with Engine.build_index(texts) and save it there.",
                f"{folder} 中没有索引。请用 Engine.build_index(texts) 建立并保存到该文件夹。",
            ) from None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise _damaged(folder, f"{_META}: {error}") from error
        if not known:
            raise InputError(
                f"{folder} holds an index of another format ({meta['format']}). Open it with the version of wenmo that "
                "made it, or make it anew.",
                f"{folder} 中的索引为另一种格式（{meta['format']}）。请用建立它的 wenmo 版本打开，或重新建立。",
            )
        try:
            _digest(folder / _VECTORS, rows * hidden_size * _FLOAT_BYTES, index._digests[0])
            _digest(folder / _TEXTS, texts_bytes, index._digests[1])
            if tuple(digest.hexdigest() for digest in index._digests) != digests:
                raise _damaged(folder, "the content does not have the digest that was noted when it was written")
            texts = list(_read_texts(folder / _TEXTS, texts_bytes))
            if len(texts) != rows:
                raise _damaged(folder, f"{len(texts):,} texts for {rows:,} vectors")
            index._extend(texts, _mapped(folder, rows, hidden_size))
        except (OSError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise _damaged(folder, str(error)) from error
        index._texts_bytes = texts_bytes
        index.folder = folder
        return index

    def _extend(self, texts: Sequence[str], vectors: np.ndarray) -> None:
        """Take in `texts`; `vectors` are all of them, the earlier ones included, and what a search goes by."""
        self._texts.extend(texts)
        self._filled = np.concatenate([self._filled, [not is_blank(text) for text in texts]]).astype(bool)
        self._vectors = vectors

    def _append(self, folder: Path, texts: Sequence[str], vectors: np.ndarray) -> None:
        """Write behind what counts in the files, then make it count."""
        lines = b"".join(json.dumps(text).encode("ascii") + b"\n" for text in texts)  # escapes keep lone surrogates
        digests = self._digests[0].copy(), self._digests[1].copy()
        before = len(self) * self.hidden_size * _FLOAT_BYTES, self._texts_bytes
        with _explained(folder):
            contents: tuple[Any, Any] = vectors.reshape(-1).view(np.uint8), lines
            for name, place, content, digest in zip((_VECTORS, _TEXTS), before, contents, digests, strict=True):
                path = folder / name
                with path.open("r+b" if path.exists() else "w+b") as file:
                    file.seek(place)
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                digest.update(content)
            rows, texts_bytes = len(self) + len(texts), self._texts_bytes + len(lines)
            meta = {
                "format": _FORMAT,
                "model": self.model,
                "hidden_size": self.hidden_size,
                "rows": rows,
                "texts_bytes": texts_bytes,
                "vectors_sha256": digests[0].hexdigest(),
                "texts_sha256": digests[1].hexdigest(),
            }
            temporary = folder / f".{_META}.new"
            with temporary.open("wb") as file:
                file.write(json.dumps(meta, indent=1).encode())
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(folder / _META)
        self._digests, self._texts_bytes = digests, texts_bytes

    def _check_unchanged(self) -> None:
        """Raises InputError when the index in the folder is no longer the one that was opened or saved."""
        assert self.folder is not None
        try:
            written = json.loads((self.folder / _META).read_bytes())
            same = written["rows"] == len(self) and written["vectors_sha256"] == self._digests[0].hexdigest()
        except (OSError, ValueError, KeyError, TypeError):
            same = False
        if not same:
            raise InputError(
                f"Another program has changed the index in {self.folder} since it was opened. Open it again, then add.",
                f"{self.folder} 中的索引在打开之后已被其他程序更改。请重新打开后再添加。",
            )

    def _grown_graph(self) -> Graph:
        """The graph over all texts: opened, or made, or grown; with a folder, kept there for the next process."""
        with self._writing:
            path = None if self.folder is None else self.folder / _GRAPH
            if self._graph is None and path is not None and path.exists():
                self._graph = Graph.open(path, self.hidden_size, self._filled)
            if self._graph is None:
                self._graph = Graph(self.hidden_size)
            if self._graph.rows < len(self):
                self._graph.add(self._vectors, self._filled)
                if path is not None and self.folder is not None:
                    # Another writer will save its own; one that nobody saves is only made again.
                    with suppress(InputError), _locked(self.folder), _explained(path):
                        self._graph.save(path)
            return self._graph


def _in_memory(model: str, hidden_size: int, exact_rows: int, texts: list[str], vectors: np.ndarray) -> Index:
    index = Index(model=model, hidden_size=hidden_size, exact_rows=exact_rows)
    index.add(texts, vectors)
    return index


def _mapped(folder: Path, rows: int, hidden_size: int) -> np.ndarray:
    if not rows:  # an empty file cannot be mapped
        return np.empty((0, hidden_size), dtype=np.float32)
    return np.memmap(folder / _VECTORS, dtype="<f4", mode="r", shape=(rows, hidden_size))


def _digest(path: Path, size: int, digest: Any) -> None:
    """Feed the first `size` bytes of a file to `digest`. Raises ValueError for a shorter file."""
    left = size
    with path.open("rb") as file:
        while left and (block := file.read(min(left, _BLOCK_BYTES))):
            digest.update(block)
            left -= len(block)
    if left:
        raise ValueError(f"{path.name} is {left:,} bytes short")


def _read_texts(path: Path, size: int) -> Iterator[str]:
    with path.open("rb") as file:
        while file.tell() < size:
            yield json.loads(file.readline())


def _damaged(folder: Path, reason: str) -> InputError:
    return InputError(
        f"The index in {folder} is damaged ({reason}). Make it anew.",
        f"{folder} 中的索引已损坏（{reason}）。请重新建立。",
    )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Holds the folder's lock. Raises InputError while another writer does."""
    from filelock import FileLock, Timeout

    try:
        with _explained(folder):
            lock = FileLock(folder / _LOCK, timeout=0)
            lock.acquire()
    except Timeout:
        raise InputError(
            f"Another program is writing to the index in {folder}. Wait for it, then open the index again.",
            f"另一个程序正在写入 {folder} 中的索引。请等待其完成，再重新打开索引。",
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    from filelock import Timeout

    try:
        yield
    except Timeout:  # an OSError, too
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"{path} could not be written: {reason}. Check the folder's permissions and free space.",
            f"无法写入 {path}：{reason}。请检查文件夹权限与剩余空间。",
        ) from error
