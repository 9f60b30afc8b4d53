from __future__ import annotations

import pytest
import torch

from wenmo import DeviceError
from wenmo.inference.precision import computes_natively, has_fast_half, resolve_device, resolve_precision


def test_auto_on_a_cpu_is_exact() -> None:
    assert resolve_precision("auto", "cpu").value == "fp32"
    assert resolve_precision("auto", "cuda").value == "fp16"


def test_the_reason_tells_what_half_precision_is_here() -> None:
    resolved = resolve_precision("bf16", "cpu")
    native = computes_natively("bf16", "cpu")
    assert has_fast_half(torch.bfloat16).value == native
    assert ("arithmetic in fp32" in resolved.reason) == (not native)
    assert resolved.reason_zh


def test_unknown_precision_names_the_choices() -> None:
    with pytest.raises(DeviceError, match="auto, fp32, fp16, bf16, int8"):
        resolve_precision("fp8", "cpu")


def test_device() -> None:
    assert resolve_device("cpu").value == "cpu"
    assert resolve_device("auto").value == ("cuda" if torch.cuda.is_available() else "cpu")
