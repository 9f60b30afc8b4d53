"""Guesses the role of a column (text, first or second text of a pair, label) from its name or its contents.

A guess is a default for a user to confirm or correct.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wenmo.tables.table import Row

_LETTERS_COUNTED = 10_000  # of a cell

# Usual names of the columns of each role, in lower case. The first that a table has wins.
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
        "labels",
        "choice",
        "choices",
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


# What names of columns with texts hold, and what those of other columns about the texts do (评论时间, comment_id).
_WORDS_IN_NAMES = re.compile(
    r"评论|内容|评价|文本|正文|留言|反馈|描述|text|comment|review|content|feedback", re.IGNORECASE
)
_NO_TEXT_IN_NAMES = re.compile(
    r"编号|序号|日期|时间|数量|数$|分$|得分|评分|星级|等级|类型|类别|标签|链接|作者$|用户$|用户名|人$"
    r"|(?<![a-z])(id|ids|date|time|count|score|rating|stars?|type|label|url|author|user)(?![a-z])",
    re.IGNORECASE,
)
_NUMBER_DATE_OR_ID = re.compile(r"[\d\s年月日时分秒:：/.,%+_-]*|https?://\S*|[^\s@]*+@\S*|(?=\S*\d)[a-zA-Z0-9_-]+")


def _letters(value: object) -> int:
    """How many letters and characters a cell has; 0 for numbers, dates, addresses and ids such as A-1029."""
    if not isinstance(value, str):
        return 0
    start = value[:_LETTERS_COUNTED].strip()
    return 0 if _NUMBER_DATE_OR_ID.fullmatch(start) else sum(map(str.isalpha, start))


@dataclass(frozen=True, kw_only=True)
class TextColumns:
    """The names of the columns with the texts: `text` of single ones, `text_a` and `text_b` of pairs.

    `text_a` and `text_b` are the same column only in a table that has just one.
    """

    text: str
    text_a: str
    text_b: str


def column_named_for(role: str, columns: Sequence[str]) -> str | None:
    """The one of `columns` with a usual name of `role` (text, text_a, text_b or label); None if there is none."""
    by_name = {name.strip().lower(): name for name in reversed(columns)}
    return next((by_name[name] for name in _NAMES[role] if name in by_name), None)


def guess_text_columns(columns: Sequence[str], rows: Sequence[Row]) -> TextColumns:
    """Guess by the columns' names, else take those with the most words in `rows`: never dates, numbers or ids.

    Raises ValueError for a table without columns.
    """
    if not columns:
        raise ValueError("a table without columns")
    longest = sorted(columns, key=lambda name: -sum(_letters(row.get(name)) for row in rows))
    likely = [name for name in longest if _WORDS_IN_NAMES.search(name) and not _NO_TEXT_IN_NAMES.search(name)]
    text = column_named_for("text", columns) or (likely or longest)[0]
    first, second = column_named_for("text_a", columns), column_named_for("text_b", columns)
    if first is None or second is None:
        pair = [name for name in columns if name in longest[:2]]
        first, second = pair[0], pair[-1]
    return TextColumns(text=text, text_a=first, text_b=second)
