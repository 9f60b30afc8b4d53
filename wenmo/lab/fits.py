"""How large a batch fits on a card, by prediction.

Each block of a forward is as large as the batch, or does not depend on it: with the timelines of two batches those of
all others are known, and a search over them costs a walk over some thousand numbers a step.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from wenmo.lab.allocations import Event, Timeline
from wenmo.lab.configuration import Configuration
from wenmo.lab.predict import CONTEXT_BYTES, gpu_terms, timeline_of
from wenmo.types import Precision

CARDS_GIB = (6, 8, 12, 16, 24, 80)
LENGTHS = (32, 64, 128, 256, 512)
_LIMIT = 1 << 20  # more than the largest card holds of the smallest model's shortest sequences
_TWO = (2, 3)  # not 1: a batch of one may be laid out like no other


@dataclass(frozen=True, kw_only=True)
class Fit:
    """`batch` sequences of `length` pieces fit on a card of `card_gib`; 0 if not even one does."""

    card_gib: int
    precision: Precision
    length: int
    batch: int


def what_fits(
    configuration: Configuration,
    *,
    precisions: Sequence[Precision] = ("fp32", "fp16"),
    lengths: Sequence[int] = LENGTHS,
    cards_gib: Sequence[int] = CARDS_GIB,
    context: int = CONTEXT_BYTES,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[Fit]:
    """For `configuration` with each precision, length and card; its own lengths are not looked at.

    A card's memory is taken as its nominal GiB, less the CUDA `context`; what a display or another process holds is not
    known here. Memory alone is looked at, not whether so large a batch is of use.
    """
    for precision in precisions:
        for length in lengths:
            if cancelled():
                return
            at = timelines(dataclasses.replace(configuration, precision=precision, pad_to=None), length)
            for card in cards_gib:
                batch = _largest(at, room=card * 2**30, context=context)
                yield Fit(card_gib=card, precision=precision, length=length, batch=batch)


def timelines(configuration: Configuration, length: int) -> Callable[[int], Timeline]:
    """The timeline on a GPU of any batch of sequences of `length`."""
    few, more = (
        timeline_of(dataclasses.replace(configuration, lengths=(length,) * batch), gpu=True, native=True)
        for batch in _TWO
    )
    assert [event.block for event in few.events] == [event.block for event in more.events], "not the same operators"
    lines = [(a.block, a.size, b.size - a.size) for a, b in zip(few.events, more.events, strict=True)]

    def at(batch: int) -> Timeline:
        events = tuple(Event(block, size + (batch - _TWO[0]) * slope) for block, size, slope in lines)
        return Timeline(events=events, of=few.of)

    return at


def _largest(at: Callable[[int], Timeline], *, room: int, context: int) -> int:
    """By halving the interval: what is reserved grows with the batch, but for the rounding of segments."""
    fitting, too_many = 0, _LIMIT + 1
    while too_many - fitting > 1:
        middle = (fitting + too_many) // 2
        if gpu_terms(at(middle), context=context).total <= room:
            fitting = middle
        else:
            too_many = middle
    return fitting
