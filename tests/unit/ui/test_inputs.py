"""What pages take from their fields and give back as files."""

from __future__ import annotations

import csv
import io

import pytest

from wenmo.errors import InputError
from wenmo.ui.shell.inputs import (
    MAX_HYPOTHESES,
    MAX_LABELS,
    at_most,
    check_labels,
    csv_file,
    known_label,
    lines,
    one_by_one,
)


def test_lines_are_cut_at_line_feeds_alone() -> None:
    assert lines("一\r\n\n  二 \n三\u2028四\x0c五\n\t") == ["一", "二", "三\u2028四\x0c五"]
    assert lines("好\n\u200b\n\u3000\ufeff\n坏") == ["好", "坏"]
    assert lines(None) == []


def test_more_than_the_limit_is_refused_with_both_numbers() -> None:
    assert at_most(["一"] * 3, 3) == ["一"] * 3
    with pytest.raises(InputError, match=r"4 .* 3"):
        at_most(["一"] * 4, 3)


def test_labels_have_a_limit_alone_and_with_the_texts() -> None:
    labels = [str(number) for number in range(MAX_LABELS + 1)]
    assert check_labels(labels[:-1], texts=1) == labels[:-1]
    check_labels("，".join(labels[:-1]) + ",, ，", texts=1)
    with pytest.raises(InputError, match=str(MAX_LABELS + 1)):
        check_labels(labels, texts=1)
    with pytest.raises(InputError, match=str(MAX_HYPOTHESES)):
        check_labels(labels[:-1], texts=MAX_HYPOTHESES // MAX_LABELS + 1)
    with pytest.raises(InputError, match="Shorten"):
        check_labels(["长" * 100_001], texts=1)


def test_pasted_labels_become_one_each() -> None:
    assert one_by_one(["体育，科技,, 财经 ", "科技", "旅游\n 美食", " "]) == ["体育", "科技", "财经", "旅游", "美食"]
    assert one_by_one(["售前、售后", "咨询；投诉"], known=["售前、售后"]) == ["售前、售后", "咨询", "投诉"]


def test_a_label_behind_a_tab_is_known_only_where_it_is_one_of_them() -> None:
    labels = ["体育", "科技"]
    assert known_label("赢了\t 体育 ", labels) == ("赢了", "体育")
    assert known_label("甲\t乙\t科技", labels) == ("甲\t乙", "科技")
    for line in ("赢了\t财经", "赢了 体育", "\t体育"):
        assert known_label(line, labels) == (line, None)


def test_a_file_for_a_spreadsheet_holds_no_formula() -> None:
    data = csv_file(["文本", "概率"], [["=1+1", 0.5], ["@x", -0.25], ['逗,号"引\n号', 1.0]])
    assert data.startswith(b"\xef\xbb\xbf")
    header, first, second, third = csv.reader(io.StringIO(data.decode("utf-8-sig")))
    assert header == ["文本", "概率"]
    assert first[0] == "'=1+1"
    assert second == ["'@x", "-0.25"]  # a number is a number
    assert third[0] == '逗,号"引\n号'
