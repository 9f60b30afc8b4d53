"""Runs in the background: one at a time, stopped from outside, bounded in what they keep."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from wenmo.adapt.job import AdaptJob, AdaptJobs, Curve
from wenmo.adapt.types import Adapted, AdaptProgress
from wenmo.errors import BusyError, InputError

Tell = Callable[[AdaptProgress], None]
TIMEOUT_S = 30


def test_one_runs_at_a_time() -> None:
    jobs, go_on = AdaptJobs(), threading.Event()

    def work(tell: Tell) -> Adapted:
        go_on.wait(TIMEOUT_S)
        raise InputError("no", "不")

    first = jobs.start(work)
    with pytest.raises(BusyError, match="one runs at a time"):
        jobs.start(work)
    assert jobs.running() is first
    go_on.set()
    assert first.wait(TIMEOUT_S) and jobs.running() is None
    assert jobs.start(work).wait(TIMEOUT_S)


def test_closing_stops_what_runs() -> None:
    jobs, begun = AdaptJobs(), threading.Event()

    def work(tell: Tell) -> Adapted:
        while True:
            tell(AdaptProgress(stage="training", step=1, of=2, memory_mib=1.0, memory_of="process"))
            begun.set()

    job = jobs.start(work)
    assert begun.wait(TIMEOUT_S)
    jobs.close(TIMEOUT_S)
    assert job.status().state == "stopped"


def test_the_last_few_are_kept() -> None:
    jobs = AdaptJobs()

    def work(tell: Tell) -> Adapted:
        raise InputError("no", "不")

    ids = []
    for _ in range(12):
        job = jobs.start(work)
        assert job.wait(TIMEOUT_S)
        ids.append(job.id)
    assert [jobs.get(job_id) is not None for job_id in ids] == [False] * 4 + [True] * 8


def test_an_error_that_is_a_bug_ends_the_job_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def work(tell: Tell) -> Adapted:
        raise KeyError("bug")

    job = AdaptJob(work)
    assert job.wait(TIMEOUT_S)
    assert job.status().state == "failed" and isinstance(job.status().error, KeyError)
    assert "KeyError" in caplog.text


def test_a_curve_stays_small_and_keeps_its_ends_in_view() -> None:
    curve = Curve()
    for x in range(100_000):
        curve.add(x, 0.0)
    assert len(curve.points) <= 401
    assert curve.points[0][0] == 0 and curve.points[-1][0] > 99_000
