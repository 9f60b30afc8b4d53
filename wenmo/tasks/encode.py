"""Texts and pairs of texts to encodings."""

from __future__ import annotations

from collections.abc import Sequence

from wenmo.tokenizer import Encoding, Tokenizer


def encode_texts(tokenizer: Tokenizer, texts: Sequence[str], *, max_length: int) -> list[Encoding]:
    """`[CLS] text [SEP]` of each text."""
    tokens = tokenizer.tokenize(texts, limit=max_length)
    return [tokenizer.encode_single(ids, max_length=max_length) for ids in tokens]


def encode_pairs(tokenizer: Tokenizer, pairs: Sequence[tuple[str, str]], *, max_length: int) -> list[Encoding]:
    """`[CLS] first [SEP] second [SEP]` of each pair. Tokenises each distinct text once."""
    distinct = list(dict.fromkeys(text for pair in pairs for text in pair))
    tokens = dict(zip(distinct, tokenizer.tokenize(distinct, limit=max_length), strict=True))
    return [tokenizer.encode_pair(tokens[first], tokens[second], max_length=max_length) for first, second in pairs]
