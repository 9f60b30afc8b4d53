"""The visitor's choice of a model for each task, among those on this machine.

The choice is kept in the session and in the address (`?model=NAME`, once for each task whose model is not the default).
A name from an address counts only if it is among the choices: nothing is downloaded, and no path is followed. A path
that somebody types on the Models page is followed only where the server has WENMO_PAGES_FOLDERS=1. Other sessions and
the REST routes keep the models of the settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from wenmo.tasks.table import TASKS
from wenmo.types import TaskName
from wenmo.ui.text import say

Choice = tuple[TaskName, str, int]  # the task, the model's name, the time its folder was written (ns)
_PICKED = "models"  # in the session: task -> name


@st.cache_resource(ttl=10, show_spinner=False)
def choices() -> Mapping[TaskName, Mapping[str, int]]:
    """For each task the models on this machine, the default first, each with the time at which it was written (ns).

    A task without a bundled model may have no default, and none at all. All sessions share the result: it must not be
    changed.
    """
    from wenmo.models.registry import listing  # it imports the hub's client, which imports torch
    from wenmo.settings import Settings

    settings = Settings.read()
    found: dict[TaskName, dict[str, int]] = {
        task: {name: 0} if (name := settings.models[task]) else {} for task in TASKS
    }
    for entry in listing(settings.models_folder):
        if entry.folder is not None:
            for task in entry.tasks:
                found[task].setdefault(entry.name, entry.folder.stat().st_mtime_ns)
    return found


def _default(task: TaskName) -> str:
    """The model of the settings; "" for none."""
    from wenmo.settings import Settings

    return Settings.read().models[task]


def in_use(task: TaskName) -> str:
    """The model that this visitor's questions of `task` go to; "" where there is none yet."""
    return next((name for chosen_task, name, _ in chosen() if chosen_task == task), _default(task))


def chosen() -> tuple[Choice, ...]:
    """The models that this visitor has chosen instead of the default ones."""
    if _PICKED not in st.session_state:
        asked = st.query_params.get_all("model")
        there = choices() if asked else {}  # the first listing takes seconds
        st.session_state[_PICKED] = {task: name for task, names in there.items() for name in asked if name in names}
    picked: dict[TaskName, str] = st.session_state[_PICKED]
    if not picked:
        return ()
    return tuple(
        (task, picked[task], written)
        for task in TASKS
        if task in picked and picked[task] != _default(task)
        if (written := _written(task, picked[task])) is not None  # nor deleted meanwhile
    )


def is_choice(task: TaskName, name: str) -> bool:
    """Whether a visitor may choose the model `name` for `task`."""
    return _written(task, name) is not None


def typed_folder(path: str) -> Path | None:
    """The folder that a visitor named, None where there is none. To be asked only where the settings allow it."""
    try:
        folder = Path(path).expanduser()
        return folder.resolve() if folder.is_absolute() and folder.is_dir() else None
    except (OSError, ValueError, RuntimeError):  # too long, not allowed, a zero byte, `~nobody`
        return None


def _written(task: TaskName, name: str) -> int | None:
    """When the model was written (ns); None where it is no choice."""
    from wenmo.settings import Settings

    if (written := choices()[task].get(name)) is not None:
        return written
    folder = typed_folder(name) if Settings.read().pages_folders else None
    return None if folder is None else folder.stat().st_mtime_ns


def use(task: TaskName, name: str) -> None:
    """Choose the model `name` for `task` in this session. To be called in a callback, before widgets are drawn."""
    choices.clear()
    st.session_state[_PICKED] = {**st.session_state.get(_PICKED, {}), task: name}


def select() -> None:
    """A field for each task that has more than one model. The choice is also written into the address."""
    there, picked = choices(), {task: name for task, name, _ in chosen()}
    for task in TASKS:
        default = _default(task)
        names = list(there[task]) if default else ["", *there[task]]
        if task in picked and picked[task] not in names:  # a folder
            names.append(picked[task])
        if len(names) < 2:
            continue
        st.session_state[_key(task)] = picked.get(task, default)
        st.selectbox(
            say(f"models.{task}"),
            names,
            key=_key(task),
            format_func=lambda name: name or say("models.none"),
            on_change=_take,
            args=(task,),
        )
    if st.query_params.get_all("model") != list(picked.values()):
        st.query_params["model"] = list(picked.values())


def _key(task: TaskName) -> str:
    return f"model_{task}"


def _take(task: TaskName) -> None:
    use(task, st.session_state[_key(task)])
