"""Objects that exist once a process and are built at their first use: the engine, the memory sampler, the jobs.

The app shares them with its REST routes, which call `get_engine` on threads of their own. Nothing can be drawn there,
so Streamlit's spinner is off; a page that waits shows its own (`wenmo.ui.shell.answers.ask`).

`st.cache_resource` is used where the object may be built anew: a visitor can clear that cache.
`functools.cache` is used where it must stay the same for as long as the process runs; a comment tells why.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from functools import cache
from typing import TYPE_CHECKING, Any

import streamlit as st

from wenmo.ui.shell.model_choice import Choice, chosen

if TYPE_CHECKING:
    from wenmo import Engine
    from wenmo.adapt.job import AdaptJobs
    from wenmo.api.metrics import Metrics
    from wenmo.jobs.job_queue import FileJobs
    from wenmo.telemetry.events import EventLog
    from wenmo.telemetry.sampler import Sampler
    from wenmo.types import Precision, TaskName


@st.cache_resource(show_spinner=False)
def get_engine() -> Engine:
    """The engine of this process, from the settings in the environment; the same one until `close_engine`.

    Raises DeviceError when the settings ask for a device or precision that this machine does not have, InputError when
    one of them cannot be read. Models load at their first use, not here.
    """
    return _engine()


@cache  # otherwise one visitor could unload the models of all: the cache of Streamlit is cleared by a message
def _engine() -> Engine:
    from wenmo.engine.build import build_engine
    from wenmo.settings import Settings  # it imports torch, which the first page should not wait for

    return build_engine(Settings.read(), events=get_events())


def close_engine() -> None:
    """Release the models. A later `get_engine` builds another engine."""
    if _engine.cache_info().currsize:
        _engine().close()
        _engine.cache_clear()
    get_engine.clear()


# Two, as many as are compared at a time.
@st.cache_resource(max_entries=2, on_release=lambda engine: engine.close(), show_spinner=False)
def comparison_engine(task: TaskName, model: str, written_ns: int, precision: Precision) -> Engine:
    """An engine with `model` for `task` in `precision`. It has no cache of results, because it is timed.

    `written_ns` distinguishes a model from an older one of the same name.
    """
    from wenmo.engine.build import build_engine
    from wenmo.settings import Settings

    given: dict[str, Any] = {
        f"{task}_model": model,
        "label_names": {},  # those of the environment are of its models
        "precision": precision,
        "cache_mib": 0,
        "redis_url": "",
    }
    return build_engine(Settings.read(**given), events=get_events())


@cache  # otherwise the page and /metrics would count apart
def get_metrics() -> Metrics:
    """The counters of the REST routes, which the service page shows."""
    from wenmo.api.metrics import Metrics

    return Metrics(get_engine)


@cache  # otherwise the events of an engine that has been replaced would be lost
def get_events() -> EventLog:
    """The events of all engines of this process."""
    from wenmo.telemetry.events import EventLog

    return EventLog()


@st.cache_resource(on_release=lambda sampler: sampler.stop(), show_spinner=False)
def get_sampler() -> Sampler:
    """The thread that samples memory, for all sessions. Raises InputError when the settings cannot be read."""
    from wenmo.settings import Settings
    from wenmo.telemetry.sampler import Sampler

    return Sampler(hz=Settings.read().sampler_hz, weights_mib=get_events().cpu_weights_mib).start()


def session_engine() -> Engine:
    """The engine with this visitor's choice of models; models that were not chosen are shared with `get_engine`."""
    picked = chosen()
    return _engine_with(picked) if picked else get_engine()


# Few, because each holds models of its own. An engine that is dropped while it answers finishes its answer.
@st.cache_resource(max_entries=2, on_release=lambda engine: engine.close(), show_spinner=False)
def _engine_with(picked: tuple[Choice, ...]) -> Engine:
    return get_engine().with_models({task: name for task, name, _ in picked})


@cache  # otherwise one visitor could end the run of another
def get_adapt_jobs() -> AdaptJobs:
    """The training runs of all visitors."""
    from wenmo.adapt.job import AdaptJobs

    return AdaptJobs()


@cache  # otherwise one visitor could end the job of another
def get_file_jobs() -> FileJobs:
    """The files of all visitors, and the jobs over them."""
    from wenmo.jobs.job_queue import FileJobs

    return FileJobs()


@cache  # otherwise one visitor could make all others lose theirs
def get_lab_findings() -> OrderedDict[str, Any]:
    """What the last runs of the memory lab found, by an id that cannot be guessed: a reload finds it again."""
    return OrderedDict()


@cache  # otherwise two measurements could run at once and slow each other down
def get_lab_turn() -> threading.Lock:
    """The lock that a visitor holds while the memory lab measures or predicts for them."""
    return threading.Lock()
