"""Every word that the app says, in Chinese and in English: one mapping, so that neither language can lack a line.

`say("similarity.verdict.same")` answers in the reader's language. Values put into a text (`say(key, count=3)`) are
numbers and names of the app's own: these texts are Markdown, and what a user typed never goes through here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import streamlit as st

from wenmo.errors import Language

LANGUAGE_KEY = "lang"  # of the widget, and so of the address: ?lang=en
LANGUAGES: Mapping[Language, str] = {"zh": "中文", "en": "English"}


class Text(NamedTuple):
    """One line of the app."""

    zh: str
    en: str


TEXTS: Mapping[str, Text] = {
    # The shell
    "app.name": Text("文墨共鸣", "Wenmo"),
    "app.home": Text("首页", "Home"),
    "app.similarity": Text("句子相似度", "Similarity"),
    "app.sentiment": Text("情感倾向", "Sentiment"),
    "app.zero_shot": Text("零样本分类", "Zero-shot"),
    "app.memory": Text("显存", "Memory"),
    "app.throughput": Text("吞吐", "Throughput"),
    "app.story": Text("汇报", "Story"),
    "app.models": Text("模型", "Models"),
    "app.batch": Text("批量", "Batch"),
    "app.service": Text("服务", "Service"),
    "app.adapt": Text("微调", "Adapt"),
    "app.working": Text("正在研墨……", "Grinding ink …"),
    "app.progress": Text("{done} / {of}", "{done} / {of}"),
    "app.stop": Text("停止", "Stop"),
    "app.stopped": Text("已停止。", "Stopped."),
    "app.start_again": Text("重新开始", "Start again"),
    "app.starting": Text("正在准备引擎……", "Preparing the engine …"),
    "app.examples": Text("试一试", "Try one"),
    "app.download": Text("下载 CSV", "Download CSV"),
    "app.truncated": Text(
        "文本超过模型的长度上限，只读取了前面的部分。",
        "The text is longer than the model reads; only its first part was read.",
    ),
    "app.truncated_some": Text(
        "有 {count} 条超过模型的长度上限，只读取了前面的部分。",
        "{count} texts are longer than the model reads; only their first parts were read.",
    ),
    "app.lines_help": Text(
        "每行一条，空行不计，最多 {limit} 条。Ctrl+Enter 提交。",
        "One a line; blank lines do not count; at most {limit}. Ctrl+Enter submits.",
    ),
    "app.copy.label": Text("复制", "Copy"),
    "app.copy.done": Text("已复制", "Copied"),
    "app.copy.failed": Text("未能复制", "Not copied"),
    "app.not_shared": Text(
        "输入共 {length} 个字符，超过 {limit}，没有写进地址：这个结果不能用链接分享。",
        "The inputs have {length} characters, more than {limit}, and are not in the address: this result cannot be "
        "shared by a link.",
    ),
    # The history in the sidebar
    "history.title": Text("历史", "History"),
    "history.empty": Text(
        "问过的会记在这里，只存在这个浏览器里。", "What you ask is kept here, in this browser alone."
    ),
    "history.note": Text(
        "只存在这个浏览器里，最多 50 条。点一条即重新打开。",
        "Kept in this browser alone, 50 at most. Click one to open it again.",
    ),
    "history.unavailable": Text(
        "无法保存：浏览器不允许、空间已满或内容已损坏。清空或可恢复。",
        "It cannot be kept: the browser does not allow it, is full, or holds something else. Clearing may mend that.",
    ),
    "history.clear": Text("清空", "Clear"),
    "history.export": Text("导出", "Export"),
    "history.pair": Text("两句", "Pair"),
    "history.ranking": Text("排序", "Ranking"),
    "history.matrix": Text("矩阵", "Matrix"),
    "history.sentiment": Text("情绪", "Mood"),
    "history.products": Text("比较", "Compare"),
    "history.zero_shot": Text("分类", "Labels"),
    # The sidebar
    "status.title": Text("运行状态", "In use"),
    "status.models": Text("模型", "Model"),
    "status.device": Text("设备", "Device"),
    "status.precision": Text("精度", "Precision"),
    "status.batch": Text("批次上限", "Batch"),
    "status.pieces": Text("{value} 词元", "{value} pieces"),
    "status.memory": Text("进程内存", "Process memory"),
    "status.gpu_memory": Text("显存", "GPU memory"),
    "status.mib": Text("{value} MiB", "{value} MiB"),
    "status.of_mib": Text("{value} / {total} MiB", "{value} / {total} MiB"),
    "status.loaded": Text("已载入", "loaded"),
    "status.waiting": Text("首次使用时载入", "loads at first use"),
    # Home
    "home.tagline": Text(
        "读懂中文句子：是否同义，是喜是怒，属于哪一类。",
        "Reads Chinese sentences: do they mean the same, are they glad or angry, where do they belong.",
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
        "Do two sentences mean the same, is a review glad or angry, which label fits. Each page has examples to click.",
    ),
    "tour.files.title": Text("处理文件", "Work through files"),
    "tour.files.text": Text(
        "上传表格，成批判读，结果可以筛选、下载；有标签的数据还能在微调页教会模型。",
        "Upload a table, have all of it read, filter and download; with labels of your own, teach a model on Adapt.",
    ),
    "tour.costs.title": Text("算清代价", "See what it costs"),
    "tour.costs.text": Text(
        "显存页预测并实测，吞吐页在本机赛跑，汇报页把省下的讲成六步，可以导出。",
        "Memory predicts and measures, Throughput races on your machine, Story tells what was saved in six steps.",
    ),
    "tour.keep.title": Text("留住结果", "Keep results"),
    "tour.keep.text": Text(
        "地址就是结果，发给别人即可打开；问过的记在侧栏的历史里，只存在这个浏览器。程序怎样调用，见服务页。",
        "The address holds the result: send it. What you asked is in the sidebar's history, in this browser alone. "
        "How programs call it is on Service.",
    ),
    "home.notes_title": Text("说在前面", "To be plain"),
    "home.notes": Text(
        "- 随附的是小模型：几层、每层 256 维，单个不到 12 MB，在普通电脑的 CPU 上即可运行。\n"
        "- 它们会犯错，尤其是否定、数字、语序这类细微差别；概率是模型的把握，不是事实。\n"
        "- 需要更准时，可换用 ModelScope 上更大的 StructBERT 模型，设置见 README。\n"
        "- 文本只在运行本程序的机器上处理，不会发往别处。",
        "- The bundled models are small: a few layers of 256, under 12 MB each, made to run on an ordinary CPU.\n"
        "- They err, above all on negation, numbers and word order. A probability is how sure a model is, no fact.\n"
        "- For better answers set a larger StructBERT model from ModelScope; the README says how.\n"
        "- Texts are worked on by the machine that runs this program and are sent nowhere else.",
    ),
    # Similarity
    "similarity.intro": Text("两句话说的是不是同一件事？", "Do sentences say the same thing?"),
    "similarity.mode": Text("方式", "Mode"),
    "similarity.mode.pair": Text("两句", "Pair"),
    "similarity.mode.ranking": Text("一对多", "One to many"),
    "similarity.mode.matrix": Text("矩阵", "Matrix"),
    "similarity.first": Text("第一句", "First sentence"),
    "similarity.second": Text("第二句", "Second sentence"),
    "similarity.first_placeholder": Text("例如：周末去哪儿爬山比较好", "For example: 周末去哪儿爬山比较好"),
    "similarity.second_placeholder": Text("例如：周末爬山有什么好去处", "For example: 周末爬山有什么好去处"),
    "similarity.compare": Text("比较", "Compare"),
    "similarity.probability": Text("同义概率", "Probability of same meaning"),
    "similarity.probability_help": Text(
        "交叉编码器：两句一起读，逐字对照，给出“意思相同”的概率。较准，但每一对都要算一次。",
        "Cross-encoder: both sentences are read together, and it answers the probability that they mean the same. "
        "The better measure; each pair costs one pass.",
    ),
    "similarity.cosine": Text("向量余弦", "Cosine of vectors"),
    "similarity.cosine_help": Text(
        "两句各自平均池化成向量，再求夹角余弦，范围 −1 到 1。便宜，但较粗；它不是概率，两者不可互相换算。",
        "Each sentence is mean-pooled into a vector of its own; the cosine of their angle, from −1 to 1. Cheap and "
        "coarser; not a probability, and not to be compared with one.",
    ),
    "similarity.verdict.same": Text("意思相同", "Same meaning"),
    "similarity.verdict.likely_same": Text("多半同义", "Probably the same"),
    "similarity.verdict.unsure": Text("难以断定", "Hard to say"),
    "similarity.verdict.likely_different": Text("多半不同", "Probably different"),
    "similarity.verdict.different": Text("意思不同", "Different meaning"),
    "similarity.pair_empty": Text("写下两句话，按 Enter 比较。", "Write two sentences and press Enter."),
    "similarity.query": Text("要比的句子", "Sentence"),
    "similarity.candidates": Text("候选句子", "Candidates"),
    "similarity.rank": Text("排序", "Rank"),
    "similarity.ranking_empty": Text(
        "写一句话和若干候选，按同义概率从高到低排列。",
        "Write a sentence and some candidates; they are ranked by the probability of meaning the same.",
    ),
    "similarity.sentences": Text("句子", "Sentences"),
    "similarity.draw": Text("绘制矩阵", "Draw the matrix"),
    "similarity.matrix_empty": Text(
        "写下至少两句话；格子与底色反差越大，意思越近。",
        "Write two sentences or more: the more a cell stands out, the closer the meaning.",
    ),
    "similarity.measure": Text("怎样比", "Measure"),
    "similarity.measure.auto": Text("自动：{limit} 句以内逐对读", "Automatic: pair by pair up to {limit}"),
    "similarity.measure.probability": Text("逐对读（同义概率）", "Pair by pair (probability)"),
    "similarity.measure.cosine": Text("向量余弦", "Cosine of vectors"),
    "similarity.measure_help": Text(
        "逐对读：交叉编码器，较准，200 句约两万对，要算半分钟左右。向量余弦：每句只算一次，很快，但较粗，"
        "尤其分不清正话与反话。",
        "Pair by pair: the cross-encoder, the better measure; 200 sentences make 20,000 pairs, about half a minute. "
        "Cosine of vectors: one pass a sentence, fast and coarser; above all it does not tell a statement from its "
        "negation.",
    ),
    "similarity.threshold": Text("近似重复的门槛", "Threshold for near-duplicates"),
    "similarity.threshold_help": Text(
        "不低于此值的两句归为一组；甲似乙、乙似丙，则三句同组。移动它不必重算。",
        "Two sentences at or above it belong to one group; where A is like B and B like C, all three do. Moving it "
        "computes nothing anew.",
    ),
    "similarity.matrix_note.probability": Text(
        "交叉编码器读了 {pairs} 对（含自身），每对按书写先后读一次，上下对称。与底色反差越大越相近；"
        "相近的句子排在一起，朱框为一组。",
        "The cross-encoder read {pairs} pairs (each sentence with itself, too), once, in the order written, and "
        "mirrored. The more a cell stands out, the closer the meaning. Like stands beside like; a cinnabar "
        "square is a group.",
    ),
    "similarity.matrix_note.cosine": Text(
        "{count} 句各算一次向量，再求 {pairs} 对夹角余弦。与底色反差越大越相近；相近的句子排在一起，朱框为一组。"
        "余弦不是概率。",
        "{count} vectors, one pass a sentence, and the cosines of their {pairs} pairs. The more a cell stands out, the "
        "closer. Like stands beside like; a cinnabar square is a group. A cosine is no probability.",
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
        "在此门槛下没有近似重复的句子。", "No two sentences are near-duplicates at this threshold."
    ),
    "similarity.group": Text("组", "Group"),
    "similarity.number": Text("行号", "Line"),
    "similarity.weakest": Text("组内最低", "Lowest in group"),
    "similarity.groups_note": Text(
        "“组内最低”是同组里最不相似的两句：明显低于门槛时，说明它们只是隔着别的句子连在一起。",
        '"Lowest in group" is of the two sentences least alike: far below the threshold, they hang together through '
        "others only.",
    ),
    "similarity.download_groups": Text("下载分组 CSV", "Download groups (CSV)"),
    "similarity.download_matrix": Text("下载矩阵 CSV", "Download matrix (CSV)"),
    # Sentiment
    "sentiment.intro": Text("一句话里是喜是怒？", "Glad or angry?"),
    "sentiment.texts": Text("文本", "Texts"),
    "sentiment.placeholder": Text("例如：汤头很鲜，老板还送了一碟泡菜", "For example: 汤头很鲜，老板还送了一碟泡菜"),
    "sentiment.read": Text("读情绪", "Read the mood"),
    "sentiment.empty": Text("写下一条或多条评论，每行一条。", "Write one review or several, one a line."),
    "sentiment.positive": Text("正面概率", "Probability of positive"),
    "sentiment.confidence": Text("把握", "Confidence"),
    "sentiment.face": Text("情绪", "Mood"),
    "sentiment.text": Text("文本", "Text"),
    "sentiment.label": Text("标签", "Label"),
    "sentiment.glad": Text("欣喜", "Glad"),
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
    "sentiment.view.read": Text("读评论", "Read reviews"),
    "sentiment.view.compare": Text("比两款", "Compare two"),
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
    "sentiment.first": Text("甲", "A"),
    "sentiment.second": Text("乙", "B"),
    "sentiment.product": Text("产品", "Product"),
    "sentiment.compare": Text("比较", "Compare"),
    "sentiment.compare_empty": Text(
        "把两款产品的评论分别贴进来，每行一条。", "Paste the reviews of two products, one a line."
    ),
    "sentiment.verdict.first": Text("甲更受好评，高 {points} 个百分点", "A is better liked, by {points} points"),
    "sentiment.verdict.second": Text("乙更受好评，高 {points} 个百分点", "B is better liked, by {points} points"),
    "sentiment.verdict.open": Text(
        "相差 {points} 个百分点，可能只是偶然", "{points} points apart, which may be chance"
    ),
    "sentiment.verdict.few": Text(
        "相差 {points} 个百分点，评论太少，不足为凭", "{points} points apart, by too few reviews to tell"
    ),
    "sentiment.difference": Text(
        "甲减乙：{value} 个百分点，95% 区间 {low} 到 {high}。",
        "A minus B: {value} points, 95% interval from {low} to {high}.",
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
    # Zero-shot
    "zero_shot.intro": Text("标签由你来定，不必训练。", "You name the labels; nothing is trained."),
    "zero_shot.texts": Text("文本", "Texts"),
    "zero_shot.placeholder": Text(
        "例如：上个月的账单里多扣了我二十块钱", "For example: 上个月的账单里多扣了我二十块钱"
    ),
    "zero_shot.labels": Text("标签", "Labels"),
    "zero_shot.labels_placeholder": Text("输入一个，按 Enter；也可粘贴一串", "Type one, press Enter; or paste several"),
    "zero_shot.labels_help": Text(
        "每个标签输入后按 Enter；也可粘贴用逗号（，或 ,）分开的一串，最多 {limit} 个。增删标签，结果随即更新。",
        "Enter after each label; or paste several between commas (, or ，), at most {limit}. Labels put in or taken "
        "out count at once.",
    ),
    "zero_shot.preview": Text("模型要判断的那句话：", "The sentence that the model judges:"),
    "zero_shot.threshold": Text("成立的门槛", "Threshold"),
    "zero_shot.threshold_help": Text(
        "概率不低于此值的标签算作成立。移动它不必重算。",
        "Labels at or above it count as true. Moving it computes nothing anew.",
    ),
    "zero_shot.holding": Text("成立的标签", "Labels that hold"),
    "zero_shot.none_holds": Text("没有标签达到门槛", "No label reaches the threshold"),
    "zero_shot.rows": Text(
        "本次新算 {computed} 行，{found} 行取自已有结果。", "{computed} rows were computed, {found} were known before."
    ),
    "zero_shot.known": Text("已知标签", "Known label"),
    "zero_shot.right": Text("与已知标签相符：{of} 条中 {right} 条", "Right for {right} of {of} known labels"),
    "zero_shot.confusion_note": Text(
        "行是已知标签，列是模型给出的标签，数值为条数，墨色为占该行的比例：对角线越浓越准。",
        "Rows are the known labels, columns what the model gave; numbers are texts, the ink their share of the row: "
        "the denser the diagonal, the better.",
    ),
    "zero_shot.surest": Text("每个标签最有把握的几条", "The surest texts of each label"),
    "zero_shot.template": Text("模板", "Template"),
    "zero_shot.template_help": Text(
        "标签放进 {{}} 处，成为模型判断的那句话。必须有且只有一处 {{}}，例如：这段话说的是{{}}",
        "The label goes to {{}} and makes the sentence that the model judges. Exactly one {{}}, for example: "
        "这段话说的是{{}}",
    ),
    "zero_shot.multi_label": Text("可多选", "Several may be true"),
    "zero_shot.multi_label_help": Text(
        "打开后每个标签单独判断，概率之和不必为 1。",
        "Each label is judged alone; the probabilities need not add up to 1.",
    ),
    "zero_shot.method": Text("判断方法", "Method"),
    "zero_shot.method.nli": Text("逐一判断", "Judge each label"),
    "zero_shot.method.two_stage": Text("先筛选，再判断", "Shortlist, then judge"),
    "zero_shot.method.embedding": Text("只比向量", "Nearest vector"),
    "zero_shot.method_help": Text(
        "逐一判断最准，标签越多越慢。先筛选：只判断向量最近的 {shortlist} 个标签，适合几十个以上的标签。"
        "只比向量：快慢与标签数无关，准确率低得多。",
        "Judging each label is the most accurate and takes longer with every label. The shortlist is of the "
        "{shortlist} labels whose vectors are nearest: for some dozens of labels and more. Nearest vector: as fast "
        "with many labels as with few, and far less accurate.",
    ),
    "zero_shot.method_note.two_stage": Text(
        "标签超过 {shortlist} 个时，只判断向量最近的 {shortlist} 个，概率在它们之间分配。",
        "Of more than {shortlist} labels only the {shortlist} with the nearest vectors were judged; the probabilities "
        "are shared among these.",
    ),
    "zero_shot.method_note.embedding": Text(
        "概率由文本与各标签的向量余弦得出，没有经过零样本模型判断。",
        "The probabilities come from the cosines of the vectors of text and labels; the zero-shot model was not asked.",
    ),
    "zero_shot.classify": Text("分类", "Classify"),
    "zero_shot.empty": Text("给出标签，写下文本，按“分类”。", "Give some labels, write a text, and press Classify."),
    "zero_shot.best": Text("最可能的标签", "Best label"),
    "zero_shot.confidence": Text("概率", "Probability"),
    "zero_shot.text": Text("文本", "Text"),
    "zero_shot.label": Text("标签", "Label"),
    "zero_shot.chart_alt": Text("{count} 个标签的概率，从高到低", "Probabilities of {count} labels, best first"),
    "zero_shot.matrix_alt": Text(
        "{texts} 条文本在 {labels} 个标签上的概率", "Probabilities of {labels} labels for {texts} texts"
    ),
    "zero_shot.top_only": Text(
        "图中是前 {shown} 个标签，全部 {count} 个在下表。",
        "The chart shows the first {shown} labels; all {count} are in the table.",
    ),
    "zero_shot.dropped": Text(
        "有 {count} 个标签空白或重复，没有计入。", "{count} labels were blank or given twice and were left out."
    ),
    "zero_shot.one_label": Text(
        "只有一个标签：概率表示这个标签成立与否。再添一个，便是在其中选择。",
        "One label only: the probability tells whether it holds. With another one it is a choice between them.",
    ),
    # The choice of models, in the sidebar
    "models.similarity": Text("相似度模型", "Model for similarity"),
    "models.sentiment": Text("情感模型", "Model for sentiment"),
    "models.zero_shot": Text("零样本模型", "Model for zero-shot"),
    "models.embedding": Text("向量模型", "Model for vectors"),
    # Adapt
    "adapt.intro": Text(
        "用您自己标注的几十到几千行，把模型调得更合用。文件只在本机处理，训练完即丢弃。",
        "Make a model fit your texts with some tens to thousands of labelled rows. The file stays on this machine and "
        "is let go of after training.",
    ),
    "adapt.task": Text("任务", "Task"),
    "labelled.file": Text("标注好的文件", "Labelled file"),
    "labelled.file_help": Text(
        "CSV、TSV、JSONL、Parquet 或 Excel，至少 20 行，每个标签至少 4 行，最多 20,000 行。"
        "情感与相似度的标签为 0/1 或词（如 差评/好评、不相似/相似）；零样本的标签即主题。",
        "CSV, TSV, JSONL, Parquet or Excel: at least 20 rows, 4 of each label, at most 20,000. Labels of sentiment and "
        "similarity are 0/1 or words (差评/好评, different/same); those of zero-shot are the topics.",
    ),
    "adapt.sample": Text("螺蛳粉评论", "Reviews of snail noodles"),
    "adapt.sample_note": Text(
        "60 条虚构的评论：在爱吃螺蛳粉的人看来，臭是夸奖，清淡是抱怨。原来的模型正好读反。",
        "60 invented reviews: to those who love snail noodles, stinking is praise and mild is a complaint. The model "
        "as it is reads them the wrong way round.",
    ),
    "adapt.empty": Text("上传文件，或用示例试试。", "Upload a file, or try the example."),
    "labelled.column.text": Text("文本列", "Column of texts"),
    "labelled.column.text_a": Text("第一句的列", "Column of first sentences"),
    "labelled.column.text_b": Text("第二句的列", "Column of second sentences"),
    "labelled.column.label": Text("标签列", "Column of labels"),
    "labelled.value": Text("文件中的标签", "Label in the file"),
    "labelled.meaning": Text("理解为", "Taken for"),
    "labelled.rows": Text("行数", "Rows"),
    "adapt.distinct": Text(
        "共 {count} 行可用：六成学习，一成半决定何时停止，两成半只用于前后对比。",
        "{count} rows can be used: 60% are learnt, 15% decide when to stop, 25% only compare before and after.",
    ),
    "labelled.left_out": Text(
        "未计入：{skipped} 行有空格，{repeated} 行重复，{contradicting} 行同文不同标签。",
        "Left out: {skipped} rows with an empty cell, {repeated} repeated, {contradicting} with the same text under "
        "different labels.",
    ),
    "adapt.name": Text("新模型的名称", "Name of the new model"),
    "adapt.name_help": Text("小写字母、数字、连字符", "Small letters, digits, hyphens"),
    "adapt.start_from": Text("从哪个模型开始", "Start from"),
    "adapt.precision": Text("训练精度", "Precision"),
    "adapt.precision_note": Text(
        "bf16 与 fp16 在有相应单元的 GPU 或 CPU 上更快，激活占用减半；没有时自动改用 fp32。权重与优化器始终为 fp32。",
        "Where a GPU or CPU has units for them, bf16 and fp16 are faster and halve the activations; elsewhere fp32 is "
        "used instead. Weights and optimiser are in fp32 always.",
    ),
    "adapt.checkpointing": Text("梯度检查点", "Gradient checkpointing"),
    "adapt.checkpointing_note": Text(
        "每层只留输入，反向时重算：激活占用大减，每步约多一次前向。梯度不变。小模型用不着。",
        "Keeps only what goes into each layer and computes the rest again on the way back: far less memory for "
        "activations, about one more forward a step, the same gradients. Small models do without.",
    ),
    "adapt.epochs": Text("最多轮数", "Epochs at most"),
    "adapt.epochs_help": Text(
        "开发集损失不再下降时提前停止，并保留最好的权重。",
        "Stops early when the loss on the development rows falls no more; the best weights are kept.",
    ),
    "adapt.start": Text("开始训练", "Train"),
    "adapt.busy": Text(
        "另一位访客正在训练（{percent}）；同一时间只能进行一个，请稍候。",
        "Another visitor is training ({percent}); one run at a time, please wait.",
    ),
    "adapt.stage.loading": Text("正在载入……", "Loading …"),
    "adapt.stage.before": Text("训练前先答一遍：{step} / {of}", "Asked before training: {step} / {of}"),
    "adapt.stage.training": Text("训练：第 {step} / {of} 步", "Training: step {step} / {of}"),
    "adapt.stage.after": Text("训练后再答一遍：{step} / {of}", "Asked after training: {step} / {of}"),
    "adapt.loss_title": Text("损失，按步", "Loss, by step"),
    "adapt.loss": Text("学习", "learnt"),
    "adapt.dev_loss": Text("开发集", "development"),
    "adapt.loss_alt": Text("每一步的损失与开发集损失", "Loss of each step and on the development rows"),
    "adapt.memory.gpu": Text("每步的显存峰值（MiB），按秒", "Peak of GPU memory a step (MiB), by second"),
    "adapt.memory.process": Text("进程内存（MiB），按秒", "Process memory (MiB), by second"),
    "adapt.memory_alt": Text("训练期间的内存", "Memory during training"),
    "adapt.stopped": Text("已停止，没有留下任何东西。", "Stopped; nothing of it was kept."),
    "adapt.broken": Text("训练意外中断，原因见日志。", "Training broke off; the log says why."),
    "adapt.another": Text("再训练一个", "Train another"),
    "adapt.verdict.better": Text("比原来好", "Better than before"),
    "adapt.verdict.unclear": Text("看不出比原来好", "No better than before, as far as these rows show"),
    "adapt.verdict.worse": Text("比原来差", "Worse than before"),
    "adapt.change": Text(
        "{n} 行没有学过的：原来答对 {before}，现在答对 {after}，变化 {change} 个百分点（95% 区间 {low} 至 {high}）。",
        "Of {n} rows that were not learnt {before} were right before and {after} after: {change} points (95% interval "
        "{low} to {high}).",
    ),
    "adapt.before": Text("训练前", "Before"),
    "adapt.after": Text("训练后", "After"),
    "adapt.bars_alt": Text("训练前后的准确率与区间", "Accuracy before and after, with intervals"),
    "adapt.bars_note": Text(
        "准确率与 95% 区间（Wilson）。总答最多的那个标签可得 {majority}。测试行出自同一文件，换别的文本可能差些。",
        "Accuracy with its 95% interval (Wilson). Always the most frequent label would reach {majority}. The test rows "
        "are of the same file: on other texts it may do worse.",
    ),
    "adapt.saved": Text("已存为 {name}", "Saved as {name}"),
    "adapt.use": Text("现在就用", "Use it now"),
    "adapt.how": Text(
        "学习 {train} 行，开发 {dev} 行，测试 {test} 行；共 {steps} 步，保留第 {best} 步；{seconds} 秒，"
        "峰值 {mib} MiB；精度 {precision}。",
        "{train} rows learnt, {dev} for development, {test} tested; {steps} steps, those of step {best} kept; "
        "{seconds} s, peak {mib} MiB; in {precision}.",
    ),
    "adapt.ended.steps": Text("轮数已满。", "Ended after the last epoch."),
    "adapt.ended.dev_loss": Text(
        "开发集损失不再下降，提前停止。", "Ended early: the loss on the development rows fell no more."
    ),
    "adapt.ended.time": Text("时间到，提前停止。", "Ended early: the time was over."),
    # Throughput
    "throughput.intro": Text(
        "同样的文本，三种跑法，看看在这台机器上快多少。",
        "The same texts, run in three ways: how much faster on this machine?",
    ),
    "throughput.source": Text("文本来源", "Texts"),
    "throughput.source.samples": Text("示例评论", "Sample reviews"),
    "throughput.source.file": Text("我的文件", "My file"),
    "throughput.samples_note": Text(
        "50 到 500 字的无意义文本，长短均匀，每次相同：快慢只看长短，不看内容。",
        "Texts without meaning of 50 to 500 characters, evenly spread, always the same: speed depends on lengths "
        "alone.",
    ),
    "throughput.file": Text("表格文件", "A table"),
    "throughput.file_help": Text(
        "取前 {texts} 条文本，文件不超过 {size} MB。文件只在运行本程序的机器上读取，不保存。",
        "Its first {texts} texts are used; {size} MB at most. The machine that runs this program reads it and keeps "
        "nothing.",
    ),
    "throughput.column": Text("文本所在的列", "Column of the texts"),
    "throughput.file_note": Text("读到 {count} 条文本。", "{count} texts found."),
    "throughput.smaller": Text("再加一步：{name}", "One more step: {name}"),
    "throughput.start": Text("开跑", "Start"),
    "throughput.empty": Text(
        "约需二十秒。轮流运行，互不抢占；时钟只在各自运行时走。",
        "Takes some twenty seconds. They run in turns, never at once, each timed while it runs.",
    ),
    "throughput.preparing": Text("正在准备：{step}", "Preparing: {step}"),
    "throughput.running": Text(
        "正在跑：{step}。各条的位置是各自用时相同时所到之处。",
        "Running: {step}. The bars show how far each came in the same time of its own.",
    ),
    "throughput.ours": Text("文墨", "Wenmo"),
    "throughput.ours_per_s": Text("文墨，条/秒", "Wenmo, texts/s"),
    "throughput.against_one_by_one": Text("比单条处理", "Against one by one"),
    "throughput.against_fixed": Text("比固定批量", "Against fixed batches"),
    "throughput.times": Text("{factor} 倍", "{factor}×"),
    "throughput.agreeing": Text("判断一致", "Same decisions"),
    "throughput.agreeing_help": Text(
        "与 transformers 单条处理的判断相同的文本所占比例。概率最多相差 {difference}。",
        "Share of the texts that get the decision of transformers, one by one. Probabilities differ by {difference} "
        "at most.",
    ),
    "throughput.measured_on": Text(
        "{machine}，{device}；模型 {model}；{texts} 条文本，{pieces} 个词元。",
        "{machine}, {device}; model {model}; {texts} texts, {pieces} pieces.",
    ),
    "throughput.disturbed": Text(
        "其间别的程序占用了约 {cores} 个核：数字偏低，占用全部核心的跑法受害更重，倍数也随之失真。空闲时再跑一次。",
        "Other programs kept some {cores} cores busy meanwhile: the figures are too low, and most so for what runs "
        "over all cores at once, which distorts the ratios. Run it again on an idle machine.",
    ),
    "throughput.article": Text("与文章对照", "Beside the article"),
    "throughput.way": Text("跑法", "Way"),
    "throughput.there": Text("文章，条/秒", "Article, texts/s"),
    "throughput.here": Text("本机，条/秒", "Here, texts/s"),
    "throughput.ratio": Text("{where}之比", "{where}, ratio"),
    "throughput.article_note": Text(
        "文章：《StructBERT批量推理优化提升情感分析处理吞吐量》第五节，RTX 4090，10 万条 50 到 500 字的评论；"
        "其“优化后”一行与文墨对照。硬件与模型都不同，可比的是倍数。",
        "The article: 《StructBERT批量推理优化提升情感分析处理吞吐量》, section 5, an RTX 4090, 100,000 reviews of 50 "
        "to 500 characters; Wenmo stands beside its optimised row. Machine and model differ: compare the ratios.",
    ),
    "throughput.steps": Text("每一步带来多少", "What each step brings"),
    "throughput.steps_note": Text(
        "条/秒，× 是与上一步之比。深色为上表的三行。前三步是 transformers 的 BertForSequenceClassification。",
        "Texts a second; × is against the step before. The dark ones are the rows of the table above. The first three "
        "are transformers' BertForSequenceClassification.",
    ),
    "throughput.fixed_slower": Text(
        "固定批量在这里反而更慢：填充的部分照样要算，而 CPU 不像 GPU 那样需要大批量才能跑满。",
        "Fixed batches are slower here: padding is computed like text, and a CPU, unlike a GPU, needs no large batches "
        "to be busy.",
    ),
    "throughput.step.one_by_one": Text("单条处理", "One by one"),
    "throughput.step.fixed": Text("固定批量 32", "Fixed 32"),
    "throughput.step.sorted": Text("按长度排序", "Sorted by length"),
    "throughput.step.packed": Text("拼接不填充", "Packed, no padding"),
    "throughput.step.first_only": Text("末层只算首位", "Last layer: first row"),
    "throughput.step.workers": Text("每核一个线程", "A worker a core"),
    "throughput.step.int8": Text("INT8", "INT8"),
    "throughput.step.fp16": Text("FP16", "FP16"),
    "throughput.padding": Text("填充浪费了多少", "What padding wastes"),
    "throughput.full_length": Text("补满上限", "To the limit"),
    "throughput.padding_note": Text(
        "进入模型的词元：墨色是文本，朱色是填充，百分数是填充所占。“补满上限”是文章代码的做法，没有参赛。",
        "Pieces that go through the model: ink is text, cinnabar padding, with its share. Padding everything to the "
        "limit is what the article's listing does; it is not in the race.",
    ),
    # Models
    "models.intro": Text("有哪些模型，各有多大、多准。", "Which models there are, how large and how accurate."),
    "models.view": Text("内容", "View"),
    "models.view.here": Text("一览", "All"),
    "models.view.pull": Text("下载", "Download"),
    "models.view.compare": Text("对比", "Compare"),
    "models.name": Text("模型", "Model"),
    "models.task": Text("任务", "Task"),
    "models.where": Text("在哪里", "Where"),
    "models.size": Text("大小 MiB", "Size, MiB"),
    "models.kind.bundled": Text("随附", "bundled"),
    "models.kind.cached": Text("已下载", "downloaded"),
    "models.kind.known": Text("可下载", "on the hub"),
    "models.kind.local": Text("本地", "local"),
    "models.vectors": Text("句向量", "Embedding"),
    "models.details": Text("细看", "Look closer"),
    "models.parameters": Text("参数", "Parameters"),
    "models.layers": Text("层数", "Layers"),
    "models.hidden": Text("宽度", "Width"),
    "models.heads": Text("注意力头", "Heads"),
    "models.pieces": Text("词表", "Vocabulary"),
    "models.file": Text("权重文件", "Weights"),
    "models.no_card": Text(
        "准确率未知：只有随附的模型在这里测过。", "Accuracy unknown: only the bundled models were measured here."
    ),
    "models.card.set": Text("测试集", "Test set"),
    "models.card.n": Text("条数", "Rows"),
    "models.card.accuracy": Text("准确率 %（95% 区间）", "Accuracy, % (95% interval)"),
    "models.card.cosine": Text("余弦判断的准确率 %（95% 区间）", "Accuracy of the cosine, % (95% interval)"),
    "models.card.f1": Text("宏 F1", "Macro F1"),
    "models.card.ece": Text("校准误差 ECE", "ECE"),
    "models.card_note": Text(
        "出自模型卡（模型文件夹中的 README），测试集均未参与训练。重测：`{command}`",
        "From the model's card, the README in its folder; none of the sets was trained on. To measure again: "
        "`{command}`",
    ),
    "models.hub": Text("ModelScope 上的模型", "Models on ModelScope"),
    "models.disk": Text(
        "存入 ModelScope 的缓存，其磁盘余 {free} GiB。按 fp32 计，base 约 0.4 GiB，large 约 1.2 GiB。",
        "Kept in ModelScope's cache; its disk has {free} GiB free. In fp32 base takes about 0.4 GiB, large about 1.2.",
    ),
    "models.pull": Text("下载", "Download"),
    "models.connecting": Text("正在连接……{seconds} 秒", "Connecting … {seconds} s"),
    "models.pulling": Text("{file}　{done} / {of} MiB　{seconds} 秒", "{file}  {done} / {of} MiB  {seconds} s"),
    "models.pulled": Text("{name} 已下载，可以使用。", "{name} is here and can be used."),
    "models.nothing_to_pull": Text("已知的模型都在本机。", "All known models are on this machine."),
    "models.side.first": Text("左", "Left"),
    "models.side.second": Text("右", "Right"),
    "models.texts.sentiment": Text("文本", "Texts"),
    "models.texts.zero_shot": Text("文本", "Texts"),
    "models.texts.similarity": Text("句对：每行两句，用 | 隔开", "Pairs: two sentences a line, with | between them"),
    "models.compare": Text("对比", "Compare"),
    "models.compare_empty": Text(
        "选两个模型，或同一模型的两种精度，在同样的文本上对比。",
        "Choose two models, or two precisions of one, and compare them on the same texts.",
    ),
    "models.ms": Text("毫秒/条", "ms a text"),
    "models.weights": Text("权重 MiB", "Weights, MiB"),
    "models.sides_note": Text(
        "轮流各算 {rounds} 遍，取中位数；一次算完全部文本。权重是载入后占用的内存。",
        "Each ran {rounds} times in turn, all texts at once; the median. Weights are what they take in memory.",
    ),
    "models.one_difference": Text("概率最多相差 {difference}。", "Probabilities differ by {difference} at most."),
    "models.agreement": Text("判断一致", "Agreement"),
    "models.agreement_help": Text("{count} 条之中判断相同的比例。", "Share of {count} with the same decision."),
    "models.mean_difference": Text("概率平均相差", "Mean difference"),
    "models.largest_difference": Text("概率最多相差", "Largest difference"),
    "models.difference": Text("概率差", "Difference"),
    "models.score": Text("{side}·概率", "{side}: probability"),
    "models.differing": Text("判断不同的 {count} 条", "{count} with different decisions"),
    "models.none_differing": Text("判断全部相同；概率相差最大的几条", "All decisions agree; the largest differences"),
    # Why
    "explain.why": Text("为什么？ Why?", "为什么？ Why?"),  # one label: with another, Streamlit would close the panel
    "explain.label": Text("解释哪个标签", "Label to explain"),
    "explain.same": Text("趋同", "same"),
    "explain.different": Text("趋异", "different"),
    "explain.up": Text("往正面", "up"),
    "explain.down": Text("往负面", "down"),
    "explain.for": Text("支持", "for"),
    "explain.against": Text("反对", "against"),
    "explain.part": Text("片段", "Part"),
    "explain.weight": Text("权重", "Weight"),
    "explain.nothing": Text("没有可读的字。", "There is nothing to read in it."),
    "explain.alt": Text("最有分量的部分：", "The strongest parts:"),
    "explain.grouped": Text(
        "文本较长，按小句一起遮住，而不是逐字。",
        "The text is long: whole clauses were hidden, not single characters.",
    ),
    "explain.pair_note": Text(
        "逐字遮住，让模型重读：墨色拉向“相同”，朱色拉向“不同”，与底色反差越大越有力。数值是遮住后对数几率下降多少；"
        "字与字相互影响，各字相加不等于总分。",
        "Each character is hidden in turn and the model reads again: ink pulls towards the same meaning, cinnabar "
        "away from it, the more it stands out the more. The number is how far the log odds fall without it. "
        "Characters act together: the numbers do not add up to the score.",
    ),
    "explain.sentiment_note": Text(
        "逐字遮住，让模型重读：墨色往正面拉，朱色往负面拉，与底色反差越大越有力。数值是遮住后“正面”的对数几率下降多少；"
        "字与字相互影响，各字相加不等于总分。",
        "Each character is hidden in turn and the model reads again: ink pulls up, to positive, cinnabar pulls down, "
        "the more it stands out the more. The number is how far the log odds of positive fall without it. Characters "
        "act together: the numbers do not add up to the score.",
    ),
    "explain.rival_note": Text(
        "逐字遮住，让模型重读：墨支持所选标签，朱支持与之对照的标签（其余之中得分最高的）。数值是遮住后两者对数几率"
        "下降多少；字与字相互影响，各字相加不等于总分。",
        "Each character is hidden in turn and the model reads again: ink speaks for the chosen label, cinnabar for the "
        "one it is held against, the best of the others. The number is how far the log odds between the two fall "
        "without it. Characters act together: the numbers do not add up to the score.",
    ),
    "explain.alone_note": Text(
        "逐字遮住，让模型重读：墨说明标签成立，朱说明不成立。数值是遮住后对数几率下降多少；字与字相互影响，"
        "各字相加不等于总分。",
        "Each character is hidden in turn and the model reads again: ink says that the label holds, cinnabar that it "
        "does not. The number is how far the log odds fall without it. Characters act together: the numbers do not add "
        "up to the score.",
    ),
    "explain.alignment_note": Text(
        "两句的字如何对应：向量模型末层中字与字的余弦，反差越大越近，朱点是互为最近的一对。"
        "它说明的是上面的“向量余弦”，不是同义概率。",
        "Which character stands for which: cosines in the last layer of the vector model, the more it stands out the "
        "closer; a cinnabar dot marks two that are each other's closest. It belongs to the cosine of vectors above, "
        "not to the probability.",
    ),
    "explain.alignment_alt": Text(
        "第一句的 {rows} 个字与第二句的 {columns} 个字之间的余弦",
        "Cosines between {rows} parts of the first sentence and {columns} of the second",
    ),
    # Batch
    "batch.intro": Text(
        "整份文件一次读完：每一行都有答案，可看，可筛，可下载。",
        "A whole file at once: an answer for every row, to look at, to filter, to take away.",
    ),
    "batch.file": Text("表格文件", "Table"),
    "batch.file_help": Text(
        "第一行为列名（JSONL 每行一个对象）。Excel 读取第一个工作表。",
        "The first row names the columns (JSONL has an object a line). Of Excel, the first sheet is read.",
    ),
    "batch.sample": Text("一百条示例评论", "A hundred sample reviews"),
    "batch.limits": Text(
        "CSV、TSV、Excel、JSONL、Parquet；最大 {mib} MB、{rows} 行。更大的文件请用 `python -m wenmo run`。",
        "CSV, TSV, Excel, JSONL, Parquet; up to {mib} MB and {rows} rows. For more there is `python -m wenmo run`.",
    ),
    "batch.kept": Text(
        "文件只存放在运行本程序的机器上，{minutes} 分钟无人查看即删除；服务繁忙时会提早。",
        "Files stay on the machine that runs this program and are deleted when nobody has looked for {minutes} "
        "minutes, earlier where many visitors need the room.",
    ),
    "batch.gone": Text(
        "这个任务已不在：文件只保留有限的时间。请重新上传。",
        "This job is gone: files are kept for a limited time. Upload the file again.",
    ),
    "batch.another": Text("删除并换一个文件", "Delete, and take another file"),
    "batch.format": Text("编码与分隔符", "Encoding and separator"),
    "batch.encoding": Text("编码", "Encoding"),
    "batch.encoding.auto": Text("自动识别", "found by itself"),
    "batch.delimiter": Text("分隔符", "Separator"),
    "batch.delimiter.comma": Text("逗号 ,", "comma ,"),
    "batch.delimiter.tab": Text("制表符", "tab"),
    "batch.delimiter.semicolon": Text("分号 ;", "semicolon ;"),
    "batch.delimiter.bar": Text("竖线 |", "vertical bar |"),
    "batch.read": Text("{rows} 行，{columns} 列。", "{rows} rows, {columns} columns."),
    "batch.read_as": Text("编码 {encoding}。", " Encoding {encoding}."),
    "batch.preview": Text("前 {rows} 行。", "The first {rows} rows."),
    "batch.preview_columns": Text("只显示前 {shown} 列。", " Only the first {shown} columns are shown."),
    "batch.task": Text("任务", "Task"),
    "batch.column.text": Text("文本所在的列", "Column with the texts"),
    "batch.column.text_a": Text("第一句所在的列", "Column with the first sentences"),
    "batch.column.text_b": Text("第二句所在的列", "Column with the second sentences"),
    "batch.no_labels": Text("写下标签后即可开始。", "Type some labels to begin."),
    "batch.estimate": Text("先试 {rows} 行，估算用时", "Try {rows} rows, estimate the time"),
    "batch.estimated": Text(
        "全部约需 **{time}**：前 {rows} 行每秒 {speed} 行，按此刻的机器负载。",
        "All of it takes about **{time}**: the first {rows} rows ran at {speed} a second, with the machine as busy as "
        "it is now.",
    ),
    "batch.estimated_cached": Text(
        "其中有些以前算过，直接取自缓存；其余的会慢一些。",
        "Some of these had been answered before and came from the cache; the others will be slower.",
    ),
    "batch.text": Text("文本", "Text"),
    "batch.label": Text("标签", "Label"),
    "batch.score": Text("把握", "Confidence"),
    "batch.start": Text("开始处理 {rows} 行", "Start on {rows} rows"),
    "batch.waiting": Text("排队中，前面还有 {ahead} 个任务。", "Waiting; {ahead} before it."),
    "batch.loading": Text("正在载入模型……", "Loading the model …"),
    "batch.progress": Text("{done} / {of} 行", "{done} / {of} rows"),
    "batch.speed": Text("，每秒 {speed} 行，还需约 {left}", ", {speed} a second, about {left} left"),
    "batch.may_leave": Text(
        "可以离开或刷新此页：任务继续，凭此页地址即可回来。地址请勿外传，知道它的人都能看到结果。",
        "You may leave this page or reload it: the job goes on, and its address leads back to it. Whoever has the "
        "address sees the results.",
    ),
    "batch.stopped": Text(
        "已停止，算出的部分已删除；文件还在，可以重新开始。",
        "Stopped, and what was computed is deleted. The file is still here: begin again as you like.",
    ),
    "batch.broken": Text(
        "程序出了差错，任务未完成；详情在服务器日志里。可以重新开始，已完成的部分会接着用。",
        "Something broke and the job did not finish; the server's log has the details. Begin again: what is finished "
        "is kept.",
    ),
    "batch.seconds": Text("{seconds} 秒", "{seconds} s"),
    "batch.minutes": Text("{minutes} 分钟", "{minutes} min"),
    "batch.hours": Text("{hours} 小时 {minutes} 分钟", "{hours} h {minutes} min"),
    "batch.done": Text("完成", "Done"),
    "batch.rows": Text("行数", "Rows"),
    "batch.failed": Text("没有结果", "Without result"),
    "batch.mean": Text("平均把握", "Mean confidence"),
    "batch.rows_per_s": Text("每秒行数", "Rows a second"),
    "batch.rows_per_s_help": Text(
        "从开始到写完，包括读文件与首次载入模型；小文件因此显得慢。",
        "From the start until all is written, reading the file and the first loading of the model included: small "
        "files look slow by that.",
    ),
    "batch.done_note": Text("{task}，模型 {model}，用时 {time}。", "{task}, model {model}, {time}."),
    "batch.download": Text("下载结果", "Download"),
    "batch.failures": Text("{count} 行没有结果", "{count} rows without a result"),
    "batch.failures_note": Text(
        "这些行仍在结果中原来的位置，error 列写着原因。",
        "These rows are in the results at their places, with the reason in the column error.",
    ),
    "batch.reason": Text("原因", "Reason"),
    "batch.count": Text("行数", "Rows"),
    "batch.download_failures": Text("下载这些行", "Download these rows"),
    "batch.labels": Text("标签分布", "Labels"),
    "batch.labels_alt": Text("{count} 行的标签分布", "How often each label was given, of {count} rows"),
    "batch.top_only": Text("图中是 {count} 个标签的前 {shown} 个。", "The first {shown} of {count} labels."),
    "batch.confidence": Text("把握分布", "Confidence"),
    "batch.confidence_alt": Text("{count} 行的把握的直方图", "Histogram of confidence, of {count} rows"),
    "batch.confidence_note": Text(
        "共 {count} 行有结果。把握是模型给所选标签的概率，不是正确率。",
        "{count} rows have a result. Confidence is the probability that the model gives its label, not how often it is "
        "right.",
    ),
    "batch.surest": Text("最有把握", "Surest"),
    "batch.least_sure": Text("最没把握", "Least sure"),
    "batch.table": Text("逐行查看", "Row by row"),
    "batch.filter_labels": Text("标签", "Labels"),
    "batch.all": Text("全部", "all"),
    "batch.filter_score": Text("把握范围", "Confidence from, to"),
    "batch.filter_text": Text("文本包含", "Text contains"),
    "batch.literal": Text("按字面查找，不分大小写。", "Looked for as it is; upper and lower case alike."),
    "batch.matching": Text("符合的有 {total} 行。", "{total} rows match."),
    "batch.matching_some": Text(
        "下表是前 {shown} 行，全部请下载。", " The table has the first {shown}; download for all."
    ),
    "batch.groups": Text("按列看正面概率", "Positive by column"),
    "batch.group_by": Text("分组的列，如商品、日期", "Column to group by, such as product or date"),
    "batch.choose": Text("请选择", "Choose one"),
    "batch.groups_empty": Text("这一列没有值。", "This column has no values."),
    "batch.groups_alt": Text("{count} 组的平均正面概率", "Mean probability of positive of {count} groups"),
    "batch.groups.values": Text(
        "每组的平均正面概率，“·”后为行数，行数多的在前。",
        "Mean probability of positive, then the number of rows; groups with more rows first.",
    ),
    "batch.groups.time": Text(
        "各时段的平均正面概率，点越大行数越多。",
        "Mean probability of positive over time; a larger point stands for more rows.",
    ),
    "batch.groups_some.values": Text(
        "共 {count} 组，显示前 {shown} 组。", " The first {shown} of {count} groups are shown."
    ),
    "batch.groups_some.time": Text(
        "共 {count} 个时段，显示最近 {shown} 个。", " The latest {shown} of {count} periods are shown."
    ),
    "batch.agreement": Text("与标注比较", "Compared with labels"),
    "batch.truth": Text("标注所在的列", "Column with the right labels"),
    "batch.meanings": Text("标注值的含义", "What its values mean"),
    "batch.left_out": Text("不计", "left out"),
    "batch.agreement_none": Text(
        "这一列的值与模型的标签对应不上。请在上面为每个值选择含义。",
        "No value of this column is known to be one of the model's labels. Choose above what each stands for.",
    ),
    "batch.accuracy": Text("准确率", "Accuracy"),
    "batch.accuracy_help": Text(
        "只在您的文件上测得；没有标注、没有结果、“不计”的行不算。",
        "Measured on your file alone. Rows without a label, without a result, or left out do not count.",
    ),
    "batch.accuracy_note": Text("{of} 行中有 {right} 行一致。", "{right} of {of} rows agree."),
    "batch.confusion_alt": Text(
        "{rows} 种标注与 {columns} 个标签的混淆矩阵", "Confusion matrix of {rows} values and {columns} labels"
    ),
    "batch.confusion_note": Text(
        "左为标注，上为模型所给；数字是行数，深浅是占该行的比例。",
        "Left what the file says, above what the model says; numbers are rows, density their share of the line.",
    ),
    # Story; what its steps say stands in wenmo/story/steps.py
    "story.figures": Text("数字来自", "Figures from"),
    "story.figures.own": Text("这次会话的测量", "this session's runs"),
    "story.figures.committed": Text("随附的结果", "the results that come with it"),
    "story.measure": Text("去「{page}」测量", "Measure it: {page}"),
    "story.currency": Text("货币", "Currency"),
    "story.price": Text("每小时价格", "Price of an hour"),
    "story.texts": Text("每天文本数", "Texts a day"),
    "story.back": Text("上一步", "Back"),
    "story.on": Text("下一步", "Next"),
    "story.at": Text("{at} / {of}", "{at} / {of}"),
    "story.fullscreen": Text("全屏", "Full screen"),
    "story.export": Text("导出 HTML", "Export HTML"),
    # Service
    "service.intro": Text("程序怎样调用，服务此刻怎样。", "How programs call it, and how it is doing at this moment."),
    "service.now": Text("此刻", "Now"),
    "service.health": Text("状态", "Health"),
    "service.ready": Text("就绪", "Ready"),
    "service.not_ready": Text(
        "引擎无法启动，请求会得到 503。", "The engine cannot start; calls are answered with 503."
    ),
    "service.waiting": Text("排队请求", "Calls waiting"),
    "service.waiting_help": Text(
        "共 {pieces} 个词元在等待前向计算。", "{pieces} pieces of text wait for their forward."
    ),
    "service.calls": Text("REST 请求", "REST calls"),
    "service.calls_help": Text(
        "本进程启动以来需要计算的 REST 请求，按状态码：{statuses}。页面上的点击不在其内。",
        "REST calls for work since this process started, by status: {statuses}. Clicks in the app are not among them.",
    ),
    "service.turned_away": Text("因繁忙谢绝", "Turned away"),
    "service.turned_away_help": Text(
        "以 429 或 503 答复的 REST 请求。计算队列另计：谢绝 {queue} 次，含页面点击。",
        "REST calls answered with 429 or 503. The queue counts for itself: {queue}, clicks in the app included.",
    ),
    "service.loaded": Text("已载入的模型：{names}（{precision}）。", "Models in memory: {names} ({precision})."),
    "service.comma": Text("、", ", "),
    "service.none_loaded": Text(
        "还没有载入模型，首次使用时载入。", "No model is in memory yet; each loads at its first use."
    ),
    "service.no_calls": Text(
        "还没有请求。复制上面的任一调用试试，或由这里发一个。",
        "No calls yet. Try one of the calls above, or send one from here.",
    ),
    "service.send": Text("发一个请求", "Send a call"),
    "service.batches": Text("每次前向计算的输入条数", "Inputs in a forward"),
    "service.batches_note": Text(
        "自启动以来 {forwards} 次前向，共 {inputs} 条输入，平均每次 {mean} 条；{joined} 个请求与先到的合并计算。",
        "{forwards} forwards of {inputs} inputs since the start, {mean} on average; {joined} calls were "
        "computed along with an earlier one.",
    ),
    "service.batches_alt": Text("每次前向计算的输入条数的直方图", "Histogram of the inputs in a forward"),
    "service.latency": Text("耗时", "Latency"),
    "service.latency_note": Text(
        "毫秒，取最近至多 1,000 个。REST 为整个请求，命中缓存的也算；排队与计算是各任务中到达模型的请求，含页面点击。",
        "Milliseconds, of the last 1,000 at most. REST is the whole call, also where the cache answered; waiting and "
        "computing are of what reached a model, clicks in the app included.",
    ),
    "service.phase": Text("阶段", "Part"),
    "service.phase.rest": Text("REST 请求", "REST call"),
    "service.phase.waited": Text("排队", "Waiting"),
    "service.phase.computed": Text("计算", "Computing"),
    "service.count": Text("个数", "Number"),
    "service.cache": Text("结果缓存", "Cache of results"),
    "service.hit_rate": Text("命中率", "Hit rate"),
    "service.hit_rate_help": Text(
        "{hits} 条输入取自缓存，{misses} 条经过计算。", "{hits} inputs came from the cache, {misses} were computed."
    ),
    "service.saved": Text("约省下", "Saved, about"),
    "service.saved_help": Text(
        "估计值：按已计算输入的平均速度折算，含排队时间。",
        "An estimate: at the mean speed of the inputs that were computed, waiting included.",
    ),
    "service.seconds": Text("{value} 秒", "{value} s"),
    "service.kept": Text("已存结果", "Results kept"),
    "service.kept_help": Text("占用 {used} MiB，上限 {most} MiB。", "They take {used} MiB of at most {most}."),
    "service.how": Text("怎样调用", "How to call it"),
    "service.how_note": Text(
        "REST 由 `python -m wenmo serve` 提供；只用 `streamlit run` 启动时没有。"
        "完整说明见 [OpenAPI]({address}/api/openapi.json)。",
        "REST comes with `python -m wenmo serve`, not with `streamlit run` alone. Described in full by "
        "[OpenAPI]({address}/api/openapi.json).",
    ),
    "service.token_note": Text(
        "此服务需要令牌：请把它放进环境变量 `WENMO_API_TOKEN`。",
        "This service wants a token: put it into the environment as `WENMO_API_TOKEN`.",
    ),
    "service.route": Text("路由", "Route"),
    "service.articles": Text("两篇文章的表，在本机重做", "The articles' tables, measured again"),
    "service.articles_empty": Text(
        "还没有测过。在仓库目录运行下面的命令（约四分钟），结果会显示在这里。",
        "Not measured yet. Run this in the repository's folder (about four minutes), and the result is shown here.",
    ),
    "service.articles_note": Text(
        "{taken}，{machine}，随附的小模型。文章的数字出自别的机器和更大的模型，可比的是前后之比，不是绝对值。",
        "{taken}, {machine}, with the small bundled models. The articles' figures are from other machines and larger "
        "models: compare the ratios of before and after, not the values.",
    ),
    "service.figure": Text("指标", "Figure"),
    "service.there_before": Text("文章·前", "Article, before"),
    "service.there_after": Text("文章·后", "Article, after"),
    "service.here_before": Text("本机·前", "Here, before"),
    "service.here_after": Text("本机·后", "Here, after"),
    "service.stage": Text("阶段", "Stage"),
    "service.stage.load_per_call": Text("每次载入模型", "Model loaded per call"),
    "service.stage.cached_model": Text("模型常驻", "Model kept"),
    "service.stage.workers": Text("多进程", "Several workers"),
    "service.stage.joined": Text("合并计算（本服务）", "Calls joined (this service)"),
    "service.figure.mean_latency_ms": Text("平均延迟 ms", "Mean latency, ms"),
    "service.figure.requests_per_s": Text("QPS（并发 {clients}）", "Requests/s, {clients} clients"),
    "service.figure.p99_ms": Text("P99 延迟 ms（并发 {clients}）", "P99 latency, ms, {clients} clients"),
    "service.figure.requests_per_s_again": Text("QPS，重复提问", "Requests/s, asked again"),
    "service.figure.resident_mib": Text("内存 MiB", "Memory, MiB"),
    "service.figure.load_s": Text("模型载入 s", "Model load, s"),
    "service.figure.f1": Text("F1 %", "F1, %"),
    "service.figure.first_s": Text("首个请求 s", "First call, s"),
    "service.figure.clients": Text("最大并发", "Most clients"),
    "service.articles_legend": Text(
        "斜线前为文章，后为本机。加速一文的内存是显存。最大并发指 95% 的请求在 1 秒内答复的客户端数，至多试到 256。",
        "Article / here. Memory is GPU memory in the first article. Most clients: as many as get 95% of their "
        "answers within 1 s; 256 at most were tried.",
    ),
    # Memory
    "memory.intro": Text(
        "内存与显存用了多少，何时涨落；一份配置要用多少，每一步能省多少。",
        "How much memory is in use, and when it rises and falls; what a configuration takes, and what each step saves.",
    ),
    "memory.mode": Text("看什么", "View"),
    "memory.mode.live": Text("实时", "Live"),
    "memory.mode.lab": Text("实验室", "Lab"),
    "memory.window": Text("时间范围", "Window"),
    "memory.minutes": Text("{count} 分钟", "{count} min"),
    "memory.ago": Text("{count} 秒前", "{count} s ago"),
    "memory.now": Text("现在", "now"),
    "memory.pause": Text("暂停", "Pause"),
    "memory.paused": Text("已暂停：图停在 {time} UTC，采样仍在继续。", "Paused at {time} UTC; sampling goes on."),
    "memory.waiting": Text("正在等待第一次采样。", "Waiting for the first sample."),
    "memory.process": Text("本进程", "This process"),
    "memory.resident": Text("进程内存", "Process memory"),
    "memory.resident_help": Text(
        "操作系统统计的常驻内存，包含 Python、各个库、模型和计算中的数据。",
        "Resident memory as the system counts it: Python, libraries, models and what is being computed.",
    ),
    "memory.peak": Text("峰值 {value}", "peak {value}"),
    "memory.weights": Text("模型权重（内存中）", "Model weights (CPU)"),
    "memory.weights_help": Text(
        "已载入模型在内存中的权重张量。前向计算中的临时张量 torch 在 CPU 上不记账，因此不显示。",
        "Weight tensors of the loaded models in the CPU's memory. What a forward takes in passing is not shown: on a "
        "CPU torch keeps no account of it.",
    ),
    "memory.cpu": Text("CPU 占用", "CPU use"),
    "memory.cpu_help": Text("100% 表示占满一个核。", "100% is one core."),
    "memory.used": Text("显存已用", "GPU memory used"),
    "memory.used_help": Text(
        "这块 GPU 上所有进程与驱动的占用。", "By all processes on this GPU and by the driver itself."
    ),
    "memory.reserved": Text("本进程预留", "Reserved here"),
    "memory.reserved_help": Text(
        "torch 的分配器为本进程留着的显存，含暂未使用的部分。",
        "What torch's allocator holds for this process, used or not.",
    ),
    "memory.allocated": Text("本进程张量", "Tensors here"),
    "memory.utilization": Text("GPU 利用率", "GPU utilisation"),
    "memory.utilization_help": Text(
        "最近一个采样周期内有内核在运行的时间比例。MIG 实例不提供此项。",
        "Share of the last sampling period in which a kernel ran. Not available of MIG instances.",
    ),
    "memory.unknown": Text("无法读取", "not available"),
    "memory.no_gpu": Text("未显示 GPU：{reason}。", "No GPU is shown: {reason}."),
    "memory.gpu_trouble": Text("GPU：{reason}。", "GPU: {reason}."),
    "memory.chart_alt": Text(
        "{name}最近 {minutes} 分钟的折线（{unit}），事件以三角标出；数值与事件另见图上下的文字",
        "{name}, last {minutes} minutes as lines ({unit}), events as triangles; the text above and below says "
        "the same in figures",
    ),
    "memory.chart_note": Text(
        "每点为 {seconds:.1f} 秒内的最高值，每秒采样 {hz:g} 次；红色三角是事件。",
        "Each point is the highest of {seconds:.1f} s, of {hz:g} samples a second; red triangles are events.",
    ),
    "memory.events": Text("最近的事件", "Latest events"),
    "memory.no_events": Text("这段时间内没有事件。", "Nothing happened in this time."),
    # The memory lab
    "lab.intro": Text(
        "显存数字是对 GPU 的预测，不需要 GPU；同一份预测再与本机 CPU 上逐块记录的实测对照，误差列在旁边。",
        "Figures of GPU memory are predictions and need no GPU. The same prediction is held against every block that "
        "was allocated on this machine's CPU; its error stands beside it.",
    ),
    "lab.preset": Text("预设", "Preset"),
    "lab.preset.article": Text("文章的表格", "The GPU article's table"),
    "lab.preset.card": Text("我的显卡", "My card"),
    "lab.empty": Text("选好之后按“开始”。", "Choose, and press Run."),
    "lab.run": Text("开始", "Run"),
    "lab.article_note": Text(
        "文章的两行：一个句对、8 个句对，基线 fp32 填充到 512；再加推理与训练中的梯度检查点。文章用的是 large。按 GPU "
        "预测，large 约半分钟；另用所选模型在本机实测同样的步骤。",
        "The article's two rows, one pair and 8 pairs, from fp32 padded to 512; then checkpointing in inference and in "
        "training. The article has large. Predicted for a GPU, in about half a minute for large; the same steps are "
        "measured here with the model chosen.",
    ),
    "lab.labelled": Text("准确率用哪些数据", "Accuracy on"),
    "lab.labelled.sample": Text("示例评论", "Sample reviews"),
    "lab.labelled.file": Text("我的文件", "My file"),
    "lab.labelled.none": Text("不测", "None"),
    "lab.labelled_help": Text(
        "显存省下了，答案变了没有？同样的标注数据，用每种精度在本机各答一遍。",
        "Memory was saved: did the answers change? The same labelled rows are answered here in each precision.",
    ),
    "lab.sample_note": Text(
        "{rows} 条自写的短评，正负各半。条数少，区间宽；更小的变化请用自己的数据来看。",
        "{rows} short reviews of our own, half of them positive. So few rows give a wide interval; for smaller changes "
        "take rows of your own.",
    ),
    "lab.task": Text("任务", "Task"),
    "lab.task.sentiment": Text("情感", "sentiment"),
    "lab.task.similarity": Text("相似度", "similarity"),
    "lab.no_file": Text(
        "上传带标签的文件：情感为 text、label 两列，相似度为 text_a、text_b、label 三列。没有文件就不测准确率。",
        "Upload a labelled file: columns text and label for sentiment, text_a, text_b and label for similarity. "
        "Without one, accuracy is not measured.",
    ),
    "lab.drawn": Text(
        "随机取 {rows} 行中的 {most} 行；全部请用命令行的 --labelled。",
        "{most} of the {rows} rows are taken at random; the command line's --labelled takes all.",
    ),
    "lab.measured_with": Text("在本机实测", "Measured here with"),
    "lab.not_measured": Text("不实测，只预测", "nothing: predict only"),
    "lab.model": Text("模型", "Model"),
    "lab.size.bundled": Text("自带的情感模型", "bundled sentiment model"),
    "lab.size.tiny": Text("tiny", "tiny"),
    "lab.size.base": Text("base", "base"),
    "lab.size.large": Text("large", "large"),
    "lab.model.bundled": Text("自带的情感模型（每步数秒）", "bundled sentiment model (seconds a step)"),
    "lab.model.tiny": Text("tiny，随机权重（每步数秒）", "tiny, random weights (seconds a step)"),
    "lab.model.base": Text("base，随机权重（每步约半分钟）", "base, random weights (half a minute a step)"),
    "lab.model.large": Text("large，随机权重（每步数分钟）", "large, random weights (minutes a step)"),
    "lab.work": Text("工作", "Work"),
    "lab.work.inference": Text("推理", "inference"),
    "lab.work.training_step": Text("一个训练步", "a training step"),
    "lab.card": Text("显卡", "Card"),
    "lab.before": Text("基线", "Baseline"),
    "lab.after": Text("优化", "Optimised"),
    "lab.precision": Text("精度", "Precision"),
    "lab.layout": Text("排布", "Layout"),
    "lab.layout.full": Text("填充到 512", "padded to 512"),
    "lab.layout.longest": Text("填充到最长", "padded to the longest"),
    "lab.layout.packed": Text("打包，不填充", "packed, no padding"),
    "lab.batch": Text("批大小", "Batch"),
    "lab.length": Text("长度（词元）", "Length (pieces)"),
    "lab.length_help": Text(
        "每条文本的真实词元数，含 [CLS] 与 [SEP]。", "Real pieces of each text, with \\[CLS\\] and \\[SEP\\]."
    ),
    "lab.checkpointing": Text("梯度检查点", "Gradient checkpointing"),
    "lab.measure": Text("也在本机实测", "Measure here, too"),
    "lab.stage.predicting": Text("预测", "predicting"),
    "lab.stage.starting": Text("启动独立进程", "starting a process of its own"),
    "lab.stage.building": Text("建立模型", "building the model"),
    "lab.stage.timing": Text("计时", "timing"),
    "lab.stage.tracking": Text("逐块记录内存", "tracking every block"),
    "lab.stage.answering": Text(
        "{precision}：回答标注数据 {done} / {of}", "{precision}: answering labelled rows, {done} of {of}"
    ),
    "lab.stage.fits": Text("计算各卡放得下多大的批", "working out what fits on each card"),
    "lab.stage.waiting": Text("另一位访客正在测量，请稍候", "another visitor is measuring; waiting"),
    "lab.report": Text("下载报告 HTML", "Download report (HTML)"),
}


def language() -> Language:
    """The reader's language: Chinese until the switch says otherwise."""
    return "en" if st.session_state.get(LANGUAGE_KEY) == "en" else "zh"


def say(key: str, **values: object) -> str:
    """The text of `key` in the reader's language, Markdown, with `values` put in."""
    return getattr(TEXTS[key], language()).format(**values)
