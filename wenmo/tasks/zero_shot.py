"""Zero-shot classification as entailment: does the text entail "这篇文章的标题是科技"?

Each (text, hypothesis) pair has logits of its own; only the softmax at the end joins the labels of a text.

- one label may be true (the default): softmax of the entailment logits over the labels;
- several may be (`multi_label`), or there is one label only: for each label alone, softmax over contradiction and
  entailment. These scores do not add up to 1.

That is one forward a label. A cheaper and weaker reading compares the vector of the text with those of the hypotheses:
one forward a text however many labels there are (`decode_vectors`). It also serves to choose the few labels that are
then judged as above (`nearest`), where there are many.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wenmo.errors import InputError
from wenmo.tasks.scores import best_first, softmax
from wenmo.tokenizer import Encoding, Tokenizer
from wenmo.types import UNCALIBRATED, ZERO_SHOT_METHODS, Reading, ZeroShotMethod, ZeroShotResult

ENTAILMENT, NEUTRAL, CONTRADICTION = 0, 1, 2  # the logits, fixed in ModelScope's pipeline
SHORTLIST = 10  # labels that two_stage has judged; see benchmarks/zero_shot_methods.py
LOGIT_SCALE = 20.0  # a cosine times this is a logit: what the bundled embedding model was trained with
DEFAULT_TEMPLATE = "{}"
MAX_LABELS = 200  # of one call of a person or a program; files and the engine itself know no such limit
MAX_HYPOTHESES = 4_000  # of one such call: each is a forward of its own


@dataclass(frozen=True, kw_only=True)
class Labels:
    """The labels to choose from, and those that were dropped because they were blank or given before."""

    names: tuple[str, ...]
    dropped: tuple[str, ...]


def split_labels(labels: str) -> list[str]:
    """The parts of `labels` between commas, Chinese or not, blank ones included."""
    return labels.replace("，", ",").split(",")


def parse_labels(labels: Sequence[str] | str) -> Labels:
    """Labels as a list, or as one text split at `,` and `，`.

    As in ModelScope the parts of a text are stripped and the labels of a list are taken as they are. Blank labels and
    repeated ones (but for spaces around) are dropped. Raises InputError when none is left.
    """
    if not hasattr(labels, "__iter__"):
        raise InputError(
            f"Labels are a list, or one text with commas, not {type(labels).__name__}.",
            f"标签应为列表，或用逗号分隔的文本，而不是 {type(labels).__name__}。",
        )
    # In a text a blank part is nothing but a comma too many; in a list somebody passed a blank label.
    given = [part for part in split_labels(labels) if part.strip()] if isinstance(labels, str) else list(labels)
    names: list[str] = []
    dropped: list[str] = []
    seen: set[str] = set()
    for label in given:
        if not isinstance(label, str):
            raise InputError(
                f"A label must be text, not {type(label).__name__}: {label!r}.",
                f"标签必须是文本，而不是 {type(label).__name__}：{label!r}。",
            )
        bare = label.strip()
        if not bare or bare in seen:
            dropped.append(label)
            continue
        seen.add(bare)
        names.append(bare if isinstance(labels, str) else label)
    if not names:
        raise InputError(
            "There is no label to choose from. Give at least one, such as 咨询, 投诉, 建议.",
            "没有可选的标签。请至少给出一个，例如：咨询，投诉，建议。",
        )
    return Labels(names=tuple(names), dropped=tuple(dropped))


def check_template(template: str) -> str:
    """Returns `template` when it has exactly one kind of place for the label, `{}` once or `{0}`.

    Raises InputError otherwise. Attribute access and format codes (`{0.x}`, `{:>9}`) are refused.
    """
    try:
        fields = [
            (name, code, conversion)
            for _, name, code, conversion in string.Formatter().parse(template)
            if name is not None
        ]
    except (TypeError, ValueError):
        fields = []
    automatic = [field for field in fields if field[0] == ""]
    plain = all(name in ("", "0") and not code and not conversion for name, code, conversion in fields)
    if not fields or not plain or len(automatic) > 1 or (automatic and len(fields) > 1):
        raise InputError(
            f"The template needs one place {{}} for the label, as in 关于{{}}的文章; this has not: {template!r}.",
            f"模板里要有且只有一处 {{}} 放标签，例如“关于{{}}的文章”；现在是 {template!r}。",
        )
    return template


def check_method(method: str, *, labels: int, multi_label: bool, shortlist: int) -> None:
    """Raises InputError for a method that there is not, or that cannot be combined with the others."""
    if method not in ZERO_SHOT_METHODS:
        raise InputError(
            f"There is no method {method!r}. Choose from {', '.join(ZERO_SHOT_METHODS)}.",
            f"没有名为 {method!r} 的方法。可选：{'、'.join(ZERO_SHOT_METHODS)}。",
        )
    if method == "embedding" and multi_label:
        raise InputError(
            "Vectors say which label is nearest, not whether each of several fits. Use the method nli or two_stage "
            "for several labels a text.",
            "向量只能说明哪个标签最近，不能逐一判断多个标签是否成立。"
            "多标签请用 nli（逐一判断）或 two_stage（先筛选，再判断）。",
        )
    if method == "embedding" and labels < 2:
        raise InputError(
            "Vectors say which label is nearest, and a single one always is. Give a second label, or use the method "
            "nli, which says whether one holds.",
            "向量只能说明哪个标签最近，只有一个标签时它必然最近。请再给一个标签，或改用 nli 判断它是否成立。",
        )
    if shortlist < 1:
        raise InputError(
            f"The shortlist needs at least 1 label, not {shortlist}.",
            f"两步法至少要保留 1 个标签，而不是 {shortlist} 个。",
        )


def hypotheses_each(labels: int, method: ZeroShotMethod, *, shortlist: int = SHORTLIST) -> int:
    """Forwards that a text costs with so many labels."""
    return {"nli": labels, "embedding": 1, "two_stage": min(labels, shortlist)}[method]


@dataclass(frozen=True, kw_only=True)
class Question:
    """A text and the labels that it is asked about."""

    text: str
    labels: tuple[str, ...]


def encode(tokenizer: Tokenizer, questions: Sequence[Question], *, template: str, max_length: int) -> list[Encoding]:
    """One encoding for each label of each question, all labels of the first text first."""
    labels = list(dict.fromkeys(label for question in questions for label in question.labels))
    pieces = tokenizer.pieces([template.format(label) for label in labels], limit=max_length)
    hypotheses = dict(zip(labels, pieces, strict=True))
    texts = tokenizer.pieces([question.text for question in questions], limit=max_length)
    return [
        tokenizer.encode_pair(text, hypotheses[label], max_length=max_length)
        for text, question in zip(texts, questions, strict=True)
        for label in question.labels
    ]


def decode(
    logits: np.ndarray,
    encodings: Sequence[Encoding],
    *,
    questions: Sequence[Question],
    dropped: tuple[str, ...],
    multi_label: bool,
    method: ZeroShotMethod,
    temperatures: Mapping[Reading, float] = UNCALIBRATED,
) -> list[ZeroShotResult]:
    """Results of `logits` (texts * labels, 3), in the order of the texts, which have equally many labels each."""
    count = len(questions[0].labels)
    each_alone = multi_label or count == 1
    per_text = logits.reshape(-1, count, 3)
    if each_alone:
        two = per_text[:, :, [CONTRADICTION, ENTAILMENT]]
        probabilities = softmax(two, temperature=temperatures["multi_label"])[:, :, 1]  # (texts, labels)
    else:
        probabilities = softmax(per_text[:, :, ENTAILMENT], temperature=temperatures["single_label"])
    results = []
    for index, row in enumerate(probabilities):
        scores = best_first(questions[index].labels, row)
        label, score = next(iter(scores.items()))
        results.append(
            ZeroShotResult(
                label=label,
                score=score,
                scores=scores,
                truncated=any(encoding.truncated for encoding in encodings[index * count : (index + 1) * count]),
                logits=tuple(tuple(values) for values in per_text[index].tolist()),
                multi_label=each_alone,
                dropped_labels=dropped,
                method=method,
            )
        )
    return results


def cosines(vectors: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(texts, labels) cosines of `vectors` (texts, H) with `labels` (labels, H)."""
    unit, unit_labels = (
        rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12) for rows in (vectors, labels)
    )
    return np.clip(unit @ unit_labels.T, -1.0, 1.0)


def nearest(near: np.ndarray, count: int) -> np.ndarray:
    """For each row of `near` (texts, labels) the indices of its `count` largest, in ascending order."""
    order = np.argsort(-near, axis=1, kind="stable")
    return np.sort(order[:, :count], axis=1)


def decode_vectors(
    near: np.ndarray,
    encodings: Sequence[Encoding],
    *,
    labels: Labels,
    temperatures: Mapping[Reading, float] = UNCALIBRATED,
) -> list[ZeroShotResult]:
    """Results of `near` (texts, labels), the cosines of each text with the labels: softmax of LOGIT_SCALE times these.

    `encodings` are the texts'.
    """
    probabilities = softmax(LOGIT_SCALE * near, temperature=temperatures["nearest_label"])
    results = []
    for row, values, encoding in zip(probabilities, near.tolist(), encodings, strict=True):
        scores = best_first(labels.names, row)
        label, score = next(iter(scores.items()))
        results.append(
            ZeroShotResult(
                label=label,
                score=score,
                scores=scores,
                truncated=encoding.truncated,
                logits=tuple((value,) for value in values),
                multi_label=False,
                dropped_labels=labels.dropped,
                method="embedding",
            )
        )
    return results
