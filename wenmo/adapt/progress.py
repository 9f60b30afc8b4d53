"""Reports the progress of a run to its caller, with the memory in use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch

from wenmo.adapt.types import AdaptProgress, Stage
from wenmo.telemetry.process import process_memory_mib


class ProgressReporter:
    """Calls `on_progress`, if there is one, and keeps the highest memory, `peak_mib`."""

    def __init__(self, device: str, on_progress: Callable[[AdaptProgress], None] | None) -> None:
        self._device = device
        self._on_progress = on_progress
        self._memory_of: Literal["gpu", "process"] = "gpu" if device.startswith("cuda") else "process"
        self.peak_mib = 0.0
        if self._memory_of == "gpu":
            torch.cuda.reset_peak_memory_stats(device)

    def report(self, stage: Stage, step: int, of: int, **figures: float | None) -> None:
        """Report one step; `figures` are further fields of AdaptProgress."""
        memory = self._memory_mib()
        self.peak_mib = max(self.peak_mib, memory)
        if self._on_progress is not None:
            self._on_progress(
                AdaptProgress(stage=stage, step=step, of=of, memory_mib=memory, memory_of=self._memory_of, **figures)
            )

    def for_rows(self, stage: Stage) -> Callable[[int, int], None]:
        """The `progress` of an engine call: rows done, and of how many."""
        return lambda done, of: self.report(stage, done, of)

    def _memory_mib(self) -> float:
        if self._memory_of == "process":
            return process_memory_mib()
        peak = torch.cuda.max_memory_allocated(self._device) / 2**20
        torch.cuda.reset_peak_memory_stats(self._device)
        return peak
