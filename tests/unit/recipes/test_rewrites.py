from __future__ import annotations

import numpy as np

from recipes import moods, rewrites

SENTENCES = [
    "会议提前到周一",
    "从北京到上海要多久",
    "我的快递三天没到",
    "可以开发票吗",
    "怎么取消订单",
    "甲比乙高",
    "我喜欢这首歌",
]


def test_a_change_of_meaning_changes_the_text() -> None:
    rng = np.random.default_rng(0)
    for text in SENTENCES:
        found = {rewrites.changed(text, rng) for _ in range(20)} - {None}
        assert found and text not in found, text


def test_sides_are_exchanged() -> None:
    rng = np.random.default_rng(0)
    assert rewrites.exchanged("从北京到上海", rng) == "从上海到北京"
    assert rewrites.exchanged("没有两边", rng) is None


def test_a_question_that_asks_for_either_has_no_negation() -> None:
    rng = np.random.default_rng(0)
    assert rewrites.negated("能不能退款", rng) is None
    assert rewrites.negated("我喜欢这首歌", rng) == "我不喜欢这首歌"


def test_made_pairs_are_half_of_each_kind_and_the_same_each_time() -> None:
    same = [("怎么退款", "如何退钱"), ("多少钱", "什么价格")]
    pairs = rewrites.made_pairs(SENTENCES, same, 200, seed=1)
    assert [label for _, _, label in pairs].count(1) == 100
    assert all(first != second for first, second, _ in pairs)
    assert pairs == rewrites.made_pairs(SENTENCES, same, 200, seed=1)


def test_made_reviews_lean_as_their_forms_say() -> None:
    made = moods.made_reviews((["难吃"], ["好吃"]), ["今天星期几"], 400, seed=1)
    assert len(made) == 400 and all(0 < target < 1 and text for text, target in made)
    assert {target for text, target in made if text == "今天星期几"} == {0.5}
    assert "{" not in "".join(text for text, _ in made)
