"""Zero-shot classification as natural language inference: does the text entail "这篇文章的标题是科技"?

Each pair of text and hypothesis has its own logits; only the softmax combines the labels of a text.

- By default exactly one label is true: softmax of the entailment logits over the labels.
- With `multi_label`, or a single label, each label is judged alone: softmax over contradiction and entailment. These
  scores do not add up to 1.

This takes one forward per label. A cheaper method takes one forward per text: it compares the vector of the text with
those of the hypotheses (`decode_vectors`). With many labels, it can also select the few that are then judged as above
(`nearest`). Both err on different texts, so that together they are right more often than either (`pooled`).
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from wenmo.errors import InputError
from wenmo.tasks.embedding import EMBEDDING
from wenmo.tasks.labels import Labels
from wenmo.tasks.scores import ranking, softmax
from wenmo.tasks.spec import LabelRole, TaskSpec
from wenmo.tokenizer import Encoding, Tokenizer
from wenmo.types import ZERO_SHOT_METHODS, TaskName, ZeroShotMethod, ZeroShotResult

# Indices of the logits, whose order is that of the roles: checkpoints with another one are permuted when they are read.
# Some have two classes, entailment or not; contradiction is the last in either case.
ENTAILMENT, CONTRADICTION = 0, -1
ZERO_SHOT = TaskSpec(
    name="zero_shot",
    title="Zero-shot classification",
    title_zh="零样本分类",
    summary="Which of the given labels fits each text, without training.",
    inputs="text",
    takes_labels=True,
    result=ZeroShotResult,
    roles=(
        LabelRole(
            key="entailment",
            name="entailment",
            words=("entail", "entails", "entailed", "蕴含", "蕴涵", "推出"),
        ),
        LabelRole(key="neutral", name="neutral", words=("中立", "中性", "无关", "不确定"), optional=True),
        LabelRole(
            key="contradiction",
            name="contradiction",
            words=(
                *("contradict", "contradicts", "contradictory", "contradicted", "矛盾"),
                # of models with two classes
                *("not_entailment", "non_entailment", "no_entailment", "not_entail", "not_entailed"),
                *("不蕴含", "不蕴涵", "非蕴含", "非蕴涵"),
            ),
        ),
    ),
    # single_label: softmax over labels; multi_label: over contradiction and entailment; nli: over all three logits;
    # ensemble: of the probabilities of single_label and of the bundled embedding model, see `pooled`.
    calibrations=("single_label", "multi_label", "nli", "ensemble"),
    bundled="wenmo-zero-shot",
    hub_task="zero-shot-classification",
    hub_general=("nli",),
    hub_ids=(
        "iic/nlp_structbert_zero-shot-classification_chinese-tiny",
        "iic/nlp_structbert_zero-shot-classification_chinese-base",
        "iic/nlp_structbert_zero-shot-classification_chinese-large",
    ),
    fixed_length=True,
)
SHORTLIST = 10  # labels that two_stage passes on to the NLI model; see benchmarks/zero_shot_methods.py
LOGIT_SCALE = 20.0  # logit = scale * cosine, as in the training of the bundled embedding model
DEFAULT_TEMPLATE = "{}"
MAX_HYPOTHESES = 4_000  # texts times labels of a page or a REST call


def check_template(template: str) -> str:
    """Returns `template` if the label can be inserted: it has one `{}`, or one or more `{0}`.

    Raises InputError otherwise, also for attribute access and format codes (`{0.x}`, `{:>9}`).
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
    """Raises InputError for an unknown method, or one that does not suit the other options."""
    if method not in ZERO_SHOT_METHODS:
        raise InputError(
            f"There is no method {method!r}. Choose from {', '.join(ZERO_SHOT_METHODS)}.",
            f"没有名为 {method!r} 的方法。可选：{'、'.join(ZERO_SHOT_METHODS)}。",
        )
    if method in ("embedding", "ensemble") and multi_label:
        raise InputError(
            "Vectors say which label is nearest, not whether each of several fits. Use the method nli or two_stage "
            "for several labels a text.",
            "向量只能说明哪个标签最近，不能逐一判断多个标签是否成立。"
            "多标签请用 nli（逐一判断）或 two_stage（先筛选，再判断）。",
        )
    if method in ("embedding", "ensemble") and labels < 2:
        raise InputError(
            "Vectors say which label is nearest, and a single one always is. Give a second label, or use the method "
            "nli, which says whether one holds.",
            "向量只能说明哪个标签最近，只有一个标签时它必然最近。请再给一个标签，或改用 nli 判断它是否成立。",
        )
    if shortlist < 1:
        raise InputError(
            f"The shortlist needs at least 1 label, not {shortlist}.",
            f"先筛选再判断时，至少要保留 1 个标签，而不是 {shortlist} 个。",
        )


