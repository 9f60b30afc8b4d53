"""Labels as a caller gives them: splitting, and dropping blank and repeated ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wenmo.errors import InputError

MAX_LABELS = 200  # of a page or a REST call; neither jobs nor the engine have a limit


@dataclass(frozen=True, kw_only=True)
class Labels:
    """`names` are the candidate labels, `dropped` the blank and repeated ones."""

    names: tuple[str, ...]
    dropped: tuple[str, ...]


def split_labels(labels: str) -> list[str]:
    """The parts of `labels` between commas `,` and `，`, blank ones included."""
    return labels.replace("，", ",").split(",")


def parse_labels(labels: Sequence[str] | str) -> Labels:
    """Labels from a list, or from one text split at `,` and `，`.

    As in ModelScope, the parts of a text are stripped, and the labels of a list are not. Blank labels and those that
    repeat another up to surrounding white space are dropped. Raises InputError when none is left.
    """
    if not hasattr(labels, "__iter__"):
        raise InputError(
            f"Labels are a list, or one text with commas, not {type(labels).__name__}.",
            f"标签应为列表，或用逗号分隔的文本，而不是 {type(labels).__name__}。",
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
