"""The measured figures of the story, and where each comes from.

The one source is what benchmarks wrote into benchmarks/results/ (the newest file of a kind), or a run of this session
that stands in for it. Nothing is filled in: a kind without a file that can be read is None, and its step says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter

from wenmo.paths import RESULTS

if TYPE_CHECKING:
    from wenmo.evaluation.evaluate import Evaluation
    from wenmo.lab.presets import Row
    from wenmo.lab.race import Race

PLAIN, OURS, INT8 = "fixed", "ours", "int8"  # ways: batches of 32 as they come, packed in fp32, packed in int8
_NAMES = {"fixed 32": PLAIN, "wenmo fp32": OURS, "wenmo int8": INT8}  # of contestants in a throughput file
_AFTER = "int8"  # the precision whose accuracy is told

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Origin:
    """`file` and `day` are those of a committed result; None for a run of this session."""

    file: str | None
    machine: str
    day: date | None


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Rows of the memory lab's preset "article"."""

    rows: tuple[Row, ...]
    origins: tuple[Origin, ...]


@dataclass(frozen=True, kw_only=True)
class Way:
    """How fast a way of computing is: the median of the rounds, and the slowest and fastest of them where there are."""

    key: str
    texts_per_s: float
    lowest: float | None = None
    highest: float | None = None


@dataclass(frozen=True, kw_only=True)
class Speed:
    """`ways`: the plain one first, the best last, each adding to the one before. `model` is a size or a name."""

    ways: tuple[Way, ...]
    model: str
    random_weights: bool
    device: str
    origins: tuple[Origin, ...]

    @property
    def plain(self) -> Way:
        return self.ways[0]

    @property
    def best(self) -> Way:
        return self.ways[-1]


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Accuracy on a labelled set in fp32 and after, with 95% intervals; `lost` is in points of 100."""

    name: str
    model: str
    n: int
    before: float
    before_interval: tuple[float, float]
    after: float
    after_interval: tuple[float, float]
    lost: float
    lost_interval: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """`precision` is that after the change; before it is fp32."""

    precision: str
    sets: tuple[Kept, ...]
    origins: tuple[Origin, ...]


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What there is to tell; None where nothing was measured."""

    memory: Memory | None = None
    speed: Speed | None = None
    accuracy: Accuracy | None = None


def committed(folder: Path = RESULTS) -> Figures:
    """The newest results in `folder`, by the date in their names."""
    return Figures(
        memory=_newest(folder, "memory", _memory),
        speed=_speed(folder),
        accuracy=_newest(folder, "accuracy", _accuracy),
    )


def of_race(race: Race) -> Speed:
    """A race of this session, from the article's fixed batches on; `one_by_one` is no step of that path."""
    return Speed(
        ways=tuple(
            Way(key=lane.step, texts_per_s=lane.texts_per_s) for lane in race.lanes if lane.step != "one_by_one"
        ),
        model=race.model,
        random_weights=False,
        device=race.device,
        origins=(Origin(file=None, machine=race.machine, day=None),),
    )


def of_rows(rows: Sequence[Row], machine: str) -> Memory:
    """Rows that the memory lab found in this session."""
    return Memory(rows=tuple(rows), origins=(Origin(file=None, machine=machine, day=None),))


def _newest(folder: Path, kind: str, read: Callable[[Mapping[str, Any], Origin], T | None]) -> T | None:
    """The newest `*-kind.json` that `read` makes something of."""
    for path in sorted(folder.glob(f"*-{kind}.json"), reverse=True):
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            day = re.match(r"\d{4}-\d\d-\d\d", path.name)
            origin = Origin(
                file=path.name,
                machine=str(values["machine"]),
                day=None if day is None else date.fromisoformat(day.group()),
            )
            found = read(values, origin)
        except (OSError, ValueError, KeyError, TypeError):  # half written, or of another version
            continue
        if found is not None:
            return found
    return None


def _memory(values: Mapping[str, Any], origin: Origin) -> Memory | None:
    from wenmo.lab.presets import Row

    if values["preset"] != "article":
        return None
    return Memory(rows=TypeAdapter(tuple[Row, ...]).validate_python(values["rows"]), origins=(origin,))


def _speed(folder: Path) -> Speed | None:
    """All ways are of one run: only its ratios say something."""
    return _newest(folder, "base-throughput", _ways)


def _ways(values: Mapping[str, Any], origin: Origin) -> Speed | None:
    ways = {
        _NAMES[each["name"]]: Way(
            key=_NAMES[each["name"]],
            texts_per_s=float(each["items_per_s"]),
            lowest=float(each["lowest"]),
            highest=float(each["highest"]),
        )
        for each in values["figures"]
        if each["name"] in _NAMES
    }
    if PLAIN not in ways or OURS not in ways:
        return None
    return Speed(
        ways=tuple(ways[key] for key in (PLAIN, OURS, INT8) if key in ways),
        model=str(values["shape"]),
        random_weights=values["weights"] == "random",
        device=str(values["device"]),
        origins=(origin,),
    )


def _accuracy(values: Mapping[str, Any], origin: Origin) -> Accuracy | None:
    from wenmo.evaluation.evaluate import Evaluation

    read = TypeAdapter(Evaluation).validate_python
    found: list[tuple[str, Evaluation]] = [(str(each["set"]), read(each)) for each in values["evaluations"]]
    exact = {(name, each.task): each for name, each in found if each.precision == "fp32"}
    kept = []
    for name, each in found:
        before = exact.get((name, each.task))
        if each.precision != _AFTER or each.against is None or before is None:
            continue
        kept.append(
            Kept(
                name=name,
                model=each.model,
                n=each.n,
                before=before.accuracy,
                before_interval=before.accuracy_interval,
                after=each.accuracy,
                after_interval=each.accuracy_interval,
                lost=each.against.accuracy_lost,
                lost_interval=each.against.accuracy_lost_interval,
            )
        )
    return Accuracy(precision=_AFTER, sets=tuple(kept), origins=(origin,)) if kept else None
