"""How much memory this process takes, as the system counts it."""

from __future__ import annotations

import sys

import psutil

_MIB = 2**20


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


def give_back_memory() -> None:
    """Let the system have what was freed; glibc's malloc keeps it, more of it the longer a run is. Takes some ms."""
    if hasattr(psutil, "heap_trim"):  # not with every C library
        psutil.heap_trim()
