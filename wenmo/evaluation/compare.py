"""Two models, or two precisions of one, on the same inputs: what each answers, how fast, in how much memory.

The engines take turns over the inputs, so that a busy machine slows down both; medians are compared. A decision is the
more probable of two, or the best label: models that name their labels differently can still be compared.
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

_SECONDS = 1.0  # an engine is asked again until it has computed for so long,
_ROUNDS = 20  # at most so often, at least three times,
_LONG_S = 3.0  # but only once where that took so long


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two. `ms_per_input` is the median over the rounds; `weights_mib` what the model's tensors take."""

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
    """`differing` are the indices of the inputs on which the decisions differ.

    `differences` are, for each input, the largest difference of a probability. `rounds` is how often each was asked.
    """

    first: Side
    second: Side
    rounds: int
    differing: tuple[int, ...]
    differences: tuple[float, ...]

    @property
    def agreement(self) -> float:
        """Share of the inputs with the same decision."""
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
    """`ask` both engines for `inputs`. They must not keep results (`cache_mib=0`), or the second round measures that.

    `progress` is told of each time that an engine has answered, out of how many, and may raise to stop. Raises
    InputError without inputs, and what the engines raise.
    """
    if not inputs:
        raise InputError("There is nothing to compare on. Give a text.", "没有可供比较的输入。请至少给出一条文本。")
    engines = (first, second)
    for engine in engines:
        ask(engine, inputs[:1])  # loads the model, and compiles what INT8 needs
    progress(0, 2)
    seconds: tuple[list[float], list[float]] = ([], [])
    answers: list[Sequence[Result]] = []
    rounds = done = 0
    while not rounds or done < 2 * rounds:
        for engine, taken in zip(engines, seconds, strict=True):
            start = time.perf_counter()
            answer = ask(engine, inputs)
            taken.append(time.perf_counter() - start)
            done += 1
            if len(answers) < 2:
                answers.append(answer)
            progress(done, max(2 * rounds, 2))
        if not rounds:
            longest = max(seconds[0][0], seconds[1][0])
            rounds = 1 if longest > _LONG_S else max(3, min(_ROUNDS, int(_SECONDS / max(longest, 1e-9))))
    ms = [statistics.median(taken) / len(inputs) * 1000 for taken in seconds]
    sides = [_side(*each, task) for each in zip(engines, ms, answers, strict=True)]
    pairs = list(zip(*(map(distribution, side.results) for side in sides), strict=True))
    return Comparison(
        first=sides[0],
        second=sides[1],
        rounds=rounds,
        differing=tuple(index for index, (one, other) in enumerate(pairs) if decision(one) != decision(other)),
        differences=tuple(max(abs(one[name] - other.get(name, 0.0)) for name in one) for one, other in pairs),
    )


def distribution(result: Result) -> Mapping[str, float]:
    """Probabilities under names that all models of the task share."""
    field = result.probability
    if field is None:
        return result.scores
    last = getattr(result, field)
    first_key, last_key = (role.key for role in next(s for s in TASKS.values() if s.result is type(result)).roles)
    return {last_key: last, first_key: 1 - last}


def decision(probabilities: Mapping[str, float]) -> str:
    """The most probable; of equal ones the first."""
    return max(probabilities, key=probabilities.__getitem__)


def _side(engine: Engine, ms_per_input: float, results: Sequence[Result], task: TaskName) -> Side:
    info = engine.model_info(task)
    return Side(
        model=info.name,
        precision=engine.precision,
        layers=info.layers,
        hidden_size=info.hidden_size,
        parameters=info.parameters,
        weights_mib=info.weights_mib,
        ms_per_input=ms_per_input,
        results=tuple(results),
    )
