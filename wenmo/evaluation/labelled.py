"""A user's file of labelled rows: finds its columns, reads its labels, and removes duplicate rows.

Rows with the same text (apart from spaces, character width and case; for pairs in either order) are duplicates. One of
them is kept, or none if their labels differ, so that no test row is also trained on. Paraphrases are not recognised: in
a file with many of them a model looks better than it is.
"""

from __future__ import annotations

import ast
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from wenmo.errors import InputError
from wenmo.tables.cells import SPREADSHEET_ERRORS, as_text, is_blank
from wenmo.tables.column_roles import column_named_for
from wenmo.tables.readers import open_reader
from wenmo.tables.table import Notice, ReadOptions, TableReader
from wenmo.tasks.spec import TaskSpec
from wenmo.tasks.table import TASKS
from wenmo.types import TaskName

MAX_ROWS = 20_000
MAX_TOPICS = 50  # of zero-shot, which reads a text once for each
MAX_CLASSES = 200
MIN_ROWS = 20
MIN_LABEL_ROWS = 4  # two to train on, one for the dev rows, one for the test rows


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The names of the columns; `text` for single texts, `text_a` and `text_b` for pairs."""

    text: str = "text"
    text_a: str = "text_a"
    text_b: str = "text_b"
    label: str = "label"

    def of(self, task: TaskName) -> tuple[str, ...]:
        """The columns that a file for `task` must have, the label last."""
        return tuple(getattr(self, role) for role in roles_of(TASKS[task]))


def roles_of(spec: TaskSpec) -> tuple[str, ...]:
    """The roles of the columns in a labelled file for a task, the label last."""
    return ("text_a", "text_b", "label") if spec.inputs == "pair" else ("text", "label")


def guess_columns(names: Sequence[str], task: TaskName) -> Columns:
    """The columns of a file with the columns `names`: by their usual names, the rest by position."""
    found = {role: column_named_for(role, names) for role in roles_of(TASKS[task])}
    left = [name for name in names if name not in found.values()]
    chosen = {role: name or (left.pop(0) if left else None) for role, name in found.items()}
    return Columns(**{role: name for role, name in chosen.items() if name is not None})


def has_pairs(names: Sequence[str]) -> bool:
    """Whether a file with the columns `names` has pairs of texts, judged by usual names."""
    return all(column_named_for(role, names) is not None for role in ("text_a", "text_b"))


@dataclass(frozen=True, kw_only=True, eq=False)  # == of arrays gives an array
class LabelledRows:
    """Distinct rows with their labels.

    `inputs` are texts, or pairs of texts. `label` (N,) int64 indexes `names`: for zero-shot and classify those of the
    file, for other tasks the labels of the task in the order of the logits. `meanings` has, for each value of the label
    column, the number of rows with it and its label. `skipped` rows had an empty cell; `repeated` rows were duplicates;
    `contradicting` rows were duplicates with different labels.
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
        """The rows at the indices `rows`, with the counts of the whole file."""
        return replace(self, inputs=[self.inputs[row] for row in rows.tolist()], label=self.label[rows])


def read_rows(
    path: Path, task: TaskName, columns: Columns | None = None, options: ReadOptions | None = None
) -> LabelledRows:
    """Read a CSV, TSV, JSONL, Parquet or Excel file; without `columns` they are guessed.

    Raises InputError if the file cannot be read, lacks a column, has a row that cannot be read, an unknown label, fewer
    than two labels, or too many or too few rows.
    """
    return rows_of(open_reader(path, options), task, columns)


