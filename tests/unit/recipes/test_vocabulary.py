from __future__ import annotations

from pathlib import Path

import pytest

from recipes import vocabulary
from wenmo.tokenizer import Tokenizer

TEXTS = ["会议取消了吗", "app怎么下载", "这家店真好👍", "不好👎", "0123456789", "我的书"] * 5


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    folder = tmp_path_factory.mktemp("vocabulary")
    aliases = vocabulary.simplified_characters()
    tokens = vocabulary.build(TEXTS, characters=100, words=10, emoji=["👍", "👎"], aliases=aliases, min_count=1)
    vocabulary.write(tokens, aliases, folder)
    assert vocabulary.read(folder) == tokens
    return Tokenizer.from_folder(folder)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("會議取消了嗎", "会议取消了吗"),
        ("ＡＰＰ怎么下载", "app怎么下载"),
        ("APP怎么下载", "app怎么下载"),
        ("会 议取 消了吗", "会议取消了吗"),
        ("这家店真好👍🏽", "这家店真好👍"),
        ("我\u200b的书", "我的书"),
    ],
)
def test_what_looks_the_same_is_the_same(tokenizer: Tokenizer, one: str, other: str) -> None:
    first, second = tokenizer.tokenize([one, other], limit=64)
    assert first == second and tokenizer.unk_id not in first


def test_emoji_differ(tokenizer: Tokenizer) -> None:
    good, bad = tokenizer.tokenize(["店👍", "店👎"], limit=8)
    assert good != bad and tokenizer.unk_id not in good + bad


def test_words_keep_their_places_in_the_text_as_given(tokenizer: Tokenizer) -> None:
    text = "ＡＰＰ會議👍"
    words = [text[word.start : word.end] for word in tokenizer.words(text, limit=16)]
    assert words == ["ＡＰＰ", "會", "議", "👍"]


def test_a_copy_reads_alike(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["tokenizer.json"]
    again = Tokenizer.from_folder(tmp_path)
    assert again.tokenize(TEXTS, limit=64) == tokenizer.tokenize(TEXTS, limit=64)
    assert again.vocab_size == tokenizer.vocab_size
