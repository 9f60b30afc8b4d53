"""Strings of the batch page."""

from __future__ import annotations

from collections.abc import Mapping

from wenmo.ui.localized import Text

STRINGS: Mapping[str, Text] = {
    "batch.intro": Text(
        "整份文件一次读完：每一行都有答案，可看，可筛，可下载。",
        "A whole file at once: an answer for every row, to look at, to filter, to download.",
    ),
    "batch.file": Text("表格文件", "Table"),
    "batch.file_help": Text(
        "第一行为列名（JSONL 每行一个对象）。Excel 读取一个工作表，可选。",
        "The first row names the columns (JSONL: one object per line). One sheet of an Excel file is read; choose it.",
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
        "这个任务已经没有了：一小时无人查看、已被删除，或服务器换了机器。请重新上传。",
        "This job is gone: nobody looked for an hour, it was deleted, or the server moved. Upload the file again.",
    ),
    "batch.interrupted": Text(
        "服务器在处理途中重启过。算好的部分都保留着：可以接着处理，或在下面重新设定。",
        "The server was restarted half way. What was computed is kept: continue, or set up the job anew below.",
    ),
    "batch.go_on": Text("接着处理", "Continue"),
    "batch.another": Text("删除并换一个文件", "Delete and choose another file"),
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
    "batch.start": Text("开始处理 {rows} 行", "Process {rows} rows"),
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
        "已停止，算出的部分已删除；文件仍保留着，可以重新开始。",
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
    "batch.failed": Text("没有结果", "Without a result"),
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
    "batch.filter_score": Text("把握范围", "Confidence range"),
    "batch.filter_text": Text("文本包含", "Text contains"),
    "batch.literal": Text("按字面查找，不分大小写。", "Searched for literally; case does not matter."),
    "batch.matching": Text("符合的有 {total} 行。", "{total} rows match."),
    "batch.matching_some": Text(
        "下表是前 {shown} 行，全部请下载。", " The table has the first {shown}; download for all."
    ),
    "batch.period": Text(
        "月份（按“{column}”列），以下各项只看这段时间", "Months (by column {column}), for everything below"
    ),
    "batch.good": Text("好评", "Good"),
    "batch.neutral": Text("中评", "Neutral"),
    "batch.bad": Text("差评", "Bad"),
    "batch.mean_positive": Text("平均正面概率", "Mean probability of positive"),
    "batch.phrases": Text("好评与差评各在说什么", "What good and bad reviews talk about"),
    "batch.phrases_show": Text("统计常见说法", "Count frequent phrases"),
    "batch.phrases_note": Text(
        "在这一侧比另一侧明显更常见的字词，每条只计一次；不靠词典，偶有不成词的片段。",
        "Phrases that this side has clearly more often than the other, once a text. Found without a dictionary: some "
        "may be fragments.",
    ),
    "batch.phrases_none": Text("没有反复出现的说法。", "No phrase comes again and again."),
    "batch.phrase": Text("说法", "Phrase"),
    "batch.phrase_here": Text("本侧条数", "Texts on this side"),
    "batch.phrase_there": Text("另一侧条数", "Texts on the other"),
    "batch.stars": Text(
        "这一列读作星级：1–2 星为{negative}，3 星不计，4–5 星为{positive}；可在下面改。",
        "Read as stars: 1–2 are {negative}, 3 is left out, 4–5 are {positive}; change it below.",
    ),
    "batch.groups": Text("好评、中评、差评的占比", "Shares of good, neutral and bad"),
    "batch.group_by": Text("按哪一列看，如商品、日期", "By which column, such as product or date"),
    "batch.choose": Text("请选择", "Choose one"),
    "batch.groups_empty": Text("这一列没有值。", "This column has no values."),
    "batch.groups_alt": Text("{count} 组的好评、中评、差评占比", "Shares of good, neutral and bad in {count} groups"),
    "batch.groups.values": Text(
        "好评为正面概率高于 60%，差评为低于 40%，其间为中评；行数多的在前，行数写在名字后。",
        "Good: a probability of positive above 60%; bad: below 40%; neutral between. Groups with more rows first, the "
        "number of rows after the name.",
    ),
    "batch.groups.time": Text(
        "好评为正面概率高于 60%，差评为低于 40%，其间为中评；按时间先后，行数写在下方。",
        "Good: a probability of positive above 60%; bad: below 40%; neutral between. In the order of time, with the "
        "number of rows.",
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
        "只在你的文件上测得；没有标注、没有结果、“不计”的行不算。",
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
}
