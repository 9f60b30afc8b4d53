"""A hash of what a model computes, the same on every machine, whatever its folder or file is called.

It covers the weights, the shape and the pooling, which determine the logits and vectors of given ids. It does not cover
the vocabulary, labels and calibration, which only make the ids and interpret the logits.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict

import torch

from wenmo.models.checkpoint import Checkpoint


def fingerprint(checkpoint: Checkpoint) -> str:
    """32 hexadecimal digits. Takes some seconds per GiB of weights."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr(sorted(asdict(checkpoint.shape).items())).encode())
    digest.update(repr(checkpoint.vector_head).encode())
    for name, tensor in sorted(checkpoint.weights.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
