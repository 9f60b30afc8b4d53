"""Text to BERT tokens; with a vocab.txt exactly as ModelScope's tokenizer produces them. Thread-safe.

Each text is tokenised once, on its own, without special tokens. Truncating and joining pairs happens afterwards on
plain lists of ids (`encode_single`, `encode_pair`), because

- the fast tokenizers differ from ModelScope's slow one in exactly two cases, both when joining: which text keeps the
  odd token when both are cut, and an empty second text, which still counts as a second text;
- a fast tokenizer raises "Already borrowed" when one thread changes its truncation or padding while another uses it;
- the tokens of a text or a label can be reused in several pairs.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from tokenizers import AddedToken, models, normalizers, pre_tokenizers, processors
from tokenizers import Tokenizer as _Pipeline

from wenmo.errors import CheckpointError
from wenmo.files import read_small_text

PAD, UNK, CLS, SEP, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
SPECIAL_TOKENS = (PAD, UNK, CLS, SEP, MASK)
_SPECIAL_OPTIONS = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")  # their names, if others
VOCABULARY_FILE, OPTIONS_FILE, PIPELINE_FILE = "vocab.txt", "tokenizer_config.json", "tokenizer.json"

# The Rust tokenizer rejects a lone UTF-16 surrogate, as UTF-8 cannot encode it. BERT's cleaning drops all characters of
# the Unicode categories C*, surrogates included, so dropping them here gives the same tokens.
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """One model input, without padding.

    `input_ids` include [CLS] and [SEP]; the last `segment_b` of them have token type 1. `truncated`: tokens of the text
    were cut off to fit the model's maximum length.
    """

    input_ids: tuple[int, ...]
    segment_b: int
    truncated: bool

    def __len__(self) -> int:
        return len(self.input_ids)


@dataclass(frozen=True, kw_only=True)
class Word:
    """A word of a text: the characters from `start` up to, not including, `end` became this number of `tokens`.

    Every Chinese character and punctuation mark is a word. Words of other scripts end at white space, punctuation or a
    Chinese character.
    """

    start: int
    end: int
    tokens: int


# Texts are tokenised in slices, because the tokenizer's result takes about 150 bytes per character.
_SLICE_CHARACTERS = 1_000_000
_MOST_MIB = 64  # of vocab.txt or tokenizer.json; the largest of several languages have 20


def _slices(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """(start, end) of slices of `texts` with about _SLICE_CHARACTERS characters each."""
    start = size = 0
    for index, text in enumerate(texts):
        size += len(text)
        if size >= _SLICE_CHARACTERS:
            yield start, index + 1
            start, size = index + 1, 0
    if start < len(texts):
        yield start, len(texts)


def _bert_pipeline(vocabulary: Mapping[str, int], options: Mapping[str, object], special: Sequence[str]) -> _Pipeline:
    """BERT's cleaning, lower-casing and splitting of Chinese characters; `options` are of tokenizer_config.json."""
    pipeline = _Pipeline(models.WordPiece(dict(vocabulary), unk_token=special[1], max_input_chars_per_word=100))
    strip_accents = options.get("strip_accents")
    pipeline.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=bool(options.get("tokenize_chinese_chars", True)),
        strip_accents=None if strip_accents is None else bool(strip_accents),
        lowercase=bool(options.get("do_lower_case", True)),
    )
    pipeline.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    # As in ModelScope's tokenizer, a special token typed in a text, in capitals, becomes that token.
    present = [token for token in special if token in vocabulary]
    pipeline.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in present])
    return pipeline


def _special_tokens(options: Mapping[str, object]) -> tuple[str, ...]:
    """The special tokens, in the order of SPECIAL_TOKENS, under the names that `options` give them."""
    names = []
    for option, token in zip(_SPECIAL_OPTIONS, SPECIAL_TOKENS, strict=True):
        given = options.get(option)
        if isinstance(given, Mapping):  # with its options, as older transformers write it
            given = given.get("content")
        names.append(given if isinstance(given, str) and given else token)
    return tuple(names)


def _read(folder: Path, name: str) -> str:
    path = folder / name
    try:
        return read_small_text(path, _MOST_MIB)  # a lone \r may be a token
    except FileNotFoundError:
        raise CheckpointError(
            f"{folder} has no {name}. Copy the file that belongs to the checkpoint there, or download it again.",
            f"{folder} 里没有 {name}。请放入该模型自带的词表，或重新下载模型。",
        ) from None
    except (UnicodeDecodeError, OSError) as error:
        raise CheckpointError(
            f"{path} cannot be read as UTF-8 text ({error}). Download the checkpoint again.",
            f"无法将 {path} 读作 UTF-8 文本（{error}）。请重新下载模型。",
        ) from None


