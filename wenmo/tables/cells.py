"""What a value becomes in a cell of CSV, in a text column of Parquet, in JSON.

Written CSV is for spreadsheets: a text cell that would run as a formula (it begins with = + - @, a tab or a line break,
and is no plain number) gets a ' before it. Values that a format cannot hold: in CSV and in Parquet text columns a list
or an object becomes JSON text, and a lone surrogate becomes U+FFFD; in JSON NaN and infinities become null.
"""

from __future__ import annotations

import base64
import json
import math
import re
from datetime import date, time

# What a spreadsheet may take for the beginning of a formula; the full-width signs in East Asian ones.
FORMULA_START = tuple("=+-@\t\r\n\0＝＋－＠")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE_ENDS = {0x85: r"\u0085", 0x2028: r"\u2028", 0x2029: r"\u2029"}  # some readers of lines end a line there


def csv_cell(value: object) -> str:
    """What a spreadsheet gets: missing is an empty cell, and no text can run as a formula."""
    text = as_text(value)
    if text is None:
        return ""
    if isinstance(value, str) and text.startswith(FORMULA_START) and not _NUMBER.fullmatch(text):
        return "'" + text
    return text


def as_text(value: object) -> str | None:
    """A value as text, without lone surrogates: text as it is, scalars plainly, a list or an object as JSON."""
    if value is None or isinstance(value, str):
        return value and _SURROGATE.sub("\ufffd", value)
    if isinstance(value, float):
        return None if math.isnan(value) else float.__repr__(value)
    plain = value if isinstance(value, (bool, int, list, tuple, dict)) else _jsonable(value)
    return plain if isinstance(plain, str) else _SURROGATE.sub("\ufffd", as_json(plain))


def as_json(value: object, *, ensure_ascii: bool = False) -> str:
    try:
        return json.dumps(value, ensure_ascii=ensure_ascii, allow_nan=False, default=_jsonable)
    except ValueError:
        return json.dumps(_finite(value), ensure_ascii=ensure_ascii, default=_jsonable)


def json_line(value: object) -> bytes:
    """One line of JSONL in UTF-8, its end included; lone surrogates stay as escapes."""
    try:
        encoded = as_json(value).translate(_LINE_ENDS).encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate: its escape is plain ASCII
        encoded = as_json(value, ensure_ascii=True).encode("ascii")
    return encoded + b"\n"


def _finite(value: object) -> object:
    """The same value with null for every number that JSON does not know."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value


def _jsonable(value: object) -> str:
    """A scalar of Parquet that JSON has no type for, as text: ISO 8601, base64, or its plain digits."""
    if isinstance(value, (date, time)):  # datetime is a date
        return value.isoformat()
    return base64.b64encode(value).decode("ascii") if isinstance(value, bytes) else str(value)
