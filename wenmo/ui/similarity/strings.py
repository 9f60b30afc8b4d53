"""Strings of the similarity page. Those of the pair form, which the home page shows too, are in the shell's."""

from __future__ import annotations

from collections.abc import Mapping

from wenmo.ui.localized import Text

STRINGS: Mapping[str, Text] = {
    "similarity.intro": Text("两句话说的是不是同一件事？", "Do sentences say the same thing?"),
    "similarity.mode": Text("方式", "Mode"),
    "similarity.mode.pair": Text("两句", "Pair"),
    "similarity.mode.ranking": Text("一对多", "One to many"),
    "similarity.mode.matrix": Text("矩阵", "Matrix"),
    "similarity.query": Text("待比较的句子", "Sentence"),
    "similarity.candidates": Text("候选句子", "Candidates"),
    "similarity.rank": Text("排序", "Rank"),
    "similarity.ranking_empty": Text(
        "写一句话和若干候选，按同义概率从高到低排列。",
        "Write a sentence and some candidates; they are ranked by the probability of meaning the same.",
    ),
    "similarity.ranking_best": Text("最接近的", "Closest"),
    "similarity.ranking_none": Text("没有合适的", "None fits"),
    "similarity.ranking_nearest": Text(
        "最接近的一句，同义概率也只有 {score}；下面仍按概率排列。",
        "Even the closest has a probability of {score}; below they are ranked all the same.",
    ),
    "similarity.sentences": Text("句子", "Sentences"),
    "similarity.draw": Text("绘制矩阵", "Draw the matrix"),
    "similarity.matrix_empty": Text(
        "写下至少两句话；格子与底色反差越大，意思越近。",
        "Write two sentences or more: the more a cell stands out, the closer the meaning.",
    ),
    "similarity.measure": Text("比较方式", "Measure"),
    "similarity.measure.auto": Text("自动：{limit} 句以内逐对判断", "Automatic: pair by pair up to {limit}"),
    "similarity.measure.probability": Text("逐对判断（同义概率）", "Pair by pair (probability)"),
    "similarity.measure.cosine": Text("向量余弦", "Cosine of vectors"),
    "similarity.measure_help": Text(
        "逐对判断：交叉编码器，较准，200 句约两万对，要算半分钟左右。向量余弦：每句只算一次，很快，但较粗，"
        "尤其分不清正话与反话。",
        "Pair by pair: the cross-encoder, the better measure; 200 sentences make 20,000 pairs, about half a minute. "
        "Cosine of vectors: one pass a sentence, fast and coarser; above all it does not tell a statement from its "
        "negation.",
    ),
    "similarity.threshold": Text("近似重复的阈值", "Threshold for near-duplicates"),
    "similarity.threshold_help": Text(
        "不低于此值的两句归为一组；甲似乙、乙似丙，则三句同组。移动它不必重算。",
        "Two sentences at or above it belong to one group; where A is like B and B like C, all three do. Moving it "
        "computes nothing anew.",
    ),
    "similarity.matrix_note.probability": Text(
        "交叉编码器读了 {pairs} 对（含自身），每对按书写先后读一次，上下对称。与底色反差越大越相近；"
        "相近的句子排在一起，赭框为一组。",
        "The cross-encoder read {pairs} pairs (each sentence with itself, too), once, in the order written, and "
        "mirrored. The more a cell stands out, the closer the meaning. Like stands beside like; an ochre "
        "square is a group.",
    ),
    "similarity.matrix_note.cosine": Text(
        "{count} 句各算一次向量，再求 {pairs} 对夹角余弦。与底色反差越大越相近；相近的句子排在一起，赭框为一组。"
        "余弦不是概率。",
        "{count} vectors, one pass a sentence, and the cosines of their {pairs} pairs. The more a cell stands out, the "
        "closer. Like stands beside like; an ochre square is a group. A cosine is no probability.",
    ),
    "similarity.matrix_alt.probability": Text(
        "{count} 句话两两之间的同义概率，相近的排在一起",
        "Probabilities of same meaning among {count} sentences, like beside like",
    ),
    "similarity.matrix_alt.cosine": Text(
        "{count} 句话两两之间的向量余弦，相近的排在一起", "Cosines among {count} sentences, like beside like"
    ),
    "similarity.groups": Text(
        "近似重复：{of} 句中有 {sentences} 句，分 {groups} 组",
        "Near-duplicates: {sentences} of {of} sentences, in {groups} groups",
    ),
    "similarity.no_groups": Text(
        "在此阈值下没有近似重复的句子。", "No two sentences are near-duplicates at this threshold."
    ),
    "similarity.group": Text("组", "Group"),
    "similarity.number": Text("行号", "Line"),
    "similarity.weakest": Text("组内最低", "Lowest in group"),
    "similarity.groups_note": Text(
        "“组内最低”是同组里最不相似的两句：明显低于阈值时，说明它们只是隔着别的句子连在一起。",
        '"Lowest in group" is of the two sentences least alike: far below the threshold, they hang together through '
        "others only.",
    ),
    "similarity.download_groups": Text("下载分组 CSV", "Download groups (CSV)"),
    "similarity.download_matrix": Text("下载矩阵 CSV", "Download matrix (CSV)"),
}
