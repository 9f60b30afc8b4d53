"""Converts values to what a format can hold: a cell of CSV, a text column of Parquet, JSON.

CSV is written for spreadsheets: a text that one would run as a formula (`runs_as_formula`) gets a ' in front. In CSV
and in Parquet text columns a list or an object becomes JSON text, and a lone surrogate becomes U+FFFD. In JSON, NaN and
infinities become null.
"""

from __future__ import annotations

import base64
import json
import math
import re
import unicodedata
from datetime import date, time

# What a spreadsheet may run as a formula: what begins with =, and what begins with + - or @ and has the form of one.
# East Asian ones take the full-width signs, too.
_EQUALS, _SIGNS = tuple("=＝"), tuple("+-@＋－＠")
_CONTROLS = "\t\r\n\0"  # before the first sign; some programs strip them
_FORMULA_CHARACTERS = 32_767  # a spreadsheet cuts a longer cell, and runs no formula of a quarter of that length
_NUMBER = re.compile(r"[+-]?(\d{1,3}(,\d{3})+(\.\d*)?|\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?%?", re.ASCII)
_OPERAND = r'(?>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?%*+|"(?:[^"]|"")*+"|[^\W\d][\w.\\?$]*+|\$[\w$]++)'
_FORMULA = re.compile(rf"(?>[-+@＋－＠\s]*+{_OPERAND}\s*+(?:[-+*/^&=<>:,＋－]+\s*+[-+@＋－＠\s]*+{_OPERAND}\s*+)*+)")
# Functions, other sheets and other programs (DDE), wherever they stand.
_CALL = re.compile(r"[A-Za-z][\w.]*\s*\(|\|.*!|!\s*\$?[A-Za-z]{1,3}\$?\d", re.ASCII | re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE_ENDS = {0x85: r"\u0085", 0x2028: r"\u2028", 0x2029: r"\u2029"}  # some readers end a line at these


_LOOKS_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # fillers and the empty Braille cell: letters without ink
# What a spreadsheet shows for a value that it could not compute.
SPREADSHEET_ERRORS = frozenset(
    [
        "#N/A",
        "#NAME?",
        "#VALUE!",
        "#REF!",
        "#DIV/0!",
        "#NUM!",
        "#NULL!",
        "#SPILL!",
        "#CALC!",
        "#FIELD!",
        "#BLOCKED!",
        "#CONNECT!",
        "#BUSY!",
        "#UNKNOWN!",
        "#PYTHON!",
        "#EXTERNAL!",
        "#TIMEOUT!",
        "#GETTING_DATA",
    ]
)


def is_blank(text: str) -> bool:
    """Whether nobody could read anything in `text`: it has white space, control, zero-width and combining marks alone.

    The tokenizer makes no token of such a text, so a model would answer the same to all of them.
    """
    return not text or (text.isspace() or all(unicodedata.category(c)[0] in "CZM" or c in _LOOKS_BLANK for c in text))


def csv_cell(value: object) -> str:
    """A value as a cell of CSV: empty where it is missing, and never one that runs as a formula."""
    text = as_text(value)
    if text is None:
        return ""
    return "'" + text if isinstance(value, str) and runs_as_formula(text) else text


def runs_as_formula(text: str) -> bool:
    """Whether a spreadsheet that opens a CSV file would compute something from `text` rather than show it.

    So it does with `=1+1`, `-A1`, `+cmd|...`, and with a lone name such as `-abc` or `@abc`, which it shows as #NAME?.
    It does not with a number or a percentage, with signs alone (`-`, `==`), and with a sign before what is no formula,
    such as `-3.5℃` or `@小明 这家店不错`.
    """
    bare = text.lstrip(_CONTROLS)
    if bare.startswith(_EQUALS):
        return any(character.isalnum() or character in "\"'{" for character in bare)
    if not bare.startswith(_SIGNS) or len(bare) > _FORMULA_CHARACTERS or _NUMBER.fullmatch(text):
        return False
    return bool(_FORMULA.fullmatch(bare) or _CALL.search(unicodedata.normalize("NFKC", bare)))


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
