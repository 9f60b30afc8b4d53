"""What the engine takes for a list of texts, and what it refuses, with a word on what to pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from wenmo import InputError
from wenmo.tasks.inputs import checked_pairs, checked_texts

FRAME = pd.DataFrame({"text": ["好", "坏"], "other": ["好", "不好"]})


@pytest.mark.parametrize(
    "given",
    [
        ["好", "坏"],
        ("好", "坏"),
        FRAME["text"],
        FRAME["text"].astype("string"),
        FRAME["text"].astype("category"),
        FRAME.set_index("other")["text"],
        np.array(["好", "坏"]),
        np.array(["好", "坏"], dtype=object),
        pd.Index(["好", "坏"]),
        pa.array(["好", "坏"]),
        pa.chunked_array([["好"], ["坏"]]),
        {"a": "好", "b": "坏"}.values(),
        (text for text in ("好", "坏")),
    ],
)
def test_lists_of_texts(given: Any) -> None:
    checked = checked_texts(given)
    assert checked == ["好", "坏"]
    assert all(type(text) is str for text in checked)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("好", r"not str: \[text\]"),
        (b"\xe5\xa5\xbd", "not bytes"),
        (bytearray(b"abc"), "not bytearray"),
        ([b"abc"], "Text 1 is bytes"),
        ({"text": "服务太差了"}, "not dict: list"),
        ({"好", "坏"}, "not set"),
        (FRAME, r'not DataFrame: frame\["text"\]'),
        (pa.table({"text": ["好"]}), "not Table"),
        (pd.Series([1, 2]), "Text 1 is int"),
        (pd.Series(["好", None]), "Text 2 is missing"),
        (pd.Series(["好", pd.NA], dtype="string"), "Text 2 is missing"),
        (np.array([["好"]]), "2 dimensions"),
        (np.array("好"), "0 dimensions"),
        (np.array([1.5]), "Text 1 is float"),
        ([["好"]], "Text 1 is list"),
        ([("好", "坏")], "Text 1 is tuple"),
        ([{"text": "好"}], "Text 1 is dict"),
        (None, "not NoneType"),
        (5, "not int"),
    ],
)
def test_anything_else_is_refused_with_what_to_pass(given: Any, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        checked_texts(given)
    assert "文本" in caught.value.zh


@pytest.mark.parametrize(
    "given",
    [
        [("好", "坏")],
        [["好", "坏"]],
        np.array([["好", "坏"]]),
        pd.DataFrame({"a": ["好"], "b": ["坏"]}).to_numpy(),
        zip(["好"], ["坏"], strict=True),
        pd.Series([("好", "坏")]),
    ],
)
def test_lists_of_pairs(given: Any) -> None:
    assert checked_pairs(given) == [("好", "坏")]


@pytest.mark.parametrize(
    "given", [{"好": "坏"}, FRAME, "好坏", ["好坏"], [("好",)], [("好", 1)], np.array(["好", "坏"])]
)
def test_what_are_no_pairs(given: Any) -> None:
    with pytest.raises(InputError, match="pair"):
        checked_pairs(given)
