"""BERT's forward pass over packed inputs: all tokens of a batch form one (T, H) tensor without padding.

Linear layers and norms process the T rows at once; only attention separates the sequences, one run of equal lengths at
a time, or all in one call where a GPU has FlashAttention for it. For a task that needs only [CLS], the last layer
computes queries, attention output and feed-forward for the [CLS] rows alone (but keys and values for all tokens).
Query, key and value are one matrix product.

The logits equal those of transformers' BertForSequenceClassification to 1e-5 in float32 (tests/unit/inference). Not
covered: training, dropout, attention masks.

Activations take most of a large batch's memory, so each is released after its last use: a local variable that lives
longer would keep a tensor of the whole batch (tests/unit/lab/test_predict.py counts them).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from wenmo.models.shape import BertShape
from wenmo.models.vector_head import MEAN, Dense, Pooling, VectorHead
from wenmo.tokenizer import Encoding

# In place: their input is the widest tensor of a layer, and nothing else uses it.
ACTIVATIONS: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "gelu": torch.ops.aten.gelu_,
    "gelu_python": torch.ops.aten.gelu_,
    "gelu_new": lambda x: torch.ops.aten.gelu_(x, approximate="tanh"),
    "gelu_pytorch_tanh": lambda x: torch.ops.aten.gelu_(x, approximate="tanh"),
    "relu": torch.relu_,
    "silu": lambda x: F.silu(x, inplace=True),
    "swish": lambda x: F.silu(x, inplace=True),
    "tanh": torch.tanh_,
    "linear": lambda x: x,  # of a vector head
}

_FLASH_DTYPES = (torch.float16, torch.bfloat16)


@dataclass(frozen=True, kw_only=True)
class Run:
    """`count` consecutive sequences of `length` tokens each; the first begins at row `start` of the batch."""

    start: int
    count: int
    length: int


@dataclass(frozen=True, kw_only=True)
class Packed:
    """A batch without padding: the T tokens of N sequences, concatenated."""

    ids: torch.Tensor  # (T,) int64
    positions: torch.Tensor  # (T,) int64
    segments: torch.Tensor  # (T,) int64
    first: torch.Tensor  # (N,) int64, the row of each sequence's [CLS]
    runs: tuple[Run, ...]
    bounds: torch.Tensor | None = None  # (N + 1,) int32, where sequences begin and end; None without FlashAttention

    @classmethod
    def of(cls, encodings: Sequence[Encoding], device: torch.device) -> Packed:
        """Neighbouring encodings of equal length become one run; sorted encodings make the fewest runs."""
        lengths = np.fromiter(map(len, encodings), dtype=np.int64, count=len(encodings))
        ends = np.cumsum(lengths)
        starts = ends - lengths
        positions = np.arange(ends[-1]) - np.repeat(starts, lengths)
        second = np.fromiter((encoding.segment_b for encoding in encodings), dtype=np.int64, count=len(encodings))
        segments = positions >= np.repeat(lengths - second, lengths)
        ids = np.fromiter((token for encoding in encodings for token in encoding.input_ids), np.int64, int(ends[-1]))
        changes = np.flatnonzero(np.diff(lengths, prepend=-1, append=-1))
        runs = tuple(
            Run(start=int(starts[begin]), count=int(end - begin), length=int(lengths[begin]))
            for begin, end in pairwise(changes)
        )

        def to_device(values: np.ndarray) -> torch.Tensor:
            tensor = torch.from_numpy(values)
            # A copy from pinned memory to a GPU is asynchronous.
            return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor

        return cls(
            ids=to_device(ids),
            positions=to_device(positions),
            segments=to_device(segments.astype(np.int64)),
            first=to_device(starts),
            runs=runs,
            bounds=to_device(np.append(0, ends).astype(np.int32)) if _has_flash_attention(device) else None,
        )


@cache
def _has_flash_attention(device: torch.device) -> bool:
    """Whether the device has a kernel for sequences of any lengths: NVIDIA's from Ampere on (arXiv 2307.08691)."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)


