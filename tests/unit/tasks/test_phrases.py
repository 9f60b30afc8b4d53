"""Phrases that one side has more than the other, by hand."""

from __future__ import annotations

from wenmo.tasks.phrases import distinct_phrases


def test_what_one_side_says_again_and_again() -> None:
    good = ["物流很快", "物流真快，好用", "物流 OK", "包装一般"]
    bad = ["包装太差", "包装破了", "客服不理人，客服差"]
    (most, *rest) = distinct_phrases(good, bad, limit=5)
    assert (most.text, most.count, most.other) == ("物流", 3, 0)
    assert not any(phrase.text == "包装" for phrase in rest)  # more often on the other side
    (first, *others) = distinct_phrases(bad, good, limit=5)
    assert (first.text, first.count, first.other) == ("包装", 2, 1)
    assert not any(phrase.text == "客服" for phrase in others)  # twice, in one text


def test_the_longer_of_two_that_go_together_is_shown_once() -> None:
    phrases = distinct_phrases(["保温杯好", "保温杯轻", "保温杯大"], ["雨伞"], limit=9)
    assert len([phrase for phrase in phrases if set(phrase.text) & set("保温杯")]) == 1


def test_no_texts_have_no_phrases() -> None:
    assert distinct_phrases([], [], limit=5) == [] == distinct_phrases(["好"], ["坏"], limit=5)
