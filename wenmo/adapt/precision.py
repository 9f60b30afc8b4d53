"""The arithmetic of training: fp32, or mixed precision by autocast with weights and optimiser in fp32."""

from __future__ import annotations

from typing import get_args

import torch

from wenmo.adapt.types import TrainingPrecision
from wenmo.errors import DeviceError
from wenmo.inference.precision import has_fast_half
from wenmo.types import Resolved


def resolve_training_precision(wanted: str, device: str) -> Resolved[TrainingPrecision]:
    """The precision to train in on `device` ("cpu", "cuda" or "cuda:N"), with the reason for it.

    `wanted` is auto, fp32, bf16 or fp16. A precision that the device lacks, or that is slow on it, becomes fp32. Raises
    DeviceError for any other `wanted`.
    """
    if wanted not in ("auto", *get_args(TrainingPrecision)):
        raise DeviceError(
            f"Training has no precision {wanted!r}. Use auto, fp32, bf16 or fp16.",
            f"训练没有精度 {wanted!r}。可用：auto、fp32、bf16、fp16。",
        )
    if wanted == "fp32":
        return Resolved(value="fp32", reason="as asked", reason_zh="按设置")
    if device.startswith("cuda"):
        if wanted == "fp16":
            return Resolved(value="fp16", reason="as asked, with scaled gradients", reason_zh="按设置，并缩放梯度")
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return Resolved(value="bf16", reason="this GPU has bf16 units", reason_zh="此 GPU 有 bf16 单元")
        return Resolved(value="fp32", reason="this GPU has no bf16 units", reason_zh="此 GPU 没有 bf16 单元")
    if wanted == "fp16":
        return Resolved(
            value="fp32",
            reason="fp16 is trained in on a CUDA GPU only: its scaled gradients need one",
            reason_zh="fp16 训练需缩放梯度，仅限 CUDA GPU",
        )
    fast = has_fast_half(torch.bfloat16)
    return Resolved(value="bf16" if fast.value else "fp32", reason=fast.reason, reason_zh=fast.reason_zh)
