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
            words=("0", "false", "不同", "不同义", "不匹配", "否", "no", "label_0"),
        ),
        LabelRole(
            key="same",
            name="相似",
            words=("1", "true", "相同", "同义", "匹配", "是", "similar", "yes", "label_1"),
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
