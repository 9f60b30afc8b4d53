"""What a process has one of, built at the first need and released with the cache: the engine, which the app shares with
its REST routes, and the sampler of memory.

No spinner here: the REST routes call `get_engine` from their own threads, where nothing can be drawn. A page that waits
shows its own, in the reader's language (`wenmo.ui.shell.components.ask`).
"""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING, Any

import streamlit as st

from wenmo.ui.shell.model_choice import Choice, chosen

if TYPE_CHECKING:
    from wenmo import Engine
    from wenmo.adapt.job import AdaptJobs
    from wenmo.api.metrics import Metrics
    from wenmo.jobs.background import FileJobs
    from wenmo.telemetry.events import EventLog
    from wenmo.telemetry.sampler import Sampler
    from wenmo.types import Precision, TaskName


@st.cache_resource(on_release=lambda engine: engine.close(), show_spinner=False)
def get_engine() -> Engine:
    """The engine of this process, from the settings in the environment.

    Raises DeviceError when the settings ask for a device or precision that this machine does not have, InputError when
    one of them cannot be read. Models load at their first use, not here.
    """
    from wenmo.engine.build import build_engine
    from wenmo.settings import Settings  # here, not above: it brings torch, and the first page should not wait for that

    return build_engine(Settings.read(), events=get_events())


# As many as are compared: what was compared before goes when something else is chosen.
@st.cache_resource(max_entries=2, on_release=lambda engine: engine.close(), show_spinner=False)
def comparison_engine(task: TaskName, model: str, written_ns: int, precision: Precision) -> Engine:
    """An engine of its own with `model` for `task` in `precision`, which keeps no results: they are timed.

    `written_ns` tells a model from an older one of the same name.
    """
    from wenmo.settings import Settings

    given: dict[str, Any] = {f"{task}_model": model, "precision": precision, "cache_mib": 0, "redis_url": ""}
    from wenmo.engine.build import build_engine

    return build_engine(Settings.read(**given), events=get_events())


@cache  # and not st.cache_resource, which a visitor can clear: page and /metrics would count apart from then on
def get_metrics() -> Metrics:
    """What the REST routes of this process count, for the Service page to show."""
    from wenmo.api.metrics import Metrics

    return Metrics(get_engine)


@cache
def get_events() -> EventLog:
    """What the engines of this process did: it outlives an engine that is replaced."""
    from wenmo.telemetry.events import EventLog

    return EventLog()


@st.cache_resource(on_release=lambda sampler: sampler.stop(), show_spinner=False)
def get_sampler() -> Sampler:
    """The one thread that looks at memory, for all sessions. Raises InputError when the settings cannot be read."""
    from wenmo.settings import Settings
    from wenmo.telemetry.sampler import Sampler

    return Sampler(hz=Settings.read().sampler_hz, weights_mib=get_events().cpu_weights_mib).start()


def session_engine() -> Engine:
    """The engine with this visitor's choice of models; all that is not chosen is shared with `get_engine`."""
    picked = chosen()
    return _engine_with(picked) if picked else get_engine()


# Few: each keeps models of its own. One that is let go of while it answers finishes what it has begun.
@st.cache_resource(max_entries=2, on_release=lambda engine: engine.close(), show_spinner=False)
def _engine_with(picked: tuple[Choice, ...]) -> Engine:
    return get_engine().with_models({task: name for task, name, _ in picked})


@cache  # not st.cache_resource, for the same reason: a visitor would end the run of another
def get_adapt_jobs() -> AdaptJobs:
    """The training runs of this process, whichever visitor began them."""
    from wenmo.adapt.job import AdaptJobs

    return AdaptJobs()


@cache  # for the same reason
def get_file_jobs() -> FileJobs:
    """The files of this process's visitors and the jobs over them, whichever visitor began them."""
    from wenmo.jobs.background import FileJobs

    return FileJobs()


@cache  # and this, lest two visitors' measurements be in each other's times
def get_lab_turn() -> threading.Lock:
    """Held by the one visitor whose configurations are being measured or predicted."""
    return threading.Lock()
