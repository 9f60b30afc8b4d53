from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wenmo import InputError
from wenmo.tasks.labels import join_labels, parse_labels, split_labels
from wenmo.tasks.zero_shot import check_template


@pytest.mark.parametrize(
    ("given", "names", "dropped"),
    [
        ("咨询，投诉,建议", ("咨询", "投诉", "建议"), ()),
        (" 咨询 ,, 投诉，，", ("咨询", "投诉"), ()),
        ("咨询,投诉,咨询", ("咨询", "投诉"), ("咨询",)),
        ("军事、科技;体育", ("军事", "科技", "体育"), ()),
        ("军事；科技|体育｜财经", ("军事", "科技", "体育", "财经"), ()),
        ("军事\n科技\r\n体育\t财经\n", ("军事", "科技", "体育", "财经"), ()),
        ('"售前、售后"、投诉', ("售前、售后", "投诉"), ()),
        (' "5"" 屏, 6"" 屏" , 其他', ('5" 屏, 6" 屏', "其他"), ()),
        ('15" 屏幕，"好"评，"没有合上、其他', ('15" 屏幕', '"好"评', '"没有合上', "其他"), ()),
        ('["咨询", "投诉、建议"]', ("咨询", "投诉、建议"), ()),
        ("['咨询', '投诉']", ("咨询", "投诉"), ()),
        ("[物流]、[价格]", ("[物流]", "[价格]"), ()),
        (["咨询", "投诉"], ("咨询", "投诉"), ()),
        ([" 军事 ", "科技,体育"], (" 军事 ", "科技,体育"), ()),
        (["咨询", "", "  ", "投诉", "咨询 "], ("咨询", "投诉"), ("", "  ", "咨询 ")),
        (("<b>粗</b>", "{}", "\ud800"), ("<b>粗</b>", "{}", "\ud800"), ()),
    ],
)
def test_labels(given: list[str] | str, names: tuple[str, ...], dropped: tuple[str, ...]) -> None:
    labels = parse_labels(given)
    assert labels.names == names
    assert labels.dropped == dropped


@given(labels=st.lists(st.text(min_size=1).filter(lambda label: label.strip() == label), min_size=1, max_size=5))
def test_joined_labels_are_split_into_the_same(labels: list[str]) -> None:
    if not (len(labels) == 1 and labels[0][0] == "["):  # may be the notation of a list
        assert split_labels(join_labels(labels)) == labels


@pytest.mark.parametrize(
    "given", ["", " ", "，,", "、；|\n", '""', [], [""], [" ", "\t"], [None], [1], {"a": 1}, {"a", "b"}, b"a,b", 5]
)
def test_no_labels(given: object) -> None:
    with pytest.raises(InputError):
        parse_labels(given)  # type: ignore[arg-type]


@pytest.mark.parametrize("template", ["{}", "这篇文章的标题是{}", "{0}", "标题是{0}，{0}新闻", "{{花括号}}{}"])
def test_templates(template: str) -> None:
    assert check_template(template) == template
    template.format("科技")


@pytest.mark.parametrize(
    "template", ["", "没有", "{}{}", "{1}", "{name}", "{0.__class__}", "{0[0]}", "{:>9}", "{!r}", "{", "}", "{0}{}"]
)
def test_templates_refused(template: str) -> None:
    with pytest.raises(InputError):
        check_template(template)
