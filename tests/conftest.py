"""Shared by all tests: where the golden checkpoints are, and an engine on them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

# Before torch is imported, here and in the processes that tests start. OpenMP's threads spin while they wait for each
# other, and where something else computes as well, such as a second process of tests, they take the core from the very
# thread that they wait for: a forward of 2 ms took 700. So they sleep. No answer depends on it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# What the processes that tests start compute in, whatever is quickest on this machine: answers are compared.
os.environ.setdefault("WENMO_PRECISION", "fp32")

import pytest

from wenmo import Engine

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden"
GOLDEN_MODELS = {
    "similarity": str(GOLDEN / "similarity"),
    "sentiment": str(GOLDEN / "sentiment"),
    "classify": str(GOLDEN / "sentiment"),
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


@pytest.fixture(scope="session")
def bundled() -> Iterator[Engine]:
    """The models that come with the package."""
    with Engine(device="cpu", precision="fp32") as engine:
        yield engine


def pytest_configure() -> None:
    """What a shell starts in its background ignores SIGINT, and so would each process that a test starts and stops."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


_exit_status = pytest.StashKey[int]()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    session.config.stash[_exit_status] = exitstatus


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """After Ray, leave at once, as Ray's own workers do.

    `ray.shutdown()` leaves threads of gRPC and of Ray's client in this process, which still run when the interpreter
    takes itself apart. Once that was a segmentation fault after all tests had passed. How `wenmo` itself ends is asked
    of its own processes, by their exit codes.
    """
    if "ray" in sys.modules and _exit_status in config.stash:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(config.stash[_exit_status])
