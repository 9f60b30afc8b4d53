"""The work of a configuration: a model, a batch and one step, on a real device or on fake tensors.

On fake tensors an operator computes only the shapes and types of its results and allocates nothing, so the code that is
measured also serves for the prediction. Three parts cannot run on fake tensors and are replaced by stand-ins that
allocate the same: INT8's compiled kernels; transformers' test of whether the mask masks anything; and the attention
kernels, whose internal buffers fake tensors do not show, or which belong to a GPU that is not there.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F  # noqa: N812 - torch's own convention
from torch.overrides import TorchFunctionMode

from wenmo.errors import InputError
from wenmo.inference.bert import Bert, Layer, Packed
from wenmo.inference.int8 import _ROWS, Int8Layer, Int8Linear
from wenmo.inference.precision import DTYPES, set_precision
from wenmo.lab.allocations import Standing, within_operator
from wenmo.lab.configuration import Configuration
from wenmo.models.checkpoint import load_checkpoint
from wenmo.models.registry import locate
from wenmo.models.shape import BertShape, expected_shapes
from wenmo.models.weights import random_weights
from wenmo.tokenizer import Encoding

_DROPOUT = 0.1  # of BERT and StructBERT in training
_PACKED_TENSORS = ("ids", "positions", "segments", "first")


@dataclass(frozen=True, kw_only=True)
class Workload:
    """`step` does the work once. `standing` tensors exist before and after it; `gradients()` are those after it."""

    step: Callable[[], None]
    standing: Standing
    gradients: Callable[[], list[torch.Tensor]]


def real_workload(configuration: Configuration, *, device: torch.device, native: bool) -> Workload:
    """The workload of `configuration` on `device`. `native`: see `set_precision`."""
    shape, labels = _sizes(configuration)
    if configuration.random_weights:
        weights: Mapping[str, torch.Tensor] = random_weights(shape, labels=labels)
    else:
        weights = load_checkpoint(locate(configuration.checkpoint)).weights
    training = configuration.work == "training_step"
    if configuration.layout == "packed":
        model: nn.Module = Bert.of(shape, weights, device)
    else:
        with torch.device("meta"):
            model = _transformers_model(configuration, shape, labels)
        placed = {name: tensor.to(device, torch.float32) for name, tensor in weights.items()}
        if training:  # training writes to the weights, which may share memory with the checkpoint's file
            placed = {name: tensor.clone() for name, tensor in placed.items()}
        model.load_state_dict(placed, assign=True)
        _fill_position_buffers(model, device)
    del weights
    if not training:
        set_precision(model, configuration.precision, native=native)
    inputs = _packed(configuration, shape, device) if isinstance(model, Bert) else _padded(configuration, shape, device)
    return _workload(configuration, model, inputs, _optimizer(model, steps=0) if training else None)


@contextlib.contextmanager
def fake_workload(configuration: Configuration, *, native: bool, gpu: bool) -> Iterator[Workload]:
    """The workload on fake tensors, inside this context only. `gpu`: as on a GPU, see `_GpuRules`."""
    shape, labels = _sizes(configuration)
    meta = torch.device("meta")
    training = configuration.work == "training_step"
    with meta:
        if configuration.layout == "packed":
            shapes = expected_shapes(shape, labels=labels)
            model: nn.Module = Bert.of(shape, {name: torch.empty(size) for name, size in shapes.items()}, meta)
        else:
            model = _transformers_model(configuration, shape, labels)
    if configuration.precision == "int8":
        _fake_int8(cast("Bert", model))
    elif not training:
        set_precision(model, configuration.precision, native=native)
    cpu = torch.device("cpu")
    inputs: Packed | dict[str, torch.Tensor | None] = (
        _packed(configuration, shape, cpu) if isinstance(model, Bert) else _padded(configuration, shape, cpu)
    )
    with FakeTensorMode(allow_non_fake_inputs=True) as mode, _GpuRules() if gpu else _CpuRules():
        _materialise(model)
        if gpu and training and configuration.checkpointing:
            _keep_rules_when_recomputing(model)
        if isinstance(inputs, Packed):
            placed: dict[str, Any] = {name: mode.from_tensor(getattr(inputs, name)) for name in _PACKED_TENSORS}
            inputs = dataclasses.replace(inputs, **placed)
        else:
            inputs = {name: mode.from_tensor(cast("torch.Tensor", tensor)) for name, tensor in inputs.items()}
        workload = _workload(configuration, model, inputs, _optimizer(model, steps=1) if training else None)
        if isinstance(inputs, dict) and len({*configuration.lengths, configuration.width}) == 1:
            inputs["attention_mask"] = None  # transformers drops a mask that masks nothing
        yield workload


def _sizes(configuration: Configuration) -> tuple[BertShape, int]:
    shape, labels = configuration.sizes()
    if not labels:
        raise InputError(
            f"{configuration.model} has no classifier. Choose a model for similarity, sentiment or zero-shot.",
            f"{configuration.model} 没有分类器。请选择相似度、情感或零样本模型。",
        )
    return shape, labels


def _transformers_model(configuration: Configuration, shape: BertShape, labels: int) -> nn.Module:
    from transformers import BertConfig, BertForSequenceClassification

    training = configuration.work == "training_step"
    config = BertConfig(  # type: ignore[call-arg]
        **dataclasses.asdict(shape),
        num_labels=labels,
        attn_implementation=configuration.attention,
        hidden_dropout_prob=_DROPOUT,
        attention_probs_dropout_prob=_DROPOUT,
        use_cache=False,
    )
    model = BertForSequenceClassification(config)
    if configuration.checkpointing:
        model.activation_checkpointing_enable()
    return cast("nn.Module", model.requires_grad_(training).train(training))


def _fill_position_buffers(model: nn.Module, device: torch.device) -> None:
    """Fill the buffers that transformers has beside the weights and that no checkpoint contains."""
    embeddings = cast("Any", model).bert.embeddings
    count = embeddings.position_embeddings.num_embeddings
    embeddings.position_ids = torch.arange(count, device=device).expand((1, -1))
    embeddings.token_type_ids = torch.zeros((1, count), dtype=torch.long, device=device)


def _encodings(configuration: Configuration, shape: BertShape) -> list[Encoding]:
    """Random tokens with a fixed seed, sorted by length as the runtime sorts its inputs."""
    rng = np.random.default_rng(0)
    return [
        Encoding(
            input_ids=tuple(rng.integers(0, shape.vocab_size, size=length).tolist()),
            segment_b=length // 2,
            truncated=False,
        )
        for length in sorted(configuration.lengths)
    ]


def _packed(configuration: Configuration, shape: BertShape, device: torch.device) -> Packed:
    return Packed.of(_encodings(configuration, shape), device)


def _padded(configuration: Configuration, shape: BertShape, device: torch.device) -> dict[str, torch.Tensor | None]:
    size = (configuration.batch, configuration.width)
    ids, segments, mask = (np.zeros(size, dtype=np.int64) for _ in range(3))
    for row, encoding in enumerate(_encodings(configuration, shape)):
        length = len(encoding)
        ids[row, :length] = encoding.input_ids
        segments[row, length - encoding.segment_b : length] = 1
        mask[row, :length] = 1
    arrays = {"input_ids": ids, "token_type_ids": segments, "attention_mask": mask}
    return {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}


def _workload(
    configuration: Configuration,
    model: nn.Module,
    inputs: Packed | dict[str, torch.Tensor | None],
    optimizer: torch.optim.Optimizer | None,
) -> Workload:
    values = inputs.values() if isinstance(inputs, dict) else [getattr(inputs, name) for name in _PACKED_TENSORS]
    tensors = [value for value in values if value is not None]
    standing: dict[Any, list[torch.Tensor]] = {
        "weights": [*model.parameters(), *model.buffers()],
        "activations": tensors,
    }
    if optimizer is None:

        def infer() -> None:
            with torch.no_grad() if _is_fake(model) else torch.inference_mode():
                model.logits(inputs) if isinstance(inputs, Packed) else model(**inputs)  # type: ignore[operator]

        return Workload(step=infer, standing=standing, gradients=list)

    assert isinstance(inputs, dict)  # training is padded
    labels = torch.zeros(configuration.batch, dtype=torch.long, device=tensors[0].device)
    tensors.append(labels)
    standing["optimiser"] = [value for state in optimizer.state.values() for value in state.values()]
    dtype, device = DTYPES[configuration.precision], labels.device.type

    def train() -> None:
        optimizer.zero_grad()  # before the forward, so that old gradients do not add to its peak
        with torch.autocast(device, dtype, enabled=dtype is not torch.float32):
            loss = F.cross_entropy(model(**inputs).logits, labels)
        loss.backward()
        optimizer.step()

    def gradients() -> list[torch.Tensor]:
        return [parameter.grad for parameter in model.parameters() if parameter.grad is not None]

    return Workload(step=train, standing=standing, gradients=gradients)


def _optimizer(model: nn.Module, *, steps: int) -> torch.optim.AdamW:
    """Fused AdamW as in wenmo/adapt/training_loop.py, its state already allocated, as in every step but the first."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    for parameter in model.parameters():
        optimizer.state[parameter] = {
            "step": torch.full((), float(steps), device=parameter.device),
            "exp_avg": torch.zeros_like(parameter, memory_format=torch.preserve_format),
            "exp_avg_sq": torch.zeros_like(parameter, memory_format=torch.preserve_format),
        }
    return optimizer


