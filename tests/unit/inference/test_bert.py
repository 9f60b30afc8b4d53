"""The packed forward against that of transformers, on random weights of several shapes."""

from __future__ import annotations

import random
from dataclasses import asdict

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import BertConfig, BertForSequenceClassification

from wenmo.inference.bert import ACTIVATIONS, Bert, Packed
from wenmo.models.shape import BertShape
from wenmo.tokenizer import Encoding

CPU = torch.device("cpu")
SHAPE = BertShape(
    vocab_size=50,
    hidden_size=48,
    num_hidden_layers=3,
    num_attention_heads=4,
    intermediate_size=96,
    max_position_embeddings=40,
    type_vocab_size=2,
)


def _models(shape: BertShape, labels: int = 3) -> tuple[BertForSequenceClassification, Bert]:
    torch.manual_seed(0)
    config = BertConfig(**asdict(shape), num_labels=labels, initializer_range=0.1)  # type: ignore[call-arg]
    theirs = BertForSequenceClassification(config).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():  # biases not 0 and norms not 1, so that an omitted one shows
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return theirs, Bert.of(shape, theirs.state_dict(), CPU)


def _encoding(rng: random.Random, length: int) -> Encoding:
    return Encoding(
        input_ids=tuple(rng.randrange(50) for _ in range(length)), segment_b=rng.randrange(length), truncated=False
    )


def _reference(model: BertForSequenceClassification, encoding: Encoding) -> tuple[np.ndarray, np.ndarray]:
    """Logits and mean of the last layer of one input alone, unpadded."""
    ids = torch.tensor([encoding.input_ids])
    types = torch.zeros_like(ids)
    types[0, len(encoding) - encoding.segment_b :] = 1
    with torch.inference_mode():
        hidden = model.bert(input_ids=ids, token_type_ids=types).last_hidden_state
        logits = model(input_ids=ids, token_type_ids=types).logits
    return logits[0].numpy(), hidden.mean(1)[0].numpy()


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_equal_to_transformers(layers: int, activation: str) -> None:
    shape = BertShape(**{**asdict(SHAPE), "num_hidden_layers": layers, "hidden_act": activation})
    theirs, ours = _models(shape)
    rng = random.Random(1)
    encodings = [_encoding(rng, length) for length in (2, 2, 7, 7, 7, 12, 30, 30, 40)]
    packed = Packed.of(encodings, CPU)
    with torch.inference_mode():
        logits, vectors = ours.logits(packed).numpy(), ours.vectors(packed).numpy()
    for index, encoding in enumerate(encodings):
        expected_logits, expected_vector = _reference(theirs, encoding)
        assert logits[index] == pytest.approx(expected_logits, abs=1e-5)
        assert vectors[index] == pytest.approx(expected_vector, abs=1e-5)


_THEIRS, _OURS = _models(SHAPE)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(min_value=1, max_value=40), min_size=1, max_size=12), st.integers(0, 10**6))
def test_any_lengths_in_any_order(lengths: list[int], seed: int) -> None:
    rng = random.Random(seed)
    encodings = [_encoding(rng, length) for length in lengths]
    with torch.inference_mode():
        logits = _OURS.logits(Packed.of(encodings, CPU)).numpy()
    expected = np.stack([_reference(_THEIRS, encoding)[0] for encoding in encodings])
    assert logits == pytest.approx(expected, abs=1e-5)


def test_packing_by_hand() -> None:
    packed = Packed.of(
        [
            Encoding(input_ids=(5, 6), segment_b=0, truncated=False),
            Encoding(input_ids=(7, 8), segment_b=1, truncated=False),
            Encoding(input_ids=(9, 10, 11), segment_b=2, truncated=False),
        ],
        CPU,
    )
    assert packed.ids.tolist() == [5, 6, 7, 8, 9, 10, 11]
    assert packed.positions.tolist() == [0, 1, 0, 1, 0, 1, 2]
    assert packed.segments.tolist() == [0, 0, 0, 1, 0, 1, 1]
    assert packed.first.tolist() == [0, 2, 4]
    assert [(run.start, run.count, run.length) for run in packed.runs] == [(0, 2, 2), (4, 1, 3)]
