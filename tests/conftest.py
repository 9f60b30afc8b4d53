"""Shared by all tests: where the golden checkpoints are, and an engine on them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from wenmo import Engine

GOLDEN = Path(__file__).parent / "golden"
GOLDEN_MODELS = {
    "similarity": str(GOLDEN / "similarity"),
    "sentiment": str(GOLDEN / "sentiment"),
    "zero_shot": str(GOLDEN / "zero_shot"),
    "embedding": str(GOLDEN / "similarity"),
}


@pytest.fixture(scope="session")
def golden_models() -> dict[str, str]:
    """Random weights: shapes and arithmetic are real, answers mean nothing."""
    return GOLDEN_MODELS


@pytest.fixture(scope="session")
def golden_engine() -> Iterator[Engine]:
    with Engine(device="cpu", precision="fp32", models=GOLDEN_MODELS) as engine:
        yield engine