def _is_fake(model: nn.Module) -> bool:
    return isinstance(next(model.parameters()).data, torch._subclasses.FakeTensor)


def _materialise(model: nn.Module) -> None:
    """Replace meta tensors by fake ones. `Module.to` cannot: fake tensors refuse it."""
    for module in model.modules():
        for name, parameter in list(module._parameters.items()):
            if parameter is not None:
                fake = torch.empty(parameter.shape, dtype=parameter.dtype)
                module._parameters[name] = nn.Parameter(fake, requires_grad=parameter.requires_grad)
        for name, buffer in list(module._buffers.items()):
            if buffer is not None:
                module._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype)


class _CpuRules(TorchFunctionMode):
    """Add the buffers of torch's attention on a CPU in inference. Training has dropout and uses another kernel."""

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if function is not F.scaled_dot_product_attention or torch.is_grad_enabled():
            return function(*args, **(kwargs or {}))
        query, key = args[0], args[1]
        with within_operator():
            buffers = torch.empty(_cpu_attention_bytes(query.shape, key.shape[2], query.dtype), dtype=torch.uint8)
        attended = function(*args, **(kwargs or {}))
        del buffers
        return attended


def _cpu_attention_bytes(shape: torch.Size, keys: int, dtype: torch.dtype) -> int:
    """The buffers of aten/src/ATen/native/cpu/FlashAttentionKernel.cpp (torch 2.13).

    Each thread has the scores of a block of queries with their sums; in half precision there are also keys and values
    in the order that matrix units need.
    """
    batch, heads, queries, size = shape
    rows = min(256 if queries >= 768 else 64 if queries >= 192 else 32, queries)
    columns = min(512, keys)
    threads = torch.get_num_threads()
    buffers = 4 * threads * rows * (columns + 2 + size)
    if dtype is torch.float32:
        return buffers
    return buffers + 2 * (threads * columns * (rows + size) + 2 * batch * heads * keys * size)


