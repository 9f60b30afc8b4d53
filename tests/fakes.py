"""Runtimes whose results can be checked by hand, for `Engine(make_runtime=…)`."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np

from wenmo.inference.runtime import OnBatch, PartialOutputError
from wenmo.models.checkpoint import Checkpoint
from wenmo.tokenizer import Encoding
from wenmo.types import Resolved


class LengthRuntime:
    """Logit 0 is the number of tokens of the input, logit 1 that of its second segment, the others are 0.

    Vectors are (number of tokens, 1). Counts its calls and inputs.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._width = len(checkpoint.labels)
        self._lock = threading.Lock()
        self.calls = 0
        self.inputs = 0

    def logits(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
        with self._lock:
            self.calls += 1
            self.inputs += len(encodings)
        output = np.zeros((len(encodings), self._width), dtype=np.float32)
        output[:, 0] = [len(encoding) for encoding in encodings]
        output[:, 1] = [encoding.segment_b for encoding in encodings]
        if on_batch is not None:
            on_batch(len(encodings))
        return output

    def vectors(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
        return np.asarray([[len(encoding), 1.0] for encoding in encodings], dtype=np.float32).reshape(-1, 2)

    def batch_tokens(self) -> Resolved[int]:
        return Resolved(value=1, reason="nothing is computed", reason_zh="不作计算")

    def states(self, encoding: Encoding) -> np.ndarray:
        return np.asarray([[len(encoding), 1.0]] * len(encoding), dtype=np.float32)


class AdditiveRuntime(LengthRuntime):
    """Each token adds its id to logit 0 and half of it to logit 1; [CLS], [SEP] and [MASK] add nothing.

    A row of the states is (cosine, sine) of the token's id, so equal tokens have equal directions.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(checkpoint)
        tokenizer = checkpoint.tokenizer
        self._silent = {tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id}

    def logits(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
        output = super().logits(encodings, on_batch=on_batch)
        sums = [sum(token for token in each.input_ids if token not in self._silent) for each in encodings]
        output[:, 0] = sums
        output[:, 1] = [0.5 * value for value in sums]
        return output

    def states(self, encoding: Encoding) -> np.ndarray:
        ids = np.asarray(encoding.input_ids, dtype=np.float32)
        return np.stack([np.cos(ids), np.sin(ids)], axis=1)


class FailingRuntime(LengthRuntime):
    """Cannot compute inputs of exactly five tokens."""

    def logits(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
        output = super().logits(encodings, on_batch=on_batch)
        failed: dict[int, Exception] = {
            index: MemoryError("five") for index, encoding in enumerate(encodings) if len(encoding) == 5
        }
        if failed:
            output[list(failed)] = 0
            raise PartialOutputError(failed, output)
        return output
