"""Which task a configuration.json names, in ModelScope's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wenmo.tasks.spec import TaskSpec
from wenmo.tasks.table import TASKS


def task_by_hub_name() -> Mapping[str, TaskSpec]:
    """ModelScope's names of our tasks."""
    return {name: spec for spec in TASKS.values() for name in (spec.hub_task, *spec.hub_aliases)}


def named_task(configuration: Mapping[str, Any]) -> TaskSpec | None:
    """The task that a configuration.json names, or None where it names none of ours."""
    by_name = task_by_hub_name()
    # The pipeline's type is the more precise of the two: real sentiment models say task "text-classification".
    pipeline = configuration.get("pipeline")
    for name in (pipeline.get("type") if isinstance(pipeline, Mapping) else None, configuration.get("task")):
        if isinstance(name, str) and name in by_name:
            return by_name[name]
    return None
