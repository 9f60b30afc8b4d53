"""Sentence similarity by a cross-encoder: the input is `[CLS] a [SEP] b [SEP]`."""

from __future__ import annotations

from wenmo.tasks.spec import LabelRole, TaskSpec
from wenmo.types import SimilarityResult

SIMILARITY = TaskSpec(
    name="similarity",
    title="Sentence similarity",
    title_zh="句子相似度",
    summary="Whether the two sentences of each pair say the same (cross-encoder).",
    inputs="pair",
    result=SimilarityResult,
    roles=(
        LabelRole(
            key="different",
            name="不相似",
            words=(
                *("0", "false", "no", "not", "n", "label_0", "dissimilar", "not_similar", "unrelated", "irrelevant"),
                *(
                    "not_duplicate",
                    "not_paraphrase",
                    "not_equivalent",
                    "not_same",
                    "not_match",
                    "unmatched",
                    "mismatch",
                ),
                *("不同", "不同义", "不相同", "不匹配", "不等价", "不相关", "不重复", "否"),
            ),
        ),
        LabelRole(
            key="same",
            name="相似",
            words=(
                *("1", "true", "yes", "y", "label_1", "similar", "related", "relevant"),
                *("duplicate", "paraphrase", "equivalent", "match", "matched"),
                *("相同", "同义", "匹配", "等价", "相关", "重复", "是"),
            ),
        ),
    ),
    calibrations=("similarity",),
    bundled="wenmo-similarity",
    hub_task="sentence-similarity",
    hub_ids=(
        "iic/nlp_structbert_sentence-similarity_chinese-tiny",
        "iic/nlp_structbert_sentence-similarity_chinese-base",
        "iic/nlp_structbert_sentence-similarity_chinese-large",
        "iic/nlp_structbert_sentence-similarity_chinese-retail-base",
    ),
)
