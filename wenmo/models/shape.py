"""The sizes of a BERT, named as in config.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class BertShape:
    """What the forward needs besides the weights."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-12


SCALE = "_scale"  # behind the name of an int8 matrix: the scale of each of its rows
MODEL_TYPES = ("structbert", "sbert", "bert")  # `model_type` of the config.json files that can be read

# Hidden size, layers, heads, inner size. base, large: BERT's and StructBERT's; tiny: BERT-mini (Turc et al., 2019).
SIZES: Mapping[str, tuple[int, int, int, int]] = {
    "tiny": (256, 4, 4, 1024),
    "base": (768, 12, 12, 3072),
    "large": (1024, 24, 16, 4096),
}


def shape_of(size: str) -> BertShape:
    """A shape of one of SIZES, with the vocabulary and positions of the Chinese BERT and StructBERT checkpoints."""
    hidden, layers, heads, inner = SIZES[size]
    return BertShape(
        vocab_size=21_128,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=inner,
        max_position_embeddings=512,
        type_vocab_size=2,
    )


def expected_shapes(shape: BertShape, *, labels: int | None, pooler: bool = True) -> dict[str, tuple[int, ...]]:
    """Name and shape of every parameter of a BERT classifier; without `labels`, of the encoder alone (no pooler)."""
    hidden, inner = shape.hidden_size, shape.intermediate_size
    shapes: dict[str, tuple[int, ...]] = {
        "bert.embeddings.word_embeddings.weight": (shape.vocab_size, hidden),
        "bert.embeddings.position_embeddings.weight": (shape.max_position_embeddings, hidden),
        "bert.embeddings.token_type_embeddings.weight": (shape.type_vocab_size, hidden),
    }

    def norm(name: str) -> None:
        shapes[f"{name}.weight"] = shapes[f"{name}.bias"] = (hidden,)

    def linear(name: str, rows: int, columns: int) -> None:
        shapes[f"{name}.weight"] = (rows, columns)
        shapes[f"{name}.bias"] = (rows,)

    norm("bert.embeddings.LayerNorm")
    for index in range(shape.num_hidden_layers):
        layer = f"bert.encoder.layer.{index}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            linear(f"{layer}.attention.{part}", hidden, hidden)
        norm(f"{layer}.attention.output.LayerNorm")
        linear(f"{layer}.intermediate.dense", inner, hidden)
        linear(f"{layer}.output.dense", hidden, inner)
        norm(f"{layer}.output.LayerNorm")
    if labels is not None:
        if pooler:
            linear("bert.pooler.dense", hidden, hidden)
        linear("classifier", labels, hidden)
    return shapes
