"""A vocabulary of characters and frequent Latin words, counted in the training texts.

The input layer of so small a model is its largest part: every token costs `hidden_size` parameters. So Chinese stays
single characters (as in BERT's Chinese vocabulary), Latin words and numbers are spelt from single letters and digits
unless they are frequent.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterable

from tokenizers import normalizers, pre_tokenizers

from wenmo.tokenizer import SPECIAL_TOKENS


def build_vocabulary(texts: Iterable[str], *, characters: int, words: int, min_count: int = 5) -> list[str]:
    """The tokens in order: special ones, letters and digits with their `##` forms, characters, words.

    `characters` bounds the single characters, `words` the Latin words and numbers of two letters and more; each must
    occur at least `min_count` times.
    """
    normalizer = normalizers.BertNormalizer()
    splitter = pre_tokenizers.BertPreTokenizer()
    singles: Counter[str] = Counter()
    longer: Counter[str] = Counter()
    for text in texts:
        for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text)):
            if len(word) == 1:
                singles[word] += 1
            elif word.isascii() and len(word) <= 12:
                longer[word] += 1
    alphabet = string.ascii_lowercase + string.digits
    tokens = [*SPECIAL_TOKENS, *alphabet, *(f"##{letter}" for letter in alphabet)]
    known = set(tokens)
    for counter, limit in ((singles, characters), (longer, words)):
        frequent = [token for token, count in counter.most_common() if count >= min_count and token not in known]
        tokens += frequent[:limit]
    return tokens
