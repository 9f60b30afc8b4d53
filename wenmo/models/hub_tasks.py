"""ModelScope's names of the tasks, which configuration.json uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wenmo.tasks.spec import TaskSpec
from wenmo.tasks.table import TASKS


def hub_task_names() -> tuple[str, ...]:
    """ModelScope's names for the tasks, aliases and wider tasks included."""
    return tuple(
        dict.fromkeys(name for spec in TASKS.values() for name in (spec.hub_task, *spec.hub_aliases, *spec.hub_general))
    )


def named_task(configuration: Mapping[str, Any]) -> TaskSpec | None:
    """The task that a configuration.json names; None if it is not in TASKS, or only a wider one is named."""
    general = {name for spec in TASKS.values() for name in spec.hub_general}
    by_name = {name: spec for spec in TASKS.values() for name in (spec.hub_task, *spec.hub_aliases)}
    return next((by_name[name] for name in _names(configuration) if name in by_name and name not in general), None)


def general_tasks(configuration: Mapping[str, Any]) -> tuple[TaskSpec, ...]:
    """The tasks that a model of the wider task which a configuration.json names may serve, by its labels."""
    for name in _names(configuration):
        found = tuple(spec for spec in TASKS.values() if name in spec.hub_general)
        if found:
            return found
    return ()


def _names(configuration: Mapping[str, Any]) -> tuple[str, ...]:
    # pipeline.type is more specific than task: real sentiment models have the task "text-classification".
    pipeline = configuration.get("pipeline")
    names = (pipeline.get("type") if isinstance(pipeline, Mapping) else None, configuration.get("task"))
    return tuple(name for name in names if isinstance(name, str))
