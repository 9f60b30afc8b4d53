"""Records what a job was started with, so that only the same job is resumed from its shards.

An input is identified by its size and SHA-256. Its modification time does not serve: a copy has another time and the
same content, an editor may change a file within one tick of the clock, and a program may set the time back. Hashing
takes a second per gigabyte, little beside hours of computing. The time is only compared at the end, to detect that a
file was written to while it was read.

A model is identified by the SHA-256 of its files, together with everything else that its results depend on: the device,
the precision, the maximal length, and whether probabilities are calibrated.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wenmo.errors import InputError
from wenmo.jobs.atomic_write import atomic_write
from wenmo.types import TaskName
from wenmo.version import __version__

if TYPE_CHECKING:
    from wenmo.engine import Engine


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a job was started with. `wenmo` is the version.

    `model` is a fingerprint (`fingerprint_models`), `inputs` maps each file's name to one (`fingerprint_file`).
    `summary` is the JobSummary as JSON, None until all outputs are in place.
    """

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
        """The manifest of a new job, with this version of wenmo."""
        return cls(wenmo=__version__, task=task, options=options, model=model, inputs=inputs)

    @classmethod
    def read(cls, path: Path) -> Manifest | None:
        """Read `path`; None where there is no such file. Raises InputError for one that is not a manifest."""
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
        """Raises InputError when it cannot be written."""
        with atomic_write(path) as file:
            file.write(json.dumps(asdict(self), ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass"))

    def check_same(self, other: Manifest) -> None:
        """Raises InputError, which names each difference, if `other` is not the same job."""
        changes = _changes(self, other)
        if changes:
            en, zh = "; ".join(change[0] for change in changes), "；".join(change[1] for change in changes)
            raise InputError(
                f"This job cannot be resumed: {en}. Run it as it was begun, or begin anew with --restart.",
                f"此任务无法继续：{zh}。请按开始时的方式运行，或用 --restart 重新开始。",
            )


def fingerprint_file(path: Path) -> dict[str, Any]:
    """The size and the digest of a file, as `bytes` and `sha256`."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"bytes": file.tell(), "sha256": digest}


def fingerprint_model(engine: Engine, task: TaskName) -> dict[str, Any]:
    """Everything that the results of `task` on `engine` depend on. Loads the model if need be."""
    info = engine.model_info(task)
    return {
        "name": info.name,
        "digest": info.digest,
        "device": engine.device.value,
        "precision": info.precision.value,
        "arithmetic": info.arithmetic,
        "calibrated": engine.calibrated,
        "max_length": info.max_length,
        "labels": list(info.labels),
    }


def fingerprint_models(engine: Engine, models: Sequence[TaskName]) -> dict[str, Any]:
    """The fingerprint of the first model, and those of the others with their tasks as prefixes: `embedding_digest`."""
    first, *others = models
    fingerprint = fingerprint_model(engine, first)
    for task in others:
        fingerprint |= {f"{task}_{name}": value for name, value in fingerprint_model(engine, task).items()}
    return fingerprint


def _changes(old: Manifest, new: Manifest) -> list[tuple[str, str]]:
    """Each difference, in English and in Chinese."""
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
            digest = name.removesuffix("name") + "digest"
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
