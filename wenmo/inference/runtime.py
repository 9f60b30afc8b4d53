"""The forward pass: encodings in, logits or mean-pooled vectors out, in the order given.

Batches are planned by tokens over inputs sorted by length, equal inputs are computed once, and the order is restored.
A batch that fails is halved until the guilty input stands alone. Weights are only read during a forward, so any number
of threads may call it at once.
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

_IN_FLIGHT = 2  # batches given to a GPU before the first of them is waited for: one computes, one is queued

OnBatch = Callable[[int], None]  # told after each batch how many encodings it answered; may raise to stop the rest


class PartialOutputError(Exception):
    """Some inputs could not be computed. `failed`: why, by index; `output` holds the others, and zeros for these."""

    def __init__(self, failed: Mapping[int, Exception], output: np.ndarray) -> None:
        super().__init__(f"{len(failed)} of {len(output)} inputs failed")
        self.failed = failed
        self.output = output


class Runtime(Protocol):
    """What the engine needs of a loaded model. `on_batch` is called in the caller's thread."""

    def logits(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
        """(N, labels) float32, in the order of `encodings`. Raises PartialOutputError when all else is done."""

    def vectors(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
        """(N, H) float32, in the order of `encodings`: the mean of the last layer over all tokens of each input."""

    def batch_tokens(self) -> Resolved[int]:
        """Tokens that a batch takes at most, as things stand."""


class ModelRuntime(Runtime, Protocol):
    """A runtime that holds the model itself, and can also show what the vectors are means of."""

    def states(self, encoding: Encoding) -> np.ndarray:
        """(L, H) float32: the last layer of one input, a row a token."""


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
        """`native`: compute in `precision`; otherwise weights are stored in it and arithmetic is fp32.

        `workers` compute the batches of a long list on a CPU; without them each batch is computed over all cores.
        `repeatable`: on a CPU batches are the same however many workers there are, and each is one worker's.
        """
        self.device = device
        self._asynchronous = device.type == "cuda"  # a forward returns before it is computed
        self._workers = workers
        self._repeatable = repeatable
        self._labels = len(checkpoint.labels)
        self._hidden_size = checkpoint.shape.hidden_size
        model = Bert.of(checkpoint.shape, checkpoint.weights, device)
        set_precision(model, precision, native=native)
        self._model = model
        if budget is None:
            budget = AdaptiveBudget(gauge=CudaGauge(device)) if device.type == "cuda" else FixedBudget()
        self._budget = budget

    def logits(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
        return self._run(encodings, self._model.logits, width=self._labels, on_batch=on_batch)

    def vectors(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
        return self._run(encodings, self._model.vectors, width=self._hidden_size, on_batch=on_batch)

    def states(self, encoding: Encoding) -> np.ndarray:
        with torch.inference_mode():
            states = self._model.hidden(Packed.of([encoding], self.device), first_only=False)
        return states.float().cpu().numpy()

    def batch_tokens(self) -> Resolved[int]:
        return self._budget.tokens

    @property
    def weights_mib(self) -> float:
        """What the model's tensors take on its device."""
        return sum(tensor.nbytes for tensor in (*self._model.parameters(), *self._model.buffers())) / 2**20

    def _run(
        self,
        encodings: Sequence[Encoding],
        forward: Callable[[Packed], torch.Tensor],
        *,
        width: int,
        on_batch: OnBatch | None,
    ) -> np.ndarray:
        position: dict[Encoding, int] = {}
        slots = np.asarray([position.setdefault(encoding, len(position)) for encoding in encodings], dtype=np.int64)
        distinct = list(position)
        asked = np.bincount(slots, minlength=len(distinct))  # how often each distinct input stands in `encodings`
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
                    on_batch(int(sum(asked[indices].sum() for indices, _ in batch)))
        if len(failed) == len(distinct) and not any(map(_is_for_want_of_memory, failed.values())):
            raise next(iter(failed.values()))  # not the inputs: something is broken, and says so by its own error
        if failed:
            of_slot = {index: failed[slot] for index, slot in enumerate(slots.tolist()) if slot in failed}
            raise PartialOutputError(of_slot, output[slots])
        return output[slots]

    def _batches(
        self, encodings: Sequence[Encoding], forward: Callable[[Packed], torch.Tensor]
    ) -> Generator[list[_Answered]]:
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
            if alone and len(batches) < workers.count and not self._repeatable:  # some cores would stand idle
                yield from workers.over_all_cores(compute, batches)
            else:  # the longest inputs first: what is left for the end is small, and the workers end together
                yield from workers.map(compute, reversed(batches))

    def _queued(
        self, lengths: Sequence[int], compute: Callable[[list[int]], list[_Answered]]
    ) -> Generator[list[_Answered]]:
        """While a batch computes, the next one is packed and queued; results are waited for in turn."""
        queued: deque[list[_Answered]] = deque()
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
    ) -> list[_Answered]:
        """The batch of `indices`, or its halves where it fails as a whole."""
        try:
            with torch.inference_mode():
                rows = forward(Packed.of([encodings[index] for index in indices], self.device)).float()
                return [(indices, _arrival(rows))]
        except Exception as error:  # whatever it is, it is told for the inputs that it concerns
            if _is_for_want_of_memory(error):
                self._budget.out_of_memory(sum(len(encodings[index]) for index in indices))
            if len(indices) == 1:
                log.warning("an input of %d tokens cannot be computed", len(encodings[indices[0]]), exc_info=error)
                return [(indices, error.with_traceback(None))]  # the traceback holds the tensors of all layers
        middle = len(indices) // 2  # outside of the handler, which would keep the failed forward's tensors alive
        parts = (indices[:middle], indices[middle:])
        return [answer for part in parts for answer in self._compute(encodings, forward, part)]


def _equal_shares(lengths: Sequence[int], *, budget: int, workers: int) -> list[list[int]]:
    """Batches of at most `budget` tokens, as many for one worker as for the other, also where they are small."""
    turns = -(-sum(lengths) // (workers * budget))
    share = max(-(-sum(lengths) // (workers * turns)), max(lengths), _LEAST_SHARE)
    # With room for one input more: a share that ends within one would leave a small batch over. But where that leaves
    # a worker without a batch, without it.
    batches = list(plan_batches(lengths, max_tokens=lambda: min(share + max(lengths), budget)))
    if len(batches) < workers:
        batches = list(plan_batches(lengths, max_tokens=lambda: min(share, budget)))
    return batches


_LEAST_SHARE = 64  # tokens: below it a worker costs more than it saves
_Answered = tuple[list[int], Callable[[], np.ndarray] | Exception]


def _arrival(rows: torch.Tensor) -> Callable[[], np.ndarray]:
    """What gives the rows as soon as they are computed."""
    if rows.device.type != "cuda":
        return rows.numpy
    # The copy is queued right behind the forward: a copy that is asked for later would stand behind the next one, too.
    host = rows.to("cpu", non_blocking=True)
    done = torch.cuda.Event()
    done.record()

    def arrived() -> np.ndarray:
        done.synchronize()
        return host.numpy()

    return arrived


def _is_for_want_of_memory(error: Exception) -> bool:
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    # The CPU's allocator and cuBLAS raise plain RuntimeErrors.
    return isinstance(error, RuntimeError) and any(
        sign in str(error) for sign in ("not enough memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")
    )
