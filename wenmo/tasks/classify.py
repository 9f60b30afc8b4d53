"""Any other classifier of single texts: the labels are the checkpoint's own, 2 of them or 200."""

from __future__ import annotations

from wenmo.tasks.spec import TaskSpec
from wenmo.types import ClassifyResult

CLASSIFY = TaskSpec(
    name="classify",
    title="Classification",
    title_zh="自有分类",
    summary="Which of the model's own labels each text has; needs a model that was trained for them.",
    inputs="text",
    result=ClassifyResult,
    calibrations=("classify",),
    adapts="wenmo-embedding",
    hub_task="text-classification",
    hub_general=("text-classification",),
    hub_ids=(
        "iic/nlp_structbert_emotion-classification_chinese-tiny",
        "iic/nlp_structbert_emotion-classification_chinese-base",
        "iic/nlp_structbert_emotion-classification_chinese-large",
        "iic/nlp_structbert_abuse-detect_chinese-tiny",
    ),
)
