"""Compares two models, or two precisions of a model, on the same inputs: results, speed and size.

The engines take turns, so that other load on the machine slows down both; their medians are compared. Models that name
their labels differently can be compared, because the labels of two-class tasks are matched by their roles.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from wenmo.engine import Engine, OnProgress
from wenmo.errors import InputError
from wenmo.tasks.table import TASKS
from wenmo.types import Precision, Resolved, Result, TaskName

T = TypeVar("T")

_TARGET_S = 1.0  # rounds are repeated for about so long,
_MAX_ROUNDS = 20  # at most so often and at least three times,
_LONG_S = 3.0  # but a round that takes longer than this is not repeated


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two models. `ms_per_input` is the median over the rounds, `weights_mib` the size of its tensors."""

    model: str
    precision: Resolved[Precision]
    layers: int
    hidden_size: int
    parameters: int
    weights_mib: float | None
    ms_per_input: float
    results: tuple[Result, ...]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The results of both models, and where they differ.

    `rounds` is how often each model answered all inputs. `differing` are the indices of the inputs with different
    decisions. `differences` has, for each input, the largest difference of a probability, in shares of 1.
    """

    first: Side
    second: Side
    rounds: int
    differing: tuple[int, ...]
    differences: tuple[float, ...]

    @property
    def agreement(self) -> float:
        """The share of inputs with the same decision."""
        return 1 - len(self.differing) / len(self.differences)


def compare(
    first: Engine,
    second: Engine,
    task: TaskName,
    inputs: Sequence[T],
    ask: Callable[[Engine, Sequence[T]], Sequence[Result]],
    *,
    progress: OnProgress = lambda done, of: None,
) -> Comparison:
    """Compare two engines on `inputs`; `ask` calls an engine. Both need `cache_mib=0`: a cache would be timed instead.

    `progress` is called after each engine's round with the rounds done and their total, of both engines; it may raise
    to stop. Raises InputError if there are no inputs, and the errors of the engines.
    """
    if not inputs:
        raise InputError("There is nothing to compare on. Give a text.", "没有可供比较的输入。请至少给出一条文本。")
    engines = (first, second)
    for engine in engines:
        ask(engine, inputs[:1])  # loads the model, and compiles what INT8 needs
    progress(0, 2)
    seconds: tuple[list[float], list[float]] = ([], [])
    results: list[Sequence[Result]] = []
    rounds = done = 0
    while not rounds or done < 2 * rounds:
        for engine, taken in zip(engines, seconds, strict=True):
            start = time.perf_counter()
            result = ask(engine, inputs)
            taken.append(time.perf_counter() - start)
            done += 1
            if len(results) < 2:
                results.append(result)
            progress(done, max(2 * rounds, 2))
        if not rounds:
            longest = max(seconds[0][0], seconds[1][0])
            rounds = 1 if longest > _LONG_S else max(3, min(_MAX_ROUNDS, int(_TARGET_S / max(longest, 1e-9))))
    ms = [statistics.median(taken) / len(inputs) * 1000 for taken in seconds]
    sides = [_side(*each, task) for each in zip(engines, ms, results, strict=True)]
    pairs = list(zip(*(map(distribution, side.results) for side in sides), strict=True))
    return Comparison(
        first=sides[0],
        second=sides[1],
        rounds=rounds,
        differing=tuple(index for index, (one, other) in enumerate(pairs) if decision(one) != decision(other)),
        differences=tuple(max(abs(one[name] - other.get(name, 0.0)) for name in one) for one, other in pairs),
    )


def distribution(result: Result) -> Mapping[str, float]:
    """The probabilities of a result, under names that all models of the task share.

    The names are the keys of the roles for a two-class task, and the labels otherwise.
    """
    field = result.probability
    if field is None:
        return result.scores
    last = getattr(result, field)
    first_key, last_key = (role.key for role in next(s for s in TASKS.values() if s.result is type(result)).roles)
    return {last_key: last, first_key: 1 - last}


def decision(probabilities: Mapping[str, float]) -> str:
    """The most probable label; of equal ones the first."""
    return max(probabilities, key=probabilities.__getitem__)


def _side(engine: Engine, ms_per_input: float, results: Sequence[Result], task: TaskName) -> Side:
    info = engine.model_info(task)
    return Side(
        model=info.name,
        precision=info.precision,
        layers=info.layers,
        hidden_size=info.hidden_size,
        parameters=info.parameters,
        weights_mib=info.weights_mib,
        ms_per_input=ms_per_input,
        results=tuple(results),
    )
