"""All tasks. Code that treats tasks alike loops over `TASKS`; nothing else lists them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from wenmo.errors import InputError
from wenmo.tasks.classify import CLASSIFY
from wenmo.tasks.embedding import EMBEDDING
from wenmo.tasks.sentiment import SENTIMENT
from wenmo.tasks.similarity import SIMILARITY
from wenmo.tasks.spec import TaskSpec
from wenmo.tasks.zero_shot import ZERO_SHOT

_table: dict[str, TaskSpec] = {spec.name: spec for spec in (SIMILARITY, SENTIMENT, CLASSIFY, ZERO_SHOT, EMBEDDING)}
TASKS: Mapping[str, TaskSpec] = _table


def row_tasks() -> tuple[TaskSpec, ...]:
    """The tasks with one result per row of a file, those of single texts first."""
    answering = [spec for spec in TASKS.values() if spec.result is not None]
    return tuple(sorted(answering, key=lambda spec: spec.inputs == "pair"))


def task_spec(name: str) -> TaskSpec:
    """The task with this `name` or slug. Raises InputError if there is none."""
    spec = TASKS.get(name) or next((spec for spec in TASKS.values() if spec.slug == name), None)
    if spec is None:
        raise InputError(
            f"No such task: {name!r}. Choose from {', '.join(TASKS)}.",
            f"没有这样的任务：{name!r}。可选：{'、'.join(TASKS)}。",
        )
    return spec


@contextmanager
def registered(spec: TaskSpec) -> Iterator[None]:
    """Adds a task while the block runs, for apps, parsers and engines created in it. Raises InputError if it exists."""
    if spec.name in _table:
        raise InputError(f"There is a task called {spec.name} already.", f"已有名为 {spec.name} 的任务。")
    _table[spec.name] = spec
    try:
        yield
    finally:
        del _table[spec.name]
