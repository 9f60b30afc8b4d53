"""JSONL in: one object a line in UTF-8, values as typed; blank lines are no rows.

The columns are all keys, in order of appearance. A line that is no object is a row with a fault and its raw text: one
bad line in a million does not cost the others. A file without one good line is refused: it is something else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from wenmo.errors import InputError
from wenmo.tables.table import CHUNK_ROWS, LINE_BYTES, Chunk, ColumnKinds, Fault, Row, TableReader, parts

_MOST_NESTED = 200  # lists and objects within one another
_RAW_CHARACTERS = 100_000  # kept of a line that cannot be read


class JsonlReader(TableReader):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        columns = ColumnKinds(path)
        first_fault: Fault | None = None
        good = 0
        for row, _ in self._rows():
            self.row_count += 1
            if isinstance(row, Fault):
                first_fault = first_fault or row
            else:
                good += 1
                columns.add(row)
        if first_fault is not None and not good:
            raise first_fault.error
        self.columns, self.kinds = columns.columns(), columns.kinds()

    def chunks(self, rows: int = CHUNK_ROWS) -> Iterator[Chunk]:
        for part in parts(self._rows(), rows=rows, size=lambda pair: pair[1]):
            faults = {index: row for index, (row, _) in enumerate(part) if isinstance(row, Fault)}
            yield Chunk([{} if isinstance(row, Fault) else row for row, _ in part], faults)

    def _rows(self) -> Iterator[tuple[Row | Fault, int]]:
        """Each object or what is wrong with its line, and the bytes of that line."""
        with self.path.open("rb") as file:
            for number, line in enumerate(_lines(file), start=1):
                if number == 1:
                    line = line.removeprefix(b"\xef\xbb\xbf")
                if not line.strip():
                    continue
                parsed = self._parse(number, line)
                if isinstance(parsed, str):
                    raw = line[: 4 * _RAW_CHARACTERS].decode("utf-8", "replace").rstrip("\r\n")[:_RAW_CHARACTERS]
                    yield Fault(error=self._bad_line(number, parsed), raw=raw), len(line)
                else:
                    yield parsed, len(line)

    @staticmethod
    def _parse(number: int, line: bytes) -> Row | str:
        """The object in `line`, or why there is none."""
        if len(line) > LINE_BYTES:
            return f"it is longer than {LINE_BYTES:,} bytes"
        try:
            value = json.loads(line.rstrip(b"\r\n").decode("utf-8"), object_pairs_hook=_object)
        except json.JSONDecodeError as error:
            return f"{error.msg}, at column {error.colno}"
        except (ValueError, RecursionError) as error:  # bad UTF-8, a key twice, an absurd number or nesting
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
    """The lines; of one longer than LINE_BYTES, that many bytes and one more."""
    while line := file.readline(LINE_BYTES + 1):
        rest = line
        while len(rest) > LINE_BYTES and not rest.endswith(b"\n"):
            rest = file.readline(LINE_BYTES + 1)
        yield line


def _depth(value: object) -> int:
    """Of lists and objects within one another; not recursive, for that is what it guards."""
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, (list, dict))]:
        depth += 1
        level = [item for parent in level for item in (parent.values() if isinstance(parent, dict) else parent)]
    return depth


def _object(pairs: list[tuple[str, Any]]) -> Row:
    row = dict(pairs)
    if len(row) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice!r:.60} is given twice")
    return row
