from __future__ import annotations

import numpy as np

from wenmo.memory.tracker import process_memory_mib


def test_memory_that_is_taken_is_seen() -> None:
    before = process_memory_mib()
    block = np.ones(64 * 2**20, dtype=np.uint8)  # 64 MiB, written and so resident
    assert process_memory_mib() - before > 48
    assert block[0] == 1
