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
    "pytorch_model.bin",
)


def content_digest(folder: Path) -> str:
    """64 hexadecimal digits. Takes a second a gigabyte."""
    digest = hashlib.sha256()
    for name in MODEL_FILES:
        path = folder / name
        if path.is_file():
            with path.open("rb") as file:
                digest.update(f"{name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()
