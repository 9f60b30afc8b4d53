"""Which device and arithmetic to use, measured on the machine, with the reason.

A CPU without half-precision units computes fp16 and bf16 matrix products a hundred times slower than fp32 (0.75 against
100-170 GF/s on a 2-core AMD without AVX-512); one with AMX, ten times faster. Timing a product of some milliseconds
tells them apart. Where half precision is slow it is only a storage format: weights take half the memory, a layer's
weights are converted to fp32 when it is computed, and the arithmetic is fp32.
"""

from __future__ import annotations

import os
import platform
import re
import time
from functools import cache

import torch

from wenmo.errors import DeviceError
from wenmo.types import PRECISIONS, Precision, Resolved

# Of the weights; with int8, of those that are not quantised.
DTYPES: dict[Precision, torch.dtype] = {
    "fp32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
    "int8": torch.float32,
}


class HalfStorageLinear(torch.nn.Linear):
    """A linear layer with half-precision weights, converted to float32 for each product."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        bias = None if self.bias is None else self.bias.float()
        return torch.nn.functional.linear(input, self.weight.float(), bias)


class HalfStorageEmbedding(torch.nn.Embedding):
    """An embedding table in half precision; looked-up rows are converted to float32."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(input).float()


def set_precision(model: torch.nn.Module, precision: Precision, *, native: bool) -> None:
    """Convert the float32 weights of `model` to `precision`. int8 needs a `Bert`.

    `native`: compute in `precision` too; otherwise fp16 and bf16 are storage only, and the arithmetic is fp32.
    """
    dtype = DTYPES[precision]
    if precision == "int8":
        from wenmo.inference.bert import Bert
        from wenmo.inference.int8 import quantize_layers

        assert isinstance(model, Bert)
        quantize_layers(model)
    elif native:
        model.to(dtype)
    elif dtype is not torch.float32:
        for module in model.modules():
            if type(module) is torch.nn.Linear:
                module.__class__ = HalfStorageLinear
                module.to(dtype)
            elif type(module) is torch.nn.Embedding:
                module.__class__ = HalfStorageEmbedding
                module.to(dtype)


def resolve_device(wanted: str) -> Resolved[str]:
    """The device for `wanted`: `auto`, `cpu`, `cuda` or `cuda:N`.

    Raises DeviceError for any other value, and for a GPU that this machine does not have.
    """
    if wanted == "auto":
        if torch.cuda.is_available():
            name = torch.cuda.get_device_name(0)
            return Resolved(value="cuda", reason=f"GPU found: {name}", reason_zh=f"检测到 GPU：{name}")
        return Resolved(value="cpu", reason="no CUDA GPU found", reason_zh="未检测到 CUDA GPU")
    match = re.fullmatch(r"cpu|cuda(?::(\d+))?", wanted)
    if match is None:
        raise DeviceError(
            f"Unknown device {wanted!r}. Use auto, cpu, cuda or cuda:N.",
            f"未知设备 {wanted!r}。可用：auto、cpu、cuda 或 cuda:N。",
        )
    if wanted != "cpu" and int(match[1] or 0) >= torch.cuda.device_count():
        raise DeviceError(
            f"{wanted} is not there: {torch.cuda.device_count()} CUDA GPUs found. Use device='auto' or 'cpu'.",
            f"没有 {wanted}：检测到 {torch.cuda.device_count()} 块 CUDA GPU。请用 device='auto' 或 'cpu'。",
        )
    return Resolved(value=wanted, reason="as asked", reason_zh="按设置")


