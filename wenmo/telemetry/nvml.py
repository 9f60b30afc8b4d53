"""What each GPU says about itself: memory and utilisation by NVML, and what this process's torch keeps there.

NVML reads a card from outside: no CUDA context, hence none of the card's memory, is taken for looking. torch's
allocator is asked only in a process that computes on CUDA already. A card in MIG mode is listed as its instances; NVML
knows their memory, but utilisation neither of them nor of such a card. Each value that cannot be read is None.

Not covered: cards of other makers, and which other process uses how much of a card.
"""
# ruff: noqa: N802 - the protocol has NVML's own names, so that the library's module is an implementation of it

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

RETRY_S = 30.0  # between attempts to reach a driver that is not there, or no longer
_MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """A card, or one MIG instance of it: `index` is "0" for a card, "0:1" for an instance."""

    index: str
    name: str
    uuid: str | None


@dataclass(frozen=True, kw_only=True)
class GpuReading:
    """A GPU at one moment.

    `used_mib` counts every process and what the driver keeps for itself, `allocated_mib` the tensors of this one, and
    `reserved_mib` what its allocator holds for them; both are None where this process does not compute on CUDA.
    `utilization_percent` is the share of NVML's last sampling period (up to a second) in which a kernel ran.
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
    """The calls that are made: the module `pynvml` (nvidia-ml-py), or a simulated driver in tests.

    See https://docs.nvidia.com/deploy/nvml-api/ for each. A call that fails raises NVMLError.
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
    """All GPUs of this machine. Nothing is opened before the first `read`; for use by one thread at a time.

    A GPU that stops answering stays in the list with values of None until the driver is opened again, every RETRY_S.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._nvml: Nvml | None = None
        self._devices: tuple[tuple[Gpu, Any], ...] = ()  # with NVML's handles
        self._complete = False  # every GPU of the driver is in the list, and answers
        self._try_at = clock()
        self._count = Resolved(value=0, reason="not asked yet", reason_zh="尚未查询")

    @property
    def count(self) -> Resolved[int]:
        """How many GPUs the last `read` listed, and by what they were read, or why they were not."""
        return self._count

    def read(self) -> tuple[GpuReading, ...]:
        """Each GPU in the order of its index; empty where there is none, or none can be reached."""
        if not self._complete and self._clock() >= self._try_at:
            self._try_at = self._clock() + RETRY_S
            self._open()
        own = torch_memory()
        if not self._devices and own:
            self._set_count(len(own), "read by CUDA", "由 CUDA 读取")
            return tuple(own.values())
        return tuple(self._reading(gpu, handle, own.get(_bare(gpu.uuid))) for gpu, handle in self._devices)

    def close(self) -> None:
        """Let go of the driver. A later `read` opens it again."""
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

    def _reading(self, gpu: Gpu, handle: Any, own: GpuReading | None) -> GpuReading:
        memory = self._query(lambda nvml: nvml.nvmlDeviceGetMemoryInfo(handle))
        rates = None if ":" in gpu.index else self._query(lambda nvml: nvml.nvmlDeviceGetUtilizationRates(handle))
        return GpuReading(
            gpu=gpu,
            used_mib=None if memory is None else memory.used / _MIB,
            total_mib=None if memory is None else memory.total / _MIB,
            utilization_percent=None if rates is None else float(rates.gpu),
            reserved_mib=None if own is None else own.reserved_mib,
            allocated_mib=None if own is None else own.allocated_mib,
        )

    def _query(self, question: Callable[[Nvml], T]) -> T | None:
        assert self._nvml is not None
        try:
            return question(self._nvml)
        except self._nvml.NVMLError_NotSupported:
            return None  # this GPU cannot tell, and never will
        except self._nvml.NVMLError as error:  # it fell off, the driver was unloaded, an instance was destroyed …
            self._complete = False
            self._set_count(len(self._devices), f"a GPU does not answer ({error})", f"有 GPU 没有应答（{error}）")
            return None

    def _set_count(self, value: int, reason: str, reason_zh: str) -> None:
        self._count = Resolved(value=value, reason=reason, reason_zh=reason_zh)


def _devices(nvml: Nvml, *, card: int) -> list[tuple[Gpu, Any]]:
    """A card, or in MIG mode its instances."""
    handle = nvml.nvmlDeviceGetHandleByIndex(card)
    instances = [(_gpu(nvml, instance, f"{card}:{place}"), instance) for place, instance in _instances(nvml, handle)]
    return instances or [(_gpu(nvml, handle, str(card)), handle)]


def _instances(nvml: Nvml, handle: Any) -> Iterator[tuple[int, Any]]:
    """None of them where the card is not in MIG mode."""
    try:
        if not nvml.nvmlDeviceGetMigMode(handle)[0]:
            return
    except nvml.NVMLError_NotSupported:  # cards before Ampere
        return
    for place in range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
        with suppress(nvml.NVMLError_NotFound):  # places may be empty
            yield place, nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, place)


def _gpu(nvml: Nvml, handle: Any, index: str) -> Gpu:
    name = nvml.nvmlDeviceGetName(handle)
    try:
        return Gpu(index=index, name=name, uuid=nvml.nvmlDeviceGetUUID(handle))
    except nvml.NVMLError_NotSupported:
        return Gpu(index=index, name=name, uuid=None)


def torch_memory() -> dict[str, GpuReading]:
    """What CUDA and torch's allocator know of the GPUs of this process, by bare UUID; empty unless it computes on CUDA.

    By UUID, because CUDA_VISIBLE_DEVICES gives CUDA an order of its own. What the driver says is asked only of a GPU on
    which the allocator holds something: elsewhere the question itself would take memory, for a CUDA context.
    """
    cuda = sys.modules.get("torch.cuda")
    initialized = getattr(cuda, "is_initialized", None)  # another thread may be in the middle of importing it
    if cuda is None or initialized is None or not initialized():
        return {}
    own = {}
    for device in range(cuda.device_count()):
        try:
            properties = cuda.get_device_properties(device)
            statistics = cuda.memory_stats_as_nested_dict(device)
            reserved = statistics["reserved_bytes"]["all"]["current"]
            own[_bare(str(properties.uuid))] = GpuReading(
                gpu=Gpu(index=str(device), name=properties.name, uuid=str(properties.uuid)),
                used_mib=(properties.total_memory - cuda.mem_get_info(device)[0]) / _MIB if reserved else None,
                total_mib=properties.total_memory / _MIB,
                utilization_percent=None,
                reserved_mib=reserved / _MIB,
                allocated_mib=statistics["allocated_bytes"]["all"]["current"] / _MIB,
            )
        except RuntimeError:  # of CUDA, which says so to those who compute
            continue
    return own


def _bare(uuid: str | None) -> str:
    """NVML writes "GPU-" or "MIG-" before it, CUDA does not."""
    return (uuid or "").removeprefix("GPU-").removeprefix("MIG-")
