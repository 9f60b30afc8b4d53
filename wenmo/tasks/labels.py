"""Labels as a caller gives them: splitting, and dropping blank and repeated ones."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from wenmo.errors import InputError

# What stands between labels that are typed in one text, in any width; also the tab of cells copied from a spreadsheet.
_SEPARATORS = ",，、;；|｜\t\n\r\x0b\x0c\x85\u2028\u2029"
_PART = re.compile(rf'\s*"((?:[^"]|"")*)"\s*(?=[{_SEPARATORS}]|\Z)|([^{_SEPARATORS}]*)')

MAX_LABELS = 200  # of a page or a REST call; neither jobs nor the engine have a limit


@dataclass(frozen=True, kw_only=True)
class Labels:
    """`names` are the candidate labels, `dropped` the blank and repeated ones."""

    names: tuple[str, ...]
    dropped: tuple[str, ...]


def split_labels(labels: str) -> list[str]:
    """The labels in one text, blank ones included.

    They stand between any of , ， 、 ; ； | ｜, tabs and line breaks. One in double quotes may hold these: `"a、b"、c`
    are two labels; a double quote within it is written twice. A text that is a list in the notation of JSON or Python,
    such as `["a", "b"]`, has the labels of that list.
    """
    listed = _list_in(labels)
    if listed is not None:
        return listed
    parts: list[str] = []
    position = 0
    while True:
        match = _PART.match(labels, position)
        assert match is not None  # its last alternative matches anything
        quoted, bare = match.groups()
        parts.append(bare if quoted is None else quoted.replace('""', '"'))
        if match.end() == len(labels):
            return parts
        position = match.end() + 1


def join_labels(labels: Sequence[str]) -> str:
    """One text that `split_labels` splits into `labels` again."""
    marks = re.compile(f'[{_SEPARATORS}"]')
    return "，".join('"{}"'.format(label.replace('"', '""')) if marks.search(label) else label for label in labels)


def _list_in(text: str) -> list[str] | None:
    """The strings of a list that is written out in `text`; None where there is none."""
    bare = text.strip()
    if not (bare.startswith("[") and bare.endswith("]")):
        return None
    try:
        value = ast.literal_eval(bare)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, list) and value and all(isinstance(item, str) for item in value) else None


def parse_labels(labels: Sequence[str] | str) -> Labels:
    """Labels from a list, or from one text as `split_labels` splits it.

    As in ModelScope, the parts of a text are stripped, and the labels of a list are not. Blank labels and those that
    repeat another up to surrounding white space are dropped. Raises InputError when none is left.
    """
    # A set has no order, and the order of the labels decides between equal ones.
    if isinstance(labels, (bytes, bytearray, Mapping, Set)) or not hasattr(labels, "__iter__"):
        raise InputError(
            f"Labels are a list, or one text with commas, not {type(labels).__name__}.",
            f"标签应为列表，或用逗号、顿号等分隔的文本，而不是 {type(labels).__name__}。",
        )
    # A blank part of a text is only a superfluous comma; a blank item of a list is a label to report as dropped.
    items = [part for part in split_labels(labels) if part.strip()] if isinstance(labels, str) else list(labels)
    names: list[str] = []
    dropped: list[str] = []
    seen: set[str] = set()
    for label in items:
        if not isinstance(label, str):
            raise InputError(
                f"A label must be text, not {type(label).__name__}: {label!r}.",
                f"标签必须是文本，而不是 {type(label).__name__}：{label!r}。",
            )
        bare = label.strip()
        if not bare or bare in seen:
            dropped.append(label)
            continue
        seen.add(bare)
        names.append(bare if isinstance(labels, str) else label)
    if not names:
        raise InputError(
            "There is no label to choose from. Give at least one, such as 咨询, 投诉, 建议.",
            "没有可选的标签。请至少给出一个，例如：咨询，投诉，建议。",
        )
    return Labels(names=tuple(names), dropped=tuple(dropped))
