"""A configuration: one model, in one precision, on one batch, doing one kind of work.

The predictor, the tracker and the report take the same configuration, so that their figures can be compared. The device
is not part of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from wenmo.errors import InputError
from wenmo.models.registry import locate
from wenmo.models.shape import SIZES, BertShape, shape_of
from wenmo.tasks.sentiment import SENTIMENT
from wenmo.types import PRECISIONS, Precision

Work = Literal["inference", "training_step"]
Attention = Literal["sdpa", "eager"]
Layout = Literal["padded", "packed"]

BUNDLED = "bundled"
MAX_BATCH = 4096
MAX_TOKENS = 1 << 20  # in a batch, with padding


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """What is predicted and measured.

    `model`: tiny, base or large (that size with random weights), bundled (the sentiment model), or the name or folder
    of a checkpoint. `precision`: in inference that of the weights and, where the device has units for it, of the
    arithmetic; in a training step that of autocast over float32 weights, as in wenmo/adapt/training_loop.py.
    `lengths`: the tokens of each sequence of the batch. `work`: a training step is forward, backward and AdamW.
    `layout`: packed is our forward; padded is transformers' BERT, with each sequence padded to the longest or to
    `pad_to` tokens.
    `checkpointing`: the backward pass recomputes the activations of each layer.

    Raises InputError for values that are out of range or do not go together.
    """

    model: str = "base"
    precision: Precision = "fp32"
    lengths: tuple[int, ...] = (128,)
    work: Work = "inference"
    layout: Layout = "packed"
    attention: Attention = "sdpa"
    checkpointing: bool = False
    pad_to: int | None = None

    def __post_init__(self) -> None:
        _one_of("precision", "精度", self.precision, PRECISIONS)
        _one_of("work", "工作", self.work, get_args(Work))
        _one_of("layout", "排布", self.layout, get_args(Layout))
        _one_of("attention", "注意力实现", self.attention, get_args(Attention))
        self._check_lengths()
        if self.layout == "packed":
            self._check_packed()
        if self.precision == "int8" and self.layout == "padded":
            raise InputError(
                "int8 is computed by the packed forward only. Set layout='packed', or another precision.",
                "int8 只由打包前向计算。请设 layout='packed'，或换一种精度。",
            )

    def _check_lengths(self) -> None:
        if not 1 <= len(self.lengths) <= MAX_BATCH:
            raise InputError(
                f"A batch of {len(self.lengths)} sequences cannot be; give 1 to {MAX_BATCH:,}.",
                f"批大小不能为 {len(self.lengths)}；请给出 1 至 {MAX_BATCH:,}。",
            )
        longest = max(self.lengths) if self.pad_to is None else self.pad_to
        if min(self.lengths) < 2 or max(self.lengths) > longest:
            raise InputError(
                f"Lengths must be from 2 tokens ([CLS] and [SEP]) to the padded length, {longest}; "
                f"given: {min(self.lengths)} to {max(self.lengths)}.",
                f"长度应在 2 个词元（[CLS] 与 [SEP]）到填充长度 {longest} 之间；"
                f"给出的是 {min(self.lengths)} 至 {max(self.lengths)}。",
            )
        if longest * len(self.lengths) > MAX_TOKENS:
            raise InputError(
                f"{longest * len(self.lengths):,} tokens a batch are more than {MAX_TOKENS:,}. Take a smaller batch.",
                f"一批 {longest * len(self.lengths):,} 个词元，超过了 {MAX_TOKENS:,}。请减小批大小。",
            )

    def _check_packed(self) -> None:
        if self.work == "training_step" or self.checkpointing:
            raise InputError(
                "The packed forward is for inference, and has no checkpointing. Set layout='padded' for these.",
                "打包前向只用于推理，也没有梯度检查点。请改用 layout='padded'。",
            )
        if self.attention == "eager" or self.pad_to is not None:
            raise InputError(
                "The packed forward has no padding and no eager attention. Set layout='padded' for these.",
                "打包前向没有填充，也没有 eager 注意力。请改用 layout='padded'。",
            )

    @property
    def batch(self) -> int:
        """Sequences."""
        return len(self.lengths)

    @property
    def tokens(self) -> int:
        """Tokens of all sequences together, without padding."""
        return sum(self.lengths)

    @property
    def width(self) -> int:
        """Tokens in one row of the padded batch."""
        return self.pad_to or max(self.lengths)

    @property
    def random_weights(self) -> bool:
        """Whether the weights are random: answers depend on them, memory and time do not."""
        return self.model in SIZES

    @property
    def name(self) -> str:
        """A name for tables, the same in both languages: `large fp16 padded 8 x 512`."""
        same = len(set(self.lengths)) == 1
        size = f"{self.batch} x {self.lengths[0]}" if same else f"{self.batch} of {min(self.lengths)}-{self.width}"
        if self.pad_to is not None:
            size = f"{self.batch} x {self.pad_to}"
        parts = [self.model, self.precision, self.layout, size]
        parts += ["eager"] if self.attention == "eager" else []
        parts += ["training"] if self.work == "training_step" else []
        return " ".join([*parts, *(["checkpointing"] if self.checkpointing else [])])

    def sizes(self) -> tuple[BertShape, int]:
        """The model's sizes and its number of labels, read without its weights.

        Raises the errors of finding and reading a model, and InputError for lengths beyond its positions.
        """
        from wenmo.models.checkpoint import read_shape  # brings torch

        if self.random_weights:
            shape, labels = shape_of(self.model), 2
        else:
            shape, labels = read_shape(locate(self.checkpoint))
        if self.width > shape.max_position_embeddings:
            raise InputError(
                f"{self.width} tokens are more than the {shape.max_position_embeddings} positions of {self.model}.",
                f"{self.width} 个词元超过了 {self.model} 的 {shape.max_position_embeddings} 个位置。",
            )
        return shape, labels

    @property
    def checkpoint(self) -> str:
        """The name of the model whose weights are used; not for `random_weights`."""
        return SENTIMENT.bundled if self.model == BUNDLED else self.model

    def as_json(self) -> dict[str, Any]:
        """Plain values; `from_json` is the way back."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Configuration:
        """Raises InputError for fields that are missing, unknown or of a wrong type."""
        try:
            return cls(**{**values, "lengths": tuple(int(length) for length in values["lengths"])})
        except (TypeError, KeyError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"No configuration: {error}. Its fields are {', '.join(cls.__dataclass_fields__)}.",
                f"不是有效的配置：{error}。字段为 {'、'.join(cls.__dataclass_fields__)}。",
            ) from None


