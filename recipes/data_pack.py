"""The data pack: which of its files and columns a stage learns from.

Only files named train or pretrain are trained on; dev files give the progress figures and temperatures, test files are
never read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from wenmo.adapt.dataset import Examples, LabelSet, TokenStore
from wenmo.errors import InputError
from wenmo.tasks.zero_shot import ZERO_SHOT


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


_RUNNING = {
    "similarity/train.parquet": ("text_a", "text_b"),
    "similarity/more.parquet": ("text_a", "text_b"),
    "similarity/graded.parquet": ("text_a", "text_b"),
    "nli/train.parquet": ("premise", "hypothesis"),
    "nli/idioms.parquet": ("premise", "hypothesis"),
    "sentiment/train.parquet": ("text",),
    "topics/train.parquet": ("text",),
    "text/pretrain.parquet": ("text",),
}


def running_texts(folder: Path, shares: Mapping[str, float], *, seed: int) -> list[str]:
    """All texts that are trained on, each once, without labels; of the sources in `shares` that share."""
    rng = np.random.default_rng(seed)
    seen: dict[str, None] = {}
    for name, columns in _RUNNING.items():
        *texts, source = read(folder / name, *columns, "source")
        for column in texts:
            for text, origin in zip(column, source, strict=True):
                share = shares.get(origin, 1.0)
                if share >= 1 or rng.random() < share:
                    seen[text] = None
    return list(seen)


def held_out_rows(rows: int) -> np.ndarray:
    """The 2% of a training file that are not trained on: temperatures are fitted on them and on the dev files."""
    return np.sort(np.random.default_rng(0).permutation(rows)[: rows // 50])


def similarity_examples(path: Path, store: TokenStore) -> Examples:
    """Pairs labelled 0 (different) or 1 (the same meaning)."""
    first, second, label = read(path, "text_a", "text_b", "label")
    return Examples(first=store.add(first), second=store.add(second), label=np.asarray(label, dtype=np.int64))


def sentiment_examples(path: Path, store: TokenStore) -> Examples:
    """Texts labelled 0 (negative) or 1 (positive)."""
    texts, label = read(path, "text", "label")
    first = store.add(texts)
    return Examples(first=first, second=np.full(len(first), -1, np.int32), label=np.asarray(label, dtype=np.int64))


def nli_examples(path: Path, store: TokenStore) -> Examples:
    """Premise and hypothesis, labelled in ModelScope's order: entailment 0, neutral 1, contradiction 2."""
    premise, hypothesis, label = read(path, "premise", "hypothesis", "label")
    ids = np.asarray([ZERO_SHOT.label_names.index(name) for name in label], dtype=np.int64)
    return Examples(first=store.add(premise), second=store.add(hypothesis), label=ids)


def label_sets(
    folder: Path, store: TokenStore, *, wordings: Mapping[str, Sequence[str]], moods: Sequence[Sequence[str]]
) -> tuple[dict[str, LabelSet], dict[str, LabelSet]]:
    """The topic texts by task, to train on and held out; and the sentiment texts as a task of their own.

    `wordings` are other names of a label. `moods` are pairs of a word for positive and one for negative.
    """
    texts, labels, tasks = read(folder / "topics" / "train.parquet", "text", "label", "task")
    names: dict[str, list[str]] = json.loads((folder / "topics" / "labels.json").read_text(encoding="utf-8"))
    chosen, held = {}, {}
    left_out = set(held_out_rows(len(texts)).tolist())

    def label_set(rows: list[int], task: str) -> LabelSet:
        return LabelSet(
            texts=store.add([texts[row] for row in rows]),
            label=np.asarray([names[task].index(labels[row]) for row in rows], dtype=np.int64),
            names=[[name, *wordings.get(name, ())] for name in names[task]],
        )

    for task in sorted(set(tasks)):
        rows = [row for row, row_task in enumerate(tasks) if row_task == task]
        chosen[task] = label_set([row for row in rows if row not in left_out], task)
        held[task] = label_set([row for row in rows if row in left_out], task)
    reviews, mood = read(folder / "sentiment" / "train.parquet", "text", "label")
    chosen["mood"] = LabelSet(
        texts=store.add(reviews),
        label=np.asarray(mood, dtype=np.int64),
        names=[[negative for _, negative in moods], [positive for positive, _ in moods]],
    )
    return chosen, held
