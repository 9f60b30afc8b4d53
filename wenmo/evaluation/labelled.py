"""A user's labelled rows: which columns they are in, what their labels mean, and which of them a model may not learn.

Rows that say the same (but for spaces, width and case; pairs also the other way round) count once, and not at all
where their labels contradict each other, so that no held-out row was also learnt. Rewordings are not recognised: a file
with many of them makes a model look better than it is.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from wenmo.errors import InputError
from wenmo.tables.column_roles import column_named_for
from wenmo.tables.readers import open_reader
from wenmo.tasks.table import TASKS
from wenmo.types import TaskName

MAX_ROWS = 20_000
MAX_TOPICS = 50
FEWEST_ROWS = 20
FEWEST_OF_A_LABEL = 4  # two to learn from, one to stop by, one to test on


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The names of the columns; `text` for single texts, `text_a` and `text_b` for pairs."""

    text: str = "text"
    text_a: str = "text_a"
    text_b: str = "text_b"
    label: str = "label"

    def of(self, task: TaskName) -> tuple[str, ...]:
        """Those that a file for `task` must have, the label last."""
        return (*((self.text_a, self.text_b) if TASKS[task].inputs == "pair" else (self.text,)), self.label)


def guess_columns(names: Sequence[str], task: TaskName) -> Columns:
    """The columns of a file with the columns `names`: by what they are called, else by their places."""
    roles = ("text_a", "text_b", "label") if TASKS[task].inputs == "pair" else ("text", "label")
    found = {role: column_named_for(role, names) for role in roles}
    left = [name for name in names if name not in found.values()]
    chosen = {role: name or (left.pop(0) if left else None) for role, name in found.items()}
    return Columns(**{role: name for role, name in chosen.items() if name is not None})


def has_pairs(names: Sequence[str]) -> bool:
    """Whether a file with the columns `names` has two texts a row, by what its columns are called."""
    return all(column_named_for(role, names) is not None for role in ("text_a", "text_b"))


@dataclass(frozen=True, kw_only=True, eq=False)  # arrays do not compare as one
class LabelledRows:
    """`inputs` are texts, for similarity pairs of them; `label` (N,) int64 indexes `names`.

    For zero-shot `names` are the topics of the file; for the others two words, the second the "same" or "positive".
    `meanings` tells for each value of the label column how many rows have it and which of `names` it is. `skipped` rows
    had an empty cell, `repeated` ones said the same as another, `contradicting` ones did so with another label.
    """

    task: TaskName
    inputs: Sequence[Any]
    label: np.ndarray
    names: tuple[str, ...]
    meanings: Mapping[str, tuple[int, int]]
    skipped: int
    repeated: int
    contradicting: int

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, rows: np.ndarray) -> LabelledRows:
        return replace(self, inputs=[self.inputs[row] for row in rows.tolist()], label=self.label[rows])


def read_rows(path: Path, task: TaskName, columns: Columns | None = None) -> LabelledRows:
    """Read a CSV, TSV, JSONL, Parquet or Excel file; `columns` are guessed where they are not given.

    Raises InputError for a file, a column, a label or a number of rows that cannot be learnt from.
    """
    reader = open_reader(path)
    wanted = (columns or guess_columns(reader.columns, task)).of(task)
    missing = [name for name in wanted if name not in reader.columns]
    if missing:
        raise InputError(
            f"{path.name} lacks the columns {', '.join(missing)}; it has {', '.join(reader.columns)}. "
            "Name the right ones, or rename those of the file.",
            f"{path.name} 缺少列 {'、'.join(missing)}；现有：{'、'.join(reader.columns)}。请指定正确的列名或修改文件。",
        )
    if len(set(wanted)) < len(wanted):
        raise InputError(
            f"One column cannot serve twice: {', '.join(wanted)}. Choose different ones.",
            f"同一列不能使用两次：{'、'.join(wanted)}。请选择不同的列。",
        )
    if reader.row_count > MAX_ROWS:
        raise InputError(
            f"{path.name} has {reader.row_count:,} rows; at most {MAX_ROWS:,} are taken. Keep a sample of them.",
            f"{path.name} 有 {reader.row_count:,} 行，最多 {MAX_ROWS:,} 行。请抽取一部分。",
        )
    cells: list[tuple[str, ...]] = []
    for chunk in reader.chunks():
        for index, bad_row in chunk.bad_rows.items():
            raise InputError(
                f"{path.name}, row {len(cells) + index + 1}: {bad_row.error.en}",
                f"{path.name} 第 {len(cells) + index + 1} 行：{bad_row.error.zh}",
            )
        cells += zip(*([_text(cell) for cell in chunk.values(name)] for name in wanted), strict=True)
    return labelled_rows(cells, task)


