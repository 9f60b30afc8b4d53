"""Analyses the result of a job: its scores, matching rows, means by a column, agreement with a column of labels.

Everything streams over the columns that it needs, so that memory does not grow with the texts; only the scores, some
bytes a row, are held for all rows. Rows without a result are left out throughout.
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
from wenmo.evaluation.labelled import label_text
from wenmo.tables.cells import as_text
from wenmo.tables.read_parquet import ArrowChunk, ParquetReader
from wenmo.tables.table import Row

UNSURE = (0.4, 0.6)  # probabilities of positive from which nothing follows
BINS = 20  # of the histogram of confidence, 0.05 wide each
MOST_VALUES = 10_000  # distinct values of a column to group by
MOST_LABELS = 30  # distinct values of a column to compare with
MOST_REASONS = 20
_NUMBER = re.compile(r"\d[\d,]*")
_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})(?:[-/.月](\d{1,2})日?)?(?:[ T].*)?")


@dataclass(frozen=True, kw_only=True)
class Scores:
    """`values` (N,) float64, NaN for a row without a result; `histogram` (BINS,) counts them from 0 to 1."""

    values: np.ndarray
    histogram: np.ndarray

    def surest(self, count: int) -> list[int]:
        """The indices of the `count` rows with the highest scores, highest first."""
        return [int(row) for row in self._order()[::-1][:count]]

    def least_sure(self, count: int) -> list[int]:
        """The indices of the `count` rows with the lowest scores, lowest first."""
        return [int(row) for row in self._order()[:count]]

    def _order(self) -> np.ndarray:
        rows = np.flatnonzero(~np.isnan(self.values))
        return rows[np.lexsort((rows, self.values[rows]))]


@dataclass(frozen=True, kw_only=True)
class GroupMean:
    """`mean` is over the `count` rows whose value is `value`.

    Of these rows `good` have a probability above UNSURE, `bad` one below it; the others are neither.
    """

    value: str
    count: int
    mean: float
    good: int
    bad: int

    @property
    def neutral(self) -> int:
        return self.count - self.good - self.bad


@dataclass(frozen=True, kw_only=True)
class Period:
    """The rows whose date in `column` is in one of the months from `first` to `last`, written 2026-01."""

    column: str
    first: str
    last: str

    def holds(self, value: object) -> bool:
        month = _month(as_text(value) or "")
        return month is not None and self.first <= month <= self.last


@dataclass(frozen=True, kw_only=True)
class GroupMeans:
    """`groups` are the most frequent of `total` values, or if `over_time` the latest of `total` periods, in order."""

    groups: tuple[GroupMean, ...]
    total: int
    over_time: bool


class Results:
    """The Parquet file that a job wrote, whose result columns begin with `prefix`."""

    def __init__(self, path: Path, prefix: str = "", *, period: Period | None = None) -> None:
        """With a `period`, `find`, `mean_by` and `texts` are about its rows alone."""
        self._reader = ParquetReader(path)
        self._period = period
        self.label, self.score = f"{prefix}label", f"{prefix}score"

    def scores(self) -> Scores:
        """The scores of all rows."""
        parts = [np.empty(0)]
        for batch in self._reader.batches([self.score]):
            column = batch.column(0).to_numpy(zero_copy_only=False)
            parts.append(np.asarray(column, dtype=np.float64))
        values = np.concatenate(parts)
        histogram, _ = np.histogram(values[~np.isnan(values)], bins=BINS, range=(0.0, 1.0))
        return Scores(values=values, histogram=histogram)

    def rows(self, indices: Sequence[int], columns: Sequence[str]) -> list[Row]:
        """The rows at `indices` (from 0), in that order."""
        rows: dict[int, Row] = {}
        first = 0
        missing = sorted(set(indices))
        for batch in self._reader.batches(list(columns)):
            end = first + batch.num_rows
            while missing and missing[0] < end:
                index = missing.pop(0)
                rows[index] = ArrowChunk(batch).row(index - first)
            if not missing:
                break
            first = end
        return [rows[index] for index in indices]

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
        """The number of matching rows, and `columns` of the first `limit` of them.

        A row matches if its label is one of `labels` (empty: any), its score is from `low` to `high`, and one of its
        columns `texts` contains the string `contains` (not a pattern; upper and lower case are the same).
        """
        substring = contains.casefold()
        needed = list(dict.fromkeys((self.label, self.score, *texts, *columns)))
        total = 0
        matching: list[Row] = []
        for row in self._rows(needed):
            score, label = row[self.score], row[self.label]
            if score is None or not low <= score <= high or (labels and label not in labels):
                continue
            if substring and not any(substring in (as_text(row[name]) or "").casefold() for name in texts):
                continue
            total += 1
            if len(matching) < limit:
                matching.append({name: row[name] for name in columns})
        return total, matching

    def mean_by(self, column: str, positive: str, *, limit: int, by_month: bool = False) -> GroupMeans:
        """The mean probability of the label `positive`, of a model with two labels, for each value of `column`.

        At most `limit` groups are returned. If all values are dates, the groups are days, or months where these are
        asked for or there are more than `limit` days. Raises InputError for a column of more than MOST_VALUES
        distinct values.
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
            total = sums.setdefault(value, [0, 0.0, 0, 0])
            probability = row[self.score] if row[self.label] == positive else 1 - row[self.score]
            total[0] += 1
            total[1] += probability
            total[2] += probability > UNSURE[1]
            total[3] += probability < UNSURE[0]
        periods = _periods(list(sums), 0 if by_month else limit)
        if periods is not None:
            joined: dict[str, list[float]] = {}
            for value, figures in sums.items():
                total = joined.setdefault(periods[value], [0, 0.0, 0, 0])
                for place, figure in enumerate(figures):
                    total[place] += figure
            ordered = sorted(joined.items())[-limit:]
            sums = joined
        else:
            ordered = sorted(sums.items(), key=lambda item: -item[1][0])[:limit]
        return GroupMeans(
            groups=tuple(
                GroupMean(value=value, count=int(count), mean=score / count, good=int(good), bad=int(bad))
                for value, (count, score, good, bad) in ordered
            ),
            total=len(sums),
            over_time=periods is not None,
        )

    def months(self, column: str) -> list[str] | None:
        """The months in `column`, in order; None for a column of anything but dates."""
        found: set[str] = set()
        for batch in self._reader.batches([column]):
            for row in ArrowChunk(batch).rows():
                if value := as_text(row[column]):
                    month = _month(value)
                    if month is None:
                        return None
                    found.add(month)
        return sorted(found)

    def texts(self, column: str, positive: str, *, good: bool) -> Iterator[str]:
        """The texts in `column` that are surely positive, or surely negative."""
        for row in self._rows([column, self.label, self.score]):
            text, score = as_text(row[column]), row[self.score]
            if text and score is not None:
                probability = score if row[self.label] == positive else 1 - score
                if probability > UNSURE[1] if good else probability < UNSURE[0]:
                    yield text

    def compare(self, column: str) -> Counter[tuple[str, str]]:
        """The number of rows with each pair (value of `column`, the model's label); rows without a value are left out.

        Raises InputError for a column of more than MOST_LABELS distinct values.
        """
        counts: Counter[tuple[str, str]] = Counter()
        for row in self._rows([column, self.label]):
            try:
                value = label_text(row[column])
            except InputError:  # several labels: a value of its own, which is none of the model's labels
                value = as_text(row[column]) or ""
            if not value or row[self.label] is None:
                continue
            counts[value.strip(), row[self.label]] += 1
            if len(counts) > MOST_LABELS and len({gold for gold, _ in counts}) > MOST_LABELS:
                raise InputError(
                    f"{column} has more than {MOST_LABELS} different values. Choose the column with the labels.",
                    f"“{column}”有超过 {MOST_LABELS} 个不同的值。请选择标注所在的列。",
                )
        return counts

    def _rows(self, columns: Sequence[str]) -> Iterator[Row]:
        period = self._period
        names = list(dict.fromkeys(columns if period is None else (*columns, period.column)))
        for batch in self._reader.batches(names):
            for row in ArrowChunk(batch).rows():
                if period is None or period.holds(row[period.column]):
                    yield row


def _month(value: str) -> str | None:
    """2026-01 of a date; None of anything else."""
    match = _DATE.fullmatch(value.strip())
    return None if match is None else f"{match[1]}-{match[2].zfill(2)}"


def _periods(values: list[str], limit: int) -> dict[str, str] | None:
    """The day of each value, or its month if days are missing or more than `limit`; None if not all are dates."""
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
    """The reasons in an errors file (`sources.errors_file`) with their counts: the MOST_REASONS most frequent.

    Reasons that differ only in their numbers, such as that of a line, count as one.
    """
    counts: Counter[str] = Counter()
    with errors.open(encoding="utf-8") as file:
        for line in file:
            reason = _NUMBER.sub("…", json.loads(line)["error"])
            if reason in counts or len(counts) < MOST_VALUES:
                counts[reason] += 1
    return dict(counts.most_common(MOST_REASONS))
