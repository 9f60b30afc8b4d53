"""Strings of the throughput page."""

from __future__ import annotations

from collections.abc import Mapping

from wenmo.ui.localized import Text

STRINGS: Mapping[str, Text] = {
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
        "约需二十秒。轮流运行，互不抢占；计时只算各自运行的时间。",
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
        "{machine}，{device}；模型 {model}；{texts} 条文本，{tokens} 个词元。",
        "{machine}, {device}; model {model}; {texts} texts, {tokens} tokens.",
    ),
    "throughput.disturbed": Text(
        "其间别的程序占用了约 {cores} 个核：数字偏低，占用全部核心的跑法受影响更大，倍数也随之失真。空闲时再跑一次。",
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
        "条/秒，× 是与上一步之比。醒目的是上表的三行。前三步是 transformers 的 BertForSequenceClassification。",
        "Texts a second; × is against the step before. Those that stand out are the rows of the table above. "
        "The first three "
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
    "throughput.step.packed": Text("打包，不填充", "Packed, no padding"),
    "throughput.step.first_only": Text("末层只算首位", "Last layer: first row"),
    "throughput.step.workers": Text("每核一个线程", "One worker per core"),
    "throughput.step.int8": Text("INT8", "INT8"),
    "throughput.step.fp16": Text("FP16", "FP16"),
    "throughput.padding": Text("填充浪费了多少", "What padding wastes"),
    "throughput.full_length": Text("补满上限", "To the limit"),
    "throughput.padding_note": Text(
        "进入模型的词元：墨色（深色主题下为浅色）是文本，朱色是填充，百分数是填充所占。“补满上限”是文章代码的做法，没有参赛。",
        "Tokens that go through the model: ink (light in the dark theme) is text, cinnabar padding, with its "
        "share. Padding everything to the "
        "limit is what the article's listing does; it is not in the race.",
    ),
}
