"""The data pack as pieces: which texts a stage learns from, and how they become batches.

A stage's examples are three arrays of equal length (`Examples`): the index of the first text, of the second (or -1) and
the label. Texts are tokenised once into a `PieceStore`. Batches hold examples of nearly the same length, so that almost
no padding is computed; their order depends on nothing but (seed, epoch), so that a run can be resumed at any batch.

Only files named train or pretrain are read here; dev files are read for the progress figures, test files never.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from wenmo.errors import InputError
from wenmo.inference.padding import pad
from wenmo.inference.tokenizer import Tokenizer
from wenmo.models.checkpoint import NLI_LABELS
from wenmo.tasks.zero_shot import CONTRADICTION, ENTAILMENT

NO_LABEL = -100  # torch's cross_entropy ignores it


@dataclass(frozen=True, kw_only=True)
class Examples:
    """`first` and `second` index a PieceStore (`second` is -1 for single texts); `label` may be NO_LABEL."""

    first: np.ndarray  # (N,) int32
    second: np.ndarray  # (N,) int32
    label: np.ndarray  # (N,) int64

    def __len__(self) -> int:
        return len(self.first)

    def take(self, indices: np.ndarray) -> Examples:
        return Examples(first=self.first[indices], second=self.second[indices], label=self.label[indices])

    @staticmethod
    def join(parts: Sequence[Examples]) -> Examples:
        return Examples(
            first=np.concatenate([part.first for part in parts]),
            second=np.concatenate([part.second for part in parts]),
            label=np.concatenate([part.label for part in parts]),
        )


class PieceStore:
    """The pieces of every text of a stage, cut to `max_pieces`, addressed by index."""

    def __init__(self, tokenizer: Tokenizer, *, max_pieces: int) -> None:
        self._tokenizer = tokenizer
        self._max_pieces = max_pieces
        self._pieces: list[np.ndarray] = []

    def add(self, texts: Sequence[str]) -> np.ndarray:
        """Tokenise `texts`; returns their indices, (N,) int32."""
        start = len(self._pieces)
        for offset in range(0, len(texts), 10_000):
            for ids in self._tokenizer.pieces(texts[offset : offset + 10_000], limit=self._max_pieces):
                self._pieces.append(np.asarray(ids, dtype=np.uint16))
        return np.arange(start, len(self._pieces), dtype=np.int32)

    def __getitem__(self, index: int) -> np.ndarray:
        return self._pieces[index]

    def lengths(self) -> np.ndarray:
        """(number of texts,) int64."""
        return np.fromiter((len(pieces) for pieces in self._pieces), dtype=np.int64, count=len(self._pieces))


def read(path: Path, *columns: str) -> list[list[Any]]:
    """The named columns of a Parquet file, as Python lists. Raises InputError when they cannot be read."""
    try:
        table = pq.read_table(path, columns=list(columns))
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"Cannot read the columns {', '.join(columns)} of {path}: {error}. --data must name the data pack.",
            f"无法读取 {path} 的列 {'、'.join(columns)}：{error}。--data 应指向数据包所在的文件夹。",
        ) from None
    return [table.column(column).to_pylist() for column in columns]


def sample(rows: int, share: float, seed: int) -> np.ndarray:
    """A deterministic choice of `share` of the rows, in order."""
    if share >= 1:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).permutation(rows)[: int(rows * share)])


def repeated_rows(path: Path, repeat: Mapping[str, int]) -> np.ndarray:
    """Indices of the rows, those of a source in `repeat` (source -> times) as many times as it says."""
    (sources,) = read(path, "source")
    return np.repeat(np.arange(len(sources)), [repeat.get(source, 1) for source in sources])


def similarity_examples(path: Path, store: PieceStore) -> Examples:
    """Pairs labelled 0 (different) or 1 (the same meaning)."""
    first, second, label = read(path, "text_a", "text_b", "label")
    return Examples(first=store.add(first), second=store.add(second), label=np.asarray(label, dtype=np.int64))


def sentiment_examples(path: Path, store: PieceStore) -> Examples:
    """Texts labelled 0 (negative) or 1 (positive)."""
    texts, label = read(path, "text", "label")
    first = store.add(texts)
    return Examples(first=first, second=np.full(len(first), -1, np.int32), label=np.asarray(label, dtype=np.int64))


def nli_examples(path: Path, store: PieceStore) -> Examples:
    """Premise and hypothesis, labelled in ModelScope's order: entailment 0, neutral 1, contradiction 2."""
    premise, hypothesis, label = read(path, "premise", "hypothesis", "label")
    ids = np.asarray([NLI_LABELS.index(name) for name in label], dtype=np.int64)
    return Examples(first=store.add(premise), second=store.add(hypothesis), label=ids)


