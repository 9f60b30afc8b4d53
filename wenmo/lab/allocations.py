"""Account for the memory that a step of work allocates, block by block, and for its peak.

There are two ways to the same account. `track` runs the step and reads torch's CPU allocator through its profiler: it
sees every block, also those inside operators, and repeats to the byte with the same number of threads. `TensorLog`
follows the tensors that operators return, so it also works on fake tensors, which allocate nothing; it does not see
blocks that an operator allocates and frees by itself.

Neither sees memory that does not come from torch's allocator: MKL's buffers, the interpreter, the code of libraries.
"""

from __future__ import annotations

import contextlib
import itertools
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, fields
from typing import Any, Literal

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

Category = Literal["weights", "optimiser", "gradients", "activations", "workspace"]
Standing = Mapping[Category, Sequence[torch.Tensor]]


@dataclass(frozen=True, kw_only=True)
class Breakdown:
    """Bytes by purpose. `activations`: inputs, outputs and everything between, kept for the backward pass or not.

    `workspace` is what an operator allocates for itself and frees before it returns.
    """

    weights: int = 0
    optimiser: int = 0
    gradients: int = 0
    activations: int = 0
    workspace: int = 0

    @property
    def total(self) -> int:
        return sum(getattr(self, field.name) for field in fields(self))


@dataclass(frozen=True)
class Event:
    """`block` is allocated, or freed if `size` (bytes) is negative."""

    block: int
    size: int


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """All events in order; the first allocate what existed before the step. `of` is the purpose of each block."""

    events: tuple[Event, ...]
    of: Mapping[int, Category]

    def peak(self) -> Breakdown:
        """What was allocated when the sum was largest, at the first such moment."""
        alive: dict[Category, int] = dict.fromkeys(("weights", "optimiser", "gradients", "activations", "workspace"), 0)
        total = highest = 0
        peak = Breakdown()
        for event in self.events:
            alive[self.of[event.block]] += event.size
            total += event.size
            if total > highest:
                highest, peak = total, Breakdown(**alive)
        return peak

    def tensors(self) -> Timeline:
        """The timeline without workspace."""
        return Timeline(events=tuple(event for event in self.events if self.of[event.block] != "workspace"), of=self.of)

    def most_activations(self) -> int:
        """The peak of activations and workspace together, which may be at another time than that of the whole."""
        alive = most = 0
        for event in self.events:
            if self.of[event.block] in ("activations", "workspace"):
                alive += event.size
                most = max(most, alive)
        return most


def track(step: Callable[[], None], *, standing: Standing, gradients: Callable[[], Sequence[torch.Tensor]]) -> Timeline:
    """Run `step` on the CPU and account for each block of torch's allocator.

    `standing` are the tensors that exist before, by purpose; `gradients` is called after the step. Only one thread at a
    time may track, since a process has one profiler.
    """
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profiler:
        step()
    tree = profiler.profiler.kineto_results.experimental_event_tree()
    raw = sorted(_allocations(tree, ()), key=lambda item: item[0])  # stable: events of the same instant stay in order
    addresses = {tensor.untyped_storage().data_ptr() for tensor in gradients()}
    events, of = _standing_events(standing)
    current: dict[int, tuple[int, tuple[int, ...]]] = {}  # address -> its block, and the operators that allocated it
    for _, address, size, operators in raw:
        if size > 0:
            block = len(of)
            current[address] = (block, operators)
            of[block] = "activations"
        elif address in current:
            block, allocated_in = current.pop(address)
            if set(allocated_in) & set(operators):
                of[block] = "workspace"
        else:
            continue  # from before the step
        events.append(Event(block, size))
    for address, (block, _) in current.items():
        if address in addresses:
            of[block] = "gradients"
    return Timeline(events=tuple(events), of=of)


def _allocations(events: Iterable[Any], operators: tuple[int, ...]) -> Iterable[tuple[int, int, int, tuple[int, ...]]]:
    """Each allocation in the profiler's tree of events: time, address, size, and the aten operators around it."""
    for event in events:
        kind, content = event.typed
        if str(kind).endswith("Allocation"):
            yield event.start_time_ns, content.ptr, content.alloc_size, operators
        inside = (*operators, id(event)) if event.name.startswith("aten::") else operators
        yield from _allocations(event.children, inside)


def _standing_events(standing: Standing) -> tuple[list[Event], dict[int, Category]]:
    events: list[Event] = []
    of: dict[int, Category] = {}
    seen = set()
    for category, tensors in standing.items():
        for tensor in tensors:
            if tensor.is_mkldnn:  # packed by oneDNN: it has no storage, and takes one byte per weight
                size = tensor.numel() * tensor.element_size()
            else:
                storage = tensor.untyped_storage()
                if storage._cdata in seen:
                    continue
                seen.add(storage._cdata)
                size = storage.nbytes()
            of[len(of)] = category
            events.append(Event(len(events), size))
    return events, of


def _ordered_frees(events: Sequence[Event]) -> Iterator[Event]:
    """The same events, each run of frees ordered by block.

    Autocast frees its copies of the weights all at once, in the order of a hash table of their addresses, which differs
    from run to run. What is allocated before and after a run of frees does not depend on their order.
    """
    for freed, run in itertools.groupby(events, key=lambda event: event.size < 0):
        yield from sorted(run, key=lambda event, freed=freed: event.block if freed else 0)  # type: ignore[misc]


_WITHIN_OPERATOR: ContextVar[bool] = ContextVar("within_operator", default=False)


@contextlib.contextmanager
def within_operator() -> Iterator[None]:
    """Inside this context a TensorLog counts tensors as workspace: they stand for what an operator would allocate."""
    token = _WITHIN_OPERATOR.set(True)
    try:
        yield
    finally:
        _WITHIN_OPERATOR.reset(token)


class TensorLog(TorchDispatchMode):
    """While this mode is active, it logs when the storage of each returned tensor is allocated and freed."""

    def __init__(self, standing: Standing) -> None:
        super().__init__()
        self._events, self._of = _standing_events(standing)
        self._alive = {
            tensor.untyped_storage()._cdata: -1
            for tensors in standing.values()
            for tensor in tensors
            if not tensor.is_mkldnn
        }

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self._note(leaf.untyped_storage())
        return result

    def timeline(self, gradients: Sequence[torch.Tensor]) -> Timeline:
        """The log so far; `gradients` are those that exist now."""
        of = dict(self._of)
        for tensor in gradients:
            block = self._alive.get(tensor.untyped_storage()._cdata, -1)
            if block >= 0:
                of[block] = "gradients"
        return Timeline(events=tuple(_ordered_frees(self._events)), of=of)

    def _note(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._alive or storage.nbytes() == 0:
            return
        block = self._alive[key] = len(self._of)
        self._of[block] = "workspace" if _WITHIN_OPERATOR.get() else "activations"
        self._events.append(Event(block, storage.nbytes()))
        weakref.finalize(storage, self._released, key, storage.nbytes()).atexit = False

    def _released(self, key: int, size: int) -> None:
        self._events.append(Event(self._alive.pop(key), -size))
