"""The runtime of checkpoints: the forward pass by torch, on a CPU or a CUDA GPU."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence

import numpy as np
import torch

from wenmo.inference.bert import Bert, Packed
from wenmo.inference.budget import AdaptiveBudget, Budget, CudaGauge, FixedBudget
from wenmo.inference.plan import plan_batches
from wenmo.inference.precision import set_precision
from wenmo.inference.runtime import BatchingRuntime, OnBatch, Outcome, Rows, equal_shares
from wenmo.inference.workers import WorkerPool
from wenmo.models.checkpoint import Checkpoint
from wenmo.tokenizer import Encoding
from wenmo.types import Precision

_IN_FLIGHT = 2  # batches on a GPU: one computes, one is queued


class TorchRuntime(BatchingRuntime):
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
        super().__init__(budget)

    def logits(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
        return self._run(encodings, self._forward(self._model.logits), width=self._labels, on_batch=on_batch)

    def vectors(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
        return self._run(encodings, self._forward(self._model.vectors), width=self._vector_size, on_batch=on_batch)

    def states(self, encoding: Encoding) -> np.ndarray:
        with torch.inference_mode():
            states = self._model.hidden(Packed.of([encoding], self.device), first_only=False)
        return states.float().cpu().numpy()

    @property
    def weights_mib(self) -> float:
        """Memory of the model's tensors on its device."""
        return sum(tensor.nbytes for tensor in (*self._model.parameters(), *self._model.buffers())) / 2**20

    def _forward(self, compute: Callable[[Packed], torch.Tensor]) -> Callable[[list[Encoding]], Rows]:
        def forward(batch: list[Encoding]) -> Rows:
            with torch.inference_mode():
                return _when_computed(compute(Packed.of(batch, self.device)).float())

        return forward

    def _batches(
        self, lengths: Sequence[int], compute: Callable[[list[int]], list[Outcome]]
    ) -> Generator[list[Outcome]]:
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
            batches = equal_shares(lengths, budget=budget, workers=workers.count)
        with workers.caller() as alone:
            if alone and len(batches) < workers.count and not self._repeatable:  # else some cores would be idle
                yield from workers.over_all_cores(compute, batches)
            else:  # longest inputs first: the last batches are small, so that all workers finish at about the same time
                yield from workers.map(compute, reversed(batches))

    def _queued(
        self, lengths: Sequence[int], compute: Callable[[list[int]], list[Outcome]]
    ) -> Generator[list[Outcome]]:
        """Pack and queue the next batch while the GPU computes the current one."""
        queued: deque[list[Outcome]] = deque()
        for indices in plan_batches(lengths, max_tokens=lambda: self._budget.tokens.value):
            queued.append(compute(indices))
            if len(queued) == _IN_FLIGHT:
                yield queued.popleft()
                self._budget.after_batch(sum(lengths[index] for index in indices))
        yield from queued

    def _is_out_of_memory(self, error: Exception) -> bool:
        if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
            return True
        # The CPU's allocator and cuBLAS raise plain RuntimeErrors.
        return isinstance(error, RuntimeError) and any(
            sign in str(error) for sign in ("not enough memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")
        )


def _when_computed(rows: torch.Tensor) -> Rows:
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
