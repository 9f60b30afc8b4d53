"""A simulated driver with any cards, which replaces the module `pynvml`.

The errors are NVML's own classes, as the real library raises them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pynvml

GIB = 2**30


@dataclass
class Device:
    """A card or a MIG instance. A field that is an exception is raised when it is read."""

    name: str = "Simulated GPU"
    uuid: Any = "GPU-0"
    used: Any = 2 * GIB  # bytes
    total: int = 16 * GIB
    busy: Any = 40  # percent
    mig: Any = field(default_factory=lambda: pynvml.NVMLError_NotSupported())  # (current, pending)
    instances: Sequence[Device | None] = ()  # None: this instance does not exist


@dataclass
class _Memory:
    used: int
    total: int


@dataclass
class _Rates:
    gpu: int


class FakeNvml:
    """`cards` may change during use; every call raises `broken` if it is set."""

    NVMLError = pynvml.NVMLError
    NVMLError_NotSupported = pynvml.NVMLError_NotSupported
    NVMLError_NotFound = pynvml.NVMLError_NotFound

    def __init__(self, *cards: Device | Exception, broken: Exception | None = None) -> None:
        self.cards = list(cards)
        self.broken = broken
        self.open = 0
        self.inits = 0

    def nvmlInit(self) -> None:  # noqa: N802
        self.inits += 1
        self._value(None)
        self.open += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return self._value(len(self.cards))

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Any:  # noqa: N802
        return self._value(self.cards[index])

    def nvmlDeviceGetName(self, device: Device) -> Any:  # noqa: N802
        return self._value(device.name)

    def nvmlDeviceGetUUID(self, device: Device) -> Any:  # noqa: N802
        return self._value(device.uuid)

    def nvmlDeviceGetMigMode(self, device: Device) -> Any:  # noqa: N802
        return self._value(device.mig)

    def nvmlDeviceGetMaxMigDeviceCount(self, device: Device) -> int:  # noqa: N802
        return self._value(len(device.instances))

    def nvmlDeviceGetMigDeviceHandleByIndex(self, device: Device, index: int) -> Any:  # noqa: N802
        return self._value(device.instances[index] or pynvml.NVMLError_NotFound())

    def nvmlDeviceGetMemoryInfo(self, device: Device) -> _Memory:  # noqa: N802
        return _Memory(used=self._value(device.used), total=device.total)

    def nvmlDeviceGetUtilizationRates(self, device: Device) -> _Rates:  # noqa: N802
        return _Rates(gpu=self._value(device.busy))

    def _value(self, value: Any) -> Any:
        if self.broken is not None:
            raise self.broken
        if isinstance(value, Exception):
            raise value
        return value() if isinstance(value, Callable) else value  # type: ignore[arg-type]
