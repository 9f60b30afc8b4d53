"""The forward pass: from encodings to logits or mean-pooled vectors, in the order given.

Inputs are sorted by length and cut into batches by their tokens; equal inputs are computed once. A batch that fails is
halved until the input that causes the failure is alone. Thread-safe, since a forward only reads the weights.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Protocol

import numpy as np
import torch

from wenmo.inference.bert import Bert, Packed
from wenmo.inference.budget import AdaptiveBudget, Budget, CudaGauge, FixedBudget
from wenmo.inference.plan import plan_batches
from wenmo.inference.precision import set_precision
from wenmo.inference.workers import WorkerPool
from wenmo.models.checkpoint import Checkpoint
from wenmo.tokenizer import Encoding
from wenmo.types import Precision, Resolved

log = logging.getLogger(__name__)

_IN_FLIGHT = 2  # batches on a GPU: one computes, one is queued
_LEAST_SHARE = 64  # tokens; a smaller batch for another worker costs more than it saves

OnBatch = Callable[[int], None]  # called after each batch with its number of encodings; may raise to stop
_Outcome = tuple[list[int], Callable[[], np.ndarray] | Exception]  # of a batch: its indices, their rows or their error


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


class TorchRuntime:
    """One checkpoint on one device in one precision."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        device: torch.device,
        precision: Precision,
        native: bool,
        workers: WorkerPool | None = None,
        budget: Budget | None = None,
        repeatable: bool = False,
    ) -> None:
        """`native`: compute in `precision`; otherwise only the weights are stored in it, and the arithmetic is fp32.

        `workers` compute batches side by side on a CPU; without them each batch is computed over all cores.
        `repeatable`: on a CPU, batches do not depend on the number of workers, and each is computed by a single one.
        """
        self.device = device
        self._asynchronous = device.type == "cuda"  # a forward returns before its result is computed
        self._workers = workers
        self._repeatable = repeatable
        self._labels = len(checkpoint.labels)
        self._vector_size = checkpoint.vector_head.width(checkpoint.shape.hidden_size)
        model = Bert.of(checkpoint.shape, checkpoint.weights, device, head=checkpoint.vector_head)
        set_precision(model, precision, native=native)
        self._model = model
        if budget is None:
            budget = AdaptiveBudget(gauge=CudaGauge(device)) if device.type == "cuda" else FixedBudget()
        self._budget = budget

    def logits(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
        return self._run(encodings, self._model.logits, width=self._labels, on_batch=on_batch)

    def vectors(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
        return self._run(encodings, self._model.vectors, width=self._vector_size, on_batch=on_batch)

    def states(self, encoding: Encoding) -> np.ndarray:
        with torch.inference_mode():
            states = self._model.hidden(Packed.of([encoding], self.device), first_only=False)
        return states.float().cpu().numpy()

    def batch_tokens(self) -> Resolved[int]:
        return self._budget.tokens

    @property
    def weights_mib(self) -> float:
        """Memory of the model's tensors on its device."""
        return sum(tensor.nbytes for tensor in (*self._model.parameters(), *self._model.buffers())) / 2**20

    def _run(
        self,
        encodings: Sequence[Encoding],
        forward: Callable[[Packed], torch.Tensor],
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
        with closing(self._batches(distinct, forward)) as batches:  # stops the workers when `on_batch` raises
            for batch in batches:
                for indices, rows in batch:
                    if isinstance(rows, Exception):
                        failed.update(dict.fromkeys(indices, rows))
                    else:
                        output[indices] = rows()
                if on_batch is not None:
                    on_batch(int(sum(copies[indices].sum() for indices, _ in batch)))
        if len(failed) == len(distinct) and not any(map(_is_out_of_memory, failed.values())):
            raise next(iter(failed.values()))  # the program is at fault, not the inputs
        if failed:
            of_slot = {index: failed[slot] for index, slot in enumerate(slots.tolist()) if slot in failed}
            raise PartialOutputError(of_slot, output[slots])
        return output[slots]

    def _batches(
        self, encodings: Sequence[Encoding], forward: Callable[[Packed], torch.Tensor]
    ) -> Generator[list[_Outcome]]:
        lengths = [len(encoding) for encoding in encodings]
        compute = partial(self._compute, encodings, forward)
        if self._asynchronous:
            yield from self._queued(lengths, compute)
            return
        budget = self._budget.tokens.value
        workers = self._workers
        if workers is None:
            yield from map(compute, plan_batches(lengths, max_tokens=lambda: budget))
            return
        if self._repeatable:
            batches = list(plan_batches(lengths, max_tokens=lambda: budget))
        else:
            batches = _equal_shares(lengths, budget=budget, workers=workers.count)
        with workers.caller() as alone:
            if alone and len(batches) < workers.count and not self._repeatable:  # else some cores would be idle
                yield from workers.over_all_cores(compute, batches)
            else:  # longest inputs first: the last batches are small, so that all workers finish at about the same time
                yield from workers.map(compute, reversed(batches))

    def _queued(
        self, lengths: Sequence[int], compute: Callable[[list[int]], list[_Outcome]]
    ) -> Generator[list[_Outcome]]:
        """Pack and queue the next batch while the GPU computes the current one."""
        queued: deque[list[_Outcome]] = deque()
        for indices in plan_batches(lengths, max_tokens=lambda: self._budget.tokens.value):
            queued.append(compute(indices))
            if len(queued) == _IN_FLIGHT:
                yield queued.popleft()
                self._budget.after_batch(sum(lengths[index] for index in indices))
        yield from queued

    def _compute(
        self,
        encodings: Sequence[Encoding],
        forward: Callable[[Packed], torch.Tensor],
        indices: list[int],
    ) -> list[_Outcome]:
        """Compute the batch of `indices`; where it fails, its halves."""
        try:
            with torch.inference_mode():
                rows = forward(Packed.of([encodings[index] for index in indices], self.device)).float()
                return [(indices, _when_computed(rows))]
        except Exception as error:  # of any type: it is reported with the inputs that it concerns
            if _is_out_of_memory(error):
                self._budget.out_of_memory(sum(len(encodings[index]) for index in indices))
            if len(indices) == 1:
                log.warning("an input of %d tokens cannot be computed", len(encodings[indices[0]]), exc_info=error)
                return [(indices, error.with_traceback(None))]  # the traceback references the tensors of all layers
        middle = len(indices) // 2  # outside of the handler, which keeps the tensors of the failed forward alive
        parts = (indices[:middle], indices[middle:])
        return [outcome for part in parts for outcome in self._compute(encodings, forward, part)]


def _equal_shares(lengths: Sequence[int], *, budget: int, workers: int) -> list[list[int]]:
    """Batches of at most `budget` tokens that give every worker about the same number of tokens."""
    turns = -(-sum(lengths) // (workers * budget))  # batches per worker
    share = max(-(-sum(lengths) // (workers * turns)), max(lengths), _LEAST_SHARE)
    # Room for one more input: otherwise inputs that do not fit exactly would leave over a small batch. But not where a
    # worker would then get no batch.
    batches = list(plan_batches(lengths, max_tokens=lambda: min(share + max(lengths), budget)))
    if len(batches) < workers:
        batches = list(plan_batches(lengths, max_tokens=lambda: min(share, budget)))
    return batches


def _when_computed(rows: torch.Tensor) -> Callable[[], np.ndarray]:
    """A function that waits until the rows are computed and returns them."""
    if rows.device.type != "cuda":
        return rows.numpy
    # Queue the copy right after the forward: later it would have to wait for the next forward as well.
    host = rows.to("cpu", non_blocking=True)
    done = torch.cuda.Event()
    done.record()

    def wait() -> np.ndarray:
        done.synchronize()
        return host.numpy()

    return wait


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    # The CPU's allocator and cuBLAS raise plain RuntimeErrors.
    return isinstance(error, RuntimeError) and any(
        sign in str(error) for sign in ("not enough memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")
    )
