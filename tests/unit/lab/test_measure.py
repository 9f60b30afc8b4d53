"""That a measurement is of its own process, repeats, and leaves none behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil
import pytest

from wenmo import DeviceError, InputError
from wenmo.inference import precision
from wenmo.lab import measure as module
from wenmo.lab.configuration import Configuration, equal_lengths
from wenmo.lab.measure import Measurement, measure
from wenmo.lab.presets import custom, run_preset

SMALL = Configuration(model="bundled", lengths=(12, 30))


def _children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


def test_a_run_as_predicted_and_nothing_left_behind() -> None:
    stages: list[str] = []
    before = _children()
    (row,) = run_preset(custom([SMALL]), runs=2, progress=lambda done, of, stage: stages.append(stage))
    assert stages == ["predicting", "starting", "building", "timing", "tracking", "done"]
    found = row.measured
    assert found is not None and found.configuration == SMALL and len(found.seconds) == 2
    assert row.prediction_error == pytest.approx(0, abs=0.02)
    assert found.tokens_per_s == pytest.approx(found.sequences_per_s * 21)
    assert Measurement.from_json(found.as_json()) == found
    if sys.platform == "linux":
        assert found.resident is not None and found.resident > 0.5 * found.peak.total
    assert _children() <= before


def test_parent_and_child_agree_on_what_half_precision_means(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is timed, and under load it came out one way for the prediction and the other in the child."""
    half = Configuration(model="bundled", precision="fp16", lengths=(12, 30))
    for native in (True, False):
        monkeypatch.setattr(precision, "computes_natively", lambda *asked, native=native: native)
        (row,) = run_preset(custom([half]), runs=1)
        assert row.measured is not None
        assert (row.cpu.native, row.measured.native) == (native, native)
        assert row.cpu.peak.weights == row.measured.peak.weights


def test_cancelled_half_way_nothing_is_left() -> None:
    before = _children()
    seen: set[int] = set()

    def cancelled() -> bool:
        seen.update(_children() - before)
        return bool(seen)

    assert measure(SMALL, cancelled=cancelled) is None
    assert seen and not any(psutil.pid_exists(pid) for pid in seen)
    assert list(run_preset(custom([SMALL]), cancelled=lambda: True)) == []


def test_a_time_limit() -> None:
    with pytest.raises(InputError, match="longer than 0 s"):
        measure(SMALL, time_limit_s=0)
    assert not [child for child in psutil.Process().children() if "wenmo.lab.measure" in " ".join(child.cmdline())]


def test_the_child_ends_with_its_parent() -> None:
    """Killed outright, the parent can tell nobody: the end of the pipe must do."""
    code = (
        "from wenmo.lab.configuration import Configuration\n"
        "from wenmo.lab.measure import measure\n"
        "import psutil\n"
        "def told(stage):\n"
        "    if stage == 'building':\n"
        "        print(psutil.Process().children()[0].pid, flush=True)\n"
        "measure(Configuration(model='base'), runs=100000, progress=told)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=module._ROOT)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 30
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_what_does_not_fit_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "available_bytes", lambda: 2**30)
    before = _children()
    large = Configuration(model="large", lengths=equal_lengths(64, 512))
    with pytest.raises(DeviceError, match=r"1\.0 GiB are free"):
        measure(large, device="cpu")
    (row,) = run_preset(custom([large]))
    assert row.measured is None and row.failed is not None and "GiB" in row.failed
    assert _children() <= before


def test_free_memory_is_no_more_than_the_machine_has() -> None:
    assert 0 < module.available_bytes() <= psutil.virtual_memory().total


def test_a_child_that_dies_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", os.devnull)  # no interpreter starts with this
    with pytest.raises(DeviceError, match="ended without a result"):
        measure(SMALL, device="cpu")
