"""ModelScope's names of the tasks, as configuration.json has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wenmo.types import TaskName

HUB_TASK: Mapping[TaskName, str] = {
    "similarity": "sentence-similarity",
    "sentiment": "sentiment-classification",
    "zero_shot": "zero-shot-classification",
    "embedding": "sentence-embedding",
}
TASK_OF_HUB_NAME: Mapping[str, TaskName] = {
    **{name: task for task, name in HUB_TASK.items()},
    "text-classification": "sentiment",  # ModelScope's general name; its pipeline type says more, where it does
}


def named_task(configuration: Mapping[str, Any]) -> TaskName | None:
    """The task that a configuration.json names, or None where it names none of ours."""
    # The pipeline's type is the more precise of the two: real sentiment models say task "text-classification".
    pipeline = configuration.get("pipeline")
    for name in (pipeline.get("type") if isinstance(pipeline, Mapping) else None, configuration.get("task")):
        if isinstance(name, str) and name in TASK_OF_HUB_NAME:
            return TASK_OF_HUB_NAME[name]
    return None
