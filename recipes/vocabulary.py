"""The bundled models' tokenizer: characters, frequent Latin words, emoji, counted in the training texts.

The input layer of so small a model is a large part of it: every token costs `hidden_size` parameters. So Chinese stays
single characters (as in BERT's Chinese vocabulary), Latin words and numbers are spelt from letters and digits unless
they are frequent.

What looks the same is the same token: text is brought to Unicode's form NFKC (full-width letters become half-width
ones), lower-cased, and a Traditional character has the id of its Simplified one (OpenCC's table t2s, by character). It
is written as a `tokenizer.json`, so that the tokenizers library does all of it and its offsets stay those of the text.
"""

from __future__ import annotations

import json
import string
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from wenmo.tokenizer import PIPELINE_FILE, SPECIAL_TOKENS

# Skin tones, variation selectors and joiners change how an emoji is drawn, not what it says.
_UNSEEN = Regex(r"[\x{1F3FB}-\x{1F3FF}\x{FE00}-\x{FE0F}\x{200B}-\x{200F}\x{2060}\x{FEFF}]")
_EMOJI = Regex(r"[\x{2190}-\x{2BFF}\x{1F000}-\x{1FAFF}]")
# Variants that OpenCC's table by character leaves, each with what everyday text means by it.
_VARIANTS = {"妳": "你", "祂": "他", "牠": "它", "喫": "吃", "祇": "只", "衹": "只", "甯": "宁", "咁": "这", "㗎": "的"}


def simplified_characters() -> dict[str, str]:
    """Traditional character -> its Simplified one, after OpenCC's configuration t2s."""
    from opencc import OpenCC

    converter = OpenCC("t2s")
    found = {}
    for point in (*range(0x3400, 0x4DC0), *range(0x4E00, 0xA000), *range(0xF900, 0xFB00)):
        character = chr(point)
        simple = converter.convert(unicodedata.normalize("NFKC", character))
        if simple != character and len(simple) == 1:
            found[character] = simple
    return {**found, **_VARIANTS}


def pipeline(vocabulary: Mapping[str, int]) -> Tokenizer:
    """The tokenizer without the aliases of Traditional characters, which `write` adds."""
    tokenizer = Tokenizer(models.WordPiece(dict(vocabulary), unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Replace(_UNSEEN, ""), normalizers.NFKC(), normalizers.BertNormalizer(lowercase=True)]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(_EMOJI, "isolated"), pre_tokenizers.BertPreTokenizer()]
    )
    return tokenizer


def build(
    texts: Iterable[str],
    *,
    characters: int,
    words: int,
    emoji: Iterable[str],
    aliases: Mapping[str, str],
    min_count: int = 5,
) -> list[str]:
    """The tokens in order: special ones, letters and digits with their `##` forms, characters, words, emoji.

    `characters` bounds the single characters, `words` the Latin words and numbers of two letters and more; each must
    occur at least `min_count` times. `emoji` are taken as they are.
    """
    splitter = pipeline({token: index for index, token in enumerate(SPECIAL_TOKENS)})
    singles: Counter[str] = Counter()
    longer: Counter[str] = Counter()
    for text in texts:
        for word, _ in splitter.pre_tokenizer.pre_tokenize_str(splitter.normalizer.normalize_str(text)):
            if len(word) == 1:
                singles[aliases.get(word, word)] += 1
            elif word.isascii() and len(word) <= 12:
                longer[word] += 1
    alphabet = string.ascii_lowercase + string.digits
    tokens = [*SPECIAL_TOKENS, *alphabet, *(f"##{letter}" for letter in alphabet)]
    known = set(tokens)
    for counter, limit in ((singles, characters), (longer, words)):
        frequent = [token for token, count in counter.most_common() if count >= min_count and token not in known]
        tokens += frequent[:limit]
    known.update(tokens)
    return tokens + [token for token in emoji if token not in known]


def write(tokens: list[str], aliases: Mapping[str, str], folder: Path) -> None:
    """`tokenizer.json`, which has the aliases as further names of an id, behind all tokens."""
    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = pipeline(vocabulary)
    cls_id, sep_id = vocabulary["[CLS]"], vocabulary["[SEP]"]
    # Not used by wenmo, which joins texts itself; for other programs that read the file.
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", sep_id), ("[CLS]", cls_id))
    content = json.loads(tokenizer.to_str())
    named = {**vocabulary}
    for variant, token in aliases.items():
        if variant not in vocabulary and token in vocabulary:
            named[variant] = vocabulary[token]
    content["model"]["vocab"] = named
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PIPELINE_FILE).write_text(json.dumps(content, ensure_ascii=False, indent=0), encoding="utf-8")


def read(folder: Path) -> list[str]:
    """The tokens in order, without aliases."""
    content = json.loads((folder / PIPELINE_FILE).read_text(encoding="utf-8"))
    tokens: dict[int, str] = {}
    for token, index in content["model"]["vocab"].items():
        tokens.setdefault(index, token)
    return [tokens[index] for index in range(len(tokens))]


def frequent_emoji(pieces: Iterable[str]) -> list[str]:
    """The emoji among the pieces of the pretrained encoder, which orders them by frequency; without skin tones."""
    return [
        piece
        for piece in pieces
        if len(piece) == 1
        and unicodedata.category(piece) in ("So", "Sk")
        and (0x2600 <= ord(piece) < 0x2C00 or 0x1F300 <= ord(piece) < 0x1FB00)
        and not 0x1F3FB <= ord(piece) < 0x1F400
    ]
