"""The last result of `python -m wenmo bench articles`, read from its file. Free of Streamlit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wenmo.paths import RESULTS


@dataclass(frozen=True, kw_only=True)
class AccelerationRow:
    """`what` is the key of a figure, such as mean_latency_ms. None: not in the article, or not measured."""

    what: str
    published: tuple[float | None, float | None]  # before, after
    measured: tuple[float | None, float | None]


@dataclass(frozen=True, kw_only=True)
class StageRow:
    """A stage of the CPU article: its figures by their keys, the article's and ours."""

    stage: str
    published: Mapping[str, float | None]
    measured: Mapping[str, float | None]


@dataclass(frozen=True, kw_only=True)
class ArticlesRun:
    """`taken` is a date and time in ISO 8601, `clients` the number of concurrent clients in the first article."""

    machine: str
    taken: str
    titles: tuple[str, str]
    clients: int
    acceleration: tuple[AccelerationRow, ...]
    stages: tuple[StageRow, ...]


def last_run(folder: Path = RESULTS) -> ArticlesRun | None:
    """The newest readable result, by the date in the name of its file; None where there is none."""
    for path in sorted(folder.glob("*-articles.json"), reverse=True):
        try:
            return _run(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # half written, or written by another version
    return None


def _run(report: Mapping[str, Any]) -> ArticlesRun:
    first, second = report["acceleration"], report["cpu"]
    return ArticlesRun(
        machine=str(report["machine"]),
        taken=str(report["taken"]),
        titles=(str(first["article"]), str(second["article"])),
        clients=int(first["clients"]),
        acceleration=tuple(
            AccelerationRow(
                what=str(row["what"]),
                published=_two(row["published"]),
                measured=_two((row["before"], row["after"])),
            )
            for row in first["rows"]
        ),
        stages=tuple(
            StageRow(stage=str(row["stage"]), published=_figures(row["published"]), measured=_figures(row["measured"]))
            for row in second["rows"]
        ),
    )


def _two(values: Any) -> tuple[float | None, float | None]:
    before, after = values
    return _figure(before), _figure(after)


def _figures(values: Mapping[str, Any]) -> dict[str, float | None]:
    return {str(name): _figure(value) for name, value in values.items()}


def _figure(value: Any) -> float | None:
    return None if value is None else float(value)
