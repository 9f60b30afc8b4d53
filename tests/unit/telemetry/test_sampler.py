"""The sampling thread, with a simulated clock, and its ring buffer."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from tests.fakenvml import Device, FakeNvml
from wenmo.errors import InputError
from wenmo.telemetry.events import Event
from wenmo.telemetry.nvml import Gpu, GpuReading
from wenmo.telemetry.sampler import KEPT_S, Sample, Sampler, columns, downsample


class Time:
    """A clock, and a wait that advances it and stops after `rounds`."""

    def __init__(self, rounds: int, *, late_s: float = 0.0) -> None:
        self.now = 0.0
        self.rounds = rounds
        self.late_s = late_s
        self.waits: list[float] = []

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.now += seconds + self.late_s
        return len(self.waits) >= self.rounds


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)


def run(time: Time, *, hz: float = 2.0, weights_mib: Callable[[], float | None] = lambda: None) -> Sampler:
    sampler = Sampler(hz=hz, weights_mib=weights_mib, clock=time.clock, now=time.clock, wait=time.wait).start()
    sampler._thread.join(10)
    assert not sampler._thread.is_alive()
    return sampler


def test_the_ring_holds_ten_minutes_and_no_more() -> None:
    samples = run(Time(1500)).samples()
    assert len(samples) == 1200
    assert samples[-1].at_s - samples[0].at_s == pytest.approx(KEPT_S - 0.5)
    assert len(run(Time(21), hz=4.0).samples(last_s=1.0)) == 5


def test_the_cadence_holds_and_what_was_slept_through_is_not_made_up_for() -> None:
    steady = Time(5)
    run(steady)
    assert steady.waits == [0.5] * 5
    late = Time(4, late_s=0.2)  # each wait takes 0.2 s too long, so the next one is shorter by that
    run(late)
    assert late.waits == pytest.approx([0.5, 0.3, 0.3, 0.3])
    asleep = Time(4, late_s=60.0)
    run(asleep)
    assert asleep.waits == [0.5, 0.0, 0.0, 0.0]


def test_a_sample_tells_what_is_known_and_none_for_the_rest() -> None:
    first, second = run(Time(2), weights_mib=lambda: 21.5).samples()
    assert first.resident_mib > 1
    assert first.cpu_percent is None and second.cpu_percent is not None  # the CPU share needs a previous sample
    assert (first.weights_mib, first.gpus) == (21.5, ())


def test_stop_ends_the_thread_and_lets_go_of_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = FakeNvml(Device(), Device())
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    sampler = Sampler().start()
    (sample,) = sampler.samples()[:1]
    assert [reading.gpu.index for reading in sample.gpus] == ["0", "1"] and nvml.open == 1
    sampler.stop()
    assert "wenmo-sampler" not in [thread.name for thread in threading.enumerate()]
    assert nvml.open == 0
    assert sampler.samples()[0] == sample  # still readable
    sampler.stop()


def test_a_look_that_fails_is_logged_once_and_the_next_succeeds(caplog: pytest.LogCaptureFixture) -> None:
    answers = iter([OSError("proc is gone"), OSError("proc is gone"), 1.0, 2.0])

    def weights() -> float | None:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    samples = run(Time(4), weights_mib=weights).samples()
    assert [sample.weights_mib for sample in samples] == [1.0, 2.0]
    assert caplog.text.count("could not be sampled") == 1


def test_the_rate_has_limits() -> None:
    for hz in (1.9, 10.1, float("nan")):
        with pytest.raises(InputError):
            Sampler(hz=hz)


def test_looking_brings_neither_torch_nor_cuda() -> None:
    """In a process of its own: sampling must not take the memory that it reports."""
    code = (
        "import sys\n"
        "from wenmo.telemetry.sampler import Sampler\n"
        "sampler = Sampler().start(); assert sampler.samples(); sampler.stop()\n"
        "assert 'torch' not in sys.modules\n"
        "import torch; Sampler().sample(); assert not torch.cuda.is_initialized()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_thinning_keeps_peaks_and_gaps_and_a_bounded_number_of_points() -> None:
    times = [index / 2 for index in range(1200)]
    values: list[float | None] = [1.0] * 1200
    values[777] = 9.0
    values[100:200] = [None] * 100
    kept, shown = downsample(times, values, interval_s=2.5)
    assert len(kept) == len(shown) == 240
    assert (times[777], 9.0) in zip(kept, shown, strict=True)
    assert shown.count(None) == 20
    assert downsample([], [], interval_s=2.5) == ([], [])


def test_a_graph_that_moves_on_keeps_its_points() -> None:
    """Intervals that began at the first sample would select other points each time."""
    times = [index / 2 for index in range(600)]
    values: list[float | None] = [float(index * 7919 % 101) for index in range(600)]
    kept, _ = downsample(times, values, interval_s=2.5)
    later, _ = downsample(times[3:], values[3:], interval_s=2.5)
    assert later[1:] == kept[1:]


def test_the_table_has_columns_for_each_gpu_and_says_what_happened_between_rows() -> None:
    def sample(at_s: float, *gpus: GpuReading) -> Sample:
        return Sample(at_s=at_s, resident_mib=300.0, cpu_percent=None, weights_mib=None, gpus=gpus)

    reading = GpuReading(
        gpu=Gpu(index="0", name="=card", uuid=None),
        used_mib=5.0,
        total_mib=8.0,
        utilization_percent=None,
        reserved_mib=None,
        allocated_mib=None,
    )
    event = Event(kind="load", at_s=11.5, until_s=11.5, text="loaded x", text_zh="载入 x")
    table = columns([sample(10.0), sample(12.0, reading)], [event])
    assert table["time_utc"] == ["1970-01-01T00:00:10.000+00:00", "1970-01-01T00:00:12.000+00:00"]
    assert table["gpu0_used_mib"] == [None, 5.0]
    assert table["gpu0_utilization_percent"] == [None, None]
    assert table["events"] == [None, "loaded x"]
    assert len({len(cells) for cells in table.values()}) == 1
