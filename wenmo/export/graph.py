"""An ONNX graph of a BERT: token ids, attention mask and token types in, logits or vectors out.

Batch and length are dynamic. The forward is that of `wenmo.inference.bert`, with its parameters, over padded rows:
what the mask leaves out gets no attention and no share in the pooling. A classifier's last layer computes the [CLS]
row alone.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from wenmo.extras import needs
from wenmo.inference.bert import ACTIVATIONS, Bert, Layer
from wenmo.inference.onnx_runtime import INPUTS, LOGITS, PRECISION, STATES, VECTORS
from wenmo.models.checkpoint import Checkpoint
from wenmo.models.vector_head import Dense, Pooling
from wenmo.types import Precision


def write_graph(checkpoint: Checkpoint, path: Path, *, precision: Precision) -> None:
    """Write `checkpoint` as an ONNX file in fp32, fp16 or int8; with int8 the products of the layers are quantised."""
    with needs("export"):
        import onnxscript  # noqa: F401 - torch needs it, and would name another error

    bert = Bert.of(checkpoint.shape, checkpoint.weights, torch.device("cpu"), head=checkpoint.vector_head)
    module: nn.Module = _Vectors(bert) if checkpoint.task == "embedding" else _Logits(bert)
    if precision == "fp16":
        module.half()
    # Two rows with padding: from rows without any the exporter would conclude that the mask is always full.
    ids = torch.tensor([[2, 4, 4, 3], [2, 4, 3, 0]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    types = torch.tensor([[0, 0, 1, 1], [0, 0, 0, 0]])
    batch, length = torch.export.Dim("batch"), torch.export.Dim("length")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # a warning about torchvision, which is not needed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter about its own parts
        program = torch.onnx.export(
            module.eval(),
            (ids.clamp(max=checkpoint.shape.vocab_size - 1), mask, types),
            input_names=list(INPUTS),
            output_names=[VECTORS, STATES] if checkpoint.task == "embedding" else [LOGITS],
            dynamic_shapes={name: {0: batch, 1: length} for name in INPUTS},
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    program.model.metadata_props[PRECISION] = precision
    program.save(str(path), external_data=False)
    if precision == "int8":
        _quantize(path)


def _quantize(path: Path) -> None:
    """int8 for the weights of the layers, a scale an output channel; activations are quantised when it runs."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = onnx.load(path)
    del model.graph.value_info[:]  # the exporter's shapes contradict those that the quantiser infers
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # advice to preprocess, by the root logger
    try:
        quantize_dynamic(
            model,
            path,
            op_types_to_quantize=["MatMul"],  # those over all tokens; pooler and classifier are Gemm, and stay
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,  # 7 bits: right on processors without VNNI, too
        )
    finally:
        root.setLevel(level)


class _Padded(nn.Module):
    """The encoder over padded rows, (N, L) each."""

    def __init__(self, bert: Bert) -> None:
        super().__init__()
        self.bert = bert

    def hidden(
        self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor, *, first_only: bool = False
    ) -> torch.Tensor:
        """Output of the last layer: (N, L, H), or with `first_only` (N, 1, H)."""
        bert = self.bert
        positions = torch.arange(ids.shape[1], device=ids.device)
        # A model with a single token type has it for both texts of a pair.
        segments = types if bert.segments.num_embeddings > 1 else torch.zeros_like(types)
        hidden = bert.norm(bert.words(ids) + bert.positions(positions) + bert.segments(segments))
        attended = mask[:, None, None, :].to(torch.bool)  # (N, heads, queries, L)
        *layers, last = bert.layers
        for layer in layers:
            assert isinstance(layer, Layer)
            query, key, value = layer.query_key_value(hidden).chunk(3, dim=-1)
            hidden = _rest_of(layer, query, key, value, hidden, attended)
        assert isinstance(last, Layer)
        key, value = last.key_value(hidden).chunk(2, dim=-1)
        if first_only:
            hidden = hidden[:, :1]
        return _rest_of(last, last.query(hidden), key, value, hidden, attended)


class _Logits(_Padded):
    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> torch.Tensor:
        """(N, labels) float32."""
        first = self.hidden(input_ids, attention_mask, token_type_ids, first_only=True)[:, 0]
        if self.bert.pooler is not None:
            first = torch.tanh(self.bert.pooler(first))
        logits: torch.Tensor = self.bert.classifier(first)
        return logits.float()


class _Vectors(_Padded):
    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(N, V) float32, and the last layer (N, L, H) float32."""
        states = self.hidden(input_ids, attention_mask, token_type_ids)
        exact, mask = states.float(), attention_mask[:, :, None].to(torch.bool)
        head = self.bert.head
        vectors = torch.cat([POOLINGS[name](exact, mask) for name in head.pooling], dim=1)
        dense = iter(self.bert.dense)
        for step in head.steps:
            if isinstance(step, Dense):
                vectors = ACTIVATIONS[step.activation](next(dense)(vectors.to(states.dtype))).float()
            else:
                vectors = F.normalize(vectors, dim=1)
        return vectors, exact


# From the states (N, L, H) and the mask (N, L, 1) to (N, H).
POOLINGS: Mapping[Pooling, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "cls": lambda states, mask: states[:, 0],
    "max": lambda states, mask: states.masked_fill(~mask, torch.finfo(states.dtype).min).amax(1),
    "mean": lambda states, mask: (states * mask).sum(1) / mask.sum(1),
    "mean_sqrt_len_tokens": lambda states, mask: (states * mask).sum(1) / mask.sum(1).to(states.dtype).sqrt(),
}


def _rest_of(
    layer: Layer,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    hidden: torch.Tensor,
    attended: torch.Tensor,
) -> torch.Tensor:
    """A layer behind its first products: attention and feed-forward, each with its residual and norm."""
    query, key, value = (rows.unflatten(-1, (layer.heads, -1)).transpose(1, 2) for rows in (query, key, value))
    context = F.scaled_dot_product_attention(query, key, value, attn_mask=attended).transpose(1, 2).flatten(2)
    hidden = layer.attention_norm(layer.attention_output(context) + hidden)
    output: torch.Tensor = layer.output_norm(layer.output(layer.activation(layer.intermediate(hidden))) + hidden)
    return output
