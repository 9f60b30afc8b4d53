"""Converts values to what a format can hold: a cell of CSV, a text column of Parquet, JSON.

CSV is written for spreadsheets: a text that a spreadsheet would run as a formula (it begins with = + - @, a tab or a
line break, and is not a plain number) gets a ' in front. In CSV and in Parquet text columns a list or an object becomes
JSON text, and a lone surrogate becomes U+FFFD. In JSON, NaN and infinities become null.
"""

from __future__ import annotations

import base64
import json
import math
import re
from datetime import date, time

# A spreadsheet may take these for the start of a formula; East Asian ones take the full-width signs, too.
FORMULA_START = tuple("=+-@\t\r\n\0＝＋－＠")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE_ENDS = {0x85: r"\u0085", 0x2028: r"\u2028", 0x2029: r"\u2029"}  # some readers end a line at these


def csv_cell(value: object) -> str:
    """A value as a cell of CSV: empty where it is missing, and never one that runs as a formula."""
    text = as_text(value)
    if text is None:
        return ""
    if isinstance(value, str) and text.startswith(FORMULA_START) and not _NUMBER.fullmatch(text):
        return "'" + text
    return text


def as_text(value: object) -> str | None:
    """A value as text without lone surrogates: a scalar in its usual notation, a list or an object as JSON.

    None for a missing value and for NaN.
    """
    if value is None or isinstance(value, str):
        return value and _SURROGATE.sub("\ufffd", value)
    if isinstance(value, float):
        return None if math.isnan(value) else float.__repr__(value)
    plain = value if isinstance(value, (bool, int, list, tuple, dict)) else _jsonable(value)
    return plain if isinstance(plain, str) else _SURROGATE.sub("\ufffd", as_json(plain))


def as_json(value: object, *, ensure_ascii: bool = False) -> str:
    """A value as strict JSON, with null for NaN and infinities."""
    try:
        return json.dumps(value, ensure_ascii=ensure_ascii, allow_nan=False, default=_jsonable)
    except ValueError:
        return json.dumps(_finite(value), ensure_ascii=ensure_ascii, default=_jsonable)


def json_line(value: object) -> bytes:
    """A line of JSONL in UTF-8, with its line end. Lone surrogates are kept, as escapes."""
    try:
        encoded = as_json(value).translate(_LINE_ENDS).encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate, which only an escape can represent
        encoded = as_json(value, ensure_ascii=True).encode("ascii")
    return encoded + b"\n"


def _finite(value: object) -> object:
    """A copy of `value` with None for every number that JSON cannot represent."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value


def _jsonable(value: object) -> str:
    """A Parquet scalar that JSON has no type for, as text: a date in ISO 8601, bytes in base64, a decimal as digits."""
    if isinstance(value, (date, time)):  # datetime is a subclass of date
        return value.isoformat()
    return base64.b64encode(value).decode("ascii") if isinstance(value, bytes) else str(value)
