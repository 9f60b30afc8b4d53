"""Compares an exported model with the checkpoint that it was made of, on texts of all lengths and in mixed batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wenmo.errors import CheckpointError
from wenmo.models.checkpoint import Checkpoint
from wenmo.tasks.embedding import normalized
from wenmo.tasks.encode import encode_pairs
from wenmo.tasks.scores import softmax
from wenmo.tasks.table import TASKS
from wenmo.types import Precision

if TYPE_CHECKING:
    from wenmo.inference.runtime import ModelRuntime
    from wenmo.tokenizer import Encoding

_TEXTS = (
    "笔锋挺括，写小楷很顺手",
    "墨汁一股怪味，开了窗也散不掉",
    "还行吧，说不上好坏",
    "好",
    "从苏州坐船到杭州",
    "从杭州坐船到苏州",
    "宣纸怎么保存？",
    "ABC 天气Ｘ好 café，不错！",
    "快递很快，砚台磕掉了一个角，客服说会补发，等了两周没有下文，电话也打不通，只好自己去店里换。",
    "",
    "展览延期到下个月开幕",
    "纸价连涨三个月",
)
_LONG = "古镇的客栈周末订满了，路上下着小雨，我们在河边的茶馆里坐了一下午。"


def largest_difference(checkpoint: Checkpoint, written: Checkpoint, *, precision: Precision) -> float:
    """The most by which a probability, or a component of a vector of length 1, of `written` differs from ours in fp32.

    Raises CheckpointError where the two make other tokens of the same texts.
    """
    spec = TASKS[checkpoint.task]
    texts = [*_TEXTS, _LONG * 2, _LONG * 40]  # the last one is cut off at the model's length
    pairs = list(zip(texts, reversed(texts), strict=True))

    def encode(model: Checkpoint) -> list[Encoding]:
        if spec.inputs == "pair" or spec.takes_labels:
            return encode_pairs(model.tokenizer, pairs, max_length=model.max_length)
        return spec.encode(model.tokenizer, texts, max_length=model.max_length)

    encodings = encode(checkpoint)
    other_labels = spec.outputs == "logits" and written.labels != checkpoint.labels
    if encode(written) != encodings or other_labels:
        raise CheckpointError(
            f"The exported folder's tokenizer or labels are not those of {checkpoint.folder}: nothing was written. "
            "This is a bug; please report it with the name of the model.",
            f"导出的分词器或标签与 {checkpoint.folder} 不同，没有写出。这是程序的错误，请附上模型名反馈。",
        )

    def answers(runtime: ModelRuntime) -> np.ndarray:
        if spec.outputs == "vectors":
            return normalized(runtime.vectors(encodings))
        return softmax(runtime.logits(encodings))

    return float(np.abs(answers(_runtime(checkpoint, "fp32")) - answers(_runtime(written, precision))).max())


def _runtime(checkpoint: Checkpoint, precision: Precision) -> ModelRuntime:
    """On the CPU, so that no GPU's arithmetic is in the difference."""
    if checkpoint.onnx_file is not None:
        from wenmo.inference.onnx_runtime import OnnxRuntime

        return OnnxRuntime(checkpoint, device="cpu", precision=precision)
    import torch

    from wenmo.inference.torch_runtime import TorchRuntime

    return TorchRuntime(checkpoint, device=torch.device("cpu"), precision="fp32", native=True)
