"""Strings of the sentiment page."""

from __future__ import annotations

from collections.abc import Mapping

from wenmo.ui.localized import Text

STRINGS: Mapping[str, Text] = {
    "sentiment.intro": Text("一句话里是喜是怒？", "Happy or angry?"),
    "sentiment.texts": Text("文本", "Texts"),
    "sentiment.placeholder": Text("例如：汤头很鲜，老板还送了一碟泡菜", "For example: 汤头很鲜，老板还送了一碟泡菜"),
    "sentiment.read": Text("判断情绪", "Read the mood"),
    "sentiment.empty": Text("写下一条或多条评论，每行一条。", "Write one review or several, one per line."),
    "sentiment.positive": Text("正面概率", "Probability of positive"),
    "sentiment.leaning": Text("拿不准，略偏{label}", "not sure, leaning to {label}"),
    "sentiment.face": Text("情绪", "Mood"),
    "sentiment.label": Text("标签", "Label"),
    "sentiment.glad": Text("欣喜", "Happy"),
    "sentiment.neutral": Text("平淡", "In between"),
    "sentiment.angry": Text("不满", "Angry"),
    "sentiment.summary": Text(
        "共 {count} 条：😄 {glad} 条，😐 {neutral} 条，😠 {angry} 条",
        "{count} texts: 😄 {glad}, 😐 {neutral}, 😠 {angry}",
    ),
    "sentiment.faces_note": Text(
        "😐 表示正面概率在 40% 到 60% 之间，模型拿不准。",
        "😐 stands for a probability of positive between 40% and 60%: the model is not sure.",
    ),
    "sentiment.view": Text("方式", "View"),
    "sentiment.view.read": Text("看评论", "Read reviews"),
    "sentiment.view.compare": Text("比较两款", "Compare two"),
    "sentiment.aspects": Text("关注的方面（可不填）", "Aspects (optional)"),
    "sentiment.aspects_placeholder": Text("例如：物流/快递，价格，味道", "For example: 物流/快递，价格，味道"),
    "sentiment.aspects_help": Text(
        "用逗号分开，最多 {limit} 个；同一方面的几种说法用斜线连接。",
        "Separated by commas, at most {limit}; several words for one aspect are joined by slashes.",
    ),
    "sentiment.by_sentence": Text("逐句", "Sentence by sentence"),
    "sentiment.sentence": Text("句子", "Sentence"),
    "sentiment.by_sentence_note": Text(
        "每句单独读：墨为正面，朱为负面，越浓越有把握。整条的判断以上方为准，那里读的是全文，不是各句的平均。",
        "Each sentence is read alone: ink is positive, cinnabar negative, the denser the surer. The verdict on the "
        "whole stands above; there the whole text was read, it is no mean of these.",
    ),
    "sentiment.first_sentences": Text(
        "共 {count} 句，只读前 {limit} 句。", "{count} sentences; the first {limit} are read."
    ),
    "sentiment.first_aspects": Text(
        "共 {count} 个方面，只看前 {limit} 个。", "{count} aspects; the first {limit} are looked for."
    ),
    "sentiment.by_aspect": Text("按方面", "By aspect"),
    "sentiment.aspect": Text("方面", "Aspect"),
    "sentiment.mean_positive": Text("平均正面概率", "Mean probability of positive"),
    "sentiment.sentences": Text("句数", "Sentences"),
    "sentiment.by_aspect_note": Text(
        "这是提到该词的句子的情绪，不是模型专门对这一方面的判断：一句里夸快递又嫌贵，两个方面会得到同一个情绪。",
        "This is the mood of the sentences that mention the word, not a judgement of the aspect: a sentence that "
        "praises delivery and finds the price too high counts with its one mood for both.",
    ),
    "sentiment.product_name": Text("产品{side}的名称（可不填）", "Name of product {side} (optional)"),
    "sentiment.product_reviews": Text("产品{side}的评论", "Reviews of product {side}"),
    "sentiment.first": Text("甲", "A"),
    "sentiment.second": Text("乙", "B"),
    "sentiment.product": Text("产品", "Product"),
    "sentiment.compare": Text("比较", "Compare"),
    "sentiment.compare_empty": Text(
        "把两款产品的评论分别贴进来，每行一条。", "Paste the reviews of two products, one per line."
    ),
    "sentiment.verdict.better": Text(
        "{name}更受好评，高 {points} 个百分点", "{name} is better liked, by {points} points"
    ),
    "sentiment.verdict.open": Text(
        "相差 {points} 个百分点，可能只是偶然", "{points} points apart, which may be chance"
    ),
    "sentiment.verdict.few": Text(
        "相差 {points} 个百分点，评论太少，还不能下结论", "{points} points apart, by too few reviews to tell"
    ),
    "sentiment.difference": Text(
        "{first} 减 {second}：{value} 个百分点，95% 区间 {low} 到 {high}。",
        "{first} minus {second}: {value} points, 95% interval from {low} to {high}.",
    ),
    "sentiment.interval": Text("平均值的 95% 区间：{low} 到 {high}", "95% interval of the mean: {low} to {high}"),
    "sentiment.spread_alt": Text(
        "两款产品的评论在五段正面概率上的占比", "Shares of the two products' reviews over five ranges of probability"
    ),
    "sentiment.compare_note": Text(
        "各段为正面概率，柱高为占各自评论的比例。区间由评论重抽样（自助法）得出：换一批同类评论，平均值大致会落在其中；"
        "模型自身的误差不在其内。",
        "Ranges are of the probability of positive, heights are shares of each product's reviews. Intervals come from "
        "resampling the reviews (bootstrap): with other reviews of the kind the mean would be about there. The model's "
        "own errors are not in them.",
    ),
}
