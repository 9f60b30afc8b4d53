"""What pages take from their fields and give back as files."""

from __future__ import annotations

import csv
import io

import pytest

from wenmo.errors import InputError
from wenmo.ui.inputs import MAX_HYPOTHESES, MAX_LABELS, at_most, check_labels, csv_file, lines


def test_lines_are_cut_at_line_feeds_alone() -> None:
    assert lines("一\r\n\n  二 \n三\u2028四\x0c五\n\t") == ["一", "二", "三\u2028四\x0c五"]
    assert lines(None) == []


def test_more_than_the_limit_is_refused_with_both_numbers() -> None:
    assert at_most(["一"] * 3, 3) == ["一"] * 3
    with pytest.raises(InputError, match=r"4 .* 3"):
        at_most(["一"] * 4, 3)


def test_labels_have_a_limit_alone_and_with_the_texts() -> None:
    check_labels("，".join(map(str, range(MAX_LABELS))) + ",, ，", texts=1)
    with pytest.raises(InputError, match=str(MAX_LABELS + 1)):
        check_labels(",".join(map(str, range(MAX_LABELS + 1))), texts=1)
    with pytest.raises(InputError, match=str(MAX_HYPOTHESES)):
        check_labels(",".join(map(str, range(MAX_LABELS))), texts=MAX_HYPOTHESES // MAX_LABELS + 1)


def test_a_file_for_a_spreadsheet_holds_no_formula() -> None:
    data = csv_file(["文本", "概率"], [["=1+1", 0.5], ["@x", -0.25], ['逗,号"引\n号', 1.0]])
    assert data.startswith(b"\xef\xbb\xbf")
    header, first, second, third = csv.reader(io.StringIO(data.decode("utf-8-sig")))
    assert header == ["文本", "概率"]
    assert first[0] == "'=1+1"
    assert second == ["'@x", "-0.25"]  # a number is a number
    assert third[0] == '逗,号"引\n号'
