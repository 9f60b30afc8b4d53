"""Live memory: a thread takes a sample a few times a second and keeps the latest ones in a ring buffer.

A process has one sampler, which all sessions share. Sampling does not initialise CUDA and takes no GPU memory. Resident
memory is the operating system's count. Of tensors in the CPU's memory only the weights are known, because torch does
not track allocations there.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from wenmo.errors import InputError
from wenmo.telemetry.events import Event
from wenmo.telemetry.nvml import GpuReading, Gpus
from wenmo.telemetry.process import process_memory_mib
from wenmo.types import Resolved

log = logging.getLogger(__name__)

KEPT_S = 600.0
MIN_HZ, MAX_HZ = 2.0, 10.0
_FIRST_S = 1.0  # how long a reader waits for the first sample


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """Memory and load at `at_s`, in Unix time. Values that cannot be read are None.

    `cpu_percent` is this process's CPU time since the previous sample, 100 for one core. `weights_mib` is the size of
    the models in the CPU's memory.
    """

    at_s: float
    resident_mib: float
    cpu_percent: float | None
    weights_mib: float | None
    gpus: tuple[GpuReading, ...]


class Sampler:
    """Takes `hz` samples a second (2 to 10) once started, and keeps those of the last KEPT_S seconds.

    `weights_mib` returns the size of the models in the CPU's memory. `clock` is monotonic, `now` Unix time; `wait`
    sleeps for some seconds and returns whether to stop. Raises InputError for any other `hz`.
    """

    def __init__(
        self,
        *,
        hz: float = MIN_HZ,
        weights_mib: Callable[[], float | None] = lambda: None,
        gpus: Gpus | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        if not MIN_HZ <= hz <= MAX_HZ:
            raise InputError(
                f"{hz:g} samples a second: choose {MIN_HZ:g} to {MAX_HZ:g}.",
                f"每秒 {hz:g} 次采样：请在 {MIN_HZ:g} 到 {MAX_HZ:g} 之间选择。",
            )
        self.hz = hz
        self._weights_mib = weights_mib
        self._gpus = gpus or Gpus()
        self._clock = clock
        self._now = now
        self._stopping = threading.Event()
        self._wait = wait or self._stopping.wait
        self._lock = threading.Lock()
        self._ring: deque[Sample] = deque(maxlen=round(KEPT_S * hz))
        self._first = threading.Event()
        self._cpu_before: tuple[float, float] | None = (
            None  # `clock` and CPU time of the process at the previous sample
        )
        self._thread = threading.Thread(target=self._run, name="wenmo-sampler", daemon=True)

    def start(self) -> Sampler:
        """Start the thread, once; returns the sampler."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop the thread and close the driver. The samples can still be read."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def gpu_count(self) -> Resolved[int]:
        """The number of GPUs in the last sample, and how they were read, or why none were."""
        return self._gpus.count

    def samples(self, *, last_s: float = KEPT_S) -> tuple[Sample, ...]:
        """The samples of the `last_s` seconds up to the newest, oldest first. Waits up to 1 s for the very first."""
        self._first.wait(_FIRST_S)
        with self._lock:
            since_s = self._ring[-1].at_s - last_s if self._ring else 0.0
            return tuple(sample for sample in self._ring if sample.at_s >= since_s)

    def sample(self) -> Sample:
        """Take a sample now, as the thread does. Not thread-safe."""
        clock_s, process_s = self._clock(), time.process_time()
        before, self._cpu_before = self._cpu_before, (clock_s, process_s)
        elapsed_s = 0.0 if before is None else clock_s - before[0]
        return Sample(
            at_s=self._now(),
            resident_mib=process_memory_mib(),
            cpu_percent=100 * (process_s - before[1]) / elapsed_s if before is not None and elapsed_s > 0 else None,
            weights_mib=self._weights_mib(),
            gpus=self._gpus.read(),
        )

    def _run(self) -> None:
        due, failing = self._clock(), False
        try:
            while True:
                try:
                    sample = self.sample()
                    with self._lock:
                        self._ring.append(sample)
                    failing = False
                except Exception:  # the next sample may succeed; log consecutive failures once
                    if not failing:
                        log.warning("memory could not be sampled", exc_info=True)
                    failing = True
                self._first.set()
                due = max(due + 1 / self.hz, self._clock())  # missed samples are not made up for
                if self._wait(due - self._clock()):
                    return
        finally:
            self._gpus.close()


def downsample(
    times: Sequence[float], values: Sequence[float | None], *, interval_s: float
) -> tuple[list[float], list[float | None]]:
    """The highest value of each interval of `interval_s` seconds and its time, so that no peak is lost.

    Intervals begin at multiples of their length, so that a moving graph does not flicker. An interval without values
    keeps one None, a gap in the graph.
    """
    kept: dict[int, tuple[float, float | None]] = {}
    for at, value in zip(times, values, strict=True):
        interval = int(at // interval_s)
        best = kept.get(interval)
        if best is None or (value is not None and (best[1] is None or value > best[1])):
            kept[interval] = (at, value)
    return [at for at, _ in kept.values()], [value for _, value in kept.values()]


def columns(samples: Sequence[Sample], events: Sequence[Event] = ()) -> dict[str, list[object]]:
    """The columns of a table with one row per sample: UTC times, values, and the events since the previous row.

    Each GPU has its own columns, named by its index. Cells are None for values that could not be read.
    """
    table: dict[str, list[object]] = {
        "time_utc": [datetime.fromtimestamp(sample.at_s, UTC).isoformat(timespec="milliseconds") for sample in samples],
        "process_mib": [sample.resident_mib for sample in samples],
        "process_cpu_percent": [sample.cpu_percent for sample in samples],
        "cpu_weights_mib": [sample.weights_mib for sample in samples],
    }
    gpus = {reading.gpu.index: reading.gpu for sample in samples for reading in sample.gpus}
    for index, gpu in gpus.items():
        readings = [next((each for each in sample.gpus if each.gpu.index == index), None) for sample in samples]
        table[f"gpu{index}_name"] = [gpu.name] * len(samples)
        for name in ("used_mib", "total_mib", "utilization_percent", "reserved_mib", "allocated_mib"):
            table[f"gpu{index}_{name}"] = [None if each is None else getattr(each, name) for each in readings]
    waiting = sorted(events, key=lambda event: event.at_s)
    table["events"] = []
    for sample in samples:
        before = [event for event in waiting if event.at_s <= sample.at_s]
        waiting = waiting[len(before) :]
        table["events"].append("; ".join(event.text for event in before) or None)
    return table
