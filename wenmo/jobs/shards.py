"""The finished parts of one output file: written once, never touched again.

    00000012.rows   the rows of chunk 12, as the output's format has them
    00000012.note   what a summary needs of them, the digest of `.rows`, and a line for each row without a result

The note is written last: a shard is finished when its note is there and `.rows` has the digest that it tells. A shard
that a failing disk has damaged is found so, and computed again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from wenmo.tables.cells import json_line
from wenmo.tables.files import replacing, writing
from wenmo.tables.table import Row

_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Note:
    """Of one shard: `score_sum` is over the rows with a result, by label in `label_counts`."""

    rows: int
    failed_rows: int
    label_counts: Mapping[str, int]
    score_sum: float
    sha256: str


class Shards:
    """Those in `folder`, which is made if need be. Different shards may be written by different threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)

    def write(
        self,
        number: int,
        content: bytes,
        errors: Sequence[Row],
        *,
        rows: int,
        label_counts: Mapping[str, int],
        score_sum: float,
    ) -> Note:
        """Finish a shard. `errors` has an entry for each row without a result. Raises InputError."""
        note = Note(
            rows=rows,
            failed_rows=len(errors),
            label_counts=label_counts,
            score_sum=score_sum,
            sha256=hashlib.sha256(content).hexdigest(),
        )
        with replacing(self.rows_file(number)) as file:
            file.write(content)
        with replacing(self._note_file(number)) as file:
            file.write(json_line(asdict(note)))
            file.writelines(map(json_line, errors))
        return note

    def finished(self) -> dict[int, Note]:
        """Those that are whole, by number in order."""
        notes = {}
        for path in sorted(self.folder.glob("*.note")):
            number = int(path.stem)
            try:
                with path.open("rb") as file:
                    note = Note(**json.loads(file.readline()))
                if _sha256(self.rows_file(number)) == note.sha256:
                    notes[number] = note
            except (OSError, ValueError, TypeError):
                continue
        return notes

    def copy_errors(self, numbers: Sequence[int], file: BinaryIO) -> None:
        for number in numbers:
            with self._note_file(number).open("rb") as note:
                note.readline()
                shutil.copyfileobj(note, file, _BLOCK_BYTES)

    def rows_file(self, number: int) -> Path:
        return self.folder / f"{number:08}.rows"

    def rows_files(self, numbers: Sequence[int]) -> Iterator[Path]:
        return map(self.rows_file, numbers)

    def _note_file(self, number: int) -> Path:
        return self.folder / f"{number:08}.note"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
