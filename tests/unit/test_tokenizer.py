"""Joining and truncating, compared with the rule of ModelScope's slow tokenizer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import GOLDEN
from wenmo.errors import CheckpointError
from wenmo.tokenizer import Tokenizer

TOKENIZER = Tokenizer.from_folder(GOLDEN / "similarity")


def _slowly(first: int, second: int, max_length: int) -> tuple[int, int]:
    """The rule of the slow tokenizer of transformers 4: remove single tokens from the longer text until both have the
    same length, then in turn, beginning with the second."""
    excess = max(0, first + second + 3 - max_length)
    while excess and first != second:
        first, second = (first - 1, second) if first > second else (first, second - 1)
        excess -= 1
    while excess:
        second -= 1
        excess -= 1
        if excess:
            first -= 1
            excess -= 1
    return first, second


@given(first=st.integers(0, 60), second=st.integers(0, 60), max_length=st.integers(5, 64))
def test_longest_first(first: int, second: int, max_length: int) -> None:
    encoding = TOKENIZER.encode_pair([7] * first, [8] * second, max_length=max_length)
    keep_first, keep_second = _slowly(first, second, max_length)
    assert encoding.input_ids.count(7) == keep_first
    assert encoding.input_ids.count(8) == keep_second
    assert encoding.segment_b == keep_second + 1
    assert encoding.truncated == (first + second + 3 > max_length)
    assert len(encoding) == min(first + second + 3, max_length)


def test_an_empty_second_text_is_still_a_second_text() -> None:
    encoding = TOKENIZER.encode_pair([7], [], max_length=16)
    assert encoding.input_ids == (TOKENIZER.cls_id, 7, TOKENIZER.sep_id, TOKENIZER.sep_id)
    assert encoding.segment_b == 1


@given(st.integers(0, 40), st.integers(3, 20))
def test_single(tokens: int, max_length: int) -> None:
    encoding = TOKENIZER.encode_single([7] * tokens, max_length=max_length)
    assert len(encoding) == min(tokens + 2, max_length)
    assert encoding.truncated == (tokens + 2 > max_length)
    assert encoding.segment_b == 0


def test_lone_surrogates_are_dropped_like_other_control_characters() -> None:
    assert TOKENIZER.tokenize(["天\ud800气\udfff"], limit=512) == TOKENIZER.tokenize(["天气"], limit=512)


def test_many_threads_share_one_tokenizer() -> None:
    texts = [f"今天天气真好{number}" for number in range(400)]
    expected = TOKENIZER.tokenize(texts, limit=512)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda text: TOKENIZER.tokenize([text], limit=512)[0], texts)) == expected


@pytest.mark.parametrize(("option", "text", "same_as"), [("true", "ＡBC", "ａbc"), ("false", "好A", "好A")])
def test_tokenizer_config_is_obeyed(tmp_path, option: str, text: str, same_as: str) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "vocab.txt").write_bytes((GOLDEN / "similarity" / "vocab.txt").read_bytes())
    (tmp_path / "tokenizer_config.json").write_text(f'{{"do_lower_case": {option}}}', encoding="utf-8")
    tokenizer = Tokenizer.from_folder(tmp_path)
    if option == "true":
        assert tokenizer.tokenize([text], limit=512) == tokenizer.tokenize([same_as], limit=512)
    else:
        assert tokenizer.tokenize(["a"], limit=512) != tokenizer.tokenize(["A"], limit=512)


@given(first=st.integers(0, 80), second=st.integers(0, 80), max_length=st.integers(5, 40))
def test_cutting_tokens_at_the_models_length_changes_nothing(first: int, second: int, max_length: int) -> None:
    a, b = [7] * first, [8] * second
    whole = TOKENIZER.encode_pair(a, b, max_length=max_length)
    assert TOKENIZER.encode_pair(a[:max_length], b[:max_length], max_length=max_length) == whole
    single = TOKENIZER.encode_single(a, max_length=max_length)
    assert TOKENIZER.encode_single(a[:max_length], max_length=max_length) == single


ODD = st.text(
    st.one_of(st.characters(), st.sampled_from("好天Aaé3.， \n\x00\u200d\ufe0f😋👨\u0301İ한\ud800\ufffdꢴ:")),
    max_size=30,
)


@given(ODD | st.sampled_from(["a[MASK]b [SEP]", "iPhone15很好，3.14", "👨‍👩‍👧❤️"]))
@settings(max_examples=500, deadline=None)
def test_words_cover_what_is_read_of_any_text_in_order(text: str) -> None:
    """Explanations use these positions. Characters between two words make no token, so the model does not see them."""
    words = TOKENIZER.words(text, limit=512)
    assert sum(word.tokens for word in words) == len(TOKENIZER.tokenize([text], limit=512)[0])
    edge, between = 0, ""
    for word in words:
        assert edge <= word.start < word.end <= len(text)
        between += text[edge : word.start]
        edge = word.end
    assert all(TOKENIZER.tokenize([character], limit=1) == [[]] for character in between + text[edge:])


def test_words_stand_where_they_were_written() -> None:
    text = "\ud800Cafe\u0301\x00很 好！iPhone15"
    words = [text[word.start : word.end] for word in TOKENIZER.words(text, limit=512)]
    assert words == ["Cafe\u0301", "很", "好", "！", "iPhone15"]


def test_words_end_with_the_tokens_that_are_read() -> None:
    assert [(word.start, word.end, word.tokens) for word in TOKENIZER.words("天气好", limit=2)] == [
        (0, 1, 1),
        (1, 2, 1),
    ]


def test_a_pipeline_file_that_cannot_be_used_says_so(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{", encoding="utf-8")
    with pytest.raises(CheckpointError, match="cannot be read"):
        Tokenizer.from_folder(tmp_path)
    unigram = tokenizers.Tokenizer(tokenizers.models.Unigram([("[UNK]", 0.0)], unk_id=0))
    unigram.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(CheckpointError, match="Unigram"):
        Tokenizer.from_folder(tmp_path)
    lacking = tokenizers.Tokenizer(tokenizers.models.WordPiece({"[UNK]": 0, "书": 1}, unk_token="[UNK]"))
    lacking.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(CheckpointError, match=r"\[PAD\], \[CLS\]"):
        Tokenizer.from_folder(tmp_path)


def test_a_vocabulary_file_goes_before_a_pipeline(tmp_path: Path) -> None:
    """ModelScope reads vocab.txt; a tokenizer.json beside it may have been made by another program."""
    (tmp_path / "vocab.txt").write_bytes((GOLDEN / "similarity" / "vocab.txt").read_bytes())
    (tmp_path / "tokenizer.json").write_text("{", encoding="utf-8")
    assert Tokenizer.from_folder(tmp_path).vocab_size == Tokenizer.from_folder(GOLDEN / "similarity").vocab_size
