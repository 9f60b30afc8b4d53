"""INT8 on a CPU: weights and activations as 8-bit integers, products summed exactly in 32-bit ones.

Symmetric, one scale an output channel for weights and one a row (a piece of text) for activations. A scale for a whole
batch would be cheaper, but then an answer would depend on what else happened to be in the batch.

The product is oneDNN's, through the operator that torch.compile uses, on weights packed once. Where torch was built
without it (Apple's processors), torch's own integer product takes its place.
"""

from __future__ import annotations

import torch
from torch import nn

_CHUNK = 131_072  # floats: half a MiB, and as much again for what comes of it
_LARGEST = 127.0  # -128 is left out, so that the range is symmetric
# Without VNNI instructions oneDNN adds two products of an unsigned (activation + 128) and a signed byte in 16 bits:
# 2 * 255 * 63 still fits there, 2 * 255 * 127 would be cut off.
_LARGEST_WITHOUT_VNNI = 63.0


def quantize_rows(values: torch.Tensor, *, largest: float = _LARGEST) -> tuple[torch.Tensor, torch.Tensor]:
    """(R, C) floats as int8 (R, C) and scales (R, 1), `values` being close to int8 * scale."""
    rows, scales = torch.empty(values.shape, dtype=torch.int8), torch.empty(len(values), 1)
    step = max(1, _CHUNK // values.shape[1])
    # A few rows at a time, so that what lies between two operations stays in the core's cache.
    for chunk, quantized, scale in zip(values.split(step), rows.split(step), scales.split(step), strict=True):
        torch.maximum(chunk.amax(1, keepdim=True), chunk.amin(1, keepdim=True).neg_(), out=scale)
        scale.div_(largest).clamp_(min=torch.finfo(torch.float32).tiny)
        quantized.copy_(torch.mul(chunk, scale.reciprocal()).round_())
    return rows, scales


class Int8Linear(nn.Module):
    """A linear layer made of one in float32; takes and returns float32."""

    weight: torch.Tensor
    scale: torch.Tensor
    zero: torch.Tensor
    bias: torch.Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self._packed = _has_onednn()
        largest = _LARGEST if torch.cpu._is_vnni_supported() else _LARGEST_WITHOUT_VNNI
        quantized, scale = quantize_rows(linear.weight.detach().float(), largest=largest)  # (out, in), (out, 1)
        weight = torch.ops.onednn.qlinear_prepack(quantized, None) if self._packed else quantized.T.contiguous()
        self.register_buffer("weight", weight)
        self.register_buffer("scale", scale.flatten())  # (out,)
        self.register_buffer("zero", torch.zeros(len(scale), dtype=torch.int64))  # (out,)
        self.register_buffer("bias", linear.bias.detach().float())  # (out,)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """(R, in) to (R, out)."""
        rows, scale = quantize_rows(input)
        if self._packed:
            product = torch.ops.onednn.qlinear_pointwise(
                rows, 1.0, 0, self.weight, self.scale, self.zero, None, 1.0, 0, torch.float32, "none", [], ""
            )
        else:
            product = torch._int_mm(rows, self.weight).float() * self.scale
        return torch.addcmul(self.bias, product, scale, out=product)


def quantize_linears(layers: nn.Module) -> None:
    """Replace every linear layer below `layers`."""
    for name, module in list(layers.named_modules()):
        if type(module) is nn.Linear:
            owner, _, leaf = name.rpartition(".")
            setattr(layers.get_submodule(owner), leaf, Int8Linear(module))


def _has_onednn() -> bool:
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.onednn, "qlinear_prepack")
