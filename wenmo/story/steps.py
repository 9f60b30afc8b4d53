"""The six steps: of each a title, one sentence, one chart, and what its figures were measured on.

A step of which nothing was measured has no marks, and `missing` names the page that measures it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Literal

from wenmo.errors import Language
from wenmo.lab.findings import CHECKPOINTING, LEFT, checkpointing, compared, waterfall
from wenmo.lab.report import GIB
from wenmo.story.figures import Accuracy, Figures, Memory, Origin, Speed
from wenmo.story.money import DAYS_A_YEAR, MILLION, Price, hours
from wenmo.story.words import WORDS

Key = Literal["before", "changed", "memory", "time", "money", "accuracy"]
KEYS: tuple[Key, ...] = ("before", "changed", "memory", "time", "money", "accuracy")
Page = Literal["memory", "throughput"]
_GROUP = "eight"  # pairs of the article's table: what is told of memory


@dataclass(frozen=True, kw_only=True)
class Mark:
    """What is drawn in a row: a bar, a range as a thin line, a dot, whichever there are, in units of the chart."""

    label: str
    bar: tuple[float, float] | None = None
    range: tuple[float, float] | None = None
    dot: float | None = None
    strong: bool = False


@dataclass(frozen=True, kw_only=True)
class Line:
    """A named row of a chart."""

    name: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, kw_only=True)
class Step:
    """`scale` are both ends of the chart. `notes` tell what was measured, where and how; the formula of money, too."""

    key: Key
    title: str
    sentence: str
    lines: tuple[Line, ...] = ()
    scale: tuple[float, float] = (0.0, 1.0)
    notes: tuple[str, ...] = ()
    missing: Page | None = None


def story(figures: Figures, price: Price, *, language: Language) -> tuple[Step, ...]:
    """All of KEYS, in their order."""
    return _Teller(figures, price, language).steps()


class _Teller:
    def __init__(self, figures: Figures, price: Price, language: Language) -> None:
        self._memory, self._speed, self._accuracy = figures.memory, figures.speed, figures.accuracy
        self._price = price
        self._language = language

    def steps(self) -> tuple[Step, ...]:
        return (
            self._before(),
            self._changed(),
            self._missing("memory", "memory") if self._memory is None else self._memory_saved(self._memory),
            self._missing("time", "throughput") if self._speed is None else self._time_saved(self._speed),
            self._missing("money", "throughput") if self._speed is None else self._money_saved(self._speed),
            self._accuracy_kept(self._accuracy),
        )

    def _say(self, key: str, **values: object) -> str:
        return WORDS[self._language][key].format(**values)

    def _step(
        self,
        key: Key,
        sentence: str,
        lines: Sequence[Line],
        notes: Sequence[str],
        scale: tuple[float, float] | None = None,
    ) -> Step:
        most = max(mark.bar[1] for line in lines for mark in line.marks if mark.bar) if scale is None else 0.0
        return Step(
            key=key,
            title=self._say(f"{key}.title"),
            sentence=sentence,
            lines=tuple(lines),
            scale=(0.0, most) if scale is None else scale,
            notes=tuple(notes),
        )

    def _missing(self, key: Key, page: Page) -> Step:
        return Step(key=key, title=self._say(f"{key}.title"), sentence=self._say(f"{key}.missing"), missing=page)

    def _before(self) -> Step:
        """Full bars: what everything after is measured against."""
        lines, said, notes = [], [], []
        if self._memory is not None and (found := compared(self._memory.rows, _GROUP)) is not None:
            size = _gib(found.before)
            lines.append(self._full("before.memory", size))
            said.append(self._say("before.say_memory", size=size))
            notes += self._memory_notes(self._memory)
        if self._speed is not None:
            takes = hours(MILLION, self._speed.plain.texts_per_s)
            costs = self._price.shown(takes * self._price.per_hour)
            time = self._hours(takes)
            lines += [self._full("before.time", time), self._full("before.money", costs)]
            said.append(self._say("before.say_time", time=time, costs=costs, price=self._per_hour()))
            notes += self._speed_notes(self._speed)
        if not lines:
            return self._missing("before", "throughput")
        sentence = self._say("before.say", parts=self._say("and").join(said))
        return self._step("before", sentence, lines, notes, (0.0, 1.0))

    def _full(self, name: str, label: str) -> Line:
        return Line(name=self._say(name), marks=(Mark(label=label, bar=(0.0, 1.0)),))

    def _changed(self) -> Step:
        """A share saved by each change, of what the one before it had left; what saves most of each kind is strong."""
        memory: dict[str, float] = {}
        time: dict[str, float] = {}
        lines: list[Line] = []
        said: list[str] = []
        notes: list[str] = []
        truth = None if self._memory is None else checkpointing(self._memory.rows)
        if self._memory is not None:
            memory = self._memory_changes(self._memory)
            notes.append(self._say("changed.half_predicted"))
            if "changed.int8_packed" in memory:
                notes.append(self._say("changed.int8_measured"))
            if truth is not None:
                timed = truth.training_time is not None
                note = "changed.training_measured" if timed else "changed.training_predicted"
                notes.append(self._say(note, configuration=truth.training.name))
            notes += self._memory_notes(self._memory)
        if self._speed is not None:
            for last, way in pairwise(self._speed.ways):
                time[f"changed.{way.key}"] = 1 - last.texts_per_s / way.texts_per_s
            notes += self._speed_notes(self._speed)
        for kind, shares in (("memory", memory), ("time", time)):
            if not shares:
                continue
            best = max(shares, key=shares.__getitem__)
            said.append(self._say(f"changed.say_{kind}", name=self._say(best), share=f"{shares[best]:.0%}"))
            for key, share in shares.items():
                more = f"×{1 / (1 - share):.1f}" if kind == "time" else ""
                name = self._say("changed.line", name=self._say(key), kind=self._say(f"changed.{kind}"))
                lines.append(_share(name, share, more, strong=key == best))
        if truth is not None:
            said.append(self._say("changed.say_checkpointing", share=f"{truth.training_saved:.0%}"))
            if truth.inference_saved is not None:
                lines.append(_share(self._say("changed.checkpointing_inference"), truth.inference_saved, ""))
            more = ""
            if truth.training_time is not None:
                more = self._say("changed.time_added", share=f"{truth.training_time:+.0%}")
            lines.append(_share(self._say("changed.checkpointing_training"), truth.training_saved, more))
        if not lines:
            return self._missing("changed", "throughput")
        return self._step(
            "changed", self._say("changed.say", parts=self._say("and").join(said)), lines, notes, (0.0, 1.0)
        )

    def _memory_changes(self, memory: Memory) -> dict[str, float]:
        shares: dict[str, float] = {}
        if (found := compared(memory.rows, _GROUP)) is not None:
            shares["changed.half"] = 1 - found.half_alone / found.before
            shares["changed.lengths"] = 1 - found.after / found.half_alone
        before, after = _measured(memory, "packed"), _measured(memory, "int8")
        if before is not None and after is not None:
            shares["changed.int8_packed"] = 1 - after / before
        return shares

    def _memory_saved(self, memory: Memory) -> Step:
        found, fall = compared(memory.rows, _GROUP), waterfall(memory.rows, _GROUP)
        if found is None or fall is None:
            return self._missing("memory", "memory")
        lines = []
        for bar in fall.bars:
            name = (
                self._say(f"memory.{bar.title}") if bar.title in (CHECKPOINTING, LEFT) else bar.title_in(self._language)
            )
            label = _gib(bar.high)
            if bar.saved is not None:
                label = f"{'−' if bar.saved > 0 else '+'}{_gib(bar.high - bar.low)}" if bar.saved else "0"
            mark = Mark(label=label, bar=(float(bar.low), float(bar.high)), strong=bar.saved is not None)
            lines.append(Line(name=name, marks=(mark,)))
        sentence = self._say(
            "memory.say", before=_gib(found.before), after=_gib(found.after), share=f"{found.saved:.0%}"
        )
        notes = self._memory_notes(memory)
        before, half, int8 = (_measured(memory, name) for name in ("fp32", "packed", "int8"))
        if before is not None and half is not None and int8 is not None:
            notes.append(
                self._say(
                    "memory.measured",
                    before=_gib(before),
                    half=_gib(half),
                    int8=_gib(int8),
                    share=f"{1 - int8 / before:.0%}",
                )
            )
        return self._step("memory", sentence, lines, notes)

    def _time_saved(self, speed: Speed) -> Step:
        lines = []
        for way in speed.ways:
            label = self._hours(hours(MILLION, way.texts_per_s))
            if way != speed.plain:
                label += f"  ×{way.texts_per_s / speed.plain.texts_per_s:.1f}"
            spread = None
            if way.lowest is not None and way.highest is not None:
                spread = (hours(MILLION, way.highest), hours(MILLION, way.lowest))
            mark = Mark(label=label, bar=(0.0, hours(MILLION, way.texts_per_s)), range=spread, strong=way is speed.best)
            lines.append(Line(name=self._say(f"way.{way.key}"), marks=(mark,)))
        sentence = self._say(
            "time.say",
            before=self._hours(hours(MILLION, speed.plain.texts_per_s)),
            after=self._hours(hours(MILLION, speed.best.texts_per_s)),
            factor=f"{speed.best.texts_per_s / speed.plain.texts_per_s:.1f}",
        )
        notes = self._speed_notes(speed)
        if any(way.lowest is not None for way in speed.ways):
            notes.append(self._say("time.spread"))
        most = max(end for line in lines for mark in line.marks for end in (*(mark.bar or ()), *(mark.range or ())))
        return self._step("time", sentence, lines, notes, (0.0, most))

    def _money_saved(self, speed: Speed) -> Step:
        price, a_day = self._price, {}
        for way in speed.ways:
            a_day[way.key] = price.of(price.texts_per_day, way.texts_per_s)
        lines = [
            Line(
                name=self._say(f"way.{way.key}"),
                marks=(
                    Mark(
                        label=self._say("money.a_day", amount=price.shown(a_day[way.key])),
                        bar=(0.0, a_day[way.key]),
                        strong=way is speed.best,
                    ),
                ),
            )
            for way in speed.ways
        ]
        before, after = a_day[speed.plain.key], a_day[speed.best.key]
        sentence = self._say(
            "money.say",
            texts=f"{price.texts_per_day:,}",
            price=self._per_hour(),
            before=price.shown(before),
            after=price.shown(after),
            year=price.shown((before - after) * DAYS_A_YEAR),
        )
        formula = [
            self._say(
                "money.formula",
                way=self._say(f"way.{way.key}"),
                texts=f"{price.texts_per_day:,}",
                speed=f"{way.texts_per_s:,.3f}",
                price=price.shown_per_hour,
                costs=price.shown(a_day[way.key]),
            )
            for way in (speed.plain, speed.best)
        ]
        notes = [self._say("money.rule"), *formula, *self._speed_notes(speed), self._say("money.note")]
        return self._step("money", sentence, lines, notes)

    def _accuracy_kept(self, accuracy: Accuracy | None) -> Step:
        if accuracy is None:
            return Step(
                key="accuracy",
                title=self._say("accuracy.title"),
                sentence=self._say("accuracy.missing"),
            )
        lines, name = [], accuracy.precision
        for each in accuracy.sets:
            marks = (
                Mark(label=f"fp32 {each.before:.2%}", range=each.before_interval, dot=each.before),
                Mark(label=f"{name} {each.after:.2%}", range=each.after_interval, dot=each.after, strong=True),
            )
            lines.append(Line(name=f"{each.name} · n = {each.n:,}", marks=marks))
        worse = sum(each.lost_interval[0] > 0 for each in accuracy.sets)
        sentence = self._say(
            "accuracy.say" if worse == 0 else "accuracy.say_worse",
            sets=len(accuracy.sets),
            precision=name,
            most=f"{max(abs(each.lost) for each in accuracy.sets):.2f}",
            worse=worse,
        )
        low = min(end for each in accuracy.sets for end in (*each.before_interval, *each.after_interval))
        floor = int(low * 10) / 10
        models = ", ".join(dict.fromkeys(each.model for each in accuracy.sets))
        notes = [self._say("accuracy.note", models=models, floor=f"{floor:.0%}"), *self._origins(accuracy.origins)]
        return self._step("accuracy", sentence, lines, notes, (floor, 1.0))

    def _memory_notes(self, memory: Memory) -> list[str]:
        model = next(row for row in memory.rows if row.step.group == _GROUP).step.configuration
        kind = self._say("random" if model.random_weights else "own_weights")
        return [self._say("memory.note", model=model.model, weights=kind), *self._origins(memory.origins)]

    def _speed_notes(self, speed: Speed) -> list[str]:
        kind = self._say("random" if speed.random_weights else "own_weights")
        note = self._say("time.note", model=speed.model, weights=kind, device=speed.device)
        return [note, *self._origins(speed.origins)]

    def _origins(self, origins: Sequence[Origin]) -> list[str]:
        """A line for each machine and day, with its files."""
        files: dict[tuple[str, date | None], list[str]] = {}
        for each in origins:
            files.setdefault((each.machine, each.day), []).extend([] if each.file is None else [each.file])
        return [
            self._say("origin.file", files=", ".join(names), machine=machine, day=day or "–")
            if names
            else self._say("origin.own", machine=machine)
            for (machine, day), names in files.items()
        ]

    def _hours(self, amount: float) -> str:
        if amount < 1:
            return self._say("minutes", amount=f"{60 * amount:,.1f}")
        return self._say("hours", amount=f"{amount:,.1f}")

    def _per_hour(self) -> str:
        return self._say("per_hour", price=self._price.shown_per_hour)


def _measured(memory: Memory, name: str) -> int | None:
    """Bytes of the eight pairs, measured on this CPU; `name` is the end of the step's key."""
    found = next((row.measured for row in memory.rows if row.step.key == f"{_GROUP}-{name}"), None)
    return None if found is None else found.peak.total


def _gib(size: float) -> str:
    return f"{size / GIB:.2f} GiB"


def _share(name: str, share: float, more: str, *, strong: bool = False) -> Line:
    return Line(name=name, marks=(Mark(label=_saved(share, more), bar=(0.0, max(0.0, share)), strong=strong),))


def _saved(share: float, more: str) -> str:
    label = "0%" if f"{abs(share):.0%}" == "0%" else f"{'−' if share > 0 else '+'}{abs(share):.0%}"
    return f"{label}  {more}" if more else label