class _GpuRules(TorchFunctionMode):
    """Do what differs on a CUDA GPU: the attention kernels, and the operators that autocast computes in float32.

    Torch chooses FlashAttention without a mask in half precision, otherwise the memory-efficient kernel
    (aten/src/ATen/native/transformers/cuda/sdp_utils.cpp). The operators are those in autocast's documentation that a
    BERT uses; on a CPU autocast leaves them in half precision.
    """

    _IN_FLOAT32 = (F.layer_norm, F.softmax, F.cross_entropy)

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        if function is F.scaled_dot_product_attention:
            return _gpu_attention(*args, **given)
        if function in self._IN_FLOAT32 and torch.is_autocast_enabled("cpu"):
            first, *others = args
            return function(first.float(), *others, **given)
        return function(*args, **given)


def _keep_rules_when_recomputing(model: nn.Module) -> None:
    """Apply the rules to recomputed layers, too: the backward pass computes them, and disables function modes."""
    for layer in cast("Any", model).bert.encoder.layer:
        layer._gradient_checkpointing_func = _under_gpu_rules(layer._gradient_checkpointing_func)


def _under_gpu_rules(checkpoint: Callable[..., Any]) -> Callable[..., Any]:
    def checkpointed(forward: Callable[..., Any], *args: Any) -> Any:
        def compute(*inputs: Any) -> Any:
            with _GpuRules():
                return forward(*inputs)

        return checkpoint(compute, *args)

    return checkpointed


