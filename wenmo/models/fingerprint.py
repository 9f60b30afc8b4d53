"""Which model this is, by what it computes: the same on every machine, whatever the folder or the file is called.

The weights and the shape decide what comes out for given ids. Vocabulary, labels and calibration do not: they make the
ids before, and read the output after.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict

import torch

from wenmo.models.checkpoint import Checkpoint


def fingerprint(checkpoint: Checkpoint) -> str:
    """32 hexadecimal digits. Takes some seconds for a GiB of weights."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr(sorted(asdict(checkpoint.shape).items())).encode())
    for name, tensor in sorted(checkpoint.weights.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
