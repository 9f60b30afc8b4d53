"""What a job was begun with: kept beside its shards, so that only the same job goes on with them.

An input is known by its size and SHA-256. Not by its time: copying a file changes that and nothing else, and an editor
may change a file within one tick of the clock, or a program set the time back. Reading a file once more to hash it
takes a second a gigabyte, next to hours of computing. The time is compared only at the end, to see whether a file was
written to while it was read.

A model is known by the SHA-256 of the files it is read from, with the device, the precision and whether probabilities
are calibrated: all that its answers depend on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wenmo.errors import InputError
from wenmo.tables.files import replacing
from wenmo.types import TaskName
from wenmo.version import __version__

if TYPE_CHECKING:
    from wenmo.engine import Engine

_MODEL_FILES = (
    "config.json",
    "configuration.json",
    "vocab.txt",
    "tokenizer_config.json",
    "label_mapping.json",
    "model.safetensors",
    "pytorch_model.bin",
)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """`inputs` maps a name to its size and digest; `summary` is there when all outputs are in their places."""

    wenmo: str
    task: str
    options: dict[str, Any]
    model: dict[str, Any]
    inputs: dict[str, dict[str, Any]]
    summary: dict[str, Any] | None = None

    @classmethod
    def of(
        cls, task: TaskName, options: dict[str, Any], model: dict[str, Any], inputs: dict[str, dict[str, Any]]
    ) -> Manifest:
        return cls(wenmo=__version__, task=task, options=options, model=model, inputs=inputs)

    @classmethod
    def read(cls, path: Path) -> Manifest | None:
        """None where there is none. Raises InputError for one that is damaged or of another kind."""
        try:
            return cls(**json.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise InputError(
                f"{path} cannot be read: {error}. Begin anew with --restart.",
                f"无法读取 {path}：{error}。请用 --restart 重新开始。",
            ) from error

    def write(self, path: Path) -> None:
        with replacing(path) as file:
            file.write(json.dumps(asdict(self), ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass"))

    def check_same(self, other: Manifest) -> None:
        """Raises InputError that names each thing in which the job `other` differs from this one."""
        changes = _changes(self, other)
        if changes:
            en, zh = "; ".join(change[0] for change in changes), "；".join(change[1] for change in changes)
            raise InputError(
                f"This job cannot be resumed: {en}. Run it as it was begun, or begin anew with --restart.",
                f"此任务无法继续：{zh}。请按开始时的方式运行，或用 --restart 重新开始。",
            )


def fingerprint_file(path: Path) -> dict[str, Any]:
    """`bytes` and `sha256`."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"bytes": file.tell(), "sha256": digest}


def fingerprint_model(engine: Engine, task: TaskName) -> dict[str, Any]:
    """What the answers of `engine` to `task` depend on; loads the model first where it is not."""
    info = engine.model_info(task)
    digest = hashlib.sha256()
    for name in _MODEL_FILES:
        path = info.folder / name
        if path.is_file():
            digest.update(f"{name} {fingerprint_file(path)['sha256']}\n".encode())
    return {
        "name": info.name,
        "sha256": digest.hexdigest(),
        "device": engine.device.value,
        "precision": engine.precision.value,
        "calibrated": engine.calibrated,
        "max_length": info.max_length,
    }


def fingerprint_models(engine: Engine, models: Sequence[TaskName]) -> dict[str, Any]:
    """Of the first as it is, of the others with their tasks before each name: `embedding_sha256`."""
    first, *others = models
    found = fingerprint_model(engine, first)
    for task in others:
        found |= {f"{task}_{name}": value for name, value in fingerprint_model(engine, task).items()}
    return found


def _changes(old: Manifest, new: Manifest) -> list[tuple[str, str]]:
    changes = []
    if old.wenmo != new.wenmo:
        changes.append(
            (f"wenmo was {old.wenmo} and is {new.wenmo}", f"wenmo 的版本当时为 {old.wenmo}，现在为 {new.wenmo}")
        )
    if old.task != new.task:
        changes.append((f"the task was {old.task} and is {new.task}", f"任务当时为 {old.task}，现在为 {new.task}"))
    for what, what_zh, before, after in (
        ("the option", "选项", old.options, new.options),
        ("the model's", "模型的", old.model, new.model),
    ):
        for name in {**before, **after}:
            was, now = before.get(name), after.get(name)
            digest = name.removesuffix("name") + "sha256"
            if name.endswith("name") and digest in before and before[digest] == after.get(digest):
                continue  # the same model under another name
            if was != now:
                changes.append(
                    (f"{what} {name} was {was!r} and is {now!r}", f"{what_zh} {name} 当时为 {was!r}，现在为 {now!r}")
                )
    for name in {**old.inputs, **new.inputs}:
        if name not in new.inputs:
            changes.append((f"the input {name} is gone", f"输入 {name} 已不在"))
        elif name not in old.inputs:
            changes.append((f"the input {name} is new", f"输入 {name} 是新增的"))
        elif old.inputs[name] != new.inputs[name]:
            was_bytes, now_bytes = old.inputs[name]["bytes"], new.inputs[name]["bytes"]
            changes.append(
                (
                    f"the input {name} has changed (it had {was_bytes:,} bytes and has {now_bytes:,})",
                    f"输入 {name} 已改变（当时 {was_bytes:,} 字节，现在 {now_bytes:,} 字节）",
                )
            )
    return changes
