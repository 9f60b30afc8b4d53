"""Reads JSONL: one JSON object a line, in UTF-8. Values keep their types; blank lines are not rows.

The columns are all keys of all objects, in order of appearance. A line that is not an object is a bad row with its raw
text, so that one bad line in a million does not cost the others. A file without any good line is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from wenmo.errors import InputError
from wenmo.tables.columns import TypeCollector
from wenmo.tables.table import CHUNK_ROWS, LINE_BYTES, BadRow, Chunk, Row, TableReader, chunked

_MOST_NESTED = 200  # levels of lists and objects
_RAW_CHARACTERS = 100_000  # kept of a line that cannot be read


class JsonlReader(TableReader):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
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

    def chunks(self, rows: int = CHUNK_ROWS) -> Iterator[Chunk]:
        for group in chunked(self._rows(), rows=rows, size=lambda pair: pair[1]):
            bad_rows = {index: row for index, (row, _) in enumerate(group) if isinstance(row, BadRow)}
            yield Chunk([{} if isinstance(row, BadRow) else row for row, _ in group], bad_rows)

    def _rows(self) -> Iterator[tuple[Row | BadRow, int]]:
        """Each line's object, or what is wrong with the line, and the line's length in bytes."""
        with self.path.open("rb") as file:
            for number, line in enumerate(_lines(file), start=1):
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
            f"Line {number} of {self.path.name} cannot be read: {reason}. Each line must be one JSON object in UTF-8.",
            f"无法读取 {self.path.name} 第 {number} 行：{reason}。每行应为一个 UTF-8 编码的 JSON 对象。",
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
