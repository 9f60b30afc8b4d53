"""The identity of a model: hashes of what was loaded, whatever its folder is called and whatever lies there by now."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from wenmo.models.checkpoint import Checkpoint


def fingerprint(checkpoint: Checkpoint) -> str:
    """32 hexadecimal digits, the same on every machine. Takes about a second per GiB of weights.

    It covers the weights, the shape and the pooling, which determine the logits and vectors of given ids. It does not
    cover the vocabulary, labels and calibration, which only make the ids and interpret the logits.
    """
    digest = hashlib.blake2b(digest_size=16)
    if checkpoint.onnx_file is not None:  # the graph has all of it
        with checkpoint.onnx_file.open("rb") as file:
            while chunk := file.read(2**20):
                digest.update(chunk)
        digest.update(repr(checkpoint.order).encode())
        return digest.hexdigest()
    import torch

    digest.update(repr(sorted(asdict(checkpoint.shape).items())).encode())
    digest.update(repr(checkpoint.vector_head).encode())
    for name, tensor in sorted(checkpoint.weights.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def content_digest(checkpoint: Checkpoint, weights: str) -> str:
    """32 hexadecimal digits of all that answers to texts depend on; `weights` is the checkpoint's `fingerprint`."""
    content = {
        "weights": weights,
        "tokenizer": sorted(checkpoint.tokenizer.files.items()),
        "labels": checkpoint.labels,
        "temperatures": sorted(checkpoint.temperatures.items()),
        "prompts": sorted(checkpoint.prompts.items()),
        "default_prompt": checkpoint.default_prompt,
    }
    return hashlib.blake2b(json.dumps(content).encode(), digest_size=16).hexdigest()
