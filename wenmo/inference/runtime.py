"""What the engine needs of a runtime, and what all runtimes do alike around the forward pass. Without torch.

Inputs are sorted by length and cut into batches by their tokens; equal inputs are computed once. A batch that fails is
halved until the input that causes the failure is alone. Thread-safe, since a forward only reads the weights.

The runtimes: `torch_runtime` computes checkpoints, `onnx_runtime` what `wenmo export` made of them.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Protocol

import numpy as np

from wenmo.inference.budget import Budget
from wenmo.inference.plan import plan_batches
from wenmo.tokenizer import Encoding
from wenmo.types import Resolved

log = logging.getLogger(__name__)

_LEAST_SHARE = 64  # tokens; a smaller batch for another worker costs more than it saves

OnBatch = Callable[[int], None]  # called after each batch with its number of encodings; may raise to stop
Rows = Callable[[], np.ndarray]  # waits until the rows of a batch are computed, and returns them
Forward = Callable[[list[Encoding]], Rows]  # of a batch
Outcome = tuple[list[int], Rows | Exception]  # of a batch: its indices, their rows or their error


class PartialOutputError(Exception):
    """Some inputs could not be computed. `failed` maps their indices to errors; their rows of `output` are zeros."""

    def __init__(self, failed: Mapping[int, Exception], output: np.ndarray) -> None:
        super().__init__(f"{len(failed)} of {len(output)} inputs failed")
        self.failed = failed
        self.output = output


class Runtime(Protocol):
    """What the engine needs of a loaded model. `on_batch` is called in the caller's thread."""

    def logits(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
        """(N, labels) float32, in the order of `encodings`.

        Raises PartialOutputError, after computing all others, when some encodings fail.
        """

    def vectors(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
        """(N, V) float32: the last layer of each encoding, pooled as the checkpoint says. Raises as `logits` does."""

    def batch_tokens(self) -> Resolved[int]:
        """The current budget: the most tokens that a batch may have."""


class ModelRuntime(Runtime, Protocol):
    """A runtime that holds the model itself, and can return the last layer of an input."""

    def states(self, encoding: Encoding) -> np.ndarray:
        """(L, H) float32: the last layer of one input, one row per token."""


class BatchingRuntime(ABC):
    """A runtime but for its forward, and for how its batches are planned and computed."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def batch_tokens(self) -> Resolved[int]:
        return self._budget.tokens

    @abstractmethod
    def _batches(
        self, lengths: Sequence[int], compute: Callable[[list[int]], list[Outcome]]
    ) -> Generator[list[Outcome]]:
        """Plan batches of inputs of these `lengths` and `compute` them."""

    def _is_out_of_memory(self, error: Exception) -> bool:
        return isinstance(error, MemoryError)

    def _run(
        self,
        encodings: Sequence[Encoding],
        forward: Forward,
        *,
        width: int,
        on_batch: OnBatch | None,
    ) -> np.ndarray:
        index_of: dict[Encoding, int] = {}
        slots = np.asarray([index_of.setdefault(encoding, len(index_of)) for encoding in encodings], dtype=np.int64)
        distinct = list(index_of)
        copies = np.bincount(slots, minlength=len(distinct))  # of each distinct input in `encodings`
        output = np.zeros((len(distinct), width), dtype=np.float32)
        failed: dict[int, Exception] = {}
        compute = partial(self._compute, distinct, forward)
        # Closed: stops the workers when `on_batch` raises.
        with closing(self._batches([len(encoding) for encoding in distinct], compute)) as batches:
            for batch in batches:
                for indices, rows in batch:
                    if isinstance(rows, Exception):
                        failed.update(dict.fromkeys(indices, rows))
                    else:
                        output[indices] = rows()
                if on_batch is not None:
                    on_batch(int(sum(copies[indices].sum() for indices, _ in batch)))
        if len(failed) == len(distinct) and not any(map(self._is_out_of_memory, failed.values())):
            raise next(iter(failed.values()))  # the program is at fault, not the inputs
        if failed:
            of_slot = {index: failed[slot] for index, slot in enumerate(slots.tolist()) if slot in failed}
            raise PartialOutputError(of_slot, output[slots])
        return output[slots]

    def _compute(self, encodings: Sequence[Encoding], forward: Forward, indices: list[int]) -> list[Outcome]:
        """Compute the batch of `indices`; where it fails, its halves."""
        try:
            return [(indices, forward([encodings[index] for index in indices]))]
        except Exception as error:  # of any type: it is reported with the inputs that it concerns
            if self._is_out_of_memory(error):
                self._budget.out_of_memory(sum(len(encodings[index]) for index in indices))
            if len(indices) == 1:
                log.warning("an input of %d tokens cannot be computed", len(encodings[indices[0]]), exc_info=error)
                return [(indices, error.with_traceback(None))]  # the traceback references the tensors of all layers
        middle = len(indices) // 2  # outside of the handler, which keeps the tensors of the failed forward alive
        parts = (indices[:middle], indices[middle:])
        return [outcome for part in parts for outcome in self._compute(encodings, forward, part)]


def equal_shares(lengths: Sequence[int], *, budget: int, workers: int, padded: bool = False) -> list[list[int]]:
    """Batches of at most `budget` tokens that give every worker about the same number of tokens."""

    def batches(most: int) -> list[list[int]]:
        return list(plan_batches(lengths, max_tokens=lambda: most, padded=padded))

    turns = -(-len(batches(budget)) // workers)  # batches per worker
    share = max(-(-sum(lengths) // (workers * turns)), max(lengths), _LEAST_SHARE)
    # The rest wait for the largest batch: the smallest size that makes no more batches than turns.
    sizes = range(share, max(share, budget) + 1)
    size = sizes[bisect_left(sizes, True, key=lambda most: len(batches(most)) <= workers * turns)]
    shares = batches(size)
    return shares if len(shares) >= workers else batches(share)  # not where a worker would get no batch