def equal_lengths(batch: int, length: int) -> tuple[int, ...]:
    """`batch` sequences of `length` tokens each."""
    if not 1 <= batch <= MAX_BATCH:
        raise InputError(f"The batch must be 1 to {MAX_BATCH:,}, not {batch}.", f"批大小应为 1 至 {MAX_BATCH:,}。")
    return (length,) * batch


def parse_configurations(text: str) -> list[Configuration]:
    """A JSON list of configurations, or one of them. Raises InputError for anything else."""
    try:
        values = json.loads(text)
    except ValueError as error:
        raise InputError(f"The configurations are no JSON: {error}.", f"配置不是 JSON：{error}。") from None
    items: Sequence[Any] = values if isinstance(values, list) else [values]
    if not items or not all(isinstance(item, dict) for item in items):
        raise InputError("Give a JSON list of configurations.", "请给出由配置组成的 JSON 列表。")
    return [Configuration.from_json({"lengths": (128,), **item}) for item in items]


def _one_of(name: str, name_zh: str, value: object, known: Sequence[str]) -> None:
    if value not in known:
        raise InputError(
            f"No such {name}: {value!r}. Choose from {', '.join(known)}.",
            f"没有这样的{name_zh}：{value!r}。可选：{'、'.join(known)}。",
        )