class Tokenizer:
    """WordPiece of a model folder: BERT's own steps over `vocab.txt`, or those that `tokenizer.json` describes."""

    def __init__(self, pipeline: _Pipeline, files: Mapping[str, str], special: Sequence[str] = SPECIAL_TOKENS) -> None:
        """`files` are the contents of the files that `pipeline` was made of, by name, for `save`.

        `special` are the names of SPECIAL_TOKENS, in this order.
        """
        vocabulary = pipeline.get_vocab(with_added_tokens=True)
        missing = [token for token in special if token not in vocabulary]
        if missing:
            names, first = ", ".join(missing), next(iter(files))
            raise CheckpointError(
                f"The vocabulary lacks the special tokens {names}. Use the {first} that belongs to the checkpoint.",
                f"词表缺少特殊词元 {names}。请使用训练该模型时的 {first}。",
            )
        pipeline.no_truncation()
        pipeline.no_padding()
        self._pipeline = pipeline
        self.files: Mapping[str, str] = dict(files)
        self.vocab_size = max(vocabulary.values()) + 1
        self.pad_id, self.unk_id, self.cls_id, self.sep_id, self.mask_id = (vocabulary[token] for token in special)

    @classmethod
    def from_folder(cls, folder: Path, *, lower_case_first: bool = False) -> Tokenizer:
        """Read `vocab.txt` with `tokenizer_config.json`, as ModelScope does; without a `vocab.txt`, `tokenizer.json`.

        `lower_case_first`: texts are put into lower case before anything else, an option of sentence-transformers.
        Raises CheckpointError when there is neither, when a file cannot be read, or when a special token is missing.
        """
        tokenizer = cls._from_folder(folder)
        if lower_case_first:
            steps = [each for each in (normalizers.Lowercase(), tokenizer._pipeline.normalizer) if each is not None]
            tokenizer._pipeline.normalizer = normalizers.Sequence(steps)
        return tokenizer

    @classmethod
    def _from_folder(cls, folder: Path) -> Tokenizer:
        options_text = _read(folder, OPTIONS_FILE) if (folder / OPTIONS_FILE).is_file() else None
        try:
            options = dict(json.loads(options_text or "{}"))
        except (ValueError, TypeError, RecursionError) as error:
            raise CheckpointError(
                f"{folder / OPTIONS_FILE} is not valid JSON ({error}). Download the checkpoint again.",
                f"{folder / OPTIONS_FILE} 不是有效的 JSON（{error}）。请重新下载模型。",
            ) from None
        special = _special_tokens(options)
        also = {} if options_text is None else {OPTIONS_FILE: options_text}
        if not (folder / VOCABULARY_FILE).is_file() and (folder / PIPELINE_FILE).is_file():
            text = _read(folder, PIPELINE_FILE)
            try:
                pipeline = _Pipeline.from_str(text)
            except Exception as error:  # the library raises nothing more special
                raise CheckpointError(
                    f"{folder / PIPELINE_FILE} cannot be read: {error}. Download the checkpoint again.",
                    f"无法读取 {folder / PIPELINE_FILE}：{error}。请重新下载模型。",
                ) from None
            if not isinstance(pipeline.model, models.WordPiece):
                kind = type(pipeline.model).__name__
                raise CheckpointError(
                    f"{folder / PIPELINE_FILE} describes a {kind} tokenizer; only BERT's WordPiece can be read.",
                    f"{folder / PIPELINE_FILE} 描述的是 {kind} 分词器；这里只能读取 BERT 的 WordPiece。",
                )
            return cls(pipeline, {PIPELINE_FILE: text, **also}, special)
        files = {VOCABULARY_FILE: _read(folder, VOCABULARY_FILE), **also}
        # Not splitlines(), which also splits at U+2028 and others, and these may be tokens of the vocabulary.
        lines = files[VOCABULARY_FILE].split("\n")
        if lines and not lines[-1]:
            lines.pop()
        vocabulary = {line.rstrip("\r"): index for index, line in enumerate(lines)}
        return cls(_bert_pipeline(vocabulary, options, special), files, special)

    def save(self, folder: Path) -> None:
        """Write the files that this tokenizer was read from into `folder`."""
        for name, content in self.files.items():
            (folder / name).write_text(content, encoding="utf-8")

    def to_json(self) -> str:
        """A tokenizer.json of these steps, with the special tokens that BERT puts around one text or two."""
        pipeline = _Pipeline.from_str(self._pipeline.to_str())
        cls, sep = (pipeline.id_to_token(token) for token in (self.cls_id, self.sep_id))
        pipeline.post_processor = processors.TemplateProcessing(
            single=f"{cls} $A {sep}",
            pair=f"{cls} $A {sep} $B:1 {sep}:1",
            special_tokens=[(cls, self.cls_id), (sep, self.sep_id)],
        )
        content = json.loads(pipeline.to_str())
        if PIPELINE_FILE in self.files:
            # As it was read: where two characters share an id, such as a Traditional one and its Simplified one, the
            # library writes one of them alone.
            content["model"]["vocab"] = json.loads(self.files[PIPELINE_FILE])["model"]["vocab"]
        return json.dumps(content, ensure_ascii=False, indent=2)

    def special_tokens(self) -> dict[str, str]:
        """The special tokens by their names in tokenizer_config.json."""
        tokens = map(self._pipeline.id_to_token, (self.pad_id, self.unk_id, self.cls_id, self.sep_id, self.mask_id))
        return {option: str(token) for option, token in zip(_SPECIAL_OPTIONS, tokens, strict=True)}

    def tokenize(self, texts: Sequence[str], *, limit: int) -> list[list[int]]:
        """The ids of each text's first `limit` tokens, without special tokens.

        With the model's maximum length as the limit, `encode_single` and `encode_pair` return the same encodings as
        without a limit, `truncated` included.
        """
        ids: list[list[int]] = []
        for start, end in _slices(texts):
            clean = [_LONE_SURROGATE.sub("", text) for text in texts[start:end]]
            encodings = self._pipeline.encode_batch_fast(clean, add_special_tokens=False)
            ids += [encoding.ids[:limit] for encoding in encodings]
        return ids

    def words(self, text: str, *, limit: int) -> list[Word]:
        """The words of `text` that its first `limit` tokens came from, in order, without overlaps.

        Positions are those in `text` as given. The model does not see the characters outside of all words: white space,
        control characters and those cut off. A combining accent belongs to the word before it.
        """
        positions = [index for index, character in enumerate(text) if not _LONE_SURROGATE.match(character)]
        encoding = self._pipeline.encode("".join(text[position] for position in positions), add_special_tokens=False)
        tokens = list(zip(encoding.word_ids, encoding.offsets, strict=True))
        words = []
        index = 0
        for _, group in groupby(tokens[:limit], key=lambda token: token[0]):
            offsets = [offset for _, offset in group]
            index += len(offsets)
            start, end = positions[offsets[0][0]], positions[offsets[-1][1] - 1] + 1
            following = positions[tokens[index][1][0]] if index < len(tokens) else len(text)
            while end < following and unicodedata.category(text[end])[0] == "M":
                end += 1
            words.append(Word(start=start, end=end, tokens=len(offsets)))
        return words

    def encode_single(self, tokens: Sequence[int], *, max_length: int) -> Encoding:
        """`[CLS] text [SEP]`, truncated on the right to `max_length` tokens."""
        room = max_length - 2
        return Encoding(
            input_ids=(self.cls_id, *tokens[:room], self.sep_id),
            segment_b=0,
            truncated=len(tokens) > room,
        )

    def encode_pair(self, first: Sequence[int], second: Sequence[int], *, max_length: int) -> Encoding:
        """`[CLS] first [SEP] second [SEP]`, truncated "longest first" like ModelScope's slow tokenizer."""
        excess = max(0, len(first) + len(second) + 3 - max_length)
        keep_first, keep_second = len(first), len(second)
        if excess:
            from_longer = min(abs(keep_first - keep_second), excess)
            if keep_first > keep_second:
                keep_first -= from_longer
            else:
                keep_second -= from_longer
            rest = excess - from_longer
            keep_first -= rest // 2
            keep_second -= rest - rest // 2
        return Encoding(
            input_ids=(self.cls_id, *first[:keep_first], self.sep_id, *second[:keep_second], self.sep_id),
            segment_b=keep_second + 1,
            truncated=excess > 0,
        )
