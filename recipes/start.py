"""The initial weights: some of the layers of multilingual-e5-small, and its input rows for our tokens.

A token's row is that of the same piece of the teacher where there is one, else the mean of the pieces that the teacher
splits it into. [CLS] and [SEP] start from <s> and </s>, the pooler as the identity.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from transformers import BertModel

from recipes.e5 import E5

_WORD_BEGIN = "\u2581"


def input_rows(e5: E5, tokens: Sequence[str]) -> tuple[np.ndarray, int]:
    """(tokens, H) float32, and how many of them are rows of a single piece of the teacher."""
    table = e5.tensors["embeddings.word_embeddings.weight"]
    place = {piece: index for index, piece in enumerate(e5.pieces)}
    tokenizer = e5.tokenizer()
    special = {
        "[PAD]": place["<pad>"],
        "[UNK]": e5.unknown,
        "[CLS]": e5.begin,
        "[SEP]": e5.end,
        "[MASK]": len(e5.pieces) - 1,
    }
    rows = np.empty((len(tokens), table.shape[1]), np.float32)
    single = 0
    for index, token in enumerate(tokens):
        if token in special:
            rows[index] = table[special[token]]
            single += 1
            continue
        inner = token.startswith("##") and len(token) > 2
        word = token[2:] if inner else token
        latin = word.isascii() and word.isalnum()
        begins = [_WORD_BEGIN + form for form in (word, word.capitalize(), word.upper())]
        plain = [word, word.capitalize(), word.upper()]
        wanted = [*plain, *begins] if inner or not latin else [*begins, *plain]
        found = next((place[form] for form in wanted if form in place), None)
        if found is not None:
            rows[index] = table[found]
            single += 1
            continue
        pieces = [piece for piece in tokenizer.encode(word).ids if e5.pieces[piece] != _WORD_BEGIN]
        known = [piece for piece in pieces if piece != e5.unknown]
        rows[index] = table[known].mean(0) if known else table[e5.unknown]
    return rows, single


def encoder(e5: E5, tokens: Sequence[str], layers: Sequence[int]) -> BertModel:
    """A BertModel of these layers of the teacher (counted from 0) over `tokens`."""
    full = e5.model().state_dict()
    rows, _ = input_rows(e5, tokens)
    model = BertModel(
        e5.bert_config(
            vocab_size=len(tokens),
            num_hidden_layers=len(layers),
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            attn_implementation="eager",
        )
    )
    state = {name: tensor for name, tensor in full.items() if not name.startswith("encoder.layer.")}
    state["embeddings.word_embeddings.weight"] = torch.from_numpy(rows)
    for ours, theirs in enumerate(layers):
        prefix = f"encoder.layer.{theirs}."
        state |= {
            f"encoder.layer.{ours}.{name.removeprefix(prefix)}": tensor
            for name, tensor in full.items()
            if name.startswith(prefix)
        }
    model.load_state_dict(state, strict=True)
    return model
