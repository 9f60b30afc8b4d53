"""INT8 on a CPU: weights and activations as 8-bit integers, products summed exactly in 32-bit ones.

Symmetric, one scale an output channel for weights and one a row (a piece of text) for activations. A scale for a whole
batch would be cheaper, but then an answer would depend on what else happened to be in the batch.
"""

from __future__ import annotations

import torch
from torch import nn

_LARGEST = 127.0  # -128 is left out, so that the range is symmetric


def quantize_rows(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(R, C) floats as int8 (R, C) and scales (R, 1), `values` being close to int8 * scale."""
    scale = values.abs().amax(dim=1, keepdim=True).div_(_LARGEST).clamp_(min=torch.finfo(torch.float32).tiny)
    return torch.round(values / scale).to(torch.int8), scale


class Int8Linear(nn.Module):
    """A linear layer made of one in float32; takes and returns float32."""

    weight: torch.Tensor
    scale: torch.Tensor
    bias: torch.Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        quantized, scale = quantize_rows(linear.weight.detach().float())
        self.register_buffer("weight", quantized.T.contiguous())  # (in, out)
        self.register_buffer("scale", scale.T.contiguous())  # (1, out)
        self.register_buffer("bias", linear.bias.detach().float())  # (out,)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        rows, scale = quantize_rows(input.reshape(-1, input.shape[-1]))
        product = torch._int_mm(rows, self.weight)  # (R, out) int32, exact
        return (product * (scale * self.scale) + self.bias).reshape(*input.shape[:-1], -1)


def quantize_linears(layers: nn.Module) -> None:
    """Replace every linear layer below `layers`."""
    for name, module in list(layers.named_modules()):
        if type(module) is nn.Linear:
            owner, _, leaf = name.rpartition(".")
            setattr(layers.get_submodule(owner), leaf, Int8Linear(module))
