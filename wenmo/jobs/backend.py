"""What computes the chunks of a job: an engine in this process, or Ray actors (`ray_backend.py`).

Reading, splitting, formatting and writing stay in the job's own process, so its output does not depend on the backend.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from wenmo.jobs.chunk import ChunkResults, run_chunk
from wenmo.jobs.manifest import fingerprint_models
from wenmo.jobs.options import RunSpec
from wenmo.jobs.vector_chunk import VECTOR_CHUNKS
from wenmo.tables.table import Chunk
from wenmo.types import TaskName

if TYPE_CHECKING:
    from wenmo.engine import Engine


class Backend(Protocol):
    @property
    def model_names(self) -> Mapping[TaskName, str]:
        """The name of the model of each task, as it was given; empty for none."""

    @property
    def concurrency(self) -> int:
        """How many chunks must be under way for the backend never to be idle. Known once `load` has returned."""

    def load(self, models: Sequence[TaskName]) -> tuple[int, dict[str, Any]]:
        """Load the models of these tasks.

        Returns the number of parameters of the first, and the fingerprint of all (`manifest.fingerprint_models`).
        """

    def run_chunk(
        self, spec: RunSpec, chunk: Chunk, columns: Sequence[str], *, progress: Callable[[int, int], None]
    ) -> ChunkResults:
        """As `chunk.run_chunk`; any thread may call it. `progress` is called now and then; it may raise, to stop."""


class EngineBackend:
    """An engine in this process. Two chunks: one is computed while the other is tokenised, formatted or written."""

    concurrency = 2

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def model_names(self) -> Mapping[TaskName, str]:
        return self._engine.model_names

    def load(self, models: Sequence[TaskName]) -> tuple[int, dict[str, Any]]:
        return self._engine.model_info(models[0]).parameters, fingerprint_models(self._engine, models)

    def run_chunk(
        self, spec: RunSpec, chunk: Chunk, columns: Sequence[str], *, progress: Callable[[int, int], None]
    ) -> ChunkResults:
        run = VECTOR_CHUNKS.get(spec.task, run_chunk)
        return run(self._engine, spec, chunk, columns, progress=progress)