class Layer(nn.Module):
    """One encoder layer. In the last one, `query` is separate from `key_value`, as it may cover only the [CLS] rows."""

    def __init__(self, shape: BertShape, *, last: bool) -> None:
        super().__init__()
        hidden = shape.hidden_size
        self.heads = shape.num_attention_heads
        self.activation = ACTIVATIONS[shape.hidden_act]
        if last:
            self.query = nn.Linear(hidden, hidden)
            self.key_value = nn.Linear(hidden, 2 * hidden)
        else:
            self.query_key_value = nn.Linear(hidden, 3 * hidden)
        self.attention_output = nn.Linear(hidden, hidden)
        self.attention_norm = nn.LayerNorm(hidden, eps=shape.layer_norm_eps)
        self.intermediate = nn.Linear(hidden, shape.intermediate_size)
        self.output = nn.Linear(shape.intermediate_size, hidden)
        self.output_norm = nn.LayerNorm(hidden, eps=shape.layer_norm_eps)

    def attention(self, hidden: torch.Tensor, packed: Packed) -> torch.Tensor:
        """Attention, residual and norm of any layer but the last: (T, H) to (T, H)."""
        return self._after_attention(self._self_attention(hidden, packed), hidden)

    def feed_forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Feed-forward, residual and norm: (R, H) to (R, H)."""
        output = self.output(self.activation(self.intermediate(hidden))).add_(hidden)
        return self.output_norm(output)

    def forward_last(self, hidden: torch.Tensor, packed: Packed, *, first_only: bool) -> torch.Tensor:
        """The whole last layer: (T, H) to (T, H), or with `first_only` to (N, H), the [CLS] rows."""
        key, value = self.key_value(hidden).chunk(2, dim=-1)
        queries = None
        if first_only:
            hidden, queries = hidden[packed.first], 1  # (N, H)
        context = self._attend(self.query(hidden), key, value, packed, queries=queries)
        del key, value
        return self.feed_forward(self._after_attention(context, hidden))

    def _self_attention(self, hidden: torch.Tensor, packed: Packed) -> torch.Tensor:
        query, key, value = self.query_key_value(hidden).chunk(3, dim=-1)  # of (T, 3H)
        return self._attend(query, key, value, packed)

    def _attend(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        packed: Packed,
        *,
        queries: int | None = None,
    ) -> torch.Tensor:
        """Softmax attention within each sequence. `query` has `queries` rows per sequence; None: one per token."""
        runs = packed.runs
        if len(runs) > 1 and packed.bounds is not None and query.dtype in _FLASH_DTYPES:
            return self._attend_all(query, key, value, packed, queries=queries)
        if len(runs) == 1:
            return self._attend_run(query, key, value, runs[0].count)
        context = torch.empty_like(query, memory_format=torch.contiguous_format)
        begin = 0
        for run in runs:
            rows = slice(begin, begin + run.count * (queries or run.length))
            tokens = slice(run.start, run.start + run.count * run.length)
            context[rows] = self._attend_run(query[rows], key[tokens], value[tokens], run.count)
            begin = rows.stop
        return context

    def _attend_all(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, packed: Packed, *, queries: int | None
    ) -> torch.Tensor:
        """`_attend` in one call. With a single split a sequence's result does not depend on the others of its batch."""
        # Brings torch's compiler along, which takes seconds and 250 MiB: only where there is a GPU for it.
        from torch.nn.attention.varlen import varlen_attn

        bounds, longest = packed.bounds, max(run.length for run in packed.runs)
        assert bounds is not None
        of_queries = bounds if queries is None else torch.arange(len(bounds), device=bounds.device, dtype=torch.int32)
        query, key, value = (
            each.unflatten(-1, (self.heads, -1)) for each in (query, key, value)
        )  # (T, heads, H/heads)
        attended = varlen_attn(query, key, value, of_queries, bounds, queries or longest, longest, num_splits=1)
        assert isinstance(attended, torch.Tensor)
        return attended.flatten(1)

    def _attend_run(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, count: int) -> torch.Tensor:
        """Attention over `count` sequences of equal length: (count * queries, H), without a copy."""
        attended = F.scaled_dot_product_attention(
            self._by_head(query, count), self._by_head(key, count), self._by_head(value, count)
        )  # (count, heads, queries, H / heads), laid out as (count, queries, heads, H / heads)
        return attended.transpose(1, 2).reshape(query.shape)

    def _by_head(self, rows: torch.Tensor, count: int) -> torch.Tensor:
        """(count * L, H) as (count, heads, L, H / heads), a view."""
        return rows.unflatten(-1, (self.heads, -1)).unflatten(0, (count, -1)).transpose(1, 2)

    def _after_attention(self, context: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = self.attention_norm(self.attention_output(context).add_(hidden))
        return output


class Bert(nn.Module):
    """Embeddings, layers, pooler and classifier, and what makes vectors of the last layer; inference only."""

    def __init__(self, shape: BertShape, *, labels: int, pooler: bool = True, head: VectorHead = MEAN) -> None:
        """With 0 `labels`, the encoder alone, for vectors. Without a `pooler` the classifier is on the last layer."""
        super().__init__()
        hidden = shape.hidden_size
        # from_pretrained draws no initial weights; drawing them for the device meta would bring torch's compiler along.
        self.words, self.positions, self.segments = (
            nn.Embedding.from_pretrained(torch.empty(rows, hidden))
            for rows in (shape.vocab_size, shape.max_position_embeddings, shape.type_vocab_size)
        )
        self.norm = nn.LayerNorm(hidden, eps=shape.layer_norm_eps)
        count = shape.num_hidden_layers
        self.layers = nn.ModuleList(Layer(shape, last=index == count - 1) for index in range(count))
        self.pooler = nn.Linear(hidden, hidden) if labels and pooler else None
        if labels:
            self.classifier = nn.Linear(hidden, labels)
        self.head = head
        self.dense = nn.ModuleList(nn.Linear(dense.columns, dense.rows, bias=dense.bias) for dense in head.dense)

    @classmethod
    def of(
        cls,
        shape: BertShape,
        weights: Mapping[str, torch.Tensor],
        device: torch.device,
        *,
        head: VectorHead = MEAN,
    ) -> Bert:
        """A model with `weights`, which have transformers' names, in float32 on `device`."""
        names = _own_names(shape.num_hidden_layers) | {name: [name] for name in weights if name.startswith("dense.")}
        own = {
            target: _joined([weights[name].to(device, torch.float32) for name in sources])
            for target, sources in names.items()
            if sources[0] in weights
        }
        with torch.device("meta"):  # the next line replaces all weights: do not allocate or initialise them
            model = cls(
                shape,
                labels=weights["classifier.weight"].shape[0] if "classifier.weight" in weights else 0,
                pooler="bert.pooler.dense.weight" in weights,
                head=head,
            )
        model.load_state_dict(own, strict=True, assign=True)
        return model.requires_grad_(False).eval()

    def hidden(self, packed: Packed, *, first_only: bool) -> torch.Tensor:
        """Output of the last layer: (T, H), or with `first_only` (N, H), the [CLS] rows."""
        hidden = self.norm(self._embedded(packed))
        *layers, last = self.layers
        for layer in layers:
            assert isinstance(layer, Layer)
            hidden = layer.attention(hidden, packed)  # assigned: frees the layer's input before the feed-forward
            hidden = layer.feed_forward(hidden)
        assert isinstance(last, Layer)
        return last.forward_last(hidden, packed, first_only=first_only)

    def _embedded(self, packed: Packed) -> torch.Tensor:
        # A model with a single token type has it for both texts of a pair.
        segments = packed.segments if self.segments.num_embeddings > 1 else torch.zeros_like(packed.segments)
        return self.words(packed.ids).add_(self.positions(packed.positions)).add_(self.segments(segments))

    def logits(self, packed: Packed) -> torch.Tensor:
        """(N, labels)."""
        first = self.hidden(packed, first_only=True)
        if self.pooler is not None:
            first = torch.tanh(self.pooler(first))
        logits: torch.Tensor = self.classifier(first)
        return logits

    def vectors(self, packed: Packed) -> torch.Tensor:
        """(N, V): the last layer pooled over the tokens of each sequence, [CLS] and [SEP] included.

        Then the dense layers and the normalisation of the vector head, if it has any.
        """
        if self.head.pooling == ("cls",):
            vectors = self.hidden(packed, first_only=True)
        else:
            hidden = self.hidden(packed, first_only=False)
            runs = [
                hidden[run.start : run.start + run.count * run.length].unflatten(0, (run.count, run.length))
                for run in packed.runs
            ]
            pooled = [torch.cat([POOLINGS[name](run) for run in runs]) for name in self.head.pooling]
            vectors = _joined(pooled, dim=1)
        dense = iter(self.dense)
        for step in self.head.steps:
            if isinstance(step, Dense):
                vectors = ACTIVATIONS[step.activation](next(dense)(vectors))
            else:
                vectors = F.normalize(vectors, dim=1)
        return vectors


# From the states (N, L, H) of sequences of equal length to (N, H).
POOLINGS: Mapping[Pooling, Callable[[torch.Tensor], torch.Tensor]] = {
    "cls": lambda states: states[:, 0],
    "max": lambda states: states.amax(1),
    "mean": lambda states: states.mean(1),
    "mean_sqrt_len_tokens": lambda states: states.sum(1) / states.shape[1] ** 0.5,
}


def _joined(parts: Sequence[torch.Tensor], *, dim: int = 0) -> torch.Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts), dim=dim)


