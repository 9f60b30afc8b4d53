"""INT8 on a CPU: weights and activations are 8-bit integers, and products accumulate exactly in 32 bits.

Quantisation is symmetric, with one scale per output channel of the weights and one per row (token) of the activations.
One scale per batch would be cheaper, but results would then depend on the other inputs of the batch.

The matrix product is oneDNN's, through the operator that torch.compile uses, on weights packed once. torch builds
without it (Apple's processors) use torch's own integer product. The operations between two products are in kernels.py.
"""

from __future__ import annotations

import torch
from torch import nn

from wenmo.inference import kernels
from wenmo.inference.bert import ACTIVATIONS, Bert, Layer

_ROWS = 256  # rows processed at a time, so that their data stays in the CPU cache
# Without VNNI instructions oneDNN adds two products of unsigned byte (activation + 128) and signed byte in 16 bits:
# 2 * 255 * 63 fits, 2 * 255 * 127 would saturate.
_LARGEST_WITHOUT_VNNI = 63.0


class Rows:
    """A matrix in int8: `values` (R, C) int8, `scales` (R,) float32."""

    def __init__(self, rows: int, columns: int) -> None:
        self.values = torch.empty(rows, columns, dtype=torch.int8)
        self.scales = torch.empty(rows)

    @classmethod
    def of(cls, values: torch.Tensor) -> Rows:
        """Quantise `values` (R, C) float32."""
        rows = cls(*values.shape)
        kernels.quantize(values.contiguous().numpy(), rows.values.numpy(), rows.scales.numpy())
        return rows


class Int8Linear(nn.Module):
    """An INT8 linear layer, quantised from a float32 one; its input and output are float32."""

    weight: torch.Tensor
    scale: torch.Tensor
    zero: torch.Tensor
    bias: torch.Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self._packed = has_onednn()
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
        """(R, in) to (R, out) float32, before the row scales and the bias are applied. Overwrites `rows`."""
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
        """norm(linear(rows) + residual), (R, H), written to `into`."""
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
        """The feed-forward up to its activation, (R, H) to (R, I), quantised again."""
        product = self.intermediate.product(rows)
        scales, bias = rows.scales.numpy(), self.intermediate.bias.numpy()
        if self.activation is ACTIVATIONS["gelu"]:
            inner = Rows(*product.shape)
            kernels.dequantize_gelu_quantize(product.numpy(), scales, bias, inner.values.numpy(), inner.scales.numpy())
            return inner
        kernels.dequantize(product.numpy(), scales, bias, product.numpy())
        return Rows.of(self.activation(product))


def quantize_layers(model: Bert) -> None:
    """Quantise every linear layer of the encoder; embeddings, pooler and classifier keep their precision."""
    for layer in model.layers:
        assert isinstance(layer, Layer)
        for name, module in list(layer.named_children()):
            if isinstance(module, nn.Linear):
                setattr(layer, name, Int8Linear(module))
        layer.__class__ = Int8Layer


def largest_weight() -> float:
    """The integer that the largest weight of a row is scaled to on this processor."""
    return kernels.LARGEST if torch.cpu._is_vnni_supported() else _LARGEST_WITHOUT_VNNI


def has_onednn() -> bool:
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.onednn, "qlinear_prepack")
