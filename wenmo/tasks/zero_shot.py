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
from wenmo.tasks.labels import Labels
from wenmo.tasks.scores import best_first, softmax
from wenmo.tasks.spec import LabelRole, TaskSpec
from wenmo.tokenizer import Encoding, Tokenizer
from wenmo.types import ZERO_SHOT_METHODS, ZeroShotMethod, ZeroShotResult

ENTAILMENT, NEUTRAL, CONTRADICTION = 0, 1, 2  # the logits, fixed in ModelScope's pipeline whatever the files say
ZERO_SHOT = TaskSpec(
    name="zero_shot",
    title="Zero-shot classification",
    title_zh="零样本分类",
    summary="Which of the given labels fits each text, without training.",
    inputs="text",
    takes_labels=True,
    result=ZeroShotResult,
    roles=tuple(LabelRole(key=name, name=name) for name in ("entailment", "neutral", "contradiction")),
    # Single-label: a softmax over labels; multi-label: over contradiction and entailment; nli: over all three logits.
    calibrations=("single_label", "multi_label", "nli"),
    bundled="wenmo-zero-shot",
    hub_task="zero-shot-classification",
    hub_ids=(
        "iic/nlp_structbert_zero-shot-classification_chinese-tiny",
        "iic/nlp_structbert_zero-shot-classification_chinese-base",
        "iic/nlp_structbert_zero-shot-classification_chinese-large",
    ),
    fixed_length=True,
)
SHORTLIST = 10  # labels that two_stage has judged; see benchmarks/zero_shot_methods.py
LOGIT_SCALE = 20.0  # a cosine times this is a logit: what the bundled embedding model was trained with
DEFAULT_TEMPLATE = "{}"
MAX_HYPOTHESES = 4_000  # of one call of a person or a program: each is a forward of its own


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
    tokens = tokenizer.tokenize([template.format(label) for label in labels], limit=max_length)
    hypotheses = dict(zip(labels, tokens, strict=True))
    texts = tokenizer.tokenize([question.text for question in questions], limit=max_length)
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
    temperatures: Mapping[str, float],
) -> list[ZeroShotResult]:
    """Results of `logits` (texts * labels, 3), in the order of the texts, which have equally many labels each."""
    count = len(questions[0].labels)
    each_alone = multi_label or count == 1
    per_text = logits.reshape(-1, count, 3)
    if each_alone:
        two = per_text[:, :, [CONTRADICTION, ENTAILMENT]]
        probabilities = softmax(two, temperature=temperatures.get("multi_label", 1.0))[:, :, 1]  # (texts, labels)
    else:
        probabilities = softmax(per_text[:, :, ENTAILMENT], temperature=temperatures.get("single_label", 1.0))
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


def nearest(near: np.ndarray, count: int) -> np.ndarray:
    """For each row of `near` (texts, labels) the indices of its `count` largest, in ascending order."""
    order = np.argsort(-near, axis=1, kind="stable")
    return np.sort(order[:, :count], axis=1)


def decode_vectors(
    near: np.ndarray,
    encodings: Sequence[Encoding],
    *,
    labels: Labels,
    temperatures: Mapping[str, float],
) -> list[ZeroShotResult]:
    """Results of `near` (texts, labels), the cosines of each text with the labels: softmax of LOGIT_SCALE times these.

    `encodings` are the texts'.
    """
    probabilities = softmax(LOGIT_SCALE * near, temperature=temperatures.get("nearest_label", 1.0))
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