def rows_of(reader: TableReader, task: TaskName, columns: Columns | None = None) -> LabelledRows:
    """As `read_rows`, of a table that is open."""
    path = reader.path
    wanted = (columns or guess_columns(reader.columns, task)).of(task)
    missing = [name for name in wanted if name not in reader.columns]
    if missing:
        hint = reader.missing_column_hint(missing) or Notice(en="", zh="")
        raise InputError(
            f"{path.name} lacks the columns {', '.join(missing)}; it has {', '.join(reader.columns)}. "
            f"Name the right ones, or rename those of the file. {hint.en}".rstrip(),
            f"{path.name} 缺少列 {'、'.join(missing)}；现有：{'、'.join(reader.columns)}。"
            f"请指定正确的列名或修改文件。{hint.zh}",
        )
    if len(set(wanted)) < len(wanted):
        raise InputError(
            f"One column cannot serve twice: {', '.join(wanted)}. Choose different ones.",
            f"同一列不能使用两次：{'、'.join(wanted)}。请选择不同的列。",
        )
    for name in wanted:
        reader.refuse_column(name)
    if reader.row_count > MAX_ROWS:
        raise InputError(
            f"{path.name} has {reader.row_count:,} rows; at most {MAX_ROWS:,} are taken. Keep a sample of them.",
            f"{path.name} 有 {reader.row_count:,} 行，最多 {MAX_ROWS:,} 行。请抽取一部分。",
        )
    cells: list[tuple[str, ...]] = []
    for chunk in reader.chunks(columns=wanted):
        for index, bad_row in chunk.bad_rows.items():
            raise InputError(
                f"{path.name}, row {len(cells) + index + 1}: {bad_row.error.en}",
                f"{path.name} 第 {len(cells) + index + 1} 行：{bad_row.error.zh}",
            )
        texts = [[cell_text(cell) for cell in chunk.values(name)] for name in wanted[:-1]]
        labels = []
        for index, cell in enumerate(chunk.values(wanted[-1])):
            try:
                labels.append(label_text(cell))
            except InputError as error:
                number = len(cells) + index + 1
                raise InputError(
                    f"{path.name}, row {number}: {error.en}", f"{path.name} 第 {number} 行：{error.zh}"
                ) from None
        cells += zip(*texts, labels, strict=True)
    return labelled_rows(cells, task)


def labelled_rows(cells: Sequence[tuple[str, ...]], task: TaskName) -> LabelledRows:
    """Rows from cells: (text, label), or (first, second, label) for pairs. Raises InputError, see `read_rows`."""
    spec = TASKS[task]
    whole = [row for row in cells if all(row)]
    values = [row[-1] for row in whole]
    of_the_file = spec.takes_labels or spec.any_labels
    names = (
        _names_in(values, most=MAX_TOPICS if spec.takes_labels else MAX_CLASSES) if of_the_file else spec.label_names
    )
    meaning = label_indices(values, spec, names)
    duplicates: dict[tuple[str, ...], list[int]] = {}
    for index, row in enumerate(whole):
        duplicates.setdefault(_normalized(row[:-1]), []).append(index)
    agreeing = [rows for rows in duplicates.values() if len({meaning[values[index]] for index in rows}) == 1]
    kept = [rows[0] for rows in agreeing]
    label = np.asarray([meaning[values[index]] for index in kept], dtype=np.int64)
    _check_enough(label, names)
    return LabelledRows(
        task=task,
        inputs=[whole[index][:-1] if spec.inputs == "pair" else whole[index][0] for index in kept],
        label=label,
        names=names,
        meanings={value: (count, meaning[value]) for value, count in Counter(values).most_common()},
        skipped=len(cells) - len(whole),
        repeated=sum(map(len, agreeing)) - len(kept),
        contradicting=len(whole) - sum(map(len, agreeing)),
    )


def cell_text(cell: Any) -> str:
    """A cell as text without spaces around it, "" if it is empty or blank (`is_blank`).

    1.0 becomes "1": a column of integers with an empty cell arrives as floats.
    """
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    text = (as_text(cell) or "").strip()
    return "" if is_blank(text) or text in SPREADSHEET_ERRORS else text


