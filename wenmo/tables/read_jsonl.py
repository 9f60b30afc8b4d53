"""Reads JSONL: one JSON object a line. Values keep their types; blank lines are not rows. See `encoding.py`.

The columns are all keys of all objects, in order of appearance. A line that is not an object is a bad row with its raw
text, so that one bad line in a million does not cost the others. A file without any good line is refused.

A file that is one JSON array of objects is read as well, each object as a row; one that ends before its ] or is no JSON
is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from wenmo.errors import InputError
from wenmo.tables.columns import TypeCollector
from wenmo.tables.encoding import TextEncoding, find_encoding
from wenmo.tables.table import (
    CHUNK_ROWS,
    LINE_BYTES,
    BadRow,
    Chunk,
    Notice,
    ReadOptions,
    Row,
    TableReader,
    chunked,
)

_MOST_NESTED = 200  # levels of lists and objects
_RAW_CHARACTERS = 100_000  # kept of a line that cannot be read
_BLOCK_CHARACTERS = 1 << 20
_ARRAY = re.compile(r"\s*\[\s*(?=[{\]])")
_SPACE = re.compile(r"\s*")


class JsonlReader(TableReader):
    def __init__(self, path: Path, options: ReadOptions) -> None:
        super().__init__(path)
        self._encoding = self._find_encoding(options.encoding)
        self.encoding = self._encoding.codec
        with self._encoding.open(path) as file:
            start = file.read(_BLOCK_CHARACTERS).removeprefix("\ufeff")
        # An array over several lines, or in one; lines that begin with [ each are no array of objects.
        self._is_array = bool(_ARRAY.match(start))
        self.notices = self._encoding.notices
        if self._is_array:
            self.notices += (
                Notice(
                    en=f"{path.name} is a JSON array and not JSONL; each of its objects was read as a row.",
                    zh=f"{path.name} 是 JSON 数组而非 JSONL；已将其中每个对象读作一行。",
                ),
            )
        collector = TypeCollector(path)
        first_bad: BadRow | None = None
        good_rows = 0
        for row, _ in self._rows():
            self.row_count += 1
            if isinstance(row, BadRow):
                first_bad = first_bad or row
            else:
                good_rows += 1
                collector.add(row)
        if first_bad is not None and not good_rows:
            raise first_bad.error
        self.columns, self.types = collector.columns(), collector.types()

    def chunks(self, rows: int = CHUNK_ROWS, columns: Sequence[str] | None = None) -> Iterator[Chunk]:
        for group in chunked(self._rows(), rows=rows, size=lambda pair: pair[1]):
            bad_rows = {index: row for index, (row, _) in enumerate(group) if isinstance(row, BadRow)}
            yield Chunk([{} if isinstance(row, BadRow) else row for row, _ in group], bad_rows)

    def _find_encoding(self, named: str | None) -> TextEncoding:
        """That of the file; UTF-8 for one that is damaged or mixes encodings, whose bad lines are bad rows."""
        try:
            found = find_encoding(self.path, named)
        except InputError:
            if named is not None:
                raise
            return TextEncoding(codec="utf-8-sig")
        # A line with half a character in it is a bad row, which says so itself.
        return TextEncoding(codec="utf-8-sig") if found.codec == "utf-8-sig" and named is None else found

    def _rows(self) -> Iterator[tuple[Row | BadRow, int]]:
        """Each object, or what is wrong with its line, and its length in bytes, or in characters of an array."""
        if self._is_array:
            yield from self._items_of_array()
            return
        for number, line in enumerate(self._lines(), start=1):
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if not line.strip():
                continue
            parsed = self._parse(number, line)
            if isinstance(parsed, str):
                raw = line[: 4 * _RAW_CHARACTERS].decode("utf-8", "replace").rstrip("\r\n")[:_RAW_CHARACTERS]
                yield BadRow(error=self._bad_line(number, parsed), raw=raw), len(line)
            else:
                yield parsed, len(line)

    def _lines(self) -> Iterator[bytes]:
        """The lines in UTF-8; those of a file in another encoding are converted."""
        if self.encoding == "utf-8-sig":
            with self.path.open("rb") as file:
                yield from _lines(file)
            return
        with self._encoding.open(self.path) as text:
            while line := text.readline(LINE_BYTES):
                yield line.removeprefix("\ufeff").encode("utf-8")

    def _items_of_array(self) -> Iterator[tuple[Row | BadRow, int]]:
        """The items of a file that is one array, decoded one by one, so that memory does not grow with the file."""
        decoder = json.JSONDecoder(object_pairs_hook=_object)
        with self._encoding.open(self.path) as file:
            text = file.read(_BLOCK_CHARACTERS).removeprefix("\ufeff")
            match = _ARRAY.match(text)
            assert match is not None
            position, number = match.end(), 0
            while True:
                if text.startswith("]", position):
                    if text[position + 1 :].strip() or file.read(_BLOCK_CHARACTERS).strip():
                        raise self._broken_array(number, "there is something behind its ]")
                    return
                found = self._next_item(decoder, text, position)
                if isinstance(found, tuple):
                    number += 1
                    value, end, following = found
                    source = text[position:end]
                    parsed = self._checked(value, source)
                    if isinstance(parsed, str):
                        error = self._bad_item(number, parsed)
                        yield BadRow(error=error, raw=source[:_RAW_CHARACTERS]), len(source)
                    else:
                        yield parsed, len(source)
                    position = following
                    continue
                # The item may go on in the next block.
                more = file.read(max(_BLOCK_CHARACTERS, len(text) - position))
                if not more or len(text) - position > LINE_BYTES:
                    raise self._broken_array(number + 1, found)
                text, position = text[position:] + more, 0

    @staticmethod
    def _next_item(decoder: json.JSONDecoder, text: str, position: int) -> tuple[Any, int, int] | str:
        """The item at `position`, its end, and where the next one or the ] is; or why they are not in `text`."""
        try:
            value, end = decoder.raw_decode(text, position)
        except json.JSONDecodeError as error:
            return error.msg
        except (ValueError, RecursionError) as error:
            return str(error)
        mark = _SPACE.match(text, end).end()  # type: ignore[union-attr]
        following = _SPACE.match(text, mark + 1).end()  # type: ignore[union-attr]
        if text.startswith("]", mark):
            return value, end, mark
        if text.startswith(",", mark) and following < len(text):
            return value, end, following
        return "it ends before its ]" if mark >= len(text) - 1 else "there is no comma behind it"

    def _checked(self, value: Any, source: str) -> Row | str:
        """An item as a row, or the reason why it is none."""
        if source.count("[") + source.count("{") > _MOST_NESTED and _depth(value) > _MOST_NESTED:
            return f"it is nested more than {_MOST_NESTED} deep"
        return value if isinstance(value, dict) else f"it is {value!r:.60} and not an object {{…}}"

    def _bad_item(self, number: int, reason: str) -> InputError:
        return InputError(
            f"Item {number} of the JSON array {self.path.name} cannot be read: {reason}.",
            f"无法读取 JSON 数组 {self.path.name} 的第 {number} 项：{reason}。",
        )

    def _broken_array(self, number: int, reason: str) -> InputError:
        return InputError(
            f"{self.path.name} is a JSON array that breaks off at item {number}: {reason}. Write it anew, best as "
            "JSONL with one object a line.",
            f"{self.path.name} 是 JSON 数组，但在第 {number} 项处出错：{reason}。"
            "请重新生成，最好存为每行一个对象的 JSONL。",
        )

    @staticmethod
    def _parse(number: int, line: bytes) -> Row | str:
        """The object in `line`, or the reason why there is none."""
        if len(line) > LINE_BYTES:
            return f"it is longer than {LINE_BYTES:,} bytes"
        try:
            value = json.loads(line.rstrip(b"\r\n").decode("utf-8"), object_pairs_hook=_object)
        except json.JSONDecodeError as error:
            return f"{error.msg}, at column {error.colno}"
        except (
            ValueError,
            RecursionError,
        ) as error:  # bad UTF-8, a repeated key, a number too long, deep nesting
            return str(error)
        if line.count(b"[") + line.count(b"{") > _MOST_NESTED and _depth(value) > _MOST_NESTED:
            return f"it is nested more than {_MOST_NESTED} deep"
        return value if isinstance(value, dict) else f"it holds {value!r:.60} and not an object {{…}}"

    def _bad_line(self, number: int, reason: str) -> InputError:
        return InputError(
            f"Line {number} of {self.path.name} cannot be read: {reason}. Each line must be one JSON object, or the "
            "file one JSON array of objects.",
            f"无法读取 {self.path.name} 第 {number} 行：{reason}。每行应为一个 JSON 对象，或整个文件是一个对象数组。",
        )


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of `file`; one longer than LINE_BYTES is cut one byte beyond it."""
    while line := file.readline(LINE_BYTES + 1):
        rest = line
        while len(rest) > LINE_BYTES and not rest.endswith(b"\n"):
            rest = file.readline(LINE_BYTES + 1)
        yield line


def _depth(value: object) -> int:
    """How deep lists and objects are nested. Not recursive: the nesting may exceed Python's stack."""
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, (list, dict))]:
        depth += 1
        level = [item for parent in level for item in (parent.values() if isinstance(parent, dict) else parent)]
    return depth


def _object(pairs: list[tuple[str, Any]]) -> Row:
    """For json.loads: an object as a row. Raises ValueError for a repeated key, which would hide a value."""
    row = dict(pairs)
    if len(row) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice!r:.60} is given twice")
    return row
