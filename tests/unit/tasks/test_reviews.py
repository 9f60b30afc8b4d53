"""Sentences, aspects and intervals, compared with values by hand and with scipy's bootstrap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap

from wenmo.tasks.reviews import MIN_FOR_INTERVAL, difference, mean, mentions, parse_aspects, sentence_spans, stars


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("汤很鲜。面有点硬！下次还来吗？会的", ["汤很鲜。", "面有点硬！", "下次还来吗？", "会的"]),
        ("他说：“太贵了！”我也觉得；算了……", ["他说：“太贵了！”", "我也觉得；", "算了……"]),
        (" 一行 \n\n 二行。 ", ["一行", "二行。"]),
        ("没有句号", ["没有句号"]),
        (" \n ", []),
    ],
)
def test_sentences_end_at_their_marks(text: str, sentences: list[str]) -> None:
    assert [text[start:end] for start, end in sentence_spans(text)] == sentences


@given(st.text(alphabet="好。！\n ”a;", max_size=40))
def test_sentences_leave_out_nothing_but_space(text: str) -> None:
    spans = sentence_spans(text)
    sentences = [text[start:end] for start, end in spans]
    assert "".join("".join(sentences).split()) == "".join(text.split())
    assert all(sentence and sentence == sentence.strip() for sentence in sentences)
    assert spans == sorted(spans)


def test_aspects_have_words_of_their_own() -> None:
    logistics, price = parse_aspects("物流/快递／EMS， 价格,，物流/快递／EMS")
    assert logistics.words == ("物流", "快递", "ems")
    assert price.name == "价格"
    assert mentions("ems 到得很快", logistics) and not mentions("很快", logistics)
    assert parse_aspects(" ,/，") == []


def test_the_interval_of_a_mean_is_that_of_scipy() -> None:
    values = np.random.default_rng(3).random(40)
    low, high = mean(values.tolist()).interval or (0, 0)
    theirs = bootstrap((values,), np.mean, method="percentile", n_resamples=5000, rng=1).confidence_interval
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.01)  # a tenth of the width, as both are random


def test_a_difference_is_sure_where_the_reviews_are_far_apart_and_not_where_they_are_the_same() -> None:
    glad, angry = [0.9, 0.95, 0.8, 0.99, 0.85], [0.1, 0.2, 0.05, 0.3, 0.15]
    apart = difference(glad, angry)
    assert apart.value == pytest.approx(np.mean(glad) - np.mean(angry))
    assert apart.interval is not None and apart.interval[0] > 0.5
    same = difference(glad, glad)
    assert same.interval is not None and same.interval[0] < 0 < same.interval[1]


def test_too_few_values_have_no_interval() -> None:
    few = [0.1] * (MIN_FOR_INTERVAL - 1)
    assert mean(few).interval is None
    assert difference(few, [0.5] * 100).interval is None


@pytest.mark.parametrize(
    ("values", "read"),
    [
        (["1", "3", "5"], [1, 3, 5]),
        (["4.0", "2.0"], [4, 2]),
        (["五星", "1星", "3 颗星"], [5, 1, 3]),
        (["★★★★☆", "★"], [4, 1]),
        (["0", "1"], None),
        (["1"], None),
        (["好", "5"], None),
        (["6", "5"], None),
        (["", "5"], None),
        ([], None),
    ],
)
def test_a_column_of_stars(values: list[str], read: list[int] | None) -> None:
    found = stars(values)
    assert (None if found is None else list(found.values())) == read
