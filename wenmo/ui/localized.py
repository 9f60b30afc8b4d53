"""A string of the screen in both languages."""

from __future__ import annotations

from typing import NamedTuple


class Text(NamedTuple):
    """The same string in Chinese and in English, as Markdown with `{name}` where a value is put in."""

    zh: str
    en: str
