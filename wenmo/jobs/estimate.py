"""How long a job will take, from the speed of its first rows on this machine, as loaded as it is now."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wenmo.jobs.answer import Answered, RunOptions, answer_chunk, models_of
from wenmo.tables.table import TableReader
from wenmo.types import TaskName

if TYPE_CHECKING:
    from wenmo.engine import Engine

SAMPLE_ROWS = 200


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """`rows` were computed in `seconds`, the model's loading left out; `of_rows` of the same kind take `total_s`.

    `cached` tells that some of the answers had been kept from before, so that the rest may well take longer. `texts`
    and `answered` are of the first rows, to look at.
    """

    rows: int
    of_rows: int
    seconds: float
    cached: bool
    texts: tuple[tuple[object, ...], ...]
    answered: Answered

    @property
    def rows_per_s(self) -> float:
        return self.rows / max(self.seconds, 1e-9)

    @property
    def total_s(self) -> float:
        return self.of_rows / self.rows_per_s


def estimate(
    engine: Engine,
    task: TaskName,
    reader: TableReader,
    columns: Sequence[str],
    options: RunOptions,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Estimate | None:
    """The first SAMPLE_ROWS rows, computed; None for a table without rows. Raises what `answer_chunk` does."""
    chunk = next(iter(reader.chunks(SAMPLE_ROWS)), None)
    if chunk is None:
        return None
    for model in models_of(task, options):
        engine.model_info(model)
    hits = engine.cache_statistics().hits
    started = time.perf_counter()
    answered = answer_chunk(engine, task, chunk, columns, options, progress=progress)
    return Estimate(
        rows=len(chunk),
        of_rows=reader.row_count,
        seconds=time.perf_counter() - started,
        cached=engine.cache_statistics().hits > hits,
        texts=tuple(zip(*(chunk.values(column) for column in columns), strict=True)),
        answered=answered,
    )
