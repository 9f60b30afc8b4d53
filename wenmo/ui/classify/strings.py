"""Strings of the page of classifiers with labels of their own."""

from __future__ import annotations

from collections.abc import Mapping

from wenmo.ui.localized import Text

STRINGS: Mapping[str, Text] = {
    "classify.intro": Text(
        "用训练好的分类模型，按它自己的标签给文本分类：情绪、辱骂、工单类别……",
        "Texts sorted by a trained classifier into its own labels: emotions, abuse, kinds of requests …",
    ),
    "classify.no_model": Text(
        "这项任务没有自带模型。可以在“模型”页选用现成的分类模型，或用自己标注的表格训练一个。",
        "No model is bundled for this task. Choose a classifier on the Models page, or train one on labelled rows of "
        "your own.",
    ),
    "classify.take_one": Text("选用一个模型", "Choose a model"),
    "classify.train_one": Text("训练一个模型", "Train a model"),
    "classify.model": Text("{name}：{count} 个标签", "{name}: {count} labels"),
    "classify.texts": Text("文本，每行一条", "Texts, one per line"),
    "classify.placeholder": Text("例如：等了一个星期还没发货", "For example: 等了一个星期还没发货"),
    "classify.sort": Text("分类", "Classify"),
    "classify.empty": Text("写下一条或多条文本。", "Write one text or several."),
    "classify.label": Text("标签", "Label"),
    "classify.confidence": Text("概率", "Probability"),
    "classify.text": Text("文本", "Text"),
    "classify.best": Text("最可能的标签", "The most likely label"),
    "classify.top_only": Text("图中为前 {shown} 个，共 {count} 个。", "The chart shows the first {shown} of {count}."),
    "classify.chart_alt": Text("{count} 个标签的概率", "Probabilities of {count} labels"),
    "classify.counts": Text("各标签的条数", "Texts by label"),
    "classify.counts_alt": Text("{count} 条文本按标签的数目", "{count} texts by their label"),
}
