"""Texts and pairs of texts to encodings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from wenmo.tokenizer import Encoding, Tokenizer
from wenmo.types import Result

R = TypeVar("R", bound=Result)


def encode_texts(tokenizer: Tokenizer, texts: Sequence[str], *, max_length: int) -> list[Encoding]:
    """`[CLS] text [SEP]` of each text."""
    tokens = tokenizer.tokenize(texts, limit=max_length)
    return [tokenizer.encode_single(ids, max_length=max_length) for ids in tokens]


def encode_pairs(tokenizer: Tokenizer, pairs: Sequence[tuple[str, str]], *, max_length: int) -> list[Encoding]:
    """`[CLS] first [SEP] second [SEP]` of each pair. Tokenises each distinct text once."""
    distinct = list(dict.fromkeys(text for pair in pairs for text in pair))
    tokens = dict(zip(distinct, tokenizer.tokenize(distinct, limit=max_length), strict=True))
    return [tokenizer.encode_pair(tokens[first], tokens[second], max_length=max_length) for first, second in pairs]


def tell_unknown(
    results: Sequence[R], encodings: Sequence[Encoding], tokenizer: Tokenizer, *, first_only: bool = False
) -> list[R]:
    """`results` with their share of unknown tokens, special ones not counted.

    Each result has equally many consecutive encodings, of which the first is looked at. `first_only`: its second text
    is a hypothesis and no text of the user's.
    """
    each = len(encodings) // max(len(results), 1)
    told = []
    for index, result in enumerate(results):
        encoding = encodings[index * each]
        second = encoding.segment_b - 1 if encoding.segment_b else 0  # without its [SEP]
        specials = 3 if encoding.segment_b else 2
        ids = encoding.input_ids[: len(encoding) - encoding.segment_b] if first_only else encoding.input_ids
        count = len(encoding) - specials - (second if first_only else 0)
        unknown = ids.count(tokenizer.unk_id)
        told.append(replace(result, unknown=unknown / count) if unknown else result)
    return told
