"""The shards of one output file. A shard holds the rows of one chunk; once finished, it never changes.

    00000012.rows   the rows of chunk 12 in the output's format
    00000012.note   their summary and the digest of `.rows`, then a line for each row without a result

The note is written last: a shard is finished when its note exists and `.rows` has the digest in it. So a shard that a
failing disk has damaged is detected, and computed again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from wenmo.jobs.atomic_write import atomic_write, explain_write_errors
from wenmo.tables.cells import json_line
from wenmo.tables.table import Row

_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class ShardNote:
    """Summary of a shard.

    `label_counts` and `score_sum` are over the rows with a result. `guarded_cells` are those that a spreadsheet would
    have run, `unknown_rows` those with tokens that the model does not know. `sha256` is of `.rows`.
    """

    rows: int
    failed_rows: int
    label_counts: Mapping[str, int]
    score_sum: float
    guarded_cells: int
    unknown_rows: int
    sha256: str


class Shards:
    """The shards in `folder`, which is created if need be. Threads may write different shards at the same time.

    `notes` maps the number of each finished shard to its note: those that `load_finished` found or `write` made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.notes: dict[int, ShardNote] = {}
        with explain_write_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)

    def load_finished(self) -> None:
        """Find the finished shards that an earlier process left."""
        for path in sorted(self._folder.glob("*.note")):
            number = int(path.stem)
            try:
                with path.open("rb") as file:
                    note = ShardNote(**json.loads(file.readline()))
                if _sha256(self._rows_file(number)) == note.sha256:
                    self.notes[number] = note
            except (OSError, ValueError, TypeError):
                continue

    def write(
        self,
        number: int,
        content: bytes,
        errors: Sequence[Row],
        *,
        rows: int,
        label_counts: Mapping[str, int],
        score_sum: float,
        guarded_cells: int = 0,
        unknown_rows: int = 0,
    ) -> None:
        """Write and finish a shard. `errors` has an entry for each row without a result. Raises InputError."""
        note = ShardNote(
            rows=rows,
            failed_rows=len(errors),
            label_counts=label_counts,
            score_sum=score_sum,
            guarded_cells=guarded_cells,
            unknown_rows=unknown_rows,
            sha256=hashlib.sha256(content).hexdigest(),
        )
        with atomic_write(self._rows_file(number)) as file:
            file.write(content)
        with atomic_write(self._note_file(number)) as file:
            file.write(json_line(asdict(note)))
            file.writelines(map(json_line, errors))
        self.notes[number] = note

    def rows_files(self) -> Iterator[Path]:
        """The `.rows` files of the finished shards, in order."""
        return map(self._rows_file, sorted(self.notes))

    def copy_errors(self, file: BinaryIO) -> None:
        """Write the lines of all rows without a result to `file`, in order."""
        for number in sorted(self.notes):
            with self._note_file(number).open("rb") as note:
                note.readline()
                shutil.copyfileobj(note, file, _BLOCK_BYTES)

    def _rows_file(self, number: int) -> Path:
        return self._folder / f"{number:08}.rows"

    def _note_file(self, number: int) -> Path:
        return self._folder / f"{number:08}.note"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
