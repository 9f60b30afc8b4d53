"""The operations between two INT8 products, each fused into one pass over the rows, compiled by Numba.

As separate torch operations they take eight passes, and took two thirds of the time of an INT8 forward (docs/log.md).
Each row's result depends on that row alone, not on the rest of the batch. Compiling takes about two seconds, once; the
result is cached on disk if this folder or the user's cache folder is writable.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

LARGEST = 127.0  # not -128, so that the range is symmetric
_float32 = np.float32
_ONE, _HALF, _ROOT_HALF = _float32(1), _float32(0.5), _float32(np.sqrt(0.5))
_LARGEST = _float32(LARGEST)
_TINY = np.finfo(np.float32).tiny
_WITHOUT_SIGN = np.int32(0x7FFFFFFF)


def _compiled(signature: str | None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile for `signature`; without one, inline into callers."""
    # Vector instructions need leave to reorder sums and to contract products.
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"nsz", "contract", "reassoc"}}
    if signature is None:
        return numba.njit(inline="always", **options)

    def compile_it(function: Callable[..., Any]) -> Callable[..., Any]:
        try:
            return numba.njit(signature, cache=True, **options)(function)
        except (RuntimeError, OSError):  # no writable cache folder, or no space
            return numba.njit(signature, **options)(function)

    return compile_it


@_compiled(None)
def _erf_of_positive(x):  # type: ignore[no-untyped-def]
    """erf(x) for x >= 0, to 4e-7: the rational approximation of Eigen and XLA (ErfImpl32), 1 beyond 4."""
    x = x if x < _float32(4) else _float32(4)
    z = x * x
    above = _float32(-2.72614225801306e-10)
    above = above * z + _float32(2.77068142495902e-08)
    above = above * z + _float32(-2.10102402082508e-06)
    above = above * z + _float32(-5.69250639462346e-05)
    above = above * z + _float32(-7.34990630326855e-04)
    above = above * z + _float32(-2.95459980854025e-03)
    above = above * z + _float32(-1.60960333262415e-02)
    below = _float32(-1.45660718464996e-05)
    below = below * z + _float32(-2.13374055278905e-04)
    below = below * z + _float32(-1.68282697438203e-03)
    below = below * z + _float32(-7.37332916720468e-03)
    below = below * z + _float32(-1.42647390514189e-02)
    return x * above / below


@_compiled(None)
def _quantize_row(values, row):  # type: ignore[no-untyped-def]
    """Quantise `values` (C,) into int8 `row` (C,) and return its scale: values are close to row * scale."""
    bits = values.view(np.int32)
    largest = np.int32(0)
    for column in range(len(bits)):  # non-negative floats sort like their bits, and integers compare faster
        largest = max(largest, bits[column] & _WITHOUT_SIGN)
    maximum = np.empty(1, np.int32)
    maximum[0] = largest
    scale = maximum.view(np.float32)[0] / _LARGEST
    scale = _TINY if scale < _TINY else scale  # keeps NaN, so that it shows in the result
    steps = _ONE / scale
    for column in range(len(values)):
        row[column] = np.int8(np.int32(np.rint(values[column] * steps)))
    return scale


@_compiled("void(f4[:, ::1], i1[:, ::1], f4[::1])")
def quantize(values, rows, scales):  # type: ignore[no-untyped-def]
    """Quantise `values` (R, C) into int8 `rows` (R, C) and `scales` (R,)."""
    for index in range(len(values)):
        scales[index] = _quantize_row(values[index], rows[index])


@_compiled("void(f4[:, ::1], f4[::1], f4[::1], f4[:, ::1])")
def dequantize(product, scales, bias, output):  # type: ignore[no-untyped-def]
    """Write `product` (R, C) * `scales` (R,) + `bias` (C,) to `output` (R, C), which may be `product`."""
    for index in range(len(product)):
        scale = scales[index]
        for column in range(product.shape[1]):
            output[index, column] = product[index, column] * scale + bias[column]


@_compiled("void(f4[:, ::1], f4[::1], f4[::1], i1[:, ::1], f4[::1])")
def dequantize_gelu_quantize(product, scales, bias, rows, row_scales):  # type: ignore[no-untyped-def]
    """GELU (exact, by erf) of `dequantize`'s output, quantised into `rows` (R, C) and `row_scales` (R,)."""
    inner = np.empty(product.shape[1], np.float32)
    for index in range(len(product)):
        scale = scales[index]
        for column in range(len(inner)):
            value = product[index, column] * scale + bias[column]
            size = abs(value)
            inner[column] = _HALF * (value + size * _erf_of_positive(size * _ROOT_HALF))
        row_scales[index] = _quantize_row(inner, rows[index])


@_compiled("void(f4[:, ::1], f4[::1], f4[::1], f4[:, ::1], f4[::1], f4[::1], f8, f4[:, ::1])")
def dequantize_add_norm(product, scales, bias, residual, weight, shift, epsilon, output):  # type: ignore[no-untyped-def]
    """LayerNorm (Ba et al., 2016, arXiv 1607.06450) of `dequantize`'s output + `residual` (R, C), into `output` (R, C).

    `weight` and `shift` (C,) are the norm's; `output` may be `residual`.
    """
    columns = product.shape[1]
    row = np.empty(columns, np.float32)
    for index in range(len(product)):
        scale = scales[index]
        total = _float32(0)
        for column in range(columns):
            value = product[index, column] * scale + bias[column] + residual[index, column]
            row[column] = value
            total += value
        mean = total / _float32(columns)
        total = _float32(0)
        for column in range(columns):
            deviation = row[column] - mean
            total += deviation * deviation
        spread = _ONE / np.sqrt(total / _float32(columns) + _float32(epsilon))
        for column in range(columns):
            output[index, column] = (row[column] - mean) * spread * weight[column] + shift[column]
