"""ModelScope's names of the tasks, which configuration.json uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wenmo.tasks.spec import TaskSpec
from wenmo.tasks.table import TASKS


def task_by_hub_name() -> Mapping[str, TaskSpec]:
    """The tasks by ModelScope's names for them, aliases included."""
    return {name: spec for spec in TASKS.values() for name in (spec.hub_task, *spec.hub_aliases)}


def named_task(configuration: Mapping[str, Any]) -> TaskSpec | None:
    """The task that a configuration.json names; None if it is not in TASKS."""
    by_name = task_by_hub_name()
    # pipeline.type is more specific than task: real sentiment models have the task "text-classification".
    pipeline = configuration.get("pipeline")
    for name in (pipeline.get("type") if isinstance(pipeline, Mapping) else None, configuration.get("task")):
        if isinstance(name, str) and name in by_name:
            return by_name[name]
    return None
