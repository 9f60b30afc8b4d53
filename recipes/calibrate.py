"""Temperature scaling (Guo et al., 2017, arXiv 1706.04599): one number a reading, so that probabilities are true.

Fitted on development rows and on the rows of each training file that are not trained on, with every source weighted
alike, so that the largest does not decide alone. The graded pairs are the source that is left out, of training and of
the fit, so that it can be seen how far confidence holds abroad (docs/log.md). Of two classes both weigh alike: how
often a user's texts are positive is not known, and on a source of few positives a model looks better calibrated than it
is. Written into the checkpoint's configuration.json, from where the engine reads it. No test file is read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from recipes.data_pack import held_out_rows
from recipes.mixtures import EVERY
from wenmo.engine import Engine
from wenmo.evaluation.calibration import fit_temperature, store_temperatures
from wenmo.tasks.embedding import cosines
from wenmo.tasks.table import TASKS
from wenmo.tasks.zero_shot import CONTRADICTION, ENTAILMENT, LOGIT_SCALE, ZERO_SHOT, pooled_logits
from wenmo.types import TaskName

_BARRED = -1e30  # the logit of a place where there is no label
_FEWEST = 50  # rows of a source with one label: fewer say little and would weigh as much as thousands


def calibrate(folder: Path, task: TaskName, data: Path) -> dict[str, float]:
    """Fit the temperatures of the checkpoint in `folder` on the data pack `data` and store them in it."""
    with Engine(precision="fp32", models={task: folder}, calibrated=False, cache_mib=0) as engine:
        if task == "zero_shot":
            temperatures = _zero_shot(engine, data)
        elif task == "embedding":
            temperatures = _embedding(engine, data)
        else:
            temperatures = _two_classes(engine, task, data)
    store_temperatures(folder, temperatures)
    return temperatures


def _each_alike(groups: np.ndarray) -> np.ndarray:
    """Weights (N,) with which every value of `groups` (N,) counts as much as every other."""
    _, place, count = np.unique(groups, return_inverse=True, return_counts=True)
    return 1.0 / count[place]


def _balanced(sources: Sequence[str], label: np.ndarray) -> np.ndarray:
    """Weights (N,) with which every source and within it each label counts alike; 0 where a label is rare in it."""
    origin = np.asarray(sources)
    groups = np.asarray([f"{name} {value}" for name, value in zip(sources, label.tolist(), strict=True)])
    rarest = {
        name: min(int(np.sum((origin == name) & (label == value))) for value in np.unique(label))
        for name in np.unique(origin)
    }
    enough = min(_FEWEST, max(rarest.values()))  # in a small file the best that there is
    return np.where([rarest[name] >= enough for name in sources], _each_alike(groups), 0.0)


def _two_classes(engine: Engine, task: TaskName, data: Path) -> dict[str, float]:
    dev = pq.read_table(data / task / "dev.parquet").to_pylist()
    train = pq.read_table(data / task / "train.parquet").to_pylist()
    rows = dev + [train[row] for row in held_out_rows(len(train))]
    pairs = TASKS[task].inputs == "pair"
    if pairs:
        rows += pq.read_table(data / task / "more.parquet").to_pylist()[::EVERY]
    inputs = [(row["text_a"], row["text_b"]) if pairs else row["text"] for row in rows]
    all_logits = [each.logits[0] for each in engine.ask(task, inputs)]
    logits = np.asarray(all_logits, dtype=np.float64)
    label = np.asarray([row["label"] for row in rows])
    return {task: fit_temperature(logits, label, _balanced([row["source"] for row in rows], label))}


def _zero_shot(engine: Engine, data: Path) -> dict[str, float]:
    dev = pq.read_table(data / "nli" / "dev.parquet").to_pylist()
    logits = engine.nli([(row["premise"], row["hypothesis"]) for row in dev]).astype(np.float64)
    label = np.asarray([ZERO_SHOT.label_names.index(row["label"]) for row in dev])
    nli = fit_temperature(logits, label, np.ones(len(label)))

    texts, candidates, true, task = _topic_questions(data)
    pairs = [(text, name) for text, names in zip(texts, candidates, strict=True) for name in names]
    logits = engine.nli(pairs).astype(np.float64)
    widest = max(len(names) for names in candidates)
    entailment = np.full((len(texts), widest), _BARRED)
    start = 0
    for row, names in enumerate(candidates):
        entailment[row, : len(names)] = logits[start : start + len(names), ENTAILMENT]
        start += len(names)
    of_text = np.repeat(np.arange(len(texts)), [len(names) for names in candidates])
    place = np.concatenate([np.arange(len(names)) for names in candidates])
    is_true = (place == true[of_text]).astype(int)
    # Each text's labels count as one answer, half of it the true label: users ask about labels that may well fit.
    weight = _each_alike(task)[of_text] * np.where(is_true == 1, 0.5, 0.5 / (np.bincount(of_text)[of_text] - 1))
    return {
        "single_label": fit_temperature(entailment, true, _each_alike(task)),
        "multi_label": fit_temperature(logits[:, [CONTRADICTION, ENTAILMENT]], is_true, weight),
        "nli": nli,
    }


def _embedding(engine: Engine, data: Path) -> dict[str, float]:
    texts, candidates, true, task = _topic_questions(data)
    names = sorted({name for names in candidates for name in names})
    place = {name: index for index, name in enumerate(names)}
    near = cosines(engine.embed(texts), engine.embed(names)).astype(np.float64)
    logits = np.full((len(texts), max(map(len, candidates))), _BARRED)
    for row, asked in enumerate(candidates):
        logits[row, : len(asked)] = LOGIT_SCALE * near[row, [place[name] for name in asked]]
    return {"nearest_label": fit_temperature(logits, true, _each_alike(task))}


def calibrate_ensemble(zero_shot: Path, embedding: Path, data: Path) -> float:
    """Fit the temperature of both checkpoints' answers together, after those of each, and store it in `zero_shot`."""
    texts, candidates, true, task = _topic_questions(data)
    logits = np.full((len(texts), max(map(len, candidates))), _BARRED)
    models = {"zero_shot": zero_shot, "embedding": embedding}
    with Engine(precision="fp32", models=models, cache_mib=0) as engine:
        temperatures = dict(engine.model_info("zero_shot").temperatures)
        of_vectors = engine.model_info("embedding").temperatures
        for row, (text, names) in enumerate(zip(texts, candidates, strict=True)):
            (result,) = engine.zero_shot([text], labels=names, method="ensemble")
            logits[row, : len(names)] = pooled_logits(result.logits, temperatures, of_vectors)
    temperatures["ensemble"] = fit_temperature(logits, true, _each_alike(task))
    store_temperatures(zero_shot, temperatures)
    return temperatures["ensemble"]


def _topic_questions(data: Path) -> tuple[list[str], list[list[str]], np.ndarray, np.ndarray]:
    """Held-out topic texts, the labels that each is asked about, the place of the true one among them, and the task.

    Half of the texts are asked about 15 labels of their set (or all, where there are fewer), half about 2 to 8.
    """
    rows = pq.read_table(data / "topics" / "train.parquet").to_pylist()
    names_of_task = json.loads((data / "topics" / "labels.json").read_text(encoding="utf-8"))
    rng = np.random.default_rng(0)
    texts, candidates, true, tasks = [], [], [], []
    for index in held_out_rows(len(rows)):
        row = rows[index]
        names = names_of_task[row["task"]]
        count = min(len(names), 15 if rng.random() < 0.5 else int(rng.integers(2, 9)))
        others = rng.permutation([name for name in names if name != row["label"]])[: count - 1].tolist()
        place = int(rng.integers(count))
        texts.append(row["text"])
        candidates.append([*others[:place], row["label"], *others[place:]])
        true.append(place)
        tasks.append(row["task"])
    return texts, candidates, np.asarray(true), np.asarray(tasks)
