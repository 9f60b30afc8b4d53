"""Encodings of several lengths as the rectangular arrays that BERT reads, padded on the right."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from wenmo.inference.tokenizer import Encoding


def pad(
    encodings: Sequence[Encoding], *, pad_id: int, width_step: int = 1
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """`input_ids`, `token_type_ids`, `attention_mask`, each (B, L) int64.

    L is the longest length, rounded up to a multiple of `width_step`.
    """
    width = -(-max(len(encoding) for encoding in encodings) // width_step) * width_step
    input_ids = torch.full((len(encodings), width), pad_id)
    token_type_ids = torch.zeros_like(input_ids)
    attention_mask = torch.zeros_like(input_ids)
    for row, encoding in enumerate(encodings):
        size = len(encoding)
        input_ids[row, :size] = torch.tensor(encoding.input_ids)
        token_type_ids[row, size - encoding.segment_b : size] = 1
        attention_mask[row, :size] = 1
    return input_ids, token_type_ids, attention_mask