def resolve_precision(wanted: str, device: str) -> Resolved[Precision]:
    """The precision for `wanted`: `auto` or one of PRECISIONS.

    Raises DeviceError for any other value, and for int8 on a GPU.
    """
    on_gpu = device.startswith("cuda")
    if wanted == "auto":
        if on_gpu:
            return Resolved(
                value="fp16", reason="half the memory of fp32, on tensor cores", reason_zh="显存减半，使用张量核心"
            )
        return Resolved(value="fp32", reason="exact", reason_zh="精确")
    if wanted not in PRECISIONS:
        names = ", ".join(("auto", *PRECISIONS))
        raise DeviceError(f"Unknown precision {wanted!r}. Use one of {names}.", f"未知精度 {wanted!r}。可用：{names}。")
    precision: Precision = wanted
    if precision == "int8" and on_gpu:
        raise DeviceError(
            "int8 runs on a CPU only. Use fp16 on a GPU, or device='cpu'.",
            "int8 只能在 CPU 上运行。GPU 上请用 fp16，或设 device='cpu'。",
        )
    if precision in ("fp32", "int8") or on_gpu:
        return Resolved(value=precision, reason="as asked", reason_zh="按设置")
    fast = has_fast_half(DTYPES[precision])
    if fast.value:
        return Resolved(value=precision, reason=f"as asked; {fast.reason}", reason_zh=f"按设置；{fast.reason_zh}")
    return Resolved(
        value=precision,
        reason=f"weights stored in {precision}, arithmetic in fp32: {fast.reason}",
        reason_zh=f"权重以 {precision} 存放，运算为 fp32：{fast.reason_zh}",
    )


def computes_natively(precision: Precision, device: str) -> bool:
    """Whether `device` also computes in `precision`, not only stores weights in it."""
    return precision in ("fp32", "int8") or device.startswith("cuda") or has_fast_half(DTYPES[precision]).value


def arithmetic(precision: Precision, device: str) -> str:
    """Names the arithmetic of this machine: where the names are equal, so are outputs, up to the order of sums.

    The precision alone is not enough: one CPU computes in bf16 and another only stores it, and INT8 weights have fewer
    steps on a CPU without VNNI.
    """
    if precision == "int8":
        from wenmo.inference.int8 import largest_weight  # imports Numba, which only INT8 models need

        return f"cpu int8 to {largest_weight():g}"
    kind = "computed" if computes_natively(precision, device) else "stored"
    return f"{device.partition(':')[0]} {precision} {kind}"


def cpu_kind() -> str:
    """The instructions that this CPU computes with. Equal ones, with equal arithmetic, give equal bits."""
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "")
    return " ".join(filter(None, (platform.machine(), torch.backends.cpu.get_cpu_capability(), limit)))


def _gigaflops(dtype: torch.dtype, *, size: int, seconds: float) -> float:
    """Speed of a (size, size) matrix product in 1e9 operations a second, best of the runs within `seconds`."""
    a = torch.ones(size, size, dtype=dtype)
    b = torch.ones(size, size, dtype=dtype)
    with torch.inference_mode():
        torch.nn.functional.linear(a, b)
        best = float("inf")
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            start = time.perf_counter()
            torch.nn.functional.linear(a, b)
            best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best / 1e9


@cache
def has_fast_half(dtype: torch.dtype) -> Resolved[bool]:
    """Whether this CPU computes products in `dtype` at least 1.5 times as fast as in float32. Takes about 100 ms."""
    name = str(dtype).removeprefix("torch.")
    # A small product first: a CPU without such units takes milliseconds for it, but seconds for a large one.
    half, single = _gigaflops(dtype, size=128, seconds=0.005), _gigaflops(torch.float32, size=128, seconds=0.005)
    if half > 0.2 * single:  # maybe fast: measure at a size where the overhead of the call does not matter
        # In turns, the best of each: on a busy machine a single look at one may fall into another program's turn.
        turns = [
            (_gigaflops(dtype, size=512, seconds=0.01), _gigaflops(torch.float32, size=512, seconds=0.01))
            for _ in range(4)
        ]
        half, single = (max(speeds) for speeds in zip(*turns, strict=True))
    figures = f"{name} {half:.0f} GF/s, float32 {single:.0f}"
    if half >= 1.5 * single:
        return Resolved(
            value=True,
            reason=f"this CPU has half-precision units ({figures})",
            reason_zh=f"本机有半精度单元（{figures}）",
        )
    return Resolved(
        value=False,
        reason=f"this CPU has no fast half-precision units ({figures})",
        reason_zh=f"本机没有快速的半精度单元（{figures}）",
    )
