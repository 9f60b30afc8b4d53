"""State of each GPU: memory and utilisation from NVML, and the memory of this process's torch allocator.

NVML needs no CUDA context, so reading takes no GPU memory. The allocator is asked only in a process that already
computes on CUDA. A card in MIG mode is listed as its instances; NVML knows their memory, but no utilisation of them or
of the card. Values that cannot be read are None.

Not covered: GPUs of other makers, and the shares of other processes.
"""
# ruff: noqa: N802 - the protocol has NVML's own names, so that the library's module implements it

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar, cast

from wenmo.types import Resolved

T = TypeVar("T")

RETRY_S = 30.0  # between attempts to open the driver
_MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """A card, or one MIG instance of it: `index` is "0" for a card, "0:1" for an instance."""

    index: str
    name: str
    uuid: str | None


@dataclass(frozen=True, kw_only=True)
class GpuReading:
    """The state of a GPU at one moment.

    `used_mib` is of all processes and the driver, `allocated_mib` of the tensors of this process, `reserved_mib` of its
    allocator; the last two are None if this process does not compute on CUDA. `utilization_percent` is the share of
    NVML's last sampling period (up to a second) in which a kernel ran.
    """

    gpu: Gpu
    used_mib: float | None
    total_mib: float | None
    utilization_percent: float | None
    reserved_mib: float | None
    allocated_mib: float | None


class _Memory(Protocol):
    used: int  # bytes
    total: int


class _Utilization(Protocol):
    gpu: int  # percent


class Nvml(Protocol):
    """The functions used of the module `pynvml` (nvidia-ml-py), or of a simulated driver in tests.

    See https://docs.nvidia.com/deploy/nvml-api/. A call that fails raises NVMLError.
    """

    NVMLError: type[Exception]
    NVMLError_NotSupported: type[Exception]
    NVMLError_NotFound: type[Exception]

    def nvmlInit(self) -> None: ...
    def nvmlShutdown(self) -> None: ...
    def nvmlDeviceGetCount(self) -> int: ...
    def nvmlDeviceGetHandleByIndex(self, index: int, /) -> Any: ...
    def nvmlDeviceGetName(self, handle: Any, /) -> str: ...
    def nvmlDeviceGetUUID(self, handle: Any, /) -> str: ...
    def nvmlDeviceGetMigMode(self, handle: Any, /) -> Sequence[int]: ...  # current, pending
    def nvmlDeviceGetMaxMigDeviceCount(self, handle: Any, /) -> int: ...
    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: Any, index: int, /) -> Any: ...
    def nvmlDeviceGetMemoryInfo(self, handle: Any, /) -> _Memory: ...
    def nvmlDeviceGetUtilizationRates(self, handle: Any, /) -> _Utilization: ...


