"""A real Ray of the test's own, with two cores to give away."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest


def require_ray() -> None:
    """Skips the tests where Ray is not installed, unless WENMO_REQUIRE_RAY=1 says that it must be."""
    if importlib.util.find_spec("ray") is None:
        if os.environ.get("WENMO_REQUIRE_RAY") == "1":
            pytest.fail("Ray is not installed, and WENMO_REQUIRE_RAY=1")
        pytest.skip("Ray is not installed: pip install -r requirements-cluster.txt")


@contextmanager
def local_ray() -> Iterator[None]:
    """For a module of tests."""
    require_ray()
    import ray

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=100 << 20,
        logging_level="warning",
        log_to_driver=False,
    )
    try:
        yield
    finally:
        ray.shutdown()


def processes(name: str, of: int | None = None) -> list[psutil.Process]:
    """Ray's workers below the process `of` (this one) that hold an actor of the class `name`."""
    found = []
    for process in psutil.Process(of).children(recursive=True):
        try:
            command = process.cmdline()
            if command and command[0].startswith(f"ray::{name}") and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found
