"""Memory of this process, as the operating system counts it."""

from __future__ import annotations

import sys

import psutil

_MIB = 2**20


def process_memory_mib() -> float:
    """The resident set size."""
    return psutil.Process().memory_info().rss / _MIB


def peak_process_memory_mib() -> float:
    """The peak of the resident set size."""
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset / _MIB
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (_MIB if sys.platform == "darwin" else 2**10)  # bytes on macOS, KiB elsewhere


def give_back_memory() -> None:
    """Return freed memory to the system, which glibc's malloc otherwise keeps. Takes some milliseconds."""
    if hasattr(psutil, "heap_trim"):  # glibc has it, other C libraries may not
        psutil.heap_trim()
