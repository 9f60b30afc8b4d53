"""The runtime of ONNX files that `wenmo export` has written: ONNX Runtime with the best provider that is there.

Nothing here needs torch, and a process that computes with it alone does not load it. Batches are those of the torch
runtime, sorted by length, but padded: the graph has an attention mask. On a CPU each core computes batches of its own.

Only the CPU's provider was ever measured here; the others are ONNX Runtime's own, asked for in a fixed order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np

from wenmo.errors import CheckpointError, DeviceError
from wenmo.extras import needs
from wenmo.inference.budget import GPU_START_TOKENS, FixedBudget
from wenmo.inference.plan import plan_batches
from wenmo.inference.runtime import BatchingRuntime, Forward, OnBatch, Outcome, equal_shares
from wenmo.inference.workers import Workers, usable_cores
from wenmo.models.checkpoint import Checkpoint
from wenmo.tokenizer import Encoding
from wenmo.types import PRECISIONS, Precision, Resolved

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
LOGITS, VECTORS, STATES = "logits", "vectors", "last_hidden_state"  # outputs: the first, or the other two
PRECISION = "wenmo.precision"  # in the file's metadata
ONNX_PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8")

# ONNX Runtime's providers, the fastest first, with the device that each computes on.
_PROVIDERS = {
    "TensorrtExecutionProvider": "cuda",
    "CUDAExecutionProvider": "cuda",
    "DmlExecutionProvider": "directml",
    "CoreMLExecutionProvider": "coreml",
    "CPUExecutionProvider": "cpu",
}


def resolve_device(wanted: str) -> Resolved[str]:
    """The device for `wanted`: `auto`, `cpu`, `cuda` or `cuda:N`. `auto` may also be directml or coreml.

    Raises DeviceError for any other value, and for a GPU that the installed ONNX Runtime has no provider for.
    """
    if re.fullmatch(r"auto|cpu|cuda(:\d+)?", wanted) is None:
        raise DeviceError(
            f"Unknown device {wanted!r}. Use auto, cpu, cuda or cuda:N.",
            f"未知设备 {wanted!r}。可用：auto、cpu、cuda 或 cuda:N。",
        )
    there = [name for name in _PROVIDERS if name in _available()]
    if wanted == "auto":
        return Resolved(
            value=_PROVIDERS[there[0]],
            reason=f"ONNX Runtime has the {there[0]}",
            reason_zh=f"ONNX Runtime 提供 {there[0]}",
        )
    if wanted.partition(":")[0] not in map(_PROVIDERS.__getitem__, there):
        raise DeviceError(
            f"This ONNX Runtime has no provider for {wanted}, only {', '.join(there)}. Install onnxruntime-gpu instead "
            "of onnxruntime, or use device='cpu'.",
            f"此 ONNX Runtime 没有 {wanted} 的提供程序，只有 {'、'.join(there)}。"
            "请以 onnxruntime-gpu 代替 onnxruntime，或设 device='cpu'。",
        )
    return Resolved(value=wanted, reason="as asked", reason_zh="按设置")


def resolve_precision(wanted: str) -> Resolved[Precision]:
    """The precision of the files that are read: that of the export, `auto` for fp32. Raises DeviceError."""
    for precision in ONNX_PRECISIONS:
        if wanted == precision or (wanted == "auto" and precision == "fp32"):
            return Resolved(value=precision, reason="of the exported files", reason_zh="导出文件的精度")
    names = ", ".join(("auto", *ONNX_PRECISIONS))
    known = wanted in PRECISIONS
    raise DeviceError(
        f"{'No model is exported in' if known else 'Unknown precision'} {wanted!r}. Use one of {names}.",
        f"{'不能以此精度导出：' if known else '未知精度 '}{wanted!r}。可用：{names}。",
    )


def cpu_workers(device: str) -> Workers | None:
    """A worker per core, shared by all models; None on a GPU, and with a single core."""
    count = usable_cores() if device == "cpu" else 1
    return Workers(count) if count > 1 else None


class OnnxRuntime(BatchingRuntime):
    """One ONNX file, which has its precision, on one device."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        device: str,
        precision: Precision,
        workers: Workers | None = None,
        repeatable: bool = False,
    ) -> None:
        """`workers` compute batches side by side on a CPU. `repeatable`: batches do not depend on their number.

        Raises CheckpointError for a file that cannot be read, of another precision, or made for other outputs.
        """
        assert checkpoint.onnx_file is not None
        path = checkpoint.onnx_file
        super().__init__(
            FixedBudget()
            if device == "cpu"
            else FixedBudget(GPU_START_TOKENS, reason="fixed, with ONNX Runtime", reason_zh="固定值（ONNX Runtime）")
        )
        self._workers = workers
        self._repeatable = repeatable
        self._order = list(checkpoint.order)
        self._vector_size = checkpoint.vector_head.width(checkpoint.shape.hidden_size)
        self.weights_mib = path.stat().st_size / 2**20  # of the file, of which the rest is a few KiB
        with needs("onnx"):
            import onnxruntime

            options = onnxruntime.SessionOptions()
            options.log_severity_level = 3  # errors: warnings tell of nodes that no GPU has a kernel for
            if device == "cpu":
                options.intra_op_num_threads = 1
                # The arena keeps the most that each model ever needed, 100 MiB with the four bundled ones, and saved no
                # time that could be measured.
                options.enable_cpu_mem_arena = False
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=_providers(device))
        except Exception as error:  # the library's own types have no common one
            raise CheckpointError(
                f"{path} cannot be read: {str(error).strip().splitlines()[0]} Export the model again.",
                f"无法读取 {path}：{str(error).strip().splitlines()[0]} 请重新导出模型。",
            ) from None
        self._inputs = [each.name for each in self._session.get_inputs()]
        outputs = [each.name for each in self._session.get_outputs()]
        stored = self._session.get_modelmeta().custom_metadata_map.get(PRECISION)
        if stored is None or outputs not in ([LOGITS], [VECTORS, STATES]) or not set(self._inputs) <= set(INPUTS):
            raise CheckpointError(
                f"{path} was not written by `wenmo export`. Export the original model with it.",
                f"{path} 不是由 `wenmo export` 写出的。请用它导出原模型。",
            )
        if stored != precision:
            raise CheckpointError(
                f"{path} is in {stored}, and {precision} is asked for. Set the precision to {stored} "
                f"(WENMO_PRECISION={stored}), or export the model in {precision}.",
                f"{path} 的精度是 {stored}，而要求的是 {precision}。请把精度设为 {stored}（WENMO_PRECISION={stored}），"
                f"或以 {precision} 重新导出。",
            )
        wanted = VECTORS if checkpoint.task == "embedding" else LOGITS
        if wanted not in outputs:
            raise CheckpointError(
                f"{path} computes {outputs[0]}, not the {wanted} that {checkpoint.task} needs. Export the model with "
                f"--task {checkpoint.task}.",
                f"{path} 计算的是 {outputs[0]}，而 {checkpoint.task} 需要 {wanted}。"
                f"请用 --task {checkpoint.task} 导出。",
            )

    def logits(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
        rows = self._run(encodings, self._forward(LOGITS), width=len(self._order), on_batch=on_batch)
        return rows[:, self._order]

    def vectors(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
        return self._run(encodings, self._forward(VECTORS), width=self._vector_size, on_batch=on_batch)

    def states(self, encoding: Encoding) -> np.ndarray:
        states: np.ndarray = self._session.run([STATES], self._padded([encoding]))[0][0]
        return states

    def _forward(self, output: str) -> Forward:
        def forward(batch: list[Encoding]) -> Callable[[], np.ndarray]:
            (rows,) = self._session.run([output], self._padded(batch))
            return lambda: rows

        return forward

    def _padded(self, batch: Sequence[Encoding]) -> dict[str, np.ndarray]:
        """The inputs of the graph, (N, L) int64 each; it masks what is behind an input's end."""
        shape = (len(batch), max(map(len, batch)))
        inputs = {name: np.zeros(shape, dtype=np.int64) for name in INPUTS}
        for row, encoding in enumerate(batch):
            length = len(encoding)
            inputs["input_ids"][row, :length] = encoding.input_ids
            inputs["attention_mask"][row, :length] = 1
            inputs["token_type_ids"][row, length - encoding.segment_b : length] = 1
        return {name: inputs[name] for name in self._inputs}

    def _batches(
        self, lengths: Sequence[int], compute: Callable[[list[int]], list[Outcome]]
    ) -> Generator[list[Outcome]]:
        budget, workers = self._budget.tokens.value, self._workers
        if workers is None or self._repeatable:
            batches = list(plan_batches(lengths, max_tokens=lambda: budget, padded=True))
        else:
            batches = equal_shares(lengths, budget=budget, workers=workers.count, padded=True)
        if workers is None:
            yield from map(compute, batches)
        else:  # longest inputs first: the last batches are small, so that all workers finish at about the same time
            yield from workers.map(compute, reversed(batches))

    def _is_out_of_memory(self, error: Exception) -> bool:
        signs = ("bad_alloc", "allocate memory", "out of memory")
        return isinstance(error, MemoryError) or any(sign in str(error) for sign in signs)


def _available() -> list[str]:
    with needs("onnx"):
        import onnxruntime

        names: list[str] = onnxruntime.get_available_providers()
    return names


def _providers(device: str) -> list[Any]:
    """The providers to ask for, with their options. Each is used for what those before it cannot compute."""
    kind, _, number = device.partition(":")
    options = {"device_id": number} if number else {}
    available = _available()
    own = [(name, options) for name, on in _PROVIDERS.items() if on == kind != "cpu" and name in available]
    return [*own, "CPUExecutionProvider"]
