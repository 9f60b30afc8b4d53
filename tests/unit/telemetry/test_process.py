from __future__ import annotations

import numpy as np
import psutil
import pytest

from wenmo.telemetry.process import give_back_memory, process_memory_mib


def test_memory_that_is_taken_is_seen() -> None:
    before = process_memory_mib()
    block = np.ones(64 * 2**20, dtype=np.uint8)  # 64 MiB, resident because they are written
    assert process_memory_mib() - before > 48
    assert block[0] == 1


@pytest.mark.skipif(not hasattr(psutil, "heap_trim"), reason="the C library of this system has no such call")
def test_what_malloc_keeps_is_given_back() -> None:
    blocks = [bytes(1000) for _ in range(100_000)]  # larger than Python's own allocator takes
    last = blocks[-1]  # while it exists, malloc cannot shrink its heap from the end
    del blocks
    before = process_memory_mib()
    give_back_memory()
    assert before - process_memory_mib() > 48
    assert len(last) == 1000
