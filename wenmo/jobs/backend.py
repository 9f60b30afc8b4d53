"""Who answers the chunks of a job: an engine of this process, or actors on other machines (`cluster.py`).

A job reads, cuts, formats and writes by itself, whoever answers: that is why its output does not depend on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from wenmo.jobs.answer import Answered, RunOptions, answer_chunk
from wenmo.jobs.manifest import fingerprint_models
from wenmo.tables.table import Chunk
from wenmo.types import TaskName

if TYPE_CHECKING:
    from wenmo.engine import Engine


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of every chunk: the task, how, and what result columns begin with."""

    task: TaskName
    options: RunOptions
    prefix: str


class Backend(Protocol):
    @property
    def at_once(self) -> int:
        """Chunks that it wants at a time, so that it is never idle. Known from `load` on."""

    def load(self, models: Sequence[TaskName]) -> tuple[int, dict[str, Any]]:
        """Load `models`: parameters of the first, and what all are known by as in `manifest.fingerprint_models`."""

    def answer(
        self, question: Question, chunk: Chunk, columns: Sequence[str], *, progress: Callable[[int, int], None]
    ) -> Answered:
        """As `run.answer_chunk`; any thread may ask. `progress` is called every now and then, and may raise to stop."""


class EngineBackend:
    """The engine of this process. Two at a time: while it computes one, the other is tokenised, formatted, written."""

    at_once = 2

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def load(self, models: Sequence[TaskName]) -> tuple[int, dict[str, Any]]:
        return self._engine.model_info(models[0]).parameters, fingerprint_models(self._engine, models)

    def answer(
        self, question: Question, chunk: Chunk, columns: Sequence[str], *, progress: Callable[[int, int], None]
    ) -> Answered:
        return answer_chunk(
            self._engine, question.task, chunk, columns, question.options, prefix=question.prefix, progress=progress
        )
