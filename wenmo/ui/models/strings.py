"""Strings of the models page."""

from __future__ import annotations

from collections.abc import Mapping

from wenmo.ui.localized import Text

STRINGS: Mapping[str, Text] = {
    "models.intro": Text("有哪些模型，各有多大、多准。", "Which models there are, how large and how accurate."),
    "models.view": Text("内容", "View"),
    "models.view.here": Text("一览", "All"),
    "models.view.pull": Text("下载", "Download"),
    "models.view.compare": Text("对比", "Compare"),
    "models.view.everyday": Text("日常题", "Everyday questions"),
    "models.everyday_note": Text(
        "项目自编的 500 道日常题，答案显而易见，没有用于训练。现在使用的模型答对多少？",
        "500 everyday questions of the project's own with obvious answers, none of them trained on. How many do the "
        "models in use answer rightly?",
    ),
    "models.everyday_ask": Text("作答", "Ask"),
    "models.everyday.reviews": Text("评论", "Reviews"),
    "models.everyday.neutral": Text("非褒非贬", "Neither praise nor blame"),
    "models.everyday.pairs": Text("句对", "Pairs"),
    "models.everyday.zero_shot": Text("自定标签", "Typed labels"),
    "models.everyday_of": Text("共 {count} 道", "of {count}"),
    "models.everyday_wrong": Text("答错的 {count} 道", "{count} answered wrongly"),
    "models.everyday_set": Text("类别", "Set"),
    "models.everyday_text": Text("题目", "Question"),
    "models.everyday_expected": Text("答案", "Right answer"),
    "models.everyday_answered": Text("模型的回答", "The model's answer"),
    "models.everyday_probability": Text("概率", "Probability"),
    "models.name": Text("模型", "Model"),
    "models.task": Text("任务", "Task"),
    "models.where": Text("位置", "Where"),
    "models.size": Text("大小 MiB", "Size, MiB"),
    "models.kind.bundled": Text("自带", "bundled"),
    "models.kind.cached": Text("已下载", "downloaded"),
    "models.kind.known": Text("可下载", "on the hub"),
    "models.kind.local": Text("本地", "local"),
    "models.kind.visitor": Text("访客", "a visitor's"),
    "models.vectors": Text("句向量", "Sentence vectors"),
    "models.details": Text("细看", "Look closer"),
    "models.parameters": Text("参数", "Parameters"),
    "models.layers": Text("层数", "Layers"),
    "models.hidden": Text("宽度", "Width"),
    "models.heads": Text("注意力头", "Heads"),
    "models.vocabulary": Text("词表", "Vocabulary"),
    "models.file": Text("权重文件", "Weights"),
    "models.licence": Text("许可（据模型卡）：{name}", "Licence, by its card: {name}"),
    "models.labels": Text("标签：{labels}", "Labels: {labels}"),
    "models.name_labels": Text(
        "这个模型的 {count} 个标签没有名称（LABEL_0、LABEL_1……）。请按编号顺序说明它们的含义，之后会一直记住。",
        "The {count} labels of this model have no names (LABEL_0, LABEL_1 …). Say what they mean, in the order of the "
        "ids; it is remembered.",
    ),
    "models.label_names": Text(
        "标签名，用逗号隔开，例如：负面，正面", "Names separated by commas, such as negative, positive"
    ),
    "models.remember": Text("记住", "Remember"),
    "models.use": Text("用于{task}", "Use for {task}"),
    "models.typed": Text("任意模型：名称或 ID", "Any model: a name or an id"),
    "models.typed_help": Text(
        "本机的模型名，或模型库的 所有者/名称（前面加 ms: 或 hf: 指定模型库）。留空则从下面选择。"
        "服务设置了 WENMO_PAGES_FOLDERS=1 时也可以是文件夹的完整路径。",
        "The name of a model here, or owner/name of a hub (ms: or hf: before it chooses the hub). Leave it empty to "
        "choose below. Where the server has WENMO_PAGES_FOLDERS=1, also the full path of a folder.",
    ),
    "models.not_here": Text("{name} 还没有下载到本机。", "{name} has not been downloaded to this machine."),
    "models.to_download": Text("去下载", "Go to its download"),
    "models.memory": Text(
        "按精度预测的内存峰值：CPU 上一批 {texts} 条、每条 {tokens} 个词元。",
        "Predicted peak of memory in each precision: on a CPU, a batch of {texts} texts with {tokens} tokens each.",
    ),
    "models.of_weights": Text("其中权重 {mib} MiB", "of this {mib} MiB are weights"),
    "models.for_all": Text(
        "“用于…”只影响这次访问。要作为服务的默认模型，请在启动服务时设置：",
        "“Use for …” is for this visit alone. To make it the server's default, start the server with:",
    ),
    "models.try": Text("试一句", "Try it"),
    "models.try_first": Text("第一句", "First sentence"),
    "models.try_second": Text("第二句", "Second sentence"),
    "models.ask": Text("运行", "Run"),
    "models.cosine": Text("向量余弦", "Cosine of vectors"),
    "models.export": Text("导出", "Export"),
    "models.export_to": Text("格式", "Format"),
    "models.export_note": Text(
        "导出的模型先与这里的答案对比，一致才提供下载。命令行中同样可用：",
        "The exported model is compared with the answers here first, and offered only if they agree. On the command "
        "line:",
    ),
    "models.export_large": Text(
        "超过 {mib} MiB 的模型请用上面的命令导出。", "Export models of more than {mib} MiB by the command above."
    ),
    "models.exporting": Text("正在导出并核对……", "Exporting and comparing …"),
    "models.exported": Text(
        "已导出；与这里的答案最多相差 {difference}。",
        "Exported; answers differ from those here by {difference} at most.",
    ),
    "models.download_export": Text("下载（{mib} MiB）", "Download ({mib} MiB)"),
    "models.no_card": Text(
        "准确率未知：只有自带的模型在这里测过。", "Accuracy unknown: only the bundled models were measured here."
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
    "models.own_id": Text("任意模型 ID", "Id of any model"),
    "models.own_id_help": Text(
        "所有者/名称；前面加 ms: 为 ModelScope，加 hf: 为 Hugging Face。须为 BERT 结构。",
        "owner/name; ms: before it is ModelScope, hf: Hugging Face. It has to be a BERT.",
    ),
    "models.disk": Text(
        "存入 ModelScope 的缓存，其磁盘余 {free} GiB。按 fp32 计，base 约 0.4 GiB，large 约 1.2 GiB。",
        "Kept in ModelScope's cache; its disk has {free} GiB free. In fp32 base takes about 0.4 GiB, large about 1.2.",
    ),
    "models.pull": Text("下载", "Download"),
    "models.connecting": Text("正在连接……{seconds} 秒", "Connecting … {seconds} s"),
    "models.pulling": Text("{file}　{done} / {of} MiB　{seconds} 秒", "{file}  {done} / {of} MiB  {seconds} s"),
    "models.pulled": Text("{name} 已下载，可以使用。", "{name} has been downloaded and can be used."),
    "models.nothing_to_pull": Text("已知的模型都在本机。", "All known models are on this machine."),
    "models.side.first": Text("左", "Left"),
    "models.side.second": Text("右", "Right"),
    "models.texts.sentiment": Text("文本", "Texts"),
    "models.texts.classify": Text("文本", "Texts"),
    "models.texts.zero_shot": Text("文本", "Texts"),
    "models.texts.similarity": Text("句对：每行两句，用 | 隔开", "Pairs: two sentences per line, separated by |"),
    "models.compare": Text("对比", "Compare"),
    "models.compare_empty": Text(
        "选两个模型，或同一模型的两种精度，在同样的文本上对比。",
        "Choose two models, or two precisions of one, and compare them on the same texts.",
    ),
    "models.ms": Text("毫秒/条", "ms per text"),
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
}