def label_text(cell: Any) -> str:
    """A cell of the label column as text: as `cell_text`, with the one label of a list for the list.

    Labelling tools write lists: doccano `["正面"]`, label-studio `{"choices": ["正面"]}`; in CSV these become JSON or
    Python text. Raises InputError for a list of several labels.
    """
    if isinstance(cell, str) and cell.strip()[:1] in ("[", "{"):
        try:
            cell = ast.literal_eval(cell.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return cell_text(cell)
    while isinstance(cell, (list, tuple, dict)):
        if isinstance(cell, dict):
            if set(cell) != {"choices"}:
                return cell_text(cell)
            cell = cell["choices"]
            continue
        if len(cell) > 1:
            listed = [as_text(label) or "" for label in cell]
            raise InputError(
                f"it has several labels ({', '.join(listed)}), and a row can have one. Keep one, or leave the row out.",
                f"有多个标签（{'、'.join(listed)}），而每行只能有一个。请只保留一个，或去掉此行。",
            )
        cell = cell[0] if cell else None
    return cell_text(cell)


def label_indices(values: Iterable[str], spec: TaskSpec, names: Sequence[str]) -> dict[str, int]:
    """The label of `names` that each of `values` stands for, see `TaskSpec.label_index`.

    Raises InputError that names the values that stand for none.
    """
    found = {value: spec.label_index(value, names) for value in dict.fromkeys(values)}
    unknown = sorted(value for value, index in found.items() if index is None)
    if unknown:
        shown = ", ".join(repr(value if len(value) <= 20 else f"{value[:20]}…") for value in unknown[:5])
        known = [(*role.words, role.name, role.key) for role in spec.roles]
        if spec.takes_labels or spec.any_labels:
            known = [tuple(names)]
        each = [", ".join(words) for words in known]
        raise InputError(
            f"The label column has values of unknown meaning: {shown}. Known are {' - and '.join(each)}. Replace the "
            "others, or choose another column or task.",
            f"标签列中有含义不明的值：{shown}。可用的值：{'；以及 '.join(each)}。请改写其余的值，或另选列、另选任务。",
        )
    return {value: index for value, index in found.items() if index is not None}


def _names_in(values: Sequence[str], *, most: int) -> tuple[str, ...]:
    names = tuple(sorted(set(values)))
    if len(names) > most:
        raise InputError(
            f"The label column has {len(names)} different values; at most {most} labels are taken. Is it the right "
            "column?",
            f"标签列有 {len(names)} 种取值，最多 {most} 个标签。列是否选对了？",
        )
    return names


def _normalized(texts: Sequence[str]) -> tuple[str, ...]:
    """The same for duplicate rows."""
    return tuple(sorted("".join(unicodedata.normalize("NFKC", text).casefold().split()) for text in texts))


def _check_enough(label: np.ndarray, names: tuple[str, ...]) -> None:
    counts = np.bincount(label, minlength=max(2, len(names)))
    if len(names) < 2 or (counts > 0).sum() < 2:
        only = names[int(counts.argmax())] if len(label) else "-"
        raise InputError(
            f"All rows have one label ({only}): there is nothing to tell apart. Add rows of another.",
            f"所有行只有一个标签（{only}），无从区分。请补充其他标签的行。",
        )
    rarest = int(counts.argmin())
    if len(label) < MIN_ROWS or counts[rarest] < MIN_LABEL_ROWS:
        raise InputError(
            f"There are {len(label)} distinct rows, the rarest label ({names[rarest]}) has {counts[rarest]}. At least "
            f"{MIN_ROWS} rows are needed, and {MIN_LABEL_ROWS} of each label; a few hundred tell more. Add rows.",
            f"去重后共 {len(label)} 行，最少的标签（{names[rarest]}）有 {counts[rarest]} 行。"
            f"至少需要 {MIN_ROWS} 行，且每个标签 {MIN_LABEL_ROWS} 行；几百行更好。请补充。",
        )
