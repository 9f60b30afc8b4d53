from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from tests.fakes import SHAPE
from wenmo import DeviceError, Engine
from wenmo.inference import int8, kernels
from wenmo.inference.bert import Bert
from wenmo.inference.int8 import Int8Linear, Rows
from wenmo.inference.precision import resolve_precision


def test_rows_by_hand() -> None:
    rows = Rows.of(torch.tensor([[1.0, -2.0, 0.5], [0.0, 0.0, 0.0]]))
    assert rows.values.tolist() == [[64, -127, 32], [0, 0, 0]]  # 1 / (2 / 127) = 63.5, rounded to even
    assert rows.scales[0].item() == pytest.approx(2 / 127)


@pytest.mark.parametrize("columns", [1, 7, 64, 3072])
def test_kernels_compute_what_torch_computes(columns: int) -> None:
    torch.manual_seed(columns)
    product, scales, bias = torch.randn(9, columns) * 50, torch.rand(9) / 9, torch.randn(columns)
    values = torch.addcmul(bias, product, scales[:, None])
    plain = torch.empty_like(product)
    kernels.dequantize(product.numpy(), scales.numpy(), bias.numpy(), plain.numpy())
    assert plain.numpy() == pytest.approx(values.numpy(), rel=1e-6, abs=1e-5)

    inner = Rows(9, columns)
    arguments = (product.numpy(), scales.numpy(), bias.numpy(), inner.values.numpy(), inner.scales.numpy())
    kernels.dequantize_gelu_quantize(*arguments)
    exact = F.gelu(values)
    assert inner.scales.numpy() == pytest.approx(exact.abs().amax(1).numpy() / 127, rel=1e-5)
    assert ((inner.values * inner.scales[:, None] - exact).abs() <= inner.scales[:, None] * 0.5001 + 1e-6).all()

    residual, norm = torch.randn(9, columns), torch.nn.LayerNorm(columns)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    with torch.inference_mode():
        normed = norm(values + residual)
        found = residual.clone()
        kernels.dequantize_add_norm(
            *(each.numpy() for each in (product, scales, bias, found, norm.weight, norm.bias)), norm.eps, found.numpy()
        )
        assert found.numpy() == pytest.approx(normed.numpy(), abs=2e-5)


@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "relu"])
def test_a_layer_is_close_to_its_own_in_float32(activation: str) -> None:
    """With more rows than are processed at a time."""
    shape = replace(SHAPE, num_hidden_layers=1, hidden_act=activation)
    torch.manual_seed(0)
    context, hidden = torch.randn(600, shape.hidden_size), torch.randn(600, shape.hidden_size)
    model = Bert(shape, labels=0).requires_grad_(False)
    (layer,) = model.layers
    exact = layer._after_attention(context, hidden)
    int8.quantize_layers(model)
    assert (layer._after_attention(context, hidden) - exact).abs().max() < 0.1


# oneDNN's product of bytes to 127 is exact only where the processor has VNNI instructions: the reason for 63.
_PRODUCTS = [(True, 63), (False, 127), (False, 63), *([(True, 127)] if torch.cpu._is_vnni_supported() else [])]


@pytest.mark.parametrize(("packed", "levels"), _PRODUCTS)
def test_a_layer_errs_by_no_more_than_its_rounding(packed: bool, levels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With oneDNN's product and torch's own, and with the coarser weights of a CPU without VNNI instructions."""
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: levels == 127)
    if not packed:
        monkeypatch.setattr(int8, "has_onednn", lambda: False)
    torch.manual_seed(0)
    linear, inputs = torch.nn.Linear(64, 48), torch.randn(15, 64)
    exact, close = linear(inputs), Int8Linear(linear)(inputs)
    # The rounding error of each factor is half a step: |x| dw/2 + |w| dx/2 + dx dw/4, summed over the 64 products.
    step_x = inputs.abs().amax(-1, keepdim=True) / 127
    step_w = linear.weight.abs().amax(1) / levels
    bound = (
        inputs.abs().sum(-1, keepdim=True) * step_w / 2
        + linear.weight.abs().sum(1) * step_x / 2
        + 64 * step_x * step_w / 4
    )
    assert close.shape == exact.shape
    assert bool(((close - exact).abs() <= bound + 1e-5).all())
    assert (close - exact).abs().max() > 0


def test_the_largest_products_are_not_cut_off() -> None:
    """With all bytes at their extremes, intermediate sums in 16 bits would overflow."""
    linear, inputs = torch.nn.Linear(256, 8, bias=True), torch.ones(4, 256)
    torch.nn.init.ones_(linear.weight)
    torch.nn.init.zeros_(linear.bias)
    inputs[1::2] = -1.0
    assert Int8Linear(linear)(inputs) == pytest.approx(linear(inputs).detach().numpy(), rel=1e-5)


def test_one_and_many_are_the_same_to_the_bit(golden_models: dict[str, str]) -> None:
    """Each row has its own scale: with one per batch, an outlier in another input would change the result."""
    texts = [f"第{number}件商品{'很' * (number % 5)}好" for number in range(40)]
    with Engine(device="cpu", precision="int8", models=golden_models) as engine:
        together = [result.logits[0] for result in engine.sentiment(texts)]
        alone = [engine.sentiment([text])[0].logits[0] for text in texts]
    assert np.abs(np.asarray(together) - np.asarray(alone)).max() < 1e-6


def test_close_to_fp32(golden_engine: Engine, golden_models: dict[str, str]) -> None:
    texts = [f"第{number}件商品" for number in range(20)]
    with Engine(device="cpu", precision="int8", models=golden_models) as engine:
        assert engine.precision.value == "int8"
        quantized = [result.positive for result in engine.sentiment(texts)]
    full = [result.positive for result in golden_engine.sentiment(texts)]
    assert quantized == pytest.approx(full, abs=0.05 * 127 / int8.largest_weight())
    assert quantized != full


def test_not_on_a_gpu() -> None:
    with pytest.raises(DeviceError, match="CPU only"):
        resolve_precision("int8", "cuda")
