"""Sentiment of single texts: `[CLS] text [SEP]`."""

from __future__ import annotations

from wenmo.tasks.spec import LabelRole, TaskSpec
from wenmo.types import SentimentResult

SENTIMENT = TaskSpec(
    name="sentiment",
    title="Sentiment",
    title_zh="情感倾向",
    summary="Whether each text is positive or negative.",
    inputs="text",
    result=SentimentResult,
    roles=(
        LabelRole(
            key="negative",
            name="负面",
            words=(
                *("0", "-1", "n", "no", "neg", "bad", "false", "label_0"),
                *("负", "负向", "负类", "负面情感", "负面情绪", "负性", "消极", "贬义", "差评", "差", "坏", "否"),
            ),
        ),
        LabelRole(
            key="positive",
            name="正面",
            words=(
                *("1", "p", "yes", "pos", "good", "true", "label_1"),
                *("正", "正向", "正类", "正面情感", "正面情绪", "正性", "积极", "褒义", "好评", "好", "是"),
            ),
        ),
    ),
    calibrations=("sentiment",),
    bundled="wenmo-sentiment",
    hub_task="sentiment-classification",
    hub_general=("text-classification",),
    hub_ids=(
        "iic/nlp_structbert_sentiment-classification_chinese-tiny",
        "iic/nlp_structbert_sentiment-classification_chinese-base",
        "iic/nlp_structbert_sentiment-classification_chinese-large",
    ),
)
