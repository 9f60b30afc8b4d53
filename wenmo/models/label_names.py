"""The label of each logit. ModelScope looks for it in seven places; the first that exists counts.

Many checkpoints of transformers only have the names that it makes up, LABEL_0, LABEL_1, ... What these mean is asked,
and remembered for the model's folder in a file of the models folder, because the model's may be a hub's cache.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wenmo.errors import CheckpointError, InputError
from wenmo.files import read_small_text
from wenmo.tasks.labels import split_labels

_MADE_UP = re.compile(r"label[ _-]?\d+", re.IGNORECASE)
_REMEMBERED_FILE = ".label-names.json"
MAX_LABELS = 1_000


def are_made_up(labels: Sequence[str], *, numbers: bool) -> bool:
    """Whether `labels` are LABEL_0, LABEL_1, ..., and so say nothing; with `numbers` also 0, 1, ..."""
    return all(
        _MADE_UP.fullmatch(label.strip()) or (numbers and label.strip().lstrip("-").isdecimal()) for label in labels
    )


def parse_label_names(names: str | Sequence[str]) -> tuple[str, ...]:
    """Names of labels in the order of their ids, from a list or a text with commas.

    Raises InputError for a blank or a repeated name, and for fewer than two.
    """
    found = tuple(name.strip() for name in (split_labels(names) if isinstance(names, str) else names))
    if len(found) < 2 or not all(found) or len(set(found)) < len(found):
        raise InputError(
            f"The names of a model's labels are two or more, all different and in the order of the ids, such as "
            f"negative,positive; this is {', '.join(found)!r}.",
            f"标签名应为两个以上、互不相同，并按编号排列，例如“负面，正面”；现在是“{'，'.join(found)}”。",
        )
    return found


def remembered(folder: Path, models_folder: Path) -> tuple[str, ...] | None:
    """The names that somebody gave to the labels of the model in `folder`, or None."""
    names = _read_remembered(models_folder).get(str(folder.resolve()))
    return tuple(names) if isinstance(names, list) and all(isinstance(name, str) for name in names) else None


def remember(folder: Path, names: Sequence[str], models_folder: Path) -> None:
    """Remember `names` for the model in `folder`. Does nothing where `models_folder` cannot be written to."""
    known = _read_remembered(models_folder)
    key = str(folder.resolve())
    if known.get(key) == list(names):
        return
    path = models_folder / _REMEMBERED_FILE
    partial = path.with_suffix(".partial")
    try:
        models_folder.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps({**known, key: list(names)}, ensure_ascii=False, indent=1), encoding="utf-8")
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)


def _read_remembered(models_folder: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_small_text(models_folder / _REMEMBERED_FILE))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def logit_labels(
    folder: Path,
    *,
    config: Mapping[str, Any],
    configuration: Mapping[str, Any],
    label_mapping: Mapping[str, Any] | None,
    count: int | None,
) -> tuple[str, ...]:
    """The labels in the order of the logits; "0", "1", ... if no file has a label map.

    `count` is the number of logits, None where only the files tell it; without a label map, config.json does, or there
    are two, as in transformers. Raises CheckpointError when the label map does not name each of 0 to count - 1 exactly
    once.
    """
    preprocessor = configuration.get("preprocessor") or {}
    if "type" not in preprocessor and isinstance(preprocessor.get("val"), Mapping):
        preprocessor = preprocessor["val"]
    model = configuration.get("model") or {}
    sources: tuple[tuple[str, Any, bool], ...] = (  # (where, map, whether its keys are names)
        ("configuration.json, preprocessor.label2id", preprocessor.get("label2id"), True),
        ("label_mapping.json", label_mapping, True),
        ("configuration.json, model.label2id", model.get("label2id"), True),
        ("configuration.json, model.id2label", model.get("id2label"), False),
        ("configuration.json, preprocessor.id2label", preprocessor.get("id2label"), False),
        ("config.json, label2id", config.get("label2id"), True),
        ("config.json, id2label", config.get("id2label"), False),
    )
    for where, names, by_name in sources:
        if names is not None:
            return _in_order(folder, where, names, by_name=by_name, count=count)
    return tuple(str(index) for index in range(_count(config) if count is None else count))


def transformers_labels(folder: Path, config: Mapping[str, Any]) -> tuple[str, ...]:
    """The labels that transformers reads: `id2label` of config.json decides, whatever label2id says."""
    names = config.get("id2label")
    if names is None:
        return tuple(f"LABEL_{index}" for index in range(_count(config)))
    return _in_order(folder, "config.json, id2label", names, by_name=False, count=None)


def _count(config: Mapping[str, Any]) -> int:
    """The number of labels of a config.json without a label map; transformers leaves out its default, two."""
    count = config.get("num_labels", 2)
    return count if type(count) is int and 1 <= count <= MAX_LABELS else 2


def _in_order(folder: Path, where: str, names: Any, *, by_name: bool, count: int | None) -> tuple[str, ...]:
    if count is None:
        count = len(names) if isinstance(names, Mapping) else 2
    problem = CheckpointError(
        f"{folder}: the labels in {where} do not fit a classifier of {count} rows: {names!r}. "
        f"Each of 0 to {count - 1} must be named exactly once; correct the file or download the model again.",
        f"{folder}：{where} 中的标签与 {count} 行的分类器不符：{names!r}。"
        f"0 到 {count - 1} 必须各有且仅有一个名称；请更正该文件或重新下载模型。",
    )
    if not isinstance(names, Mapping):
        raise problem
    try:
        pairs = [(int(value), str(key)) if by_name else (int(key), str(value)) for key, value in names.items()]
    except (TypeError, ValueError):
        raise problem from None
    if sorted(index for index, _ in pairs) != list(range(count)) or len({name for _, name in pairs}) != count:
        raise problem
    return tuple(name for _, name in sorted(pairs))