def chosen_method(
    method: ZeroShotMethod, *, models: Mapping[TaskName, str], labels: int, multi_label: bool
) -> ZeroShotMethod:
    """`method`, or what auto stands for with these names of `models`.

    That is ensemble where both models are the bundled ones, whose probabilities were calibrated together, and labels
    compete; else nli, which is what ModelScope's pipeline does.
    """
    if method != "auto":
        return method
    bundled = models["zero_shot"] == ZERO_SHOT.bundled and models["embedding"] == EMBEDDING.bundled
    return "ensemble" if bundled and labels > 1 and not multi_label else "nli"


def hypotheses_each(labels: int, method: ZeroShotMethod, *, shortlist: int = SHORTLIST) -> int:
    """The number of pairs of a text and a label that are judged per text, with this number of labels; at least 1."""
    return {"embedding": 1, "two_stage": min(labels, shortlist)}.get(method, labels)


@dataclass(frozen=True, kw_only=True)
class Question:
    """A text and its candidate labels."""

    text: str
    labels: tuple[str, ...]


def encode(tokenizer: Tokenizer, questions: Sequence[Question], *, template: str, max_length: int) -> list[Encoding]:
    """One encoding per label of each question, in the order of the questions."""
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
    """The results for `logits` (texts * labels, classes), in the order of the texts, which have equally many labels."""
    count = len(questions[0].labels)
    each_alone = multi_label or count == 1
    per_text = logits.reshape(-1, count, logits.shape[-1])
    if each_alone:
        two = per_text[:, :, [CONTRADICTION, ENTAILMENT]]
        probabilities = softmax(two, temperature=temperatures.get("multi_label", 1.0))[:, :, 1]  # (texts, labels)
    else:
        probabilities = softmax(per_text[:, :, ENTAILMENT], temperature=temperatures.get("single_label", 1.0))
    return [
        ZeroShotResult(
            **ranking(questions[index].labels, row),
            truncated=any(encoding.truncated for encoding in encodings[index * count : (index + 1) * count]),
            logits=tuple(tuple(values) for values in per_text[index].tolist()),
            multi_label=each_alone,
            dropped_labels=dropped,
            method=method,
        )
        for index, row in enumerate(probabilities)
    ]


def nearest(near: np.ndarray, count: int) -> np.ndarray:
    """(texts, count): the indices of the largest values in each row of `near` (texts, labels), in ascending order."""
    order = np.argsort(-near, axis=1, kind="stable")
    return np.sort(order[:, :count], axis=1)


def pooled(
    result: ZeroShotResult,
    near: np.ndarray,
    *,
    labels: Labels,
    temperatures: Mapping[str, float],
    of_vectors: Mapping[str, float],
) -> ZeroShotResult:
    """`result` of the zero-shot model, pooled with the cosines `near` (labels,) of the same text."""
    logits = tuple((*values, cosine) for values, cosine in zip(result.logits, near.tolist(), strict=True))
    together = pooled_logits(logits, temperatures, of_vectors)
    probabilities = softmax(together, temperature=temperatures.get("ensemble", 1.0))
    return replace(result, **ranking(labels.names, probabilities), logits=logits, method="ensemble")


def pooled_logits(
    logits: Sequence[Sequence[float]], temperatures: Mapping[str, float], of_vectors: Mapping[str, float]
) -> np.ndarray:
    """(labels,): of the pool of both models, from each label's NLI logits and its cosine, which is the last.

    The logarithmic opinion pool with equal weights: the normalised geometric mean of both models' probabilities
    (Genest and Zidek, 1986, Statistical Science 1(1), 114-135). `temperatures` are those of the zero-shot model,
    `of_vectors` those of the embedding model.
    """
    table = np.asarray(logits)
    judged = table[:, ENTAILMENT] / temperatures.get("single_label", 1.0)
    compared = LOGIT_SCALE * table[:, -1] / of_vectors.get("nearest_label", 1.0)
    return (judged + compared) / 2


def decode_vectors(
    near: np.ndarray,
    encodings: Sequence[Encoding],
    *,
    labels: Labels,
    temperatures: Mapping[str, float],
) -> list[ZeroShotResult]:
    """The results for `near` (texts, labels), the cosines of texts and labels, by softmax of LOGIT_SCALE * near.

    `encodings` are those of the texts.
    """
    probabilities = softmax(LOGIT_SCALE * near, temperature=temperatures.get("nearest_label", 1.0))
    return [
        ZeroShotResult(
            **ranking(labels.names, row),
            truncated=encoding.truncated,
            logits=tuple((value,) for value in values),
            multi_label=False,
            dropped_labels=labels.dropped,
            method="embedding",
        )
        for row, values, encoding in zip(probabilities, near.tolist(), encodings, strict=True)
    ]
