"""How much memory is in use, of the process and of the GPU. What cannot be read is None, never 0."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import psutil

_MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class GpuMemory:
    """Of the current CUDA device: `used_mib` counts every process on it, `allocated_mib` this one's tensors."""

    name: str
    used_mib: float
    total_mib: float
    allocated_mib: float


def process_memory_mib() -> float:
    """Resident set of this process."""
    return psutil.Process().memory_info().rss / _MIB


def peak_process_memory_mib() -> float | None:
    """The largest resident set that this process ever had; None where the system does not tell."""
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset / _MIB
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (_MIB if sys.platform == "darwin" else 2**10)  # bytes there, KiB elsewhere


def gpu_memory() -> GpuMemory | None:
    """None unless this process computes on a CUDA GPU: looking must not cost the memory that it reports."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    free, total = torch.cuda.mem_get_info()
    return GpuMemory(
        name=torch.cuda.get_device_name(),
        used_mib=(total - free) / _MIB,
        total_mib=total / _MIB,
        allocated_mib=torch.cuda.memory_allocated() / _MIB,
    )