def _gpu_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    **more: Any,
) -> torch.Tensor:
    if torch.is_autocast_enabled("cpu"):
        dtype = torch.get_autocast_dtype("cpu")
        query, key, value = query.to(dtype), key.to(dtype), value.to(dtype)
    aten = torch.ops.aten
    if attn_mask is None and query.dtype is not torch.float32:
        return cast("torch.Tensor", aten._scaled_dot_product_flash_attention(query, key, value, dropout_p)[0])
    if attn_mask is not None:
        attn_mask = _bias(attn_mask, query)
    learns = torch.is_grad_enabled() and query.requires_grad
    attended = aten._scaled_dot_product_efficient_attention(query, key, value, attn_mask, learns, dropout_p)
    return cast("torch.Tensor", attended[0])


def _bias(mask: torch.Tensor, query: torch.Tensor) -> torch.Tensor:
    """The mask in the form that the memory-efficient kernel takes: added to the scores, in their type."""
    bias = torch.where(mask, 0.0, float("-inf")).to(query.dtype) if mask.dtype is torch.bool else mask
    return bias.expand(query.shape[0], query.shape[1], query.shape[2], -1)


class _FakeInt8Linear(Int8Linear):
    """Allocates what Int8Linear allocates, and computes nothing."""

    def __init__(self, linear: nn.Linear) -> None:
        nn.Module.__init__(self)
        outputs, inputs = linear.weight.shape
        self.register_buffer("weight", torch.empty(outputs, inputs, dtype=torch.int8, device="meta"))
        self.register_buffer("scale", torch.empty(outputs, device="meta"))
        self.register_buffer("zero", torch.empty(outputs, dtype=torch.int64, device="meta"))
        self.register_buffer("bias", torch.empty(outputs, device="meta"))

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        rows = _fake_rows(*input.shape)
        output = torch.empty(input.shape[0], len(self.bias))
        del rows
        return output


def _fake_rows(rows: int, columns: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.empty(rows, columns, dtype=torch.int8), torch.empty(rows)


class _FakeInt8Layer(Int8Layer):
    """Allocates what Int8Layer allocates for each block of rows, without its kernels."""

    def _after_attention(self, context: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        result = torch.empty_like(hidden)
        for part in context.split(_ROWS):
            rows = _fake_rows(*part.shape)
            product = torch.empty(len(part), hidden.shape[1])
            del rows, product
        return result

    def feed_forward(self, hidden: torch.Tensor) -> torch.Tensor:
        result = torch.empty_like(hidden)
        for part in hidden.split(_ROWS):
            inner = self._fake_inner(_fake_rows(*part.shape))
            product = torch.empty_like(part)
            del inner, product
        return result

    def _fake_inner(self, rows: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        product = torch.empty(len(rows[1]), len(self.intermediate.bias))
        return _fake_rows(*product.shape)


def _fake_int8(model: Bert) -> None:
    for layer in model.layers:
        assert isinstance(layer, Layer)
        for name, module in list(layer.named_children()):
            if isinstance(module, nn.Linear):
                setattr(layer, name, _FakeInt8Linear(module))
        layer.__class__ = _FakeInt8Layer
