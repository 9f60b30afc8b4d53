"""Checks of the inputs that a caller passes, before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

from wenmo.errors import InputError


def checked_texts(texts: Sequence[str]) -> list[str]:
    """`texts` as a list: from a list, a tuple, a pandas Series, a one-dimensional array of NumPy or Arrow.

    Raises InputError if it is a single string, something without an order of texts (a dict, a set, a DataFrame), or
    contains anything but strings.
    """
    checked = _items(texts, "a list of texts", "文本列表", "[text]", "[文本]")
    for index, text in enumerate(checked):
        if not isinstance(text, str):
            raise InputError(
                f"Text {index + 1} is {_what(text)}, not a string. Pass a list of texts, without missing ones.",
                f"第 {index + 1} 条不是文本，而是 {_what(text)}。请传入文本列表，其中不能有缺失值。",
            )
    return checked


def checked_pairs(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """`pairs` as a list of tuples. Raises InputError if it contains anything but pairs of strings."""
    items = _items(pairs, "a list of pairs", "句对列表", "[(first, second)]", "[(句子一, 句子二)]", dimensions=2)
    checked: list[tuple[str, str]] = []
    for index, pair in enumerate(items):
        is_pair = isinstance(pair, (tuple, list)) and len(pair) == 2 and all(isinstance(text, str) for text in pair)
        if not is_pair:
            raise InputError(
                f"Item {index + 1} is not a pair of two strings. Pass [(first, second), ...].",
                f"第 {index + 1} 项不是两个文本组成的句对。请传入 [(句子一, 句子二), …]。",
            )
        checked.append((pair[0], pair[1]))
    return checked


def _items(given: Any, wanted: str, wanted_zh: str, example: str, example_zh: str, *, dimensions: int = 1) -> list[Any]:
    """The items of a list, or of something like a list with so many `dimensions` at most. Raises InputError."""
    is_frame = hasattr(given, "columns") and not isinstance(given, (list, tuple))
    no_list = isinstance(given, (str, bytes, bytearray, memoryview, Mapping, Set)) or not hasattr(given, "__iter__")
    shape = getattr(given, "ndim", 1)
    if no_list or is_frame or not 1 <= shape <= dimensions:
        found = type(given).__name__ + (f" of {shape} dimensions" if shape != 1 and not is_frame else "")
        way, way_zh = example, example_zh
        if is_frame:
            way, way_zh = (
                ('frame["text"]', 'frame["text"]')
                if dimensions == 1
                else ('list(zip(frame["a"], frame["b"]))', 'list(zip(frame["a"], frame["b"]))')
            )
        elif isinstance(given, Mapping):
            way, way_zh = f"list(given.values()), or {example}", f"list(given.values()) 或 {example_zh}"
        raise InputError(f"Pass {wanted}, not {found}: {way}.", f"请传入{wanted_zh}，而不是 {found}：{way_zh}。")
    for convert in ("to_pylist", "tolist"):  # of Arrow; of NumPy and pandas, whose rows are no lists
        if hasattr(given, convert):
            return list(getattr(given, convert)())
    return list(given)


def _what(value: object) -> str:
    """What stands where a text should, for a message."""
    name = type(value).__name__
    missing = value is None or name in ("NAType", "NaTType") or (isinstance(value, float) and value != value)
    return f"missing ({value})" if missing else name
