"""The limits of fields, what is read from them, and tables written as files. Free of Streamlit."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Sequence

from wenmo.errors import InputError
from wenmo.tables.cells import csv_cell, is_blank
from wenmo.tasks.labels import MAX_LABELS, split_labels
from wenmo.tasks.zero_shot import MAX_HYPOTHESES, hypotheses_each
from wenmo.types import ZeroShotMethod

MAX_CHARACTERS = 100_000  # in one field; the browser refuses more
MAX_TEXTS = 200  # in one click; the batch page is for more
MAX_SENTENCES = 1_000  # read one by one in one click
MAX_ASPECTS = 20
MAX_ASPECT_CHARACTERS = 500  # of all aspects together: every word of them is searched in every sentence
MAX_CANDIDATES = 200
MAX_MATRIX = 200  # sentences: 20,100 pairs, half a minute on two cores with the bundled model
MAX_CROSS_ENCODED = 60  # sentences for which "auto" reads every pair of a matrix: 1,830 pairs, some seconds
MEASURES = ("auto", "probability", "cosine")  # of a matrix; "auto" is one of the others, by the number of sentences
MAX_COPIED = 2_000  # cells of a table that the browser gets a second time, for its clipboard


def lines(text: str | None) -> list[str]:
    """The lines of a field that are not blank, without the spaces around them.

    Only a line feed ends a line: `str.splitlines` would also split at control characters, which are part of a text.
    """
    return [line.strip() for line in (text or "").split("\n") if not is_blank(line)]


def at_most(items: Sequence[str], limit: int) -> list[str]:
    """`items` unchanged. Raises InputError, which tells both numbers, when there are more than `limit`."""
    if len(items) > limit:
        raise InputError(
            f"{len(items)} lines are too many at once: this page takes {limit}. Delete some, or use "
            "`python -m wenmo run` for a file.",
            f"一次最多 {limit} 条，现在有 {len(items)} 条。请删去一些；成批的文件请用 `python -m wenmo run`。",
        )
    return list(items)


def one_by_one(typed: Iterable[str], *, known: Collection[str] = ()) -> list[str]:
    """Single labels out of entries that may hold several (`split_labels`); each label once.

    Entries that are `known` are labels already, and stay whole.
    """
    parts = (part.strip() for each in typed for part in ([each] if each in known else split_labels(each)))
    return list(dict.fromkeys(part for part in parts if part))


def known_label(line: str, labels: Sequence[str]) -> tuple[str, str | None]:
    """The text of a line, and its known label if one of `labels` follows its last tab, as in a pasted table."""
    text, tab, label = line.rpartition("\t")
    return (text.strip(), label.strip()) if tab and text.strip() and label.strip() in labels else (line, None)


def check_labels(labels: Sequence[str] | str, *, texts: int, method: ZeroShotMethod = "auto") -> Sequence[str] | str:
    """`labels`, a list or one text (`split_labels`), unchanged.

    Raises InputError when there are too many to sort `texts` texts into in one click, or when they are too long.
    """
    count = sum(bool(label.strip()) for label in (split_labels(labels) if isinstance(labels, str) else labels))
    if count > MAX_LABELS:
        raise InputError(
            f"{count} labels are too many: this page takes {MAX_LABELS}. Delete some.",
            f"最多 {MAX_LABELS} 个标签，现在有 {count} 个。请删去一些。",
        )
    judged = hypotheses_each(count, method)
    if judged * texts > MAX_HYPOTHESES:
        raise InputError(
            f"{texts} texts with {judged} labels make {judged * texts} questions to the model; this page takes "
            f"{MAX_HYPOTHESES} at once. Use fewer texts or labels, or the method with a shortlist.",
            f"{texts} 条文本配 {judged} 个标签，共 {judged * texts} 次判断；此页一次最多 {MAX_HYPOTHESES} 次。"
            "请减少文本或标签，或改用“先筛选，再判断”。",
        )
    if sum(map(len, labels)) > MAX_CHARACTERS:
        raise InputError(
            f"The labels have more than {MAX_CHARACTERS:,} characters in all. Shorten them: a label is a word or two.",
            f"标签合计超过 {MAX_CHARACTERS:,} 个字符。请缩短：标签通常只有一两个词。",
        )
    return labels


def clipboard(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table for the clipboard of a spreadsheet: tabs between cells, formulas made harmless as in `csv_file`."""
    table = [header, *rows]
    return "\n".join("\t".join(" ".join(str(csv_cell(cell)).split()) for cell in row) for row in table)


def csv_file(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A CSV file for spreadsheets: UTF-8 with a byte order mark; what looks like a formula gets an apostrophe."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow([csv_cell(name) for name in header])
    writer.writerows([csv_cell(value) for value in row] for row in rows)
    return buffer.getvalue().encode("utf-8-sig")
