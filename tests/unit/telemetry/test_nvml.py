"""GPUs of a simulated driver, which replaces the module `pynvml`."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pynvml
import pytest

from tests.fakenvml import GIB, Device, FakeNvml
from wenmo.telemetry.nvml import RETRY_S, Gpus


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def driver(monkeypatch: pytest.MonkeyPatch, *cards: Device | Exception, broken: Exception | None = None) -> FakeNvml:
    nvml = FakeNvml(*cards, broken=broken)
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    return nvml


def test_two_cards_are_listed_by_name_and_index(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    nvml = driver(monkeypatch, Device(name="first", used=3 * GIB, busy=71), Device(name="second", uuid="GPU-1"))
    gpus = Gpus(clock=clock)
    assert nvml.inits == 0  # the driver is opened on first use
    first, second = gpus.read()
    assert (first.gpu.index, first.gpu.name, second.gpu.index, second.gpu.name) == ("0", "first", "1", "second")
    assert (first.used_mib, first.total_mib, first.utilization_percent) == (3 * 1024, 16 * 1024, 71.0)
    assert first.reserved_mib is None and first.allocated_mib is None  # this process does not compute on them
    assert gpus.count.value == 2
    gpus.read()
    gpus.close()
    assert (nvml.inits, nvml.open) == (1, 0)


def test_a_card_in_mig_mode_is_its_instances_whose_utilisation_nobody_knows(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    instance = Device(name="A100 MIG 1g.5gb", uuid="MIG-x", used=GIB, total=5 * GIB, busy=99)
    driver(monkeypatch, Device(name="A100", mig=(1, 1), instances=[None, instance]), Device(name="T4", mig=(0, 0)))
    mig, card = Gpus(clock=clock).read()
    assert (mig.gpu.index, mig.gpu.name, mig.used_mib, mig.total_mib) == ("0:1", "A100 MIG 1g.5gb", 1024, 5 * 1024)
    assert mig.utilization_percent is None
    assert (card.gpu.index, card.utilization_percent) == ("1", 40.0)


def test_what_a_card_does_not_tell_is_none_and_the_rest_is_read(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    nvml = driver(monkeypatch, Device(busy=pynvml.NVMLError_NotSupported(), uuid=pynvml.NVMLError_NotSupported()))
    gpus = Gpus(clock=clock)
    (reading,) = gpus.read()
    assert (reading.utilization_percent, reading.gpu.uuid, reading.used_mib) == (None, None, 2 * 1024)
    clock.now = 10 * RETRY_S
    gpus.read()
    assert nvml.inits == 1  # an unsupported value is no reason to reopen the driver


def test_a_card_that_falls_off_leaves_the_others_and_comes_back(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    lost, kept = Device(name="lost"), Device(name="kept")
    nvml = driver(monkeypatch, lost, kept)
    gpus = Gpus(clock=clock)
    gpus.read()
    lost.used = lost.busy = pynvml.NVMLError_GpuIsLost()
    first, second = gpus.read()
    assert (first.used_mib, first.utilization_percent, second.used_mib) == (None, None, 2 * 1024)
    assert "GPU is lost" in gpus.count.reason and "没有应答" in gpus.count.reason_zh
    nvml.cards[0] = pynvml.NVMLError_GpuIsLost()  # its handle is no longer available
    clock.now += RETRY_S
    assert [reading.gpu.name for reading in gpus.read()] == ["kept"]
    assert "GPU is lost" in gpus.count.reason
    nvml.cards[0] = Device(name="lost")
    clock.now += RETRY_S
    assert [reading.used_mib for reading in gpus.read()] == [2 * 1024, 2 * 1024]
    assert "NVML" in gpus.count.reason
    assert nvml.open == 1  # all but the last were closed


def test_a_driver_that_goes_in_mid_run_is_looked_for_again_but_not_at_every_look(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    nvml = driver(monkeypatch, Device())
    gpus = Gpus(clock=clock)
    gpus.read()
    nvml.broken = pynvml.NVMLError_DriverNotLoaded()
    assert [reading.used_mib for reading in gpus.read()] == [None]
    clock.now += RETRY_S
    assert gpus.read() == () and "Driver Not Loaded" in gpus.count.reason
    tried = nvml.inits
    for _ in range(5):
        gpus.read()
    assert nvml.inits == tried
    nvml.broken = None
    clock.now += RETRY_S
    assert [reading.used_mib for reading in gpus.read()] == [2 * 1024]


def test_without_driver_or_library_the_reason_is_told(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    driver(monkeypatch, broken=pynvml.NVMLError_LibraryNotFound())
    gpus = Gpus(clock=clock)
    assert gpus.read() == ()
    assert (gpus.count.value, "no NVIDIA driver" in gpus.count.reason) == (0, True)
    monkeypatch.setitem(sys.modules, "pynvml", None)  # an import of it fails
    gpus = Gpus(clock=clock)
    assert gpus.read() == () and "not installed" in gpus.count.reason and "未安装" in gpus.count.reason_zh


class FakeCuda:
    """`torch.cuda` of a process that uses one of two GPUs, whose order CUDA_VISIBLE_DEVICES reverses."""

    def __init__(self) -> None:
        self.initialized = True
        self.asked: list[int] = []

    def is_initialized(self) -> bool:
        return self.initialized

    def device_count(self) -> int:
        return 2

    def get_device_properties(self, device: int) -> SimpleNamespace:
        return SimpleNamespace(uuid="ba"[device], name=f"cuda {device}", total_memory=16 * GIB)

    def memory_stats_as_nested_dict(self, device: int) -> dict[str, dict[str, dict[str, int]]]:
        reserved, allocated = ((2 * GIB, GIB), (0, 0))[device]
        return {"reserved_bytes": {"all": {"current": reserved}}, "allocated_bytes": {"all": {"current": allocated}}}

    def mem_get_info(self, device: int) -> tuple[int, int]:
        self.asked.append(device)
        return 12 * GIB, 16 * GIB


def test_the_allocator_is_matched_by_uuid_not_by_index(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    driver(monkeypatch, Device(uuid="GPU-a"), Device(uuid="GPU-b"))
    monkeypatch.setitem(sys.modules, "torch.cuda", FakeCuda())
    first, second = Gpus(clock=clock).read()
    assert (first.reserved_mib, first.allocated_mib) == (0.0, 0.0)
    assert (second.reserved_mib, second.allocated_mib) == (2 * 1024, 1024)


def test_without_nvml_cuda_tells_of_the_gpus_in_use(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    driver(monkeypatch, broken=pynvml.NVMLError_LibraryNotFound())
    cuda = FakeCuda()
    monkeypatch.setitem(sys.modules, "torch.cuda", cuda)
    used, idle = Gpus(clock=clock).read()
    assert (used.used_mib, used.total_mib, used.utilization_percent) == (4 * 1024, 16 * 1024, None)
    assert idle.used_mib is None and cuda.asked == [0]  # asking for the other one would create a context there
    cuda.initialized = False
    assert Gpus(clock=clock).read() == ()
