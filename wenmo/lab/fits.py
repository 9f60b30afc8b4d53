"""Predict how large a batch fits on a card.

The size of each block of a forward is proportional to the batch or independent of it. Two timelines therefore determine
those of all other batches, and a binary search over batches needs no further prediction.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from wenmo.lab.allocations import Event, Timeline
from wenmo.lab.configuration import Configuration
from wenmo.lab.predict import CONTEXT_BYTES, gpu_terms, timeline_of

CARDS_GIB = (6, 8, 12, 16, 24, 80)
LENGTHS = (32, 64, 128, 256, 512)
_LIMIT = 1 << 20  # more than the largest card holds of the smallest model's shortest sequences
_TWO = (2, 3)  # not 1: torch may lay out a batch of one differently


@dataclass(frozen=True, kw_only=True)
class Fit:
    """The largest `batch` of sequences of `length` tokens that fits on a card of `card_gib`; 0 if not even one does.

    `configuration` says how they are computed; its own lengths do not count.
    """

    configuration: Configuration
    card_gib: int
    length: int
    batch: int


def what_fits(
    configuration: Configuration,
    *,
    lengths: Sequence[int] = LENGTHS,
    cards_gib: Sequence[int] = CARDS_GIB,
    context: int = CONTEXT_BYTES,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[Fit]:
    """The fits of `configuration` for each length and card; its own lengths are ignored.

    Where rows are padded to a fixed width, every length up to it takes the same memory.
    A card is taken to have its nominal GiB, of which the CUDA `context` takes a part; memory that a display or another
    process holds is not known. Whether so large a batch is also fast is not looked at.
    """
    batches: dict[int, list[int]] = {}  # for each width of a row
    for length in lengths:
        width = configuration.pad_to or length
        if width not in batches:
            if cancelled():
                return
            at = timelines(configuration, length)
            batches[width] = [_largest(at, room=card * 2**30, context=context) for card in cards_gib]
        for card, batch in zip(cards_gib, batches[width], strict=True):
            yield Fit(configuration=configuration, card_gib=card, length=length, batch=batch)


def timelines(configuration: Configuration, length: int) -> Callable[[int], Timeline]:
    """A function that gives the timeline on a GPU of any batch of sequences of `length` tokens."""
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
    """The largest batch within `room`, by binary search: reserved memory grows with the batch, up to rounding."""
    fitting, too_many = 0, _LIMIT + 1
    while too_many - fitting > 1:
        middle = (fitting + too_many) // 2
        if gpu_terms(at(middle), context=context).total <= room:
            fitting = middle
        else:
            too_many = middle
    return fitting
