"""Checks of the inputs that a caller passes, before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence

from wenmo.errors import InputError


def checked_texts(texts: Sequence[str]) -> list[str]:
    """`texts` as a list. Raises InputError if it is a single string, or contains anything but strings."""
    if isinstance(texts, (str, bytes)) or not hasattr(texts, "__iter__"):
        raise InputError(
            f"Pass a list of texts, not {type(texts).__name__}: [text].",
            f"请传入文本列表，而不是 {type(texts).__name__}：[文本]。",
        )
    checked = list(texts)
    for index, text in enumerate(checked):
        if not isinstance(text, str):
            raise InputError(
                f"Text {index + 1} is {type(text).__name__}, not a string.",
                f"第 {index + 1} 条不是文本，而是 {type(text).__name__}。",
            )
    return checked


def checked_pairs(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """`pairs` as a list of tuples. Raises InputError if it contains anything but pairs of strings."""
    if isinstance(pairs, (str, bytes)) or not hasattr(pairs, "__iter__"):
        raise InputError(
            f"Pass a list of pairs, not {type(pairs).__name__}: [(first, second)].",
            f"请传入句对列表，而不是 {type(pairs).__name__}：[(句子一, 句子二)]。",
        )
    checked: list[tuple[str, str]] = []
    for index, pair in enumerate(pairs):
        is_pair = isinstance(pair, (tuple, list)) and len(pair) == 2 and all(isinstance(text, str) for text in pair)
        if not is_pair:
            raise InputError(
                f"Item {index + 1} is not a pair of two strings. Pass [(first, second), ...].",
                f"第 {index + 1} 项不是两个文本组成的句对。请传入 [(句子一, 句子二), …]。",
            )
        checked.append((pair[0], pair[1]))
    return checked
