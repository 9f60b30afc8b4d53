"""Occlusion: weights by hand, texts with more words than MAX_UNITS, and explanations of the bundled models."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import GOLDEN
from tests.fakes import AdditiveRuntime
from wenmo import Engine, Explanation, InputError
from wenmo.tasks.encode import encode_pairs, encode_texts
from wenmo.tasks.explain import MAX_UNITS, mask, units
from wenmo.tokenizer import Tokenizer

TOKENIZER = Tokenizer.from_folder(GOLDEN / "similarity")


@pytest.fixture
def additive(golden_models: dict[str, str]) -> Engine:
    return Engine(device="cpu", models=golden_models, make_runtime=AdditiveRuntime, calibrated=False)


def _ids(text: str) -> list[int]:
    return TOKENIZER.tokenize([text], limit=512)[0]


def _weights(explanation: Explanation, text: str, *, side: int = 0) -> dict[str, float]:
    return {text[part.start : part.end]: part.weight for part in explanation.parts[side]}


def test_each_character_weighs_what_it_adds(additive: Engine) -> None:
    """The log odds of positive are logit 1 - logit 0, which is minus half of the sum of the ids."""
    text = "天 气OK好"
    explanation = additive.explain_sentiment(text)
    weights = _weights(explanation, text)
    assert list(weights) == ["天", "气", "OK", "好"]
    assert weights == {word: pytest.approx(-0.5 * sum(_ids(word))) for word in weights}
    assert explanation.log_odds == pytest.approx(sum(weights.values()))  # only because this model is additive
    assert (explanation.label, explanation.rival) == ("正面", "负面")
    assert not explanation.grouped and not explanation.truncated


def test_both_sentences_of_a_pair_have_weights(additive: Engine) -> None:
    explanation = additive.explain_similarity(("天气", "好"))
    assert _weights(explanation, "天气") == {each: pytest.approx(-0.5 * _ids(each)[0]) for each in "天气"}
    assert _weights(explanation, "好", side=1) == {"好": pytest.approx(-0.5 * _ids("好")[0])}


def test_a_label_is_held_against_the_best_of_the_others(additive: Engine) -> None:
    """A text adds the same to each label of this model, so it supports neither of two, but it supports a single one."""
    labels = ["好", "气", "天"]
    result = additive.zero_shot(["天气"], labels=labels)[0]
    best, second, last = result.scores
    explanation = additive.explain_zero_shot("天气", labels=labels)
    assert (explanation.label, explanation.rival, explanation.score) == (best, second, result.score)
    assert explanation.log_odds == pytest.approx(_ids(best)[0] - _ids(second)[0])
    assert _weights(explanation, "天气") == {"天": 0.0, "气": 0.0}
    other = additive.explain_zero_shot("天气", labels=labels, label=last)
    assert (other.label, other.rival, other.score) == (last, best, result.scores[last])
    alone = additive.explain_zero_shot("天气", labels=labels, label=last, multi_label=True)
    assert alone.rival is None
    assert _weights(alone, "天气") == {each: pytest.approx(_ids(each)[0]) for each in "天气"}


def test_a_label_that_was_not_among_them_is_refused(additive: Engine) -> None:
    with pytest.raises(InputError, match="none of the labels"):
        additive.explain_zero_shot("天气", labels="好,气", label="天")


@pytest.mark.parametrize("text", ["", " \n", "\x00\ud800"])
def test_a_text_of_nothing_has_no_parts(additive: Engine, text: str) -> None:
    assert additive.explain_sentiment(text).parts == ((),)
    assert additive.explain_similarity((text, text)).parts == ((), ())
    assert additive.align((text, "好")).cosines == ()


@pytest.mark.parametrize("wrong", [None, 1, ["好"]])
def test_what_is_no_text_is_refused(additive: Engine, wrong: Any) -> None:
    with pytest.raises(InputError):
        additive.explain_sentiment(wrong)
    with pytest.raises(InputError):
        additive.explain_similarity(wrong)


def test_equal_characters_are_aligned_wherever_they_stand(additive: Engine) -> None:
    alignment = additive.align(("天气好", "好天"))
    cosines = np.asarray(alignment.cosines)
    assert (alignment.first, alignment.second) == (((0, 1), (1, 2), (2, 3)), ((0, 1), (1, 2)))
    assert cosines[2, 0] == pytest.approx(1.0) and cosines[0, 1] == pytest.approx(1.0)
    difference = _ids("天")[0] - _ids("好")[0]
    assert cosines[0, 0] == pytest.approx(np.cos(difference), abs=1e-4)


WORDS = st.text("好天，。a 3", max_size=400)


@given(first=WORDS, second=WORDS | st.none(), max_length=st.sampled_from([16, 128, 512]))
@settings(max_examples=200, deadline=None)
def test_units_are_bounded_and_miss_no_token_that_is_read(first: str, second: str | None, max_length: int) -> None:
    texts = (first,) if second is None else (first, second)
    (encoding,) = (
        encode_texts(TOKENIZER, [first], max_length=max_length)
        if second is None
        else encode_pairs(TOKENIZER, [(first, second)], max_length=max_length)
    )
    found = units(encoding, texts, [TOKENIZER.words(text, limit=max_length) for text in texts])
    assert len(found) <= MAX_UNITS
    hidden = [position for unit in found for position in range(unit.first, unit.last)]
    special = {0, len(encoding) - 1} | ({len(encoding) - encoding.segment_b - 1} if second is not None else set())
    assert hidden == [position for position in range(len(encoding)) if position not in special]
    for before, after in itertools.pairwise(found):
        assert before.text < after.text or before.end <= after.start


def test_long_texts_go_by_clauses() -> None:
    text = "天气很好，" * 40
    (encoding,) = encode_texts(TOKENIZER, [text], max_length=512)
    found = units(encoding, [text], [TOKENIZER.words(text, limit=512)])
    assert {text[unit.start : unit.end] for unit in found} == {"天气很好，"}


def test_hiding_leaves_everything_else_in_its_place() -> None:
    (encoding,) = encode_pairs(TOKENIZER, [("天气", "好")], max_length=16)
    found = units(encoding, ("天气", "好"), [TOKENIZER.words(text, limit=16) for text in ("天气", "好")])
    hidden = mask(encoding, found[-1], mask_id=TOKENIZER.mask_id)
    assert hidden.input_ids[:4] == encoding.input_ids[:4]
    assert hidden.input_ids[4:] == (TOKENIZER.mask_id, TOKENIZER.sep_id)
    assert hidden.segment_b == encoding.segment_b


def test_the_negation_pulls_down(bundled: Engine) -> None:
    """Masking 不 makes the review positive: its weight is the lowest, and the engine confirms it on the masked text."""
    text = "这家店的菜不好吃"
    explanation = bundled.explain_sentiment(text)
    weights = _weights(explanation, text)
    assert explanation.score < 0.5
    assert explanation.score == pytest.approx(bundled.sentiment([text])[0].positive)
    assert min(weights, key=weights.__getitem__) == "不"
    without = bundled.sentiment([text.replace("不", "[MASK]")])[0].positive
    assert weights["不"] == pytest.approx(
        explanation.log_odds - np.log(without / (1 - without)), rel=0.05
    )  # a text has no [MASK]


def test_the_difference_between_two_questions_pulls_against_sameness(bundled: Engine) -> None:
    first, second = "这款手机的电池能用多久", "这款手机的屏幕能用多久"
    explanation = bundled.explain_similarity((first, second))
    for side, (text, differs) in enumerate([(first, {"电", "池"}), (second, {"屏", "幕"})]):
        weights = _weights(explanation, text, side=side)
        assert min(weights, key=weights.__getitem__) in differs


def test_the_word_that_names_the_topic_speaks_for_the_label(bundled: Engine) -> None:
    text = "主队在最后一分钟射门得分"
    explanation = bundled.explain_zero_shot(text, labels="体育，财经，娱乐", template="这是一条{}新闻")
    weights = _weights(explanation, text)
    assert explanation.label == "体育"
    assert max(weights, key=weights.__getitem__) in set("主队射门得分")


def test_a_paraphrase_is_aligned_word_by_word(bundled: Engine) -> None:
    first, second = "周末去哪儿爬山", "周末爬山去哪里好"
    cosines = np.asarray(bundled.align((first, second)).cosines)
    partner = {first[row]: second[column] for row, column in enumerate(cosines.argmax(axis=1))}
    assert partner.pop("哪") in "哪里"
    assert partner == {"周": "周", "末": "末", "去": "去", "儿": "里", "爬": "爬", "山": "山"}


def test_the_vectors_are_means_of_the_states_that_are_aligned(golden_engine: Engine) -> None:
    model = golden_engine._models.get("embedding")
    (encoding,) = encode_texts(model.tokenizer, ["天气真好"], max_length=512)
    assert model.bulk.states(encoding).mean(axis=0) == pytest.approx(golden_engine.embed(["天气真好"])[0], abs=1e-5)
