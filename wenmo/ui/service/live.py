"""The state of the service now: health, queue, batches, latency and cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from wenmo.errors import WenmoError
from wenmo.tasks.table import TASKS
from wenmo.telemetry.statistics import Percentiles, sum_histograms
from wenmo.ui import charts
from wenmo.ui.shell import components
from wenmo.ui.shell.runtime import get_engine, get_metrics
from wenmo.ui.text import language, say

if TYPE_CHECKING:
    from wenmo.api.metrics import RestCalls
    from wenmo.serving.cache import CacheStatistics
    from wenmo.serving.scheduler import SchedulerStatistics

_REDRAW_S = 2
_EXAMPLE = "墨色温润，包装也用心"  # the text of the call that the button sends


@st.fragment(run_every=_REDRAW_S)
def show() -> None:
    """All of it, drawn again every two seconds."""
    try:
        engine = get_engine()
    except WenmoError as error:
        st.caption(say("service.not_ready"))
        components.show_error(error)
        return
    schedulers = list(engine.scheduler_statistics().values())
    rest, cache = get_metrics().rest_calls(), engine.cache_statistics()
    _now(schedulers, rest)
    loaded = engine.loaded_tasks()
    names = say("app.comma").join(
        f"{TASKS[task].title_zh if language() == 'zh' else TASKS[task].title} {engine.model_info(task).precision.value}"
        for task in loaded
    )
    st.caption(say("service.loaded", names=names) if loaded else say("service.none_loaded"))
    if not rest.by_status and not any(each.calls for each in schedulers) and not cache.hits:
        st.caption(say("service.no_calls"))
        if st.button(say("service.send"), key="service_send"):
            try:
                engine.sentiment([_EXAMPLE])
            except WenmoError as error:
                components.show_error(error)
            else:
                st.rerun(scope="fragment")
        return
    _batches(schedulers)
    _latency(schedulers, rest)
    _cache(cache)


def _now(schedulers: list[SchedulerStatistics], rest: RestCalls) -> None:
    """Health, calls that wait, and REST calls that were answered or turned away."""
    refused = sum(count for status, count in rest.by_status.items() if status in (429, 503))
    statuses = ", ".join(f"{status}: {count:,}" for status, count in sorted(rest.by_status.items())) or "–"
    with st.container(horizontal=True, gap="medium"):
        st.metric(say("service.health"), say("service.ready"), width=130)
        tokens = sum(each.waiting_tokens for each in schedulers)
        st.metric(
            say("service.waiting"),
            f"{sum(each.waiting for each in schedulers):,}",
            help=say("service.waiting_help", tokens=f"{tokens:,}"),
            width=130,
        )
        st.metric(
            say("service.calls"),
            f"{sum(rest.by_status.values()):,}",
            help=say("service.calls_help", statuses=statuses),
            width=130,
        )
        st.metric(
            say("service.turned_away"),
            f"{refused:,}",
            help=say("service.turned_away_help", queue=f"{sum(each.turned_away for each in schedulers):,}"),
            width=130,
        )


def _batches(schedulers: list[SchedulerStatistics]) -> None:
    """Histogram of the inputs in a forward."""
    inputs = sum_histograms(each.inputs_per_forward for each in schedulers)
    if inputs is None or not inputs.count:
        return
    _title(say("service.batches"))
    st.plotly_chart(
        charts.histogram(inputs), config=charts.CONFIG, key="service_batches", alt=say("service.batches_alt")
    )
    st.caption(
        say(
            "service.batches_note",
            forwards=f"{inputs.count:,}",
            inputs=f"{inputs.total:,}",
            mean=f"{inputs.total / inputs.count:,.1f}",
            joined=f"{sum(each.joined for each in schedulers):,}",
        )
    )


def _latency(schedulers: list[SchedulerStatistics], rest: RestCalls) -> None:
    """Percentiles of the latency of REST calls, and of waiting and computing in the scheduler."""
    durations = {
        "rest": rest.recent_s,
        "waited": [seconds for each in schedulers for seconds in each.waited_s],
        "computed": [seconds for each in schedulers for seconds in each.computed_s],
    }
    found = {phase: Percentiles.of(seconds) for phase, seconds in durations.items()}
    rows = {say(f"service.phase.{phase}"): each for phase, each in found.items() if each is not None}
    if not rows:
        return
    _title(say("service.latency"))
    columns = {"p50": "p50_ms", "p95": "p95_ms", "p99": "p99_ms"}
    st.dataframe(
        {say("service.phase"): list(rows)}
        | {name: [getattr(each, key) for each in rows.values()] for name, key in columns.items()}
        | {say("service.count"): [each.count for each in rows.values()]},
        hide_index=True,
        column_config={name: st.column_config.NumberColumn(name, format="%.1f") for name in columns},
        key="service_latency",
    )
    st.caption(say("service.latency_note"))


def _cache(cache: CacheStatistics) -> None:
    """Hit rate of the cache, the time that it saved, and its size."""
    _title(say("service.cache"))
    asked = cache.hits + cache.misses
    with st.container(horizontal=True, gap="medium"):
        st.metric(
            say("service.hit_rate"),
            f"{cache.hits / asked:.0%}" if asked else "–",
            help=say("service.hit_rate_help", hits=f"{cache.hits:,}", misses=f"{cache.misses:,}"),
            width=130,
        )
        st.metric(
            say("service.saved"),
            say("service.seconds", value=f"{cache.saved_s:,.1f}"),
            help=say("service.saved_help"),
            width=130,
        )
        st.metric(
            say("service.kept"),
            f"{cache.entries:,}",
            help=say("service.kept_help", used=f"{cache.mib:,.2f}", most=f"{cache.max_mib:g}"),
            width=130,
        )


def _title(text: str) -> None:
    st.markdown(f"**{text}**")
