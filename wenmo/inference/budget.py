"""The budget of a batch, in tokens: fixed on a CPU, adapted to the load on a GPU.

Larger batches keep a GPU busier until it is saturated; beyond that they only take memory. So the budget doubles while
the GPU is under-used and memory is free, and halves when memory is short or the GPU is overloaded. Running out of
memory halves it at once, and it stays below the size that failed until memory is free again.

The target is 80% utilisation, give or take 10 points, as in the articles that this project answers.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from wenmo.types import Resolved

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

TARGET_UTILIZATION = 80.0  # percent
TOLERANCE = 10.0  # points; the budget does not change within them
MIN_FREE = 0.10  # share of the device's memory; below it the budget shrinks
GROW_FREE = 0.55  # above it the budget may grow: doubling what is in use leaves MIN_FREE
RESET_FREE = 0.65  # above it memory was freed since it ran out, and the ceiling set then is lifted
FULL = 0.7  # share of the budget; readings after smaller batches are no reason to grow
MIN_TOKENS, MAX_TOKENS = 512, 262_144
GPU_START_TOKENS = 32_768
CPU_TOKENS = 1024
INTERVAL_S = 1.0  # NVML averages utilisation over up to a second: an earlier reading would be of the previous budget


@dataclass(frozen=True, kw_only=True)
class GaugeReading:
    """State of a device; None where it cannot be read."""

    utilization: float | None  # percent of NVML's sampling interval in which a kernel ran
    free: float | None  # share of the device's memory, 0 to 1


class Budget(Protocol):
    """Asked by a runtime before each batch, and told the outcome after it. Thread-safe."""

    @property
    def tokens(self) -> Resolved[int]:
        """The most tokens that the next batch may have."""

    def after_batch(self, tokens: int) -> None:
        """A batch of `tokens` was computed."""

    def out_of_memory(self, tokens: int) -> None:
        """A batch of `tokens` did not fit."""


class FixedBudget:
    """The same for every batch, so that repeated runs compute the same batches."""

    def __init__(
        self,
        tokens: int = CPU_TOKENS,
        *,
        reason: str = "fixed: 512 to 4,096 were measured to be equally fast on a CPU",
        reason_zh: str = "固定值：实测 CPU 上 512 至 4,096 快慢无差别",
    ) -> None:
        self.tokens = Resolved(value=tokens, reason=reason, reason_zh=reason_zh)

    def after_batch(self, tokens: int) -> None:
        """Changes nothing."""

    def out_of_memory(self, tokens: int) -> None:
        """Changes nothing: the runtime halves the batch, and the next one may fit."""


class Gauge(Protocol):
    """Reads the state of a GPU, or of a simulated one in tests."""

    def read(self) -> GaugeReading:
        """The current state."""

    def release(self) -> None:
        """Free cached memory, so that the next reading shows the effect of a smaller budget."""


class CudaGauge:
    """A CUDA device: utilisation from NVML (if nvidia-ml-py is installed), free memory from the driver.

    Memory that torch's allocator caches counts as used: it is the peak since `release`.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def read(self) -> GaugeReading:
        import torch

        free, total = torch.cuda.mem_get_info(self._device)
        try:
            utilization: float | None = float(torch.cuda.utilization(self._device))
        except Exception:  # NVML is missing or does not know the device; the type of the error differs
            utilization = None
        return GaugeReading(utilization=utilization, free=free / total)

    def release(self) -> None:
        import torch

        torch.cuda.empty_cache()


class AdaptiveBudget:
    """Tokens per batch on a GPU. The gauge is read at most once in `interval_s` seconds of `clock`."""

    def __init__(
        self,
        tokens: int = GPU_START_TOKENS,
        *,
        gauge: Gauge,
        interval_s: float = INTERVAL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gauge = gauge
        self._interval_s = interval_s
        self._clock = clock
        self._read_at = self._batch_at = clock()
        self._start_tokens = tokens
        self._lock = threading.Lock()
        self._ceiling = MAX_TOKENS
        self.tokens = Resolved(
            value=min(MAX_TOKENS, max(MIN_TOKENS, tokens)), reason="where a GPU starts", reason_zh="GPU 的起始值"
        )

    def after_batch(self, tokens: int) -> None:
        """Read the gauge and adapt the budget, unless the last reading is too recent."""
        with self._lock:
            now = self._clock()
            idle, self._batch_at = now - self._batch_at > self._interval_s, now
            if idle:  # the reading would cover the time without work
                self._read_at = now
            if now - self._read_at < self._interval_s:
                return
            self._read_at = now
            self._adapt(self._gauge.read(), full=tokens >= FULL * self.tokens.value)

    def _adapt(self, reading: GaugeReading, *, full: bool) -> None:
        """Follow `reading`, taken after a batch that was `full` or not."""
        budget, busy, free = self.tokens.value, reading.utilization, reading.free
        may_grow = full and (free is None or free > GROW_FREE)
        if free is not None and free > RESET_FREE:
            self._ceiling = MAX_TOKENS
        if free is not None and free < MIN_FREE:
            self._change(
                budget // 2,
                f"{free:.0%} of the memory free, under {MIN_FREE:.0%}",
                f"空闲显存 {free:.0%}，低于 {MIN_FREE:.0%}",
            )
        elif busy is None:  # no reason to grow, except back to the start once memory is free
            if may_grow and free is not None and budget < self._start_tokens:
                self._change(
                    min(budget * 2, self._start_tokens),
                    f"{free:.0%} of the memory free again",
                    f"空闲显存回到 {free:.0%}",
                )
        elif busy > TARGET_UTILIZATION + TOLERANCE and free is not None and free < GROW_FREE:
            self._change(
                budget // 2,
                f"GPU {busy:.0f}% busy and only {free:.0%} of the memory free",
                f"GPU 利用率 {busy:.0f}%，空闲显存仅 {free:.0%}",
            )
        elif busy < TARGET_UTILIZATION - TOLERANCE and may_grow:
            self._change(
                budget * 2,
                f"GPU {busy:.0f}% busy, under {TARGET_UTILIZATION - TOLERANCE:.0f}%",
                f"GPU 利用率 {busy:.0f}%，低于 {TARGET_UTILIZATION - TOLERANCE:.0f}%",
            )

    def out_of_memory(self, tokens: int) -> None:
        """A batch of `tokens` did not fit: halve the budget, and keep it below that size."""
        with self._lock:
            self._ceiling = max(MIN_TOKENS, min(self._ceiling, tokens // 2))
            self._change(
                min(self.tokens.value, self._ceiling),  # halved once, even when several batches of this size fail
                f"memory ran out at {tokens:,} tokens",
                f"{tokens:,} 个词元时显存不足",
            )

    def _change(self, wanted: int, reason: str, reason_zh: str) -> None:
        before, after = self.tokens.value, max(MIN_TOKENS, min(wanted, self._ceiling, MAX_TOKENS))
        if after != before:
            log.info("batch budget %d -> %d: %s", before, after, reason)
            if after < before:
                self._gauge.release()
            self.tokens = Resolved(value=after, reason=reason, reason_zh=reason_zh)
