"""The packed forward against that of transformers, on random weights of several shapes."""

from __future__ import annotations

import random
from dataclasses import asdict, replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import BertConfig, BertForSequenceClassification

from tests.fakes import SHAPE
from wenmo.inference import bert
from wenmo.inference.bert import ACTIVATIONS, Bert, Packed
from wenmo.models.shape import BertShape
from wenmo.tokenizer import Encoding

CPU = torch.device("cpu")


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


def _flash_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    cu_seq_q: torch.Tensor,
    cu_seq_k: torch.Tensor,
    max_q: int,
    max_k: int,
    *,
    num_splits: int,
) -> torch.Tensor:
    """What torch.nn.attention.varlen.varlen_attn computes on a GPU, one sequence at a time, by its documentation."""
    assert cu_seq_q.dtype == cu_seq_k.dtype == torch.int32 and num_splits == 1
    assert (int(cu_seq_q.diff().max()), int(cu_seq_k.diff().max())) == (max_q, max_k)
    parts = []
    for (begin, end), (first, last) in zip(pairwise(cu_seq_q.tolist()), pairwise(cu_seq_k.tolist()), strict=True):
        q, k, v = (each.transpose(0, 1) for each in (query[begin:end], key[first:last], value[first:last]))
        parts.append(torch.softmax(q @ k.mT / q.shape[-1] ** 0.5, dim=-1) @ v)
    return torch.cat(parts, dim=1).transpose(0, 1)


@pytest.mark.parametrize("lengths", [(2, 2, 7, 12, 30), (5, 3), (4, 4)])
def test_one_call_of_attention_is_the_loop(lengths: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """How a GPU's kernel for all sequences is asked. The kernel itself runs on a GPU alone."""
    calls = []
    kernel = "torch.nn.attention.varlen.varlen_attn"
    monkeypatch.setattr(kernel, lambda *given, **how: calls.append(0) or _flash_attention(*given, **how))
    monkeypatch.setattr(bert, "_FLASH_DTYPES", (torch.float32,))
    _, ours = _models(SHAPE)
    rng = random.Random(3)
    packed = Packed.of([_encoding(rng, length) for length in lengths], CPU)
    bounds = torch.tensor([0, *np.cumsum(lengths)], dtype=torch.int32)
    with torch.inference_mode():
        for forward in (ours.logits, ours.vectors):  # with one query a sequence in the last layer, and with all
            by_loop, by_call = forward(packed), forward(replace(packed, bounds=bounds))
            torch.testing.assert_close(by_call, by_loop, atol=1e-5, rtol=1e-5)
    runs = len(set(lengths))
    assert len(calls) == (2 * SHAPE.num_hidden_layers if runs > 1 else 0)  # equal lengths are one call anyway


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
