"""The forward pass: encodings in, logits or mean-pooled vectors out, in the order given.

Batches are planned by tokens over inputs sorted by length, equal inputs are computed once, and the order is restored.
Weights are only read during a forward, so any number of threads may call it at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch

from wenmo.inference.bert import Bert, Packed
from wenmo.inference.int8 import quantize_linears
from wenmo.inference.plan import plan_batches
from wenmo.inference.precision import DTYPES, HalfStorageEmbedding, HalfStorageLinear
from wenmo.inference.tokenizer import Encoding
from wenmo.models.checkpoint import Checkpoint
from wenmo.types import Precision

# Pieces a forward. Small on a CPU, where the caches hold it: everything measured was fastest at 512 to 2,048.
BATCH_TOKENS = {"cpu": 2048, "cuda": 32_768}


class Runtime(Protocol):
    """What the engine needs of a loaded model."""

    def logits(self, encodings: Sequence[Encoding]) -> np.ndarray:
        """(N, labels) float32, in the order of `encodings`."""

    def vectors(self, encodings: Sequence[Encoding]) -> np.ndarray:
        """(N, H) float32, in the order of `encodings`: the mean of the last layer over all pieces of each input."""


class TorchRuntime:
    """One checkpoint on one device in one precision."""

    def __init__(self, checkpoint: Checkpoint, *, device: torch.device, precision: Precision, native: bool) -> None:
        """`native`: compute in `precision`; otherwise weights are stored in it and arithmetic is fp32."""
        self.device = device
        self._batch_tokens = BATCH_TOKENS[device.type]
        self._labels = len(checkpoint.labels)
        self._hidden_size = checkpoint.shape.hidden_size
        model = Bert.of(checkpoint.shape, checkpoint.weights, device)
        dtype = DTYPES[precision]
        if precision == "int8":
            quantize_linears(model.layers)
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
        self._model = model

    def logits(self, encodings: Sequence[Encoding]) -> np.ndarray:
        return self._run(encodings, self._model.logits, width=self._labels)

    def vectors(self, encodings: Sequence[Encoding]) -> np.ndarray:
        return self._run(encodings, self._model.vectors, width=self._hidden_size)

    def _run(
        self,
        encodings: Sequence[Encoding],
        forward: Callable[[Packed], torch.Tensor],
        *,
        width: int,
    ) -> np.ndarray:
        position: dict[Encoding, int] = {}
        slots = [position.setdefault(encoding, len(position)) for encoding in encodings]
        distinct = list(position)
        output = np.empty((len(distinct), width), dtype=np.float32)
        lengths = [len(encoding) for encoding in distinct]
        with torch.inference_mode():
            for indices in plan_batches(lengths, max_tokens=self._batch_tokens):
                packed = Packed.of([distinct[index] for index in indices], self.device)
                output[indices] = forward(packed).float().cpu().numpy()
        return output[slots]
