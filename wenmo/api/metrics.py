"""The metrics that Prometheus reads at /metrics: calls and their durations, the scheduler, the cache, memory, GPUs.

Most are read at each scrape from the statistics that engine, scheduler and cache keep anyway, and from the GPUs'
driver; only the durations of calls are collected here. The app's Service page shows the same figures.

No label takes its value from a caller, who could otherwise create any number of time series.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import accumulate
from typing import TYPE_CHECKING

import psutil
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from wenmo.serving.breaker import BREAKER_STATES
from wenmo.telemetry.nvml import GpuReading, Gpus

if TYPE_CHECKING:
    from wenmo.engine import Engine
    from wenmo.serving.cache import CacheStatistics
    from wenmo.serving.scheduler import SchedulerStatistics
    from wenmo.types import TaskName

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_FURTHER_ROUTES = ("/analyze", "/v2/rerank", "/rerank", "/embed", "/predict")  # that compute, beside those of /v1
_RECENT_CALLS = 1000  # whose durations are kept


@dataclass(frozen=True, kw_only=True)
class RestCalls:
    """Calls of the routes that compute: their number by HTTP status, and how long the last successful ones took."""

    by_status: Mapping[int, int]
    recent_s: tuple[float, ...]


class Metrics:
    """The metrics of one process. `get_engine` is called at each scrape; `labels` are added to every sample."""

    def __init__(self, get_engine: Callable[[], Engine], *, labels: Mapping[str, str] | None = None) -> None:
        self._registry = CollectorRegistry()
        self._labels = dict(labels or {})
        self._durations = Histogram(
            "wenmo_http_request_seconds",
            "How long REST calls took",
            ["route", "status"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._registry.register(_EngineCollector(get_engine))
        self._lock = threading.Lock()
        self._by_status: Counter[int] = Counter()
        self._recent_s: deque[float] = deque(maxlen=_RECENT_CALLS)

    def observe(self, route: str, status: int, seconds: float) -> None:
        """Count a call: the template of its route, such as /v1/embed, its HTTP status, and how long it took."""
        self._durations.labels(route, str(status)).observe(seconds)
        if route.startswith("/v1/") or route in _FURTHER_ROUTES:  # not health checks, nor unknown paths
            with self._lock:
                self._by_status[status] += 1
                if status == HTTPStatus.OK:
                    self._recent_s.append(seconds)

    def rest_calls(self) -> RestCalls:
        """A snapshot, for the Service page."""
        with self._lock:
            return RestCalls(by_status=dict(self._by_status), recent_s=tuple(self._recent_s))

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self)

    def collect(self) -> Iterator[Metric]:
        """For `generate_latest`: the metrics of the registry, with the labels of this process."""
        for metric in self._registry.collect():
            metric.samples = [sample._replace(labels={**sample.labels, **self._labels}) for sample in metric.samples]
            yield metric


class _EngineCollector:
    def __init__(self, get_engine: Callable[[], Engine]) -> None:
        self._get_engine = get_engine
        self._gpus = Gpus()
        self._reading_gpus = threading.Lock()  # there may be several scrapes at a time

    def collect(self) -> Iterator[Metric]:
        engine = self._get_engine()
        yield from _scheduler_metrics(engine.scheduler_statistics())
        yield from _cache_metrics(engine.cache_statistics())
        resident = psutil.Process().memory_info().rss
        yield GaugeMetricFamily("wenmo_resident_memory_bytes", "Resident memory of the process", value=resident)
        models = GaugeMetricFamily("wenmo_model_loaded", "1 for each model in memory", labels=["task", "precision"])
        for task in engine.loaded_tasks():
            models.add_metric([task, engine.model_info(task).precision.value], 1)
        yield models
        with self._reading_gpus:
            readings = self._gpus.read()
        yield from _gpu_metrics(readings)


def _scheduler_metrics(schedulers: Mapping[TaskName, SchedulerStatistics]) -> Iterator[Metric]:
    for name, text, attribute in (
        ("wenmo_calls", "Calls that the cache could not answer by itself", "calls"),
        ("wenmo_joined_calls", "Calls that were computed in another call's forward", "joined"),
        ("wenmo_turned_away_calls", "Calls for which the service was too busy", "turned_away"),
        ("wenmo_forwards", "Forwards, each of one call or of several", "forwards"),
    ):
        counter = CounterMetricFamily(name, text, labels=["task"])
        for task, statistics in schedulers.items():
            counter.add_metric([task], getattr(statistics, attribute))
        yield counter
    for name, text, attribute in (
        ("wenmo_waiting_calls", "Calls that wait for their forward", "waiting"),
        ("wenmo_waiting_pieces", "Tokens in these calls", "waiting_tokens"),
    ):
        gauge = GaugeMetricFamily(name, text, labels=["task"])
        for task, statistics in schedulers.items():
            gauge.add_metric([task], getattr(statistics, attribute))
        yield gauge
    for name, text, attribute in (
        ("wenmo_forward_calls", "Calls answered by a forward", "calls_per_forward"),
        ("wenmo_forward_inputs", "Inputs given to a forward", "inputs_per_forward"),
        ("wenmo_forward_pieces", "Tokens given to a forward", "tokens_per_forward"),
    ):
        histogram = HistogramMetricFamily(name, text, labels=["task"])
        for task, statistics in schedulers.items():
            counts = getattr(statistics, attribute)
            bounds = [*map(str, counts.bounds), "+Inf"]
            buckets = list(zip(bounds, accumulate(counts.counts), strict=True))
            histogram.add_metric([task], buckets=buckets, sum_value=counts.total)
        yield histogram


def _cache_metrics(cache: CacheStatistics) -> Iterator[Metric]:
    yield CounterMetricFamily("wenmo_cache_hits", "Inputs whose result was kept", value=cache.hits)
    yield CounterMetricFamily("wenmo_cache_memory_hits", "Those kept in this process", value=cache.memory_hits)
    yield CounterMetricFamily("wenmo_cache_misses", "Inputs that were computed", value=cache.misses)
    yield CounterMetricFamily("wenmo_cache_saved_seconds", "Estimate of what the hits saved", value=cache.saved_s)
    yield GaugeMetricFamily("wenmo_cache_bytes", "What the kept results take", value=cache.mib * 2**20)
    if cache.shared is None:
        return
    shared = cache.shared
    yield CounterMetricFamily("wenmo_shared_cache_hits", "Results found in Redis", value=shared.hits)
    yield CounterMetricFamily("wenmo_shared_cache_misses", "Results that Redis lacked", value=shared.misses)
    yield CounterMetricFamily("wenmo_shared_cache_damaged", "Values refused as damaged", value=shared.damaged)
    yield CounterMetricFamily("wenmo_shared_cache_errors", "Exchanges that failed", value=shared.errors)
    breakers = GaugeMetricFamily(
        "wenmo_shared_cache_breaker", "1 for the state that each breaker is in", labels=["operation", "state"]
    )
    for operation, now in (("read", shared.reading), ("write", shared.writing)):
        for state in BREAKER_STATES:
            breakers.add_metric([operation, state], float(state == now))
    yield breakers


def _gpu_metrics(readings: Sequence[GpuReading]) -> Iterator[Metric]:
    """A sample for each GPU; a value that cannot be read is left out."""
    for name, text, attribute, factor in (
        ("wenmo_gpu_memory_used_bytes", "GPU memory used by all processes and the driver", "used_mib", 2**20),
        ("wenmo_gpu_memory_total_bytes", "GPU memory there is", "total_mib", 2**20),
        ("wenmo_gpu_memory_reserved_bytes", "GPU memory that this process's allocator holds", "reserved_mib", 2**20),
        ("wenmo_gpu_memory_allocated_bytes", "GPU memory of this process's tensors", "allocated_mib", 2**20),
        ("wenmo_gpu_utilization_ratio", "Share of time in which a kernel ran", "utilization_percent", 0.01),
    ):
        gauge = GaugeMetricFamily(name, text, labels=["gpu", "name"])
        for reading in readings:
            value = getattr(reading, attribute)
            if value is not None:
                gauge.add_metric([reading.gpu.index, reading.gpu.name], value * factor)
        yield gauge
