"""INT8 on a CPU: weights and activations as 8-bit integers, products summed exactly in 32-bit ones.

Symmetric, one scale an output channel for weights and one a row (a piece of text) for activations. A scale for a whole
batch would be cheaper, but then an answer would depend on what else happened to be in the batch.

The product is oneDNN's, through the operator that torch.compile uses, on weights packed once. Where torch was built
without it (Apple's processors), torch's own integer product takes its place. What lies between the products is in
kernels.py.
"""

from __future__ import annotations

import torch
from torch import nn

from wenmo.inference import kernels
from wenmo.inference.bert import ACTIVATIONS, Bert, Layer

_ROWS = 256  # rows of a batch that go through a walk together: what they need stays in the cache
# Without VNNI instructions oneDNN adds two products of an unsigned (activation + 128) and a signed byte in 16 bits:
# 2 * 255 * 63 still fits there, 2 * 255 * 127 would be cut off.
_LARGEST_WITHOUT_VNNI = 63.0


class Rows:
    """A matrix in int8: `values` (R, C) int8, `scales` (R,) float32."""

    def __init__(self, rows: int, columns: int) -> None:
        self.values = torch.empty(rows, columns, dtype=torch.int8)
        self.scales = torch.empty(rows)

    @classmethod
    def of(cls, values: torch.Tensor) -> Rows:
        """`values` (R, C) float32, close to int8 * scale."""
        rows = cls(*values.shape)
        kernels.quantize(values.contiguous().numpy(), rows.values.numpy(), rows.scales.numpy())
        return rows


class Int8Linear(nn.Module):
    """A linear layer made of one in float32; takes and returns float32."""

    weight: torch.Tensor
    scale: torch.Tensor
    zero: torch.Tensor
    bias: torch.Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self._packed = _has_onednn()
        largest = largest_weight()
        weight = linear.weight.detach().float()  # (out, in)
        scale = (weight.abs().amax(1) / largest).clamp_(min=torch.finfo(torch.float32).tiny)  # (out,)
        quantized = (weight / scale[:, None]).round_().to(torch.int8)
        self.register_buffer(
            "weight", torch.ops.onednn.qlinear_prepack(quantized, None) if self._packed else quantized.T.contiguous()
        )
        self.register_buffer("scale", scale)
        self.register_buffer("zero", torch.zeros(len(scale), dtype=torch.int64))  # (out,)
        self.register_buffer("bias", linear.bias.detach().float())  # (out,)

    def product(self, rows: Rows) -> torch.Tensor:
        """(R, in) to (R, out) float32, without the scales of the rows and without the bias. Uses up `rows`."""
        if not self._packed:
            return torch._int_mm(rows.values, self.weight).float() * self.scale
        # Shifted by 128, which oneDNN takes off again, exactly: for signed bytes it has no kernel on processors with
        # AVX-512 and without AMX, and its reference code takes a thousand times as long.
        unsigned = rows.values.bitwise_xor_(-128).view(torch.uint8)
        product: torch.Tensor = torch.ops.onednn.qlinear_pointwise(
            unsigned, 1.0, 128, self.weight, self.scale, self.zero, None, 1.0, 0, torch.float32, "none", [], ""
        )
        return product

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """(R, in) to (R, out)."""
        rows = Rows.of(input)
        output = self.product(rows)
        kernels.dequantize(output.numpy(), rows.scales.numpy(), self.bias.numpy(), output.numpy())
        return output


class Int8Layer(Layer):
    """An encoder layer whose linear layers are Int8Linear."""

    attention_output: Int8Linear  # type: ignore[assignment]
    intermediate: Int8Linear  # type: ignore[assignment]
    output: Int8Linear  # type: ignore[assignment]

    def _after_attention(self, context: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        result = torch.empty_like(hidden)
        for part, residual, into in zip(context.split(_ROWS), hidden.split(_ROWS), result.split(_ROWS), strict=True):
            self._add_norm(self.attention_output, Rows.of(part), residual, self.attention_norm, into)
        return result

    def feed_forward(self, hidden: torch.Tensor) -> torch.Tensor:
        result = torch.empty_like(hidden)
        for part, into in zip(hidden.split(_ROWS), result.split(_ROWS), strict=True):
            self._add_norm(self.output, self._inner(Rows.of(part)), part, self.output_norm, into)
        return result

    def _add_norm(
        self, linear: Int8Linear, rows: Rows, residual: torch.Tensor, norm: nn.LayerNorm, into: torch.Tensor
    ) -> None:
        """The norm of `linear` of `rows`, (R, H), and `residual` (R, H), written to `into` (R, H)."""
        kernels.dequantize_add_norm(
            linear.product(rows).numpy(),
            rows.scales.numpy(),
            linear.bias.numpy(),
            residual.contiguous().numpy(),
            norm.weight.numpy(),
            norm.bias.numpy(),
            norm.eps,
            into.numpy(),
        )

    def _inner(self, rows: Rows) -> Rows:
        """The feed-forward part up to its activation."""
        product = self.intermediate.product(rows)
        scales, bias = rows.scales.numpy(), self.intermediate.bias.numpy()
        if self._activation is ACTIVATIONS["gelu"]:
            inner = Rows(*product.shape)
            kernels.dequantize_gelu_quantize(product.numpy(), scales, bias, inner.values.numpy(), inner.scales.numpy())
            return inner
        kernels.dequantize(product.numpy(), scales, bias, product.numpy())
        return Rows.of(self._activation(product))


def quantize_layers(model: Bert) -> None:
    """Every linear layer of the encoder in INT8; embeddings, pooler and classifier stay as they are."""
    for layer in model.layers:
        assert isinstance(layer, Layer)
        for name, module in list(layer.named_children()):
            if isinstance(module, nn.Linear):
                setattr(layer, name, Int8Linear(module))
        layer.__class__ = Int8Layer


def largest_weight() -> float:
    """What a row of weights is scaled to, on this processor."""
    return kernels.LARGEST if torch.cpu._is_vnni_supported() else _LARGEST_WITHOUT_VNNI


def _has_onednn() -> bool:
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.onednn, "qlinear_prepack")
