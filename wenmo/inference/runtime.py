"""The forward pass: encodings in, logits or mean-pooled vectors out, in the order given.

Batches are planned by tokens over inputs sorted by length, equal inputs are computed once, and the order is restored.
Weights are only read during a forward, so any number of threads may call it at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch
from transformers import BertForSequenceClassification

from wenmo.inference.int8 import quantize_encoder
from wenmo.inference.padding import pad
from wenmo.inference.plan import plan_batches
from wenmo.inference.precision import DTYPES, HalfStorageEmbedding, HalfStorageLinear
from wenmo.inference.tokenizer import Encoding
from wenmo.models.checkpoint import Checkpoint
from wenmo.types import Precision

# Padded pieces a forward. Small on a CPU, where the caches hold it: everything measured was fastest at 512 to 2,048.
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
        self._pad_id = checkpoint.tokenizer.pad_id
        self._batch_tokens = BATCH_TOKENS[device.type]
        with torch.device("meta"):  # no memory and no random numbers for weights that are replaced in the next line
            model = BertForSequenceClassification(checkpoint.config)
        dtype = DTYPES[precision]
        model.load_state_dict(
            {name: tensor.to(device, torch.float32) for name, tensor in checkpoint.weights.items()},
            strict=True,
            assign=True,
        )
        for name, buffer in list(model.named_buffers()):
            _set_buffer(model, name, _fresh_buffer(name, buffer, device))
        if precision == "int8":
            quantize_encoder(model)
        elif native:
            model.to(dtype)  # type: ignore[arg-type]
        elif dtype is not torch.float32:
            for module in model.modules():
                if type(module) is torch.nn.Linear:
                    module.__class__ = HalfStorageLinear
                    module.to(dtype)
                elif type(module) is torch.nn.Embedding:
                    module.__class__ = HalfStorageEmbedding
                    module.to(dtype)
        self._model = model.requires_grad_(False).eval()

    def logits(self, encodings: Sequence[Encoding]) -> np.ndarray:
        return self._run(encodings, self._classify, width=self._model.config.num_labels)

    def vectors(self, encodings: Sequence[Encoding]) -> np.ndarray:
        return self._run(encodings, self._pool, width=self._model.config.hidden_size)

    def _run(
        self,
        encodings: Sequence[Encoding],
        forward: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor],
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
                inputs = pad([distinct[index] for index in indices], pad_id=self._pad_id)
                output[indices] = forward(*(each.to(self.device) for each in inputs)).float().cpu().numpy()
        return output[slots]

    def _classify(self, ids: torch.Tensor, types: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self._model(input_ids=ids, token_type_ids=types, attention_mask=mask).logits

    def _pool(self, ids: torch.Tensor, types: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        hidden = self._model.bert(input_ids=ids, token_type_ids=types, attention_mask=mask).last_hidden_state
        weight = mask[:, :, None].to(hidden.dtype)  # (B, L, 1)
        return (hidden * weight).sum(1) / weight.sum(1)


def _fresh_buffer(name: str, buffer: torch.Tensor, device: torch.device) -> torch.Tensor:
    """BERT's only buffers are 0, 1, 2, ... (positions) and zeros (token types), both (1, places)."""
    if name.endswith("position_ids"):
        return torch.arange(buffer.shape[-1], device=device).expand(buffer.shape)
    return torch.zeros(buffer.shape, dtype=buffer.dtype, device=device)


def _set_buffer(model: torch.nn.Module, name: str, value: torch.Tensor) -> None:
    owner, _, leaf = name.rpartition(".")
    module = model.get_submodule(owner)
    module.register_buffer(leaf, value, persistent=leaf not in module._non_persistent_buffers_set)