class TopicHypotheses:
    """Topic texts turned into entailment pairs, drawn anew each epoch: so labels that were never seen can be scored.

    For each text drawn: its own label in a template entails; `negatives` other labels of the same label set contradict.
    """

    def __init__(self, folder: Path, store: PieceStore, *, templates: Sequence[str], negatives: int) -> None:
        texts, labels, tasks = read(folder / "train.parquet", "text", "label", "task")
        label_sets: dict[str, list[str]] = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
        self._texts = store.add(texts)
        self._negatives = negatives
        names = sorted({name for label_set in label_sets.values() for name in label_set} | set(labels))
        name_index = {name: index for index, name in enumerate(names)}
        hypotheses = store.add([template.format(name) for name in names for template in templates])
        self._hypotheses = hypotheses.reshape(len(names), len(templates))  # (names, templates)
        self._label = np.asarray([name_index[name] for name in labels])
        self._rows_of_task = {
            task: np.flatnonzero(np.asarray([row_task == task for row_task in tasks])) for task in sorted(set(tasks))
        }
        self._label_set = {
            task: np.asarray([name_index[name] for name in label_sets[task]]) for task in self._rows_of_task
        }

    def draw(self, share: float, rng: np.random.Generator) -> Examples:
        """Entailed and contradicted hypotheses for `share` of the texts."""
        parts = []
        for task, rows in self._rows_of_task.items():
            rows = rng.permutation(rows)[: int(len(rows) * share)]
            label_set = self._label_set[task]
            true = self._label[rows]
            parts.append(self._pairs(rows, true, ENTAILMENT, rng))
            for _ in range(min(self._negatives, len(label_set) - 1)):
                wrong = rng.choice(label_set, len(rows))
                clash = wrong == true
                while clash.any():
                    wrong[clash] = rng.choice(label_set, int(clash.sum()))
                    clash = wrong == true
                parts.append(self._pairs(rows, wrong, CONTRADICTION, rng))
        return Examples.join(parts)

    def _pairs(self, rows: np.ndarray, names: np.ndarray, label: int, rng: np.random.Generator) -> Examples:
        templates = rng.integers(self._hypotheses.shape[1], size=len(rows))
        return Examples(
            first=self._texts[rows],
            second=self._hypotheses[names, templates],
            label=np.full(len(rows), label, np.int64),
        )


# Widths are multiples of 8 pieces: every new shape of a matrix product costs the CPU library a kernel compilation, and
# with free widths and batch sizes training spent half of its time there (7,000 against 16,000 pieces a second).
_WIDTH_STEP = 8


def _round_up(length: np.ndarray) -> np.ndarray:
    return -(-length // _WIDTH_STEP) * _WIDTH_STEP


def plan_epoch(lengths: np.ndarray, *, tokens: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Cut an epoch into batches of at most `tokens` pieces, padding counted.

    Shuffled; within windows of 20,000 examples sorted by length, so that a batch holds nearly equal lengths. Few
    shapes occur (see `_WIDTH_STEP`).
    """
    lengths = _round_up(lengths)
    order = rng.permutation(len(lengths))
    batches: list[np.ndarray] = []
    for start in range(0, len(order), 20_000):
        window = order[start : start + 20_000]
        window = window[np.argsort(lengths[window], kind="stable")]
        begin = 0
        for end in range(1, len(window) + 1):
            if end == len(window) or (end + 1 - begin) * lengths[window[end]] > tokens:
                batches.append(window[begin:end])
                begin = end
    return [batches[index] for index in rng.permutation(len(batches))]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A padded batch: `input_ids`, `token_type_ids`, `attention_mask` are (B, L) int64, `label` is (B,) int64."""

    input_ids: torch.Tensor
    token_type_ids: torch.Tensor
    attention_mask: torch.Tensor
    label: torch.Tensor

    def to(self, device: torch.device) -> Batch:
        return Batch(
            input_ids=self.input_ids.to(device),
            token_type_ids=self.token_type_ids.to(device),
            attention_mask=self.attention_mask.to(device),
            label=self.label.to(device),
        )


def collate(
    pairs: Sequence[tuple[np.ndarray, np.ndarray | None]], label: np.ndarray, tokenizer: Tokenizer, *, max_length: int
) -> Batch:
    """Join each pair with its special pieces, cut it to `max_length` and pad to the longest."""
    encodings = [
        tokenizer.encode_single(first.tolist(), max_length=max_length)
        if second is None
        else tokenizer.encode_pair(first.tolist(), second.tolist(), max_length=max_length)
        for first, second in pairs
    ]
    input_ids, token_type_ids, attention_mask = pad(encodings, pad_id=tokenizer.pad_id, width_step=_WIDTH_STEP)
    return Batch(
        input_ids=input_ids,
        token_type_ids=token_type_ids,
        attention_mask=attention_mask,
        label=torch.from_numpy(np.asarray(label, dtype=np.int64)),
    )


def example_lengths(examples: Examples, store: PieceStore, *, max_length: int) -> np.ndarray:
    """Length of each example as the model will see it, (N,) int64."""
    pieces = np.append(store.lengths(), 0)  # index -1: no second text
    special = np.where(examples.second >= 0, 3, 2)
    return np.minimum(pieces[examples.first] + pieces[examples.second] + special, max_length)


def collate_examples(examples: Examples, store: PieceStore, tokenizer: Tokenizer, *, max_length: int) -> Batch:
    """The batch of these examples."""
    pairs = [
        (store[first], None if second < 0 else store[second])
        for first, second in zip(examples.first.tolist(), examples.second.tolist(), strict=True)
    ]
    return collate(pairs, examples.label, tokenizer, max_length=max_length)


def in_order(lengths: np.ndarray, *, tokens: int) -> Iterator[np.ndarray]:
    """Batches for evaluation: every example once, sorted by length."""
    yield from plan_epoch(lengths, tokens=tokens, rng=np.random.default_rng(0))
