"""The label of each logit. ModelScope looks for it in seven places; the first that exists counts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wenmo.errors import CheckpointError


def logit_labels(
    folder: Path,
    *,
    config: Mapping[str, Any],
    configuration: Mapping[str, Any],
    label_mapping: Mapping[str, Any] | None,
    count: int,
) -> tuple[str, ...]:
    """The labels in the order of the logits; "0", "1", ... if no file has a label map.

    `count` is the number of logits. Raises CheckpointError when the label map does not name each of 0 to count - 1
    exactly once.
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
    return tuple(str(index) for index in range(count))


def _in_order(folder: Path, where: str, names: Any, *, by_name: bool, count: int) -> tuple[str, ...]:
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