class Gpus:
    """All GPUs of this machine. Opens the driver at the first `read`. Not thread-safe.

    A GPU that stops responding stays in the list, with values of None; the driver is reopened every RETRY_S until all
    GPUs respond.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._nvml: Nvml | None = None
        self._devices: tuple[tuple[Gpu, Any], ...] = ()  # each with its NVML handle
        self._complete = False  # the list has every GPU of the driver, and all respond
        self._try_at = clock()
        self._count = Resolved(value=0, reason="not asked yet", reason_zh="尚未查询")

    @property
    def count(self) -> Resolved[int]:
        """The number of GPUs in the last `read`, and how they were read, or why none were."""
        return self._count

    def read(self) -> tuple[GpuReading, ...]:
        """All GPUs in the order of their indices; empty if there are none, or none can be read."""
        if not self._complete and self._clock() >= self._try_at:
            self._try_at = self._clock() + RETRY_S
            self._open()
        by_torch = torch_memory()
        if not self._devices and by_torch:
            self._set_count(len(by_torch), "read by CUDA", "由 CUDA 读取")
            return tuple(by_torch.values())
        return tuple(self._reading(gpu, handle, by_torch.get(_bare(gpu.uuid))) for gpu, handle in self._devices)

    def close(self) -> None:
        """Close the driver. A later `read` opens it again."""
        nvml, self._nvml = self._nvml, None
        self._devices, self._complete = (), False
        if nvml is not None:
            with suppress(nvml.NVMLError):
                nvml.nvmlShutdown()

    def _open(self) -> None:
        self.close()
        try:
            nvml = cast(Nvml, importlib.import_module("pynvml"))
        except ImportError:
            self._set_count(0, "nvidia-ml-py is not installed", "未安装 nvidia-ml-py")
            return
        try:
            nvml.nvmlInit()
            self._nvml = nvml
            cards = range(nvml.nvmlDeviceGetCount())
        except nvml.NVMLError as error:
            self._set_count(0, f"no NVIDIA driver answers ({error})", f"没有可用的 NVIDIA 驱动（{error}）")
            return
        self._complete = True
        self._devices = tuple(device for card in cards for device in self._query(partial(_devices, card=card)) or ())
        if self._complete:
            self._set_count(len(self._devices), "read by NVML", "由 NVML 读取")

    def _reading(self, gpu: Gpu, handle: Any, by_torch: GpuReading | None) -> GpuReading:
        memory = self._query(lambda nvml: nvml.nvmlDeviceGetMemoryInfo(handle))
        rates = None if ":" in gpu.index else self._query(lambda nvml: nvml.nvmlDeviceGetUtilizationRates(handle))
        return GpuReading(
            gpu=gpu,
            used_mib=None if memory is None else memory.used / _MIB,
            total_mib=None if memory is None else memory.total / _MIB,
            utilization_percent=None if rates is None else float(rates.gpu),
            reserved_mib=None if by_torch is None else by_torch.reserved_mib,
            allocated_mib=None if by_torch is None else by_torch.allocated_mib,
        )

    def _query(self, call: Callable[[Nvml], T]) -> T | None:
        """The result of `call`; None if it fails."""
        assert self._nvml is not None
        try:
            return call(self._nvml)
        except self._nvml.NVMLError_NotSupported:
            return None  # this GPU never supports it
        except self._nvml.NVMLError as error:  # the GPU was lost, the driver unloaded, an instance destroyed …
            self._complete = False
            self._set_count(len(self._devices), f"a GPU does not answer ({error})", f"有 GPU 没有应答（{error}）")
            return None

    def _set_count(self, value: int, reason: str, reason_zh: str) -> None:
        self._count = Resolved(value=value, reason=reason, reason_zh=reason_zh)


def _devices(nvml: Nvml, *, card: int) -> list[tuple[Gpu, Any]]:
    """A card, or its instances in MIG mode, each with its NVML handle."""
    handle = nvml.nvmlDeviceGetHandleByIndex(card)
    instances = [(_gpu(nvml, instance, f"{card}:{number}"), instance) for number, instance in _instances(nvml, handle)]
    return instances or [(_gpu(nvml, handle, str(card)), handle)]


def _instances(nvml: Nvml, handle: Any) -> Iterator[tuple[int, Any]]:
    """(index, handle) of each MIG instance; none if the card is not in MIG mode."""
    try:
        if not nvml.nvmlDeviceGetMigMode(handle)[0]:
            return
    except nvml.NVMLError_NotSupported:  # cards before Ampere
        return
    for number in range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
        with suppress(nvml.NVMLError_NotFound):  # some of the possible instances may not exist
            yield number, nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, number)


def _gpu(nvml: Nvml, handle: Any, index: str) -> Gpu:
    name = nvml.nvmlDeviceGetName(handle)
    try:
        return Gpu(index=index, name=name, uuid=nvml.nvmlDeviceGetUUID(handle))
    except nvml.NVMLError_NotSupported:
        return Gpu(index=index, name=name, uuid=None)


def torch_memory() -> dict[str, GpuReading]:
    """Readings of this process's GPUs from CUDA and torch's allocator, by bare UUID; empty if CUDA is not initialised.

    The keys are UUIDs because CUDA_VISIBLE_DEVICES changes CUDA's indices. `used_mib` is read only on GPUs where the
    allocator holds memory: on others the call would create a CUDA context, which takes memory.
    """
    cuda = sys.modules.get("torch.cuda")
    initialized = getattr(cuda, "is_initialized", None)  # None while another thread imports it
    if cuda is None or initialized is None or not initialized():
        return {}
    readings = {}
    for device in range(cuda.device_count()):
        try:
            properties = cuda.get_device_properties(device)
            statistics = cuda.memory_stats_as_nested_dict(device)
            reserved = statistics["reserved_bytes"]["all"]["current"]
            readings[_bare(str(properties.uuid))] = GpuReading(
                gpu=Gpu(index=str(device), name=properties.name, uuid=str(properties.uuid)),
                used_mib=(properties.total_memory - cuda.mem_get_info(device)[0]) / _MIB if reserved else None,
                total_mib=properties.total_memory / _MIB,
                utilization_percent=None,
                reserved_mib=reserved / _MIB,
                allocated_mib=statistics["allocated_bytes"]["all"]["current"] / _MIB,
            )
        except RuntimeError:  # of CUDA; a forward on this GPU raises it too
            continue
    return readings


def _bare(uuid: str | None) -> str:
    """Without the prefix "GPU-" or "MIG-", which NVML writes and CUDA does not."""
    return (uuid or "").removeprefix("GPU-").removeprefix("MIG-")
