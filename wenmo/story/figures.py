"""The measured figures of the story, and where each comes from.

Figures come from the newest file of each kind in benchmarks/results/, or from a run of the visitor's session instead.
Nothing is filled in: a kind without a file that can be read is None, and its step says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter

from wenmo.paths import RESULTS

if TYPE_CHECKING:
    from wenmo.evaluation.evaluate import Evaluation
    from wenmo.lab.findings import Findings
    from wenmo.lab.presets import StepResult
    from wenmo.lab.race import Race

PLAIN, OURS, INT8 = "fixed", "ours", "int8"  # ways: batches of 32 as they come, packed in fp32, packed in int8
_NAMES = {"fixed 32": PLAIN, "wenmo fp32": OURS, "wenmo int8": INT8}  # of contestants in a throughput file
_AFTER = "int8"  # the precision whose accuracy is told

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where figures come from. `file` and `day` are those of a committed result; None for a run of the session."""

    file: str | None
    machine: str
    day: date | None


@dataclass(frozen=True, kw_only=True)
class MemoryFound:
    """Steps of the memory lab: of the preset "article", or from one configuration of the visitor's to another."""

    steps: tuple[StepResult, ...]
    origin: Origin

    @property
    def group(self) -> str:
        """The steps from before to after: the article's eight pairs, or the visitor's path."""
        return "path" if any(each.step.group == "path" for each in self.steps) else "eight"

    @property
    def path(self) -> tuple[StepResult, ...]:
        return tuple(each for each in self.steps if each.step.group == self.group)


@dataclass(frozen=True, kw_only=True)
class Way:
    """The speed of one way of computing: the median of the rounds, and the slowest and the fastest where known."""

    key: str
    texts_per_s: float
    lowest: float | None = None
    highest: float | None = None


@dataclass(frozen=True, kw_only=True)
class SpeedFound:
    """`ways`: the plain one first, then each with one more change. `model` is a size or a name."""

    ways: tuple[Way, ...]
    model: str
    random_weights: bool
    device: str
    origin: Origin

    @property
    def plain(self) -> Way:
        return self.ways[0]

    @property
    def best(self) -> Way:
        return self.ways[-1]


@dataclass(frozen=True, kw_only=True)
class SetAccuracy:
    """Accuracy on a labelled set before and after, with 95% intervals; `lost` is in percentage points."""

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
class AccuracyKept:
    """Accuracy in fp32, before, and in `precision`, after."""

    precision: str
    sets: tuple[SetAccuracy, ...]
    origin: Origin


@dataclass(frozen=True, kw_only=True)
class StoryFigures:
    """What there is to tell; None where nothing was measured."""

    memory: MemoryFound | None = None
    speed: SpeedFound | None = None
    accuracy: AccuracyKept | None = None


def committed(folder: Path = RESULTS) -> StoryFigures:
    """The newest results in `folder`, by the date in their names."""
    return StoryFigures(
        memory=_newest(folder, "memory", _memory),
        speed=_speed(folder),
        accuracy=_newest(folder, "accuracy", _accuracy),
    )


def of_race(race: Race) -> SpeedFound:
    """A race of the session, from the article's fixed batches on; `one_by_one` is left out."""
    return SpeedFound(
        ways=tuple(
            Way(key=lane.step, texts_per_s=lane.texts_per_s) for lane in race.lanes if lane.step != "one_by_one"
        ),
        model=race.model,
        random_weights=False,
        device=race.device,
        origin=Origin(file=None, machine=race.machine, day=None),
    )


def of_lab(found: Findings) -> MemoryFound:
    """What the memory lab found in the session."""
    return MemoryFound(steps=found.steps, origin=Origin(file=None, machine=found.machine, day=None))


def _newest(folder: Path, kind: str, read: Callable[[Mapping[str, Any], Origin], T | None]) -> T | None:
    """What `read` makes of the newest `*-kind.json` that it can read."""
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


def _memory(values: Mapping[str, Any], origin: Origin) -> MemoryFound | None:
    from wenmo.lab.presets import StepResult

    if values["preset"] != "article":
        return None
    return MemoryFound(steps=TypeAdapter(tuple[StepResult, ...]).validate_python(values["rows"]), origin=origin)


def _speed(folder: Path) -> SpeedFound | None:
    """All ways come from one run, since only ratios within a run mean something."""
    return _newest(folder, "base-throughput", _ways)


def _ways(values: Mapping[str, Any], origin: Origin) -> SpeedFound | None:
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
    return SpeedFound(
        ways=tuple(ways[key] for key in (PLAIN, OURS, INT8) if key in ways),
        model=str(values["shape"]),
        random_weights=values["weights"] == "random",
        device=str(values["device"]),
        origin=origin,
    )


def _accuracy(values: Mapping[str, Any], origin: Origin) -> AccuracyKept | None:
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
            SetAccuracy(
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
    return AccuracyKept(precision=_AFTER, sets=tuple(kept), origin=origin) if kept else None
