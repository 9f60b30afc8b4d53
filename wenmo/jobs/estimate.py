"""Estimates how long a job will take, by running it on its first rows on this machine, as busy as it is now."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wenmo.jobs.chunk import ChunkResults, run_chunk
from wenmo.jobs.options import RunOptions, RunSpec, models_of, settled
from wenmo.tables.table import TableReader
from wenmo.types import TaskName

if TYPE_CHECKING:
    from wenmo.engine import Engine

SAMPLE_ROWS = 200


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """`rows` of the table's `total_rows` took `seconds`, without the loading of the model.

    `cached` tells that some results came from the cache, so the remaining rows may well take longer. `texts` and
    `results` are those of the sample.
    """

    rows: int
    total_rows: int
    seconds: float
    cached: bool
    texts: tuple[tuple[object, ...], ...]
    results: ChunkResults

    @property
    def rows_per_s(self) -> float:
        return self.rows / max(self.seconds, 1e-9)

    @property
    def total_s(self) -> float:
        """Seconds for all rows, at the speed of the sample."""
        return self.total_rows / self.rows_per_s


def estimate(
    engine: Engine,
    task: TaskName,
    reader: TableReader,
    columns: Sequence[str],
    options: RunOptions,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Estimate | None:
    """Run `task` on the first SAMPLE_ROWS rows; None for a table without rows.

    Raises what `run_chunk` does, and what loading the model does.
    """
    chunk = next(iter(reader.chunks(SAMPLE_ROWS)), None)
    if chunk is None:
        return None
    options = settled(task, options, engine.model_names)
    for model in models_of(task, options):
        engine.model_info(model)
    hits = engine.cache_statistics().hits
    started = time.perf_counter()
    results = run_chunk(engine, RunSpec(task=task, options=options), chunk, columns, progress=progress)
    return Estimate(
        rows=len(chunk),
        total_rows=reader.row_count,
        seconds=time.perf_counter() - started,
        cached=engine.cache_statistics().hits > hits,
        texts=tuple(zip(*(chunk.values(column) for column in columns), strict=True)),
        results=results,
    )
