"""The fields for how a file is read: the same wherever a visitor brings one."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from wenmo.errors import WenmoError
from wenmo.tables.delimiter import COMMON_DELIMITERS, guess_delimiter
from wenmo.tables.encoding import ENCODINGS
from wenmo.tables.isolated import call
from wenmo.tables.read_excel import sheets_of
from wenmo.tables.table import DELIMITERS, QUOTINGS, ReadOptions
from wenmo.ui.shell import components
from wenmo.ui.text import say

_DELIMITER_NAMES = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar"}


def ask(path: Path, *, key: str) -> ReadOptions:
    """Encoding, delimiter and quoting of a CSV file, or the sheet of a workbook; no field for other files.

    `key` has a place {} for the name of a field, and is another one for each file.
    """
    suffix = path.suffix.lower()
    if suffix in DELIMITERS:
        return _of_csv(path, key=key)
    return _of_workbook(path, key=key) if suffix == ".xlsx" else ReadOptions()


def _of_csv(path: Path, *, key: str) -> ReadOptions:
    delimiter_key = key.format("delimiter")
    if delimiter_key not in st.session_state:
        try:
            guess = call(guess_delimiter, path)
        except WenmoError:  # opening the file shows this error
            guess = DELIMITERS[path.suffix.lower()]
        st.session_state[delimiter_key] = guess
    offered = list(dict.fromkeys([*COMMON_DELIMITERS, st.session_state[delimiter_key]]))  # sep= may name another one
    with st.expander(say("file.format")):
        left, middle, right = st.columns(3)
        encoding = left.selectbox(
            say("file.encoding"),
            (None, *ENCODINGS),
            format_func=lambda name: say("file.auto") if name is None else name,
            key=components.retold(key.format("encoding")),
        )
        delimiter = middle.selectbox(
            say("file.delimiter"),
            offered,
            format_func=lambda mark: (
                say(f"file.delimiter.{_DELIMITER_NAMES[mark]}") if mark in _DELIMITER_NAMES else mark
            ),
            key=components.retold(delimiter_key),
        )
        quoting = right.selectbox(
            say("file.quoting"),
            (None, *QUOTINGS, "escape"),
            format_func=lambda name: say("file.auto") if name is None else say(f"file.quoting.{name}"),
            key=components.retold(key.format("quoting")),
        )
    if quoting == "escape":
        return ReadOptions(encoding=encoding, delimiter=delimiter, escape="\\")
    return ReadOptions(encoding=encoding, delimiter=delimiter, quoting=quoting)


def _of_workbook(path: Path, *, key: str) -> ReadOptions:
    sheet_key = key.format("sheet")
    sheets_key = key.format("sheets")
    if sheets_key not in st.session_state:
        try:
            st.session_state[sheets_key] = call(sheets_of, path)
        except WenmoError:  # opening the file shows this error
            return ReadOptions()
    sheets, hidden = st.session_state[sheets_key]
    if len(sheets) < 2:
        return ReadOptions()
    visible = [sheet for sheet in sheets if sheet not in hidden]
    first = sheets.index(visible[0]) if visible else 0
    return ReadOptions(sheet=st.selectbox(say("file.sheet"), sheets, index=first, key=sheet_key))
