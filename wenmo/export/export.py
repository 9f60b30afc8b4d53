"""`export`: writes a model for another program, and compares its answers with ours before it counts as done."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from wenmo.errors import CheckpointError, InputError
from wenmo.export import layouts
from wenmo.export.check import largest_difference
from wenmo.models.card import read_licence
from wenmo.models.checkpoint import Checkpoint, load_checkpoint
from wenmo.models.description import ONNX_FILE
from wenmo.models.label_names import parse_label_names, remembered
from wenmo.models.local import DEFAULT_MODELS_FOLDER
from wenmo.models.registry import locate
from wenmo.types import Precision, TaskName

Target = Literal["onnx", "transformers", "sentence-transformers"]
TARGETS: tuple[Target, ...] = get_args(Target)
PRECISIONS: dict[Target, tuple[Precision, ...]] = {
    "onnx": ("fp32", "fp16", "int8"),
    "transformers": ("fp32", "fp16"),
    "sentence-transformers": ("fp32", "fp16"),
}
# The most by which a probability, or a component of a vector of length 1, may differ from ours in fp32.
TOLERANCES: dict[Precision, float] = {"fp32": 1e-4, "fp16": 5e-3, "int8": 0.1}


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A model that was written to `folder`, and by how much its answers differ from ours at most; see TOLERANCES."""

    folder: Path
    task: TaskName
    to: Target
    precision: Precision
    size_mib: float
    largest_difference: float


def export(
    name: str,
    out: Path,
    *,
    to: str,
    precision: str = "fp32",
    task: TaskName | None = None,
    label_names: Sequence[str] | str | None = None,
    models_folder: Path = DEFAULT_MODELS_FOLDER,
) -> Exported:
    """Write the model called `name` into the new folder `out`.

    `to`: onnx (one file, which `Engine(runtime="onnx")` and ONNX Runtime compute), transformers or
    sentence-transformers. `precision`: fp32, fp16, or int8 with onnx. `task`: the model's own, or embedding. The folder
    is only there if its answers equal ours within TOLERANCES; CheckpointError otherwise. Raises InputError for what
    cannot be exported in this form, and what loading a model raises.
    """
    if to not in TARGETS:
        raise InputError(
            f"Unknown form {to!r}. Use {', '.join(TARGETS)}.", f"未知格式 {to!r}。可用：{'、'.join(TARGETS)}。"
        )
    target: Target = to
    if precision not in PRECISIONS[target]:
        known = PRECISIONS[target]
        raise InputError(
            f"{target} is written in {', '.join(known)}, not in {precision}.",
            f"{target} 可用的精度为 {'、'.join(known)}，没有 {precision}。",
        )
    chosen: Precision = precision
    folder = locate(name, models_folder=models_folder)
    names = parse_label_names(label_names) if label_names is not None else remembered(folder, models_folder)
    checkpoint = load_checkpoint(folder, task=task, label_names=names)
    layouts.check_class(checkpoint, to=target)
    with _new_folder(out) as partial:
        _write(checkpoint, partial, to=target, precision=chosen)
        layouts.write_card(
            partial,
            source=folder.name if Path(name).is_dir() else name,  # no path of this machine
            licence=read_licence(folder),
            checkpoint=checkpoint,
            lines=f"In {precision} for {to}.",
        )
        written = load_checkpoint(partial, task=checkpoint.task, onnx=target == "onnx")
        difference = largest_difference(checkpoint, written, precision=chosen)
        if not difference <= TOLERANCES[chosen]:
            raise CheckpointError(
                f"The exported model's answers differ from ours by {difference:.2g}, more than {TOLERANCES[chosen]:g}: "
                f"nothing was written. Choose another precision than {precision}.",
                f"导出模型的答案与我们的相差 {difference:.2g}，超过 {TOLERANCES[chosen]:g}，没有写出。"
                f"请换一种精度（不用 {precision}）。",
            )
    return Exported(
        folder=out,
        task=checkpoint.task,
        to=target,
        precision=chosen,
        size_mib=sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) / 2**20,
        largest_difference=difference,
    )


def _write(checkpoint: Checkpoint, folder: Path, *, to: Target, precision: Precision) -> None:
    if to == "sentence-transformers" or (to == "onnx" and checkpoint.task == "embedding"):
        layouts.write_sentence_transformers(checkpoint, folder)
    else:
        layouts.write_transformers(checkpoint, folder)
    if to == "onnx":
        from wenmo.export.graph import write_graph

        write_graph(checkpoint, folder / ONNX_FILE, precision=precision)
    else:
        _write_weights(checkpoint, folder, precision=precision)


def _write_weights(checkpoint: Checkpoint, folder: Path, *, precision: Precision) -> None:
    import torch
    from safetensors.torch import save_file

    dtype = torch.float16 if precision == "fp16" else torch.float32
    weights = {name: tensor.to(dtype).contiguous() for name, tensor in checkpoint.weights.items()}
    for index, path in enumerate(layouts.dense_folders(folder)):
        prefix = f"dense.{index}."
        own = {name: weights.pop(name) for name in list(weights) if name.startswith(prefix)}
        save_file({name.replace(prefix, "linear."): tensor for name, tensor in own.items()}, path / "model.safetensors")
    if checkpoint.task == "embedding":
        weights = {name.removeprefix("bert."): tensor for name, tensor in weights.items() if name.startswith("bert.")}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


@contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """A temporary folder that is renamed to `out` when the block ends, and deleted if the block raises."""
    if out.exists():
        raise InputError(f"{out} exists already. Choose another folder.", f"{out} 已存在。请换一个文件夹。")
    partial = out.with_name(f".{out.name}.{secrets.token_hex(4)}.partial")
    try:
        try:
            partial.mkdir(parents=True)
            yield partial
            partial.rename(out)
        except OSError as error:
            raise InputError(
                f"{out} could not be written: {error.strerror or error}. Check permissions and free space.",
                f"无法写入 {out}：{error.strerror or error}。请检查权限与剩余空间。",
            ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
