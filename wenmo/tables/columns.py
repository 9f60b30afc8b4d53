"""Which column of a table is what: by its name, or by what stands in it.

A guess is only ever a first choice that somebody looks at and corrects; nothing that runs unattended uses it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wenmo.tables.table import Row

# What columns are called, in lower case. The first name that a table has wins.
_NAMES: Mapping[str, tuple[str, ...]] = {
    "text": (
        "text",
        "review",
        "content",
        "comment",
        "sentence",
        "title",
        "评论",
        "内容",
        "文本",
        "评价",
        "正文",
        "句子",
        "留言",
        "标题",
    ),
    "text_a": ("text_a", "sentence1", "text1", "question1", "first", "query", "句子1", "句子一", "文本1", "文本一"),
    "text_b": (
        "text_b",
        "sentence2",
        "text2",
        "question2",
        "second",
        "candidate",
        "document",
        "句子2",
        "句子二",
        "文本2",
        "文本二",
    ),
    "label": (
        "label",
        "sentiment",
        "score",
        "class",
        "category",
        "topic",
        "标签",
        "类别",
        "情感",
        "情绪",
        "主题",
        "分类",
    ),
}


@dataclass(frozen=True, kw_only=True)
class ColumnGuess:
    """Names of columns; `text_b` differs from `text_a` where there are two columns at all."""

    text: str
    text_a: str
    text_b: str


def column_called(role: str, columns: Sequence[str]) -> str | None:
    """The one of `columns` whose name says that it is `role`: text, text_a, text_b or label. None where none does."""
    by_name = {name.strip().lower(): name for name in reversed(columns)}
    return next((by_name[name] for name in _NAMES[role] if name in by_name), None)


def guess_columns(columns: Sequence[str], rows: Sequence[Row]) -> ColumnGuess:
    """By name, else the columns with the longest texts. Raises ValueError where there is no column."""
    if not columns:
        raise ValueError("a table without columns")
    longest = sorted(columns, key=lambda name: -sum(len(v) for row in rows if isinstance(v := row.get(name), str)))
    text = column_called("text", columns) or longest[0]
    first, second = column_called("text_a", columns), column_called("text_b", columns)
    if first is None or second is None:
        pair = [name for name in columns if name in longest[:2]]
        first, second = pair[0], pair[-1]
    return ColumnGuess(text=text, text_a=first, text_b=second)
