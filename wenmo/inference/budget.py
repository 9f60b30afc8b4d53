"""How many tokens a forward takes: a fixed number on a CPU, followed while a GPU works.

More tokens a forward keep a GPU busier until it is saturated; beyond that they only take memory. So there the budget
doubles while the GPU is under-used and memory is free, halves when memory runs short or the GPU is overloaded, and
halves at once when memory ran out, without growing back to where that happened while memory is short. Every change is
kept with its reason.

The thresholds are those of the articles this project answers to: 80% utilisation, ten points of play on either side.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch

from wenmo.types import Resolved

log = logging.getLogger(__name__)

TARGET_UTILIZATION = 80.0  # percent
TOLERANCE = 10.0  # points on either side within which nothing is changed
MIN_FREE = 0.10  # share of the device's memory: below it the budget shrinks
GROW_FREE = 0.55  # above it the budget may grow: twice what is in use still leaves MIN_FREE
RESET_FREE = 0.65  # above it memory has been given back since it ran out, and the limit of that time is lifted
FULL = 0.7  # of the budget: a batch that holds less says nothing about it
MIN_TOKENS, MAX_TOKENS = 512, 262_144
GPU_START_TOKENS = 32_768
CPU_TOKENS = 1024
INTERVAL_S = 1.0  # NVML's utilisation is a mean over up to a second: what it says sooner is of the budget before
_KEPT_CHANGES = 100


@dataclass(frozen=True, kw_only=True)
class GaugeReading:
    """What a device reports. None is "cannot be read"."""

    utilization: float | None  # percent of the last sampling interval in which a kernel ran
    free: float | None  # share of the device's memory, 0 to 1


class Budget(Protocol):
    """What a runtime asks before each batch, and tells after it. Any thread may call."""

    @property
    def tokens(self) -> Resolved[int]:
        """Tokens that the next batch takes at most."""

    def after_batch(self, tokens: int) -> None:
        """A batch of `tokens` is done."""

    def out_of_memory(self, tokens: int) -> None:
        """A batch of `tokens` did not fit."""


class FixedBudget:
    """The same for every batch, so that a run that is repeated computes the same batches."""

    def __init__(self, tokens: int = CPU_TOKENS) -> None:
        self.tokens = Resolved(
            value=tokens,
            reason="fixed: 512 to 4,096 were measured to be equally fast on a CPU",
            reason_zh="固定值：实测 CPU 上 512 至 4,096 快慢无差别",
        )

    def after_batch(self, tokens: int) -> None:
        """Nothing to follow."""

    def out_of_memory(self, tokens: int) -> None:
        """The runtime halves the batch; the next one may well fit."""


class Gauge(Protocol):
    """Where readings come from: a GPU, or a simulated one in tests."""

    def read(self) -> GaugeReading:
        """The state right now."""

    def release(self) -> None:
        """Give back memory that is kept for later: the budget shrinks, and the next reading is to show it."""


@dataclass(frozen=True, kw_only=True)
class BudgetChange:
    """One decision: the budget before and after, and why."""

    before: int
    after: int
    reason: str
    reason_zh: str


class CudaGauge:
    """Reads a CUDA device: utilisation from NVML (where nvidia-ml-py is installed), memory from the driver and torch.

    Memory that torch's allocator keeps for later counts as used: it is the most that was in use since `release`.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def read(self) -> GaugeReading:
        free, total = torch.cuda.mem_get_info(self._device)
        try:
            utilization: float | None = float(torch.cuda.utilization(self._device))
        except Exception:  # no NVML, or one that does not know the device: each says so by an error of its own
            utilization = None
        return GaugeReading(utilization=utilization, free=free / total)

    def release(self) -> None:
        torch.cuda.empty_cache()


class AdaptiveBudget:
    """Tokens a forward on a GPU. The gauge is read once in `interval_s` seconds of `clock`."""

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
        self._tokens = min(MAX_TOKENS, max(MIN_TOKENS, tokens))
        self._ceiling = MAX_TOKENS
        self._changes: deque[BudgetChange] = deque(maxlen=_KEPT_CHANGES)

    @property
    def tokens(self) -> Resolved[int]:
        with self._lock:
            if not self._changes:
                return Resolved(value=self._tokens, reason="where a GPU starts", reason_zh="GPU 的起始值")
            last = self._changes[-1]
            return Resolved(value=self._tokens, reason=last.reason, reason_zh=last.reason_zh)

    @property
    def changes(self) -> tuple[BudgetChange, ...]:
        """The latest ones, oldest first."""
        with self._lock:
            return tuple(self._changes)

    def after_batch(self, tokens: int) -> None:
        """Read the gauge and follow it, unless it was read a moment ago."""
        with self._lock:
            now = self._clock()
            idle, self._batch_at = now - self._batch_at > self._interval_s, now
            if idle:  # the reading would be of the time in which there was nothing to do
                self._read_at = now
            if now - self._read_at < self._interval_s:
                return
            self._read_at = now
            reading = self._gauge.read()
            may_grow = tokens >= FULL * self._tokens and (reading.free is None or reading.free > GROW_FREE)
            if reading.free is not None and reading.free > RESET_FREE:
                self._ceiling = MAX_TOKENS
            if reading.free is not None and reading.free < MIN_FREE:
                self._change(
                    self._tokens // 2,
                    f"{reading.free:.0%} of the memory free, under {MIN_FREE:.0%}",
                    f"空闲显存 {reading.free:.0%}，低于 {MIN_FREE:.0%}",
                )
            elif reading.utilization is None:  # nothing to follow upwards, but back to the start once memory is free
                if may_grow and reading.free is not None and self._tokens < self._start_tokens:
                    self._change(
                        min(self._tokens * 2, self._start_tokens),
                        f"{reading.free:.0%} of the memory free again",
                        f"空闲显存回到 {reading.free:.0%}",
                    )
            elif (
                reading.utilization > TARGET_UTILIZATION + TOLERANCE
                and reading.free is not None
                and reading.free < GROW_FREE
            ):
                self._change(
                    self._tokens // 2,
                    f"GPU {reading.utilization:.0f}% busy and only {reading.free:.0%} of the memory free",
                    f"GPU 利用率 {reading.utilization:.0f}%，空闲显存仅 {reading.free:.0%}",
                )
            elif reading.utilization < TARGET_UTILIZATION - TOLERANCE and may_grow:
                self._change(
                    self._tokens * 2,
                    f"GPU {reading.utilization:.0f}% busy, under {TARGET_UTILIZATION - TOLERANCE:.0f}%",
                    f"GPU 利用率 {reading.utilization:.0f}%，低于 {TARGET_UTILIZATION - TOLERANCE:.0f}%",
                )

    def out_of_memory(self, tokens: int) -> None:
        """A forward of `tokens` did not fit: halve, and keep below where it failed."""
        with self._lock:
            self._ceiling = max(MIN_TOKENS, min(self._ceiling, tokens // 2))
            self._change(
                min(self._tokens, self._ceiling),  # once, however many batches of that size were under way
                f"memory ran out at {tokens:,} tokens",
                f"{tokens:,} 个词元时显存不足",
            )

    def _change(self, wanted: int, reason: str, reason_zh: str) -> None:
        after = max(MIN_TOKENS, min(wanted, self._ceiling, MAX_TOKENS))
        if after != self._tokens:
            log.info("batch budget %d -> %d: %s", self._tokens, after, reason)
            self._changes.append(BudgetChange(before=self._tokens, after=after, reason=reason, reason_zh=reason_zh))
            if after < self._tokens:
                self._gauge.release()
            self._tokens = after
