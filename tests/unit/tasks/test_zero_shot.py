from __future__ import annotations

import pytest

from wenmo import InputError
from wenmo.tasks.labels import parse_labels
from wenmo.tasks.zero_shot import check_template


@pytest.mark.parametrize(
    ("given", "names", "dropped"),
    [
        ("咨询，投诉,建议", ("咨询", "投诉", "建议"), ()),
        (" 咨询 ,, 投诉，，", ("咨询", "投诉"), ()),
        ("咨询,投诉,咨询", ("咨询", "投诉"), ("咨询",)),
        ("军事、科技;体育", ("军事、科技;体育",), ()),
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


@pytest.mark.parametrize("given", ["", " ", "，,", [], [""], [" ", "\t"], [None], [1]])
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