def _own_names(layers: int) -> dict[str, list[str]]:
    """For each parameter of `Bert`, the transformers parameters whose rows it concatenates."""
    names: dict[str, list[str]] = {}

    def same(own: str, other: str, *parts: str) -> None:
        for part in parts or ("weight", "bias"):
            names[f"{own}.{part}"] = [f"{other}.{part}"]

    same("words", "bert.embeddings.word_embeddings", "weight")
    same("positions", "bert.embeddings.position_embeddings", "weight")
    same("segments", "bert.embeddings.token_type_embeddings", "weight")
    same("norm", "bert.embeddings.LayerNorm")
    for index in range(layers):
        own, other = f"layers.{index}", f"bert.encoder.layer.{index}"
        query, key, value = (f"{other}.attention.self.{part}" for part in ("query", "key", "value"))
        for part in ("weight", "bias"):
            if index == layers - 1:
                names[f"{own}.query.{part}"] = [f"{query}.{part}"]
                names[f"{own}.key_value.{part}"] = [f"{key}.{part}", f"{value}.{part}"]
            else:
                names[f"{own}.query_key_value.{part}"] = [f"{each}.{part}" for each in (query, key, value)]
        same(f"{own}.attention_output", f"{other}.attention.output.dense")
        same(f"{own}.attention_norm", f"{other}.attention.output.LayerNorm")
        same(f"{own}.intermediate", f"{other}.intermediate.dense")
        same(f"{own}.output", f"{other}.output.dense")
        same(f"{own}.output_norm", f"{other}.output.LayerNorm")
    same("pooler", "bert.pooler.dense")
    same("classifier", "classifier")
    return names
