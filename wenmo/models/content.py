"""A digest of a model's files: what its answers depend on, and nothing that does not change them, such as its card."""

from __future__ import annotations

import hashlib
from pathlib import Path

MODEL_FILES = (
    "config.json",
    "configuration.json",
    "vocab.txt",
    "tokenizer_config.json",
    "tokenizer.json",
    "label_mapping.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "modules.json",
)
# Weights in several files, and what follows the encoder in sentence-transformers' layout.
_FURTHER = ("model-*-of-*.safetensors", "pytorch_model-*-of-*.bin", "[0-9]*_*/*")


def content_digest(folder: Path) -> str:
    """64 hexadecimal digits. Takes a second a gigabyte."""
    digest = hashlib.sha256()
    further = [path.relative_to(folder).as_posix() for pattern in _FURTHER for path in sorted(folder.glob(pattern))]
    for name in (*MODEL_FILES, *further):
        path = folder / name
        if path.is_file():
            with path.open("rb") as file:
                digest.update(f"{name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()