def labelled_rows(cells: Sequence[tuple[str, ...]], task: TaskName) -> LabelledRows:
    """Rows from cells: (text, label), for similarity (first, second, label). Raises InputError, see `read_rows`."""
    whole = [row for row in cells if all(row)]
    values = [row[-1] for row in whole]
    meaning, names = _meanings(values, task)
    groups: dict[tuple[str, ...], list[int]] = {}
    for number, row in enumerate(whole):
        groups.setdefault(_sameness(row[:-1]), []).append(number)
    agreeing = [numbers for numbers in groups.values() if len({meaning[values[number]] for number in numbers}) == 1]
    kept = [numbers[0] for numbers in agreeing]
    label = np.asarray([meaning[values[number]] for number in kept], dtype=np.int64)
    _check_enough(label, names)
    return LabelledRows(
        task=task,
        inputs=[whole[number][:-1] if TASKS[task].inputs == "pair" else whole[number][0] for number in kept],
        label=label,
        names=names,
        meanings={value: (count, meaning[value]) for value, count in Counter(values).most_common()},
        skipped=len(cells) - len(whole),
        repeated=sum(map(len, agreeing)) - len(kept),
        contradicting=len(whole) - sum(map(len, agreeing)),
    )


@dataclass(frozen=True, kw_only=True)
class Split:
    """Row numbers of three parts: `train` is learnt, `dev` decides when to stop, `test` is asked before and after."""

    train: np.ndarray
    dev: np.ndarray
    test: np.ndarray


def split_rows(
    label: np.ndarray,
    *,
    seed: int,
    most_dev: int = 500,
    most_test: int = 1_000,
    shares: tuple[float, float] = (0.15, 0.25),
) -> Split:
    """Each label's rows (N,) in the same `shares` of dev and test, at least one in each part; drawn by `seed`."""
    rng = np.random.default_rng(seed)
    dev_share, test_share = min(shares[0], most_dev / len(label)), min(shares[1], most_test / len(label))
    parts: tuple[list[np.ndarray], ...] = ([], [], [])
    for value in np.unique(label):
        rows = rng.permutation(np.flatnonzero(label == value))
        test, dev = (max(1, round(share * len(rows))) for share in (test_share, dev_share))
        for part, chosen in zip(parts, np.split(rows, [test, test + dev]), strict=True):
            part.append(chosen)
    test_rows, dev_rows, train_rows = (np.sort(np.concatenate(part)) for part in parts)
    return Split(train=train_rows, dev=dev_rows, test=test_rows)


def _text(cell: Any) -> str:
    """A cell as text, "" where it is empty; 1.0, as spreadsheets' numbers arrive, is 1."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return str(cell).strip()


def _sameness(texts: Sequence[str]) -> tuple[str, ...]:
    """Equal for rows that say the same."""
    return tuple(sorted("".join(unicodedata.normalize("NFKC", text).casefold().split()) for text in texts))


def _meanings(values: Sequence[str], task: TaskName) -> tuple[dict[str, int], tuple[str, ...]]:
    """What each value of the label column is, and the names of the labels."""
    spec = TASKS[task]
    if spec.takes_labels:
        names = tuple(sorted(set(values)))
        if len(names) > MAX_TOPICS:
            raise InputError(
                f"The label column has {len(names)} different values; at most {MAX_TOPICS} topics are taken. Is it the "
                "right column?",
                f"标签列有 {len(names)} 种取值，最多 {MAX_TOPICS} 个主题。列是否选对了？",
            )
        return {name: index for index, name in enumerate(names)}, names
    meaning = {value: spec.role_of(value) for value in set(values)}
    unknown = sorted(value for value, role in meaning.items() if role is None)
    if unknown:
        shown = ", ".join(repr(value if len(value) <= 20 else f"{value[:20]}…") for value in unknown[:5])
        first, second = (", ".join((*role.words, role.name, role.key)) for role in spec.roles)
        raise InputError(
            f"The label column has values of unknown meaning: {shown}. Known are {first} - and {second}. Replace the "
            "others, or choose another column or task.",
            f"标签列中有含义不明的值：{shown}。可用的值：{first}；以及 {second}。请改写其余的值，或另选列、另选任务。",
        )
    return {value: role for value, role in meaning.items() if role is not None}, spec.label_names


def _check_enough(label: np.ndarray, names: tuple[str, ...]) -> None:
    counts = np.bincount(label, minlength=max(2, len(names)))
    if len(names) < 2 or (counts > 0).sum() < 2:
        only = names[int(counts.argmax())] if len(label) else "-"
        raise InputError(
            f"All rows have one label ({only}): there is nothing to tell apart. Add rows of another.",
            f"所有行只有一个标签（{only}），无从区分。请补充其他标签的行。",
        )
    rarest = int(counts.argmin())
    if len(label) < FEWEST_ROWS or counts[rarest] < FEWEST_OF_A_LABEL:
        raise InputError(
            f"There are {len(label)} distinct rows, the rarest label ({names[rarest]}) has {counts[rarest]}. At least "
            f"{FEWEST_ROWS} rows are needed, and {FEWEST_OF_A_LABEL} of each label; a few hundred tell more. Add rows.",
            f"去重后共 {len(label)} 行，最少的标签（{names[rarest]}）有 {counts[rarest]} 行。"
            f"至少需要 {FEWEST_ROWS} 行，且每个标签 {FEWEST_OF_A_LABEL} 行；几百行更好。请补充。",
        )
