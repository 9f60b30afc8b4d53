"""Strings of the home page and its tour."""

from __future__ import annotations

from collections.abc import Mapping

from wenmo.ui.localized import Text

STRINGS: Mapping[str, Text] = {
    "home.tagline": Text(
        "读懂中文句子：是否同义，是喜是怒，属于哪一类。",
        "Reads Chinese sentences: whether they mean the same, are happy or angry, and where they belong.",
    ),
    "home.try": Text("写两句话，看它们是否共鸣", "Write two sentences and see whether they resonate"),
    "home.similarity": Text(
        "两句对比，一对多排序，整组句子的相似度矩阵。",
        "Two sentences, one against many, or a whole matrix.",
    ),
    "home.sentiment": Text(
        "一条或多条评论的情绪，附把握程度，可下载。",
        "The mood of one review or many, how sure it is, and a file to keep.",
    ),
    "home.zero_shot": Text(
        "标签随手输入，不必训练，文本自动归类。",
        "Type the labels you want; texts are sorted into them, no training.",
    ),
    "home.notes_title": Text("说在前面", "Good to know"),
    "home.notes": Text(
        "- 自带的是小模型：六层、每层 384 维，单个 14 MB，在普通电脑的 CPU 上即可运行。\n"
        "- 它们会犯错，尤其是否定、数字、语序这类细微差别；概率是模型的把握，不是事实。\n"
        "- 需要更准时，可换用 ModelScope 上更大的 StructBERT 模型，设置见 README。\n"
        "- 文本只在运行本程序的机器上处理，不会发往别处。",
        "- The bundled models are small: six layers of 384, 14 MB each, made to run on an ordinary CPU.\n"
        "- They err, above all on negation, numbers and word order. A probability is how sure a model is, not a fact.\n"
        "- For better answers, use a larger StructBERT model from ModelScope; the README says how.\n"
        "- Texts are processed on the machine that runs this program and are sent nowhere else.",
    ),
    # The tour of the first visit
    "tour.open": Text("导览", "Take the tour"),
    "tour.label": Text("导览", "Tour"),
    "tour.back": Text("上一步", "Back"),
    "tour.on": Text("下一步", "Next"),
    "tour.done": Text("知道了", "Done"),
    "tour.close": Text("关闭导览", "Close the tour"),
    "tour.go": Text("去看看", "Go there"),
    "tour.read.title": Text("读句子", "Read sentences"),
    "tour.read.text": Text(
        "两句是否同义，评论是喜是怒，文本属于哪一类。每页都有例子，点一下就有结果。",
        "Do two sentences mean the same, is a review happy or angry, which label fits? Each page has examples to try.",
    ),
    "tour.files.title": Text("处理文件", "Work through files"),
    "tour.files.text": Text(
        "上传表格，整份判断，结果可以筛选、下载；有标注的数据还能在微调页训练模型。",
        "Upload a table, have all of it read, filter and download; with labels of your own, teach a model on Adapt.",
    ),
    "tour.costs.title": Text("算清代价", "See what it costs"),
    "tour.costs.text": Text(
        "显存页预测并实测，吞吐页在本机赛跑，汇报页分六步讲清省下了什么，可以导出。",
        "Memory predicts and measures, Throughput races on your machine, Story tells what was saved in six steps.",
    ),
    "tour.keep.title": Text("留住结果", "Keep results"),
    "tour.keep.text": Text(
        "地址就是结果，发给别人即可打开；问过的记在侧栏的历史里，只存在这个浏览器。程序如何调用，见服务页。",
        "The address holds the result: send it. What you asked is in the sidebar's history, in this browser alone. "
        "How programs call it is on Service.",
    ),
}
