"""Strings that the shell or several pages show."""

from __future__ import annotations

from collections.abc import Mapping

from wenmo.ui.localized import Text

STRINGS: Mapping[str, Text] = {
    # Navigation, buttons and notes that several pages have
    "app.name": Text("文墨共鸣", "Wenmo"),
    "document.no_script": Text(
        "请在浏览器中启用 JavaScript：这些页面需要它。", "Enable JavaScript in your browser: these pages need it."
    ),
    "app.home": Text("首页", "Home"),
    "app.similarity": Text("句子相似度", "Similarity"),
    "app.match": Text("匹配", "Match"),
    "app.sentiment": Text("情感倾向", "Sentiment"),
    "app.zero_shot": Text("零样本分类", "Zero-shot"),
    "app.classify": Text("自有分类", "Classify"),
    "app.no_model": Text(
        "{task}没有自带模型：请在侧栏或“模型”页选一个，或在“微调”页训练一个。",
        "{task} has no bundled model: choose one in the sidebar or on the Models page, or train one on the Adapt page.",
    ),
    "app.memory": Text("显存", "Memory"),
    "app.throughput": Text("吞吐", "Throughput"),
    "app.story": Text("汇报", "Story"),
    "app.models": Text("模型", "Models"),
    "app.batch": Text("批量", "Batch"),
    "app.service": Text("服务", "Service"),
    "app.adapt": Text("微调", "Adapt"),
    "app.group.read": Text("读懂", "Understand"),
    "app.group.files": Text("文件", "Files"),
    "app.group.resources": Text("资源", "Resources"),
    "app.group.manage": Text("管理", "Manage"),
    "app.comma": Text("、", ", "),
    "app.working": Text("正在研墨……", "Grinding ink …"),
    "app.progress": Text("{done} / {of}", "{done} / {of}"),
    "app.stop": Text("停止", "Stop"),
    "app.stopped": Text("已停止。", "Stopped."),
    "app.start_again": Text("重新开始", "Start again"),
    "app.starting": Text("正在准备引擎……", "Preparing the engine …"),
    "app.answered": Text("结果已显示。", "The result is shown."),
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
    "app.unknown": Text(
        "有 {count} 条含模型不认识的字符（至多占 {share}），模型分不清这些字符：结果仅供参考。",
        "{count} texts have characters that the model does not know (up to {share}). They are all one to it: trust the "
        "results less.",
    ),
    "app.lines_help": Text(
        "每行一条，空行不计，最多 {limit} 条。Ctrl+Enter 提交。",
        "One per line; blank lines do not count; at most {limit}. Ctrl+Enter submits.",
    ),
    "app.copy.label": Text("复制", "Copy"),
    "app.copy.done": Text("已复制", "Copied"),
    "app.copy.failed": Text("未能复制", "Not copied"),
    "app.not_shared": Text(
        "输入共 {length} 个字符，超过 {limit}，没有写进地址：这个结果不能用链接分享。",
        "The inputs have {length} characters, more than {limit}, and are not in the address: this result cannot be "
        "shared by a link.",
    ),
    # The password of the pages
    "password.field": Text("访问密码", "Password"),
    "password.enter": Text("进入", "Enter"),
    "password.wrong": Text("密码不对。请向管理员索取。", "This is not the password. Ask the operator for it."),
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
    "history.classify": Text("自有分类", "Classify"),
    "history.zero_shot": Text("分类", "Labels"),
    # The sidebar: what is in use
    "status.title": Text("运行状态", "Status"),
    "status.models": Text("模型", "Model"),
    "status.device": Text("设备", "Device"),
    "status.precision": Text("精度", "Precision"),
    "status.batch": Text("批次上限", "Batch"),
    "status.tokens": Text("{value} 词元", "{value} tokens"),
    "status.memory": Text("进程内存", "Process memory"),
    "status.gpu_memory": Text("显存", "GPU memory"),
    "status.mib": Text("{value} MiB", "{value} MiB"),
    "status.of_mib": Text("{value} / {total} MiB", "{value} / {total} MiB"),
    "status.loaded": Text("已载入。{reason}", "Loaded. {reason}"),
    "status.waiting": Text("首次使用时载入", "Loads at first use"),
    # The sidebar: the choice of models
    "models.similarity": Text("相似度模型", "Model for similarity"),
    "models.sentiment": Text("情感模型", "Model for sentiment"),
    "models.zero_shot": Text("零样本模型", "Model for zero-shot"),
    "models.classify": Text("分类模型", "Model for classification"),
    "models.none": Text("（未选）", "(none)"),
    "models.embedding": Text("向量模型", "Model for vectors"),
    # Two sentences compared: on the home page and on the similarity page
    "similarity.first": Text("第一句", "First sentence"),
    "similarity.second": Text("第二句", "Second sentence"),
    "similarity.first_placeholder": Text("例如：周末去哪儿爬山比较好", "For example: 周末去哪儿爬山比较好"),
    "similarity.second_placeholder": Text("例如：周末爬山有什么好去处", "For example: 周末爬山有什么好去处"),
    "similarity.compare": Text("比较", "Compare"),
    "similarity.probability": Text("同义概率", "Probability of same meaning"),
    "similarity.probability_help": Text(
        "交叉编码器：两句一起读，逐字对照，给出“意思相同”的概率。较准，但每一对都要算一次。",
        "Cross-encoder: both sentences are read together, which gives the probability that they mean the same. "
        "The more accurate measure; each pair costs one pass.",
    ),
    "similarity.cosine": Text("向量余弦（−1 至 1）", "Cosine of vectors (−1 to 1)"),
    "similarity.cosine_line": Text(
        "另有一种较粗的度量，向量余弦：{value}（−1 至 1，不是百分比）",
        "A coarser measure beside it, the cosine of vectors: {value} (−1 to 1, not a percentage)",
    ),
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
    # Column of texts: on the pages for sentiment and models
    "sentiment.text": Text("文本", "Text"),
    # Zero-shot labels and options: on the pages for zero-shot, batch, adapt and models
    "zero_shot.labels": Text("标签", "Labels"),
    "zero_shot.labels_placeholder": Text("输入一个，按 Enter；也可粘贴一串", "Type one, press Enter; or paste several"),
    "zero_shot.labels_help": Text(
        "每个标签输入后按 Enter；也可粘贴用逗号、顿号、分号、竖线或换行分开的一串，最多 {limit} 个。"
        "含这些符号的标签请放在英文双引号内。增删标签，结果随即更新。",
        "Enter after each label; or paste several between commas, semicolons, 、, | or line breaks, at most {limit}. A "
        "label that holds one of these goes into double quotes. Labels put in or taken out count at once.",
    ),
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
    "zero_shot.method.auto": Text("自动", "Automatic"),
    "zero_shot.method.ensemble": Text("两个模型一起判断", "Both models"),
    "zero_shot.method.nli": Text("逐一判断", "Judge each label"),
    "zero_shot.method.two_stage": Text("先筛选，再判断", "Shortlist, then judge"),
    "zero_shot.method.embedding": Text("只比向量", "Nearest vector"),
    "zero_shot.method_help": Text(
        "自动：自带模型用“两个模型一起判断”，其他模型用“逐一判断”。两个模型一起判断：把零样本模型与句向量的概率合在一起，"
        "最准，标签越多越慢。先筛选：只判断向量最近的 {shortlist} 个标签，适合几十个以上的标签。"
        "只比向量：快慢与标签数无关。",
        "Automatic: both models for the bundled ones, each label judged for others. Both models: the probabilities of "
        "the zero-shot model and of the vectors together, the most accurate, and slower with every label. The "
        "shortlist is of the {shortlist} labels whose vectors are nearest: for some dozens of labels and more. Nearest "
        "vector: as fast with many labels as with few.",
    ),
    "zero_shot.method_note.ensemble": Text(
        "概率由零样本模型与句向量共同得出，两者各占一半。",
        "The probabilities are those of the zero-shot model and of the vectors together, half each.",
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
    "zero_shot.chart_alt": Text("{count} 个标签的概率，从高到低", "Probabilities of {count} labels, best first"),
    "zero_shot.dropped": Text(
        "有 {count} 个标签空白或重复，没有计入。", "{count} labels were blank or given twice and were left out."
    ),
    # How a file is read: on all pages that take one
    "file.format": Text("编码、分隔符与引号", "Encoding, separator and quotes"),
    "file.auto": Text("自动识别", "detected automatically"),
    "file.encoding": Text("编码", "Encoding"),
    "file.delimiter": Text("分隔符", "Separator"),
    "file.delimiter.comma": Text("逗号 ,", "comma ,"),
    "file.delimiter.tab": Text("制表符", "tab"),
    "file.delimiter.semicolon": Text("分号 ;", "semicolon ;"),
    "file.delimiter.bar": Text("竖线 |", "vertical bar |"),
    "file.quoting": Text("双引号", "Double quotes"),
    "file.quoting.csv": Text("括住单元格", "surround cells"),
    "file.quoting.none": Text("只是普通字符", "are ordinary characters"),
    "file.quoting.escape": Text("前有反斜杠", "have a backslash before them"),
    "file.sheet": Text("工作表", "Sheet"),
    # A labelled file: on the adapt page and in the memory lab
    "labelled.file": Text("标注好的文件", "Labelled file"),
    "labelled.file_help": Text(
        "CSV、TSV、JSONL、Parquet 或 Excel，至少 20 行，每个标签至少 4 行，最多 20,000 行。"
        "情感与相似度的标签为 0/1 或词（如 差评/好评、不相似/相似）；零样本的标签即主题。",
        "CSV, TSV, JSONL, Parquet or Excel: at least 20 rows, 4 of each label, at most 20,000. Labels of sentiment and "
        "similarity are 0/1 or words (差评/好评, different/same); those of zero-shot are the topics.",
    ),
    "labelled.column.text": Text("文本列", "Column of texts"),
    "labelled.column.text_a": Text("第一句的列", "Column of first sentences"),
    "labelled.column.text_b": Text("第二句的列", "Column of second sentences"),
    "labelled.column.label": Text("标签列", "Column of labels"),
    "labelled.value": Text("文件中的标签", "Label in the file"),
    "labelled.meaning": Text("理解为", "Read as"),
    "labelled.rows": Text("行数", "Rows"),
    "labelled.left_out": Text(
        "未计入：{skipped} 行有空格，{repeated} 行重复，{contradicting} 行同文不同标签。",
        "Left out: {skipped} rows with an empty cell, {repeated} repeated, {contradicting} with the same text under "
        "different labels.",
    ),
    # The panel "Why?"
    "explain.why": Text("为什么？ Why?", "为什么？ Why?"),  # one label: with another, Streamlit would close the panel
    "explain.label": Text("解释哪个标签", "Label to explain"),
    "explain.same": Text("趋于相同", "towards the same"),
    "explain.different": Text("趋于不同", "towards different"),
    "explain.up": Text("偏正面", "towards positive"),
    "explain.down": Text("偏负面", "towards negative"),
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
        "逐字遮住，让模型重读：墨色（深色主题下为浅色）趋于相同，朱色趋于不同，与底色反差越大，作用越强。数值是遮住后对数几率下降多少；"
        "字与字相互影响，各字相加不等于总分。",
        "Each character is hidden in turn and the model reads again: ink (light in the dark theme) pulls "
        "towards the same meaning, cinnabar "
        "away from it, the more it stands out the more. The number is how far the log odds fall without it. "
        "Characters act together: the numbers do not add up to the score.",
    ),
    "explain.sentiment_note": Text(
        "逐字遮住，让模型重读：墨色（深色主题下为浅色）偏向正面，朱色偏向负面，与底色反差越大，作用越强。数值是遮住后“正面”的对数几率下降多少；"
        "字与字相互影响，各字相加不等于总分。",
        "Each character is hidden in turn and the model reads again: ink (light in the dark theme) pulls up, "
        "to positive, cinnabar pulls down, "
        "the more it stands out the more. The number is how far the log odds of positive fall without it. Characters "
        "act together: the numbers do not add up to the score.",
    ),
    "explain.rival_note": Text(
        "逐字遮住，让模型重读：墨色（深色主题下为浅色）支持所选标签，朱色支持与之对照的标签（其余之中得分最高的）。数值是遮住后两者对数几率"
        "下降多少；字与字相互影响，各字相加不等于总分。",
        "Each character is hidden in turn and the model reads again: ink (light in the dark theme) speaks "
        "for the chosen label, cinnabar for the "
        "one it is held against, the best of the others. The number is how far the log odds between the two fall "
        "without it. Characters act together: the numbers do not add up to the score.",
    ),
    "explain.alone_note": Text(
        "逐字遮住，让模型重读：墨色（深色主题下为浅色）说明标签成立，朱色说明不成立。数值是遮住后对数几率下降多少；字与字相互影响，"
        "各字相加不等于总分。",
        "Each character is hidden in turn and the model reads again: ink (light in the dark theme) says that "
        "the label holds, cinnabar that it "
        "does not. The number is how far the log odds fall without it. Characters act together: the numbers do not add "
        "up to the score.",
    ),
    "explain.alignment_note": Text(
        "两句的字如何对应：向量模型末层中字与字的余弦，反差越大越近，赭点是互为最近的一对。"
        "它说明的是上面的“向量余弦”，不是同义概率。",
        "Which character stands for which: cosines in the last layer of the vector model, the more it stands out the "
        "closer; an ochre dot marks two that are each other's closest. It belongs to the cosine of vectors above, "
        "not to the probability.",
    ),
    "explain.alignment_alt": Text(
        "第一句的 {rows} 个字与第二句的 {columns} 个字之间的余弦",
        "Cosines between {rows} parts of the first sentence and {columns} of the second",
    ),
}
