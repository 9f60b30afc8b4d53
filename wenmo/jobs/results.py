"""A finished table looked at: counts, the surest rows, rows that match, means by a column, agreement with labels.

Everything streams over the columns that it needs, so that memory does not grow with the texts. Only labels and scores,
some bytes a row, are ever held whole. A row without a result takes part in nothing here.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wenmo.errors import InputError
from wenmo.tables.cells import as_text
from wenmo.tables.read_parquet import ArrowChunk, ParquetReader
from wenmo.tables.table import Row

BINS = 20  # of the histogram of confidence, each of 0.05
MOST_VALUES = 10_000  # different values of a column to group by
MOST_LABELS = 30  # different values of a column to compare with
MOST_REASONS = 20
_NUMBER = re.compile(r"\d[\d,]*")
_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})(?:[-/.月](\d{1,2})日?)?(?:[ T].*)?")


@dataclass(frozen=True, kw_only=True)
class Scores:
    """`values` (N,) float64, NaN for a row without a result; `histogram` (BINS,) counts from 0 to 1."""

    values: np.ndarray
    histogram: np.ndarray

    def surest(self, count: int) -> list[int]:
        """The rows with the highest scores, highest first; of equals, the first."""
        return [int(row) for row in self._order()[::-1][:count]]

    def least_sure(self, count: int) -> list[int]:
        """The rows with the lowest scores, lowest first."""
        return [int(row) for row in self._order()[:count]]

    def _order(self) -> np.ndarray:
        there = np.flatnonzero(~np.isnan(self.values))
        return there[np.lexsort((there, self.values[there]))]


@dataclass(frozen=True, kw_only=True)
class Group:
    """`mean` is over `count` rows whose value is `value`."""

    value: str
    count: int
    mean: float


@dataclass(frozen=True, kw_only=True)
class Groups:
    """`shown` are the most frequent values, or the latest periods in order of time, of `of` different ones."""

    shown: tuple[Group, ...]
    of: int
    over_time: bool


class Results:
    """The Parquet file `path`, whose result columns begin with `prefix`."""

    def __init__(self, path: Path, prefix: str = "") -> None:
        self._reader = ParquetReader(path)
        self.label, self.score = f"{prefix}label", f"{prefix}score"

    def scores(self) -> Scores:
        parts = [np.empty(0)]
        for batch in self._reader.batches([self.score]):
            column = batch.column(0).to_numpy(zero_copy_only=False)
            parts.append(np.asarray(column, dtype=np.float64))
        values = np.concatenate(parts)
        histogram, _ = np.histogram(values[~np.isnan(values)], bins=BINS, range=(0.0, 1.0))
        return Scores(values=values, histogram=histogram)

    def rows(self, wanted: Sequence[int], columns: Sequence[str]) -> list[Row]:
        """The rows at these places, from 0, in this order."""
        found: dict[int, Row] = {}
        first = 0
        places = sorted(set(wanted))
        for batch in self._reader.batches(list(columns)):
            end = first + batch.num_rows
            while places and places[0] < end:
                place = places.pop(0)
                found[place] = ArrowChunk(batch).row(place - first)
            if not places:
                break
            first = end
        return [found[place] for place in wanted]

    def find(
        self,
        columns: Sequence[str],
        *,
        labels: Sequence[str],
        low: float,
        high: float,
        contains: str,
        texts: Sequence[str],
        limit: int,
    ) -> tuple[int, list[Row]]:
        """How many rows match, and the first `limit` of them with `columns`.

        A row matches whose label is one of `labels` (all, where empty), whose score is from `low` to `high`, and one of
        whose columns `texts` contains the text `contains`, as it is, upper and lower case alike.
        """
        wanted = contains.casefold()
        needed = list(dict.fromkeys((self.label, self.score, *texts, *columns)))
        total = 0
        shown: list[Row] = []
        for row in self._rows(needed):
            score, label = row[self.score], row[self.label]
            if score is None or not low <= score <= high or (labels and label not in labels):
                continue
            if wanted and not any(wanted in (as_text(row[name]) or "").casefold() for name in texts):
                continue
            total += 1
            if len(shown) < limit:
                shown.append({name: row[name] for name in columns})
        return total, shown

    def mean_by(self, column: str, positive: str, *, limit: int) -> Groups:
        """The mean probability of the label `positive`, of a model with two, for each value of `column`.

        Dates make periods: days, or months where there are more than `limit` days. Raises InputError for a column of
        more than MOST_VALUES different values.
        """
        sums: dict[str, list[float]] = {}
        for row in self._rows([column, self.label, self.score]):
            value = as_text(row[column])
            if not value or row[self.score] is None:
                continue
            if value not in sums and len(sums) >= MOST_VALUES:
                raise InputError(
                    f"{column} has more than {MOST_VALUES:,} different values. Choose a column that repeats itself.",
                    f"“{column}”有超过 {MOST_VALUES:,} 个不同的值。请选择取值会重复的列。",
                )
            total = sums.setdefault(value, [0, 0.0])
            total[0] += 1
            total[1] += row[self.score] if row[self.label] == positive else 1 - row[self.score]
        periods = _periods(list(sums), limit)
        if periods is not None:
            joined: dict[str, list[float]] = {}
            for value, (count, score) in sums.items():
                total = joined.setdefault(periods[value], [0, 0.0])
                total[0] += count
                total[1] += score
            ordered = sorted(joined.items())[-limit:]
            sums = joined
        else:
            ordered = sorted(sums.items(), key=lambda item: -item[1][0])[:limit]
        return Groups(
            shown=tuple(Group(value=value, count=int(count), mean=score / count) for value, (count, score) in ordered),
            of=len(sums),
            over_time=periods is not None,
        )

    def compare(self, column: str) -> Counter[tuple[str, str]]:
        """How many rows have (value of `column`, the model's label); rows without a value are left out.

        Raises InputError for a column of more than MOST_LABELS different values.
        """
        counts: Counter[tuple[str, str]] = Counter()
        for row in self._rows([column, self.label]):
            value = as_text(row[column])
            if value is None or not value.strip() or row[self.label] is None:
                continue
            counts[value.strip(), row[self.label]] += 1
            if len(counts) > MOST_LABELS and len({gold for gold, _ in counts}) > MOST_LABELS:
                raise InputError(
                    f"{column} has more than {MOST_LABELS} different values. Choose the column with the labels.",
                    f"“{column}”有超过 {MOST_LABELS} 个不同的值。请选择标注所在的列。",
                )
        return counts

    def _rows(self, columns: Sequence[str]) -> Iterator[Row]:
        names = list(dict.fromkeys(columns))
        for batch in self._reader.batches(names):
            yield from ArrowChunk(batch).rows()


def _periods(values: list[str], limit: int) -> dict[str, str] | None:
    """Each value's day, or its month where the days are too many or not given; None unless all are dates."""
    matches = {value: _DATE.fullmatch(value.strip()) for value in values}
    dates: dict[str, tuple[str, str, str | None]] = {}
    for value, match in matches.items():
        if match is None:
            return None
        dates[value] = match[1], match[2].zfill(2), match[3] and match[3].zfill(2)
    by_day = {value: f"{year}-{month}-{day}" for value, (year, month, day) in dates.items() if day}
    if len(by_day) == len(dates) and len(set(by_day.values())) <= limit:
        return by_day or None
    return {value: f"{year}-{month}" for value, (year, month, _) in dates.items()}


def reasons(errors: Path) -> Mapping[str, int]:
    """How often each reason stands in a file of rows without a result, most frequent first, MOST_REASONS at most.

    Reasons that differ in their numbers alone, of lines, say, count as one.
    """
    counts: Counter[str] = Counter()
    with errors.open(encoding="utf-8") as file:
        for line in file:
            reason = _NUMBER.sub("…", json.loads(line)["error"])
            if reason in counts or len(counts) < MOST_VALUES:
                counts[reason] += 1
    return dict(counts.most_common(MOST_REASONS))
