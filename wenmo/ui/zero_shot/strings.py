"""Strings of the zero-shot page."""

from __future__ import annotations

from collections.abc import Mapping

from wenmo.ui.localized import Text

STRINGS: Mapping[str, Text] = {
    "zero_shot.intro": Text("标签由你来定，不必训练。", "You name the labels; no training needed."),
    "zero_shot.texts": Text("文本", "Texts"),
    "zero_shot.placeholder": Text(
        "例如：上个月的账单里多扣了我二十块钱", "For example: 上个月的账单里多扣了我二十块钱"
    ),
    "zero_shot.preview": Text("模型要判断的那句话：", "The sentence that the model judges:"),
    "zero_shot.threshold": Text("判定阈值", "Threshold"),
    "zero_shot.threshold_help": Text(
        "概率不低于此值的标签算作成立。移动它不必重算。",
        "Labels at or above it count as true. Moving it computes nothing anew.",
    ),
    "zero_shot.holding": Text("成立的标签", "Labels that apply"),
    "zero_shot.none_holds": Text("没有标签达到阈值", "No label reaches the threshold"),
    "zero_shot.rows": Text(
        "本次新算 {computed} 行，{found} 行取自已有结果。", "{computed} rows were computed, {found} were known before."
    ),
    "zero_shot.known": Text("已知标签", "Known label"),
    "zero_shot.right": Text("与已知标签相符：{of} 条中 {right} 条", "{right} of {of} known labels matched"),
    "zero_shot.confusion_note": Text(
        "行是已知标签，列是模型给出的标签，数值为条数，墨色为占该行的比例：对角线越浓越准。",
        "Rows are the known labels, columns what the model gave; numbers are texts, the ink their share of the row: "
        "the denser the diagonal, the better.",
    ),
    "zero_shot.surest": Text("每个标签最有把握的几条", "The surest texts of each label"),
    "zero_shot.classify": Text("分类", "Classify"),
    "zero_shot.empty": Text("给出标签，写下文本，按“分类”。", "Give some labels, write a text, and press Classify."),
    "zero_shot.best": Text("最可能的标签", "Best label"),
    "zero_shot.confidence": Text("概率", "Probability"),
    "zero_shot.text": Text("文本", "Text"),
    "zero_shot.label": Text("标签", "Label"),
    "zero_shot.matrix_alt": Text(
        "{texts} 条文本在 {labels} 个标签上的概率", "Probabilities of {labels} labels for {texts} texts"
    ),
    "zero_shot.top_only": Text(
        "图中是概率最高的 {shown} 个，共 {count} 个标签。",
        "The chart has the {shown} most probable of {count} labels.",
    ),
    "zero_shot.all_labels": Text("全部 {count} 个标签", "All {count} labels"),
    "zero_shot.one_label": Text(
        "只有一个标签：概率表示这个标签成立与否。再添一个，便是在其中选择。",
        "One label only: the probability tells whether it holds. With another one it is a choice between them.",
    ),
}
