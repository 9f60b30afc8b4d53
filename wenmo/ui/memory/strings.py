"""Strings of the memory page: live memory and the lab."""

from __future__ import annotations

from collections.abc import Mapping

from wenmo.ui.localized import Text

STRINGS: Mapping[str, Text] = {
    # Live memory
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
    # The lab
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
    "lab.random": Text(
        "权重是随机的：内存和用时与权重的取值无关。准确率另用真实的模型来测。",
        "The weights are random: memory and time do not depend on them. Accuracy is that of a real model.",
    ),
    "lab.waterfall": Text("每一步省了多少", "What each step saved"),
    "lab.group.one": Text("一个句对", "One pair"),
    "lab.group.eight": Text("8 个句对", "8 pairs"),
    "lab.group.path": Text("从基线到优化", "From the baseline to the optimised"),
    "lab.of_gpu": Text(
        "{model}，按 GPU 预测：分配器的占用", "{model}, predicted for a GPU: what its allocator hands out"
    ),
    "lab.of_cpu": Text(
        "{model}，按本机 CPU 预测：其中有 int8，它不在 GPU 上运行",
        "{model}, predicted for this CPU: int8, which is among the steps, runs on no GPU",
    ),
    "lab.bar.checkpointing_inference": Text("推理中打开检查点", "checkpointing, in inference"),
    "lab.bar.left": Text("优化之后", "what is left"),
    "lab.waterfall_alt": Text(
        "瀑布图：{what}，每一步省下的内存", "Waterfall of the memory that each step saved: {what}"
    ),
    "lab.same": Text(
        "两份配置相同，没有可比的步骤。", "Both configurations are the same: there is no step to compare."
    ),
    "lab.article": Text("与文章的表格对照", "Beside the article's table"),
    "lab.what": Text("指标", "What"),
    "lab.article_says": Text("文章所述", "The article says"),
    "lab.ours_gpu": Text("本项目", "Here"),
    "lab.half_alone": Text("只改用 fp16", "By fp16 alone"),
    "lab.speed": Text("句对/秒，8 对一批", "pairs a second, 8 a batch"),
    "lab.f1": Text("F1；本项目为准确率", "F1; ours is accuracy"),
    "lab.article_kinds": Text(
        "显存：文章未说明如何计量；本项目为 {model} 的 GPU 预测。速度：文章为 GPU；本项目为本机 CPU 实测，只看前"
        "后之比。F1：文章未给出数据；本项目为 fp32 与 fp16 在上面的标注数据上的准确率，二者不可直接相比。",
        "Memory: the article does not say how it measured; ours is predicted for a GPU, of {model}. Speed: the "
        "article's is a GPU's, ours measured on this CPU; compare the ratios. F1: the article does not give its data; "
        "ours is accuracy in fp32 and fp16 on the labelled rows above, and not to be compared with it.",
    ),
    "lab.throughput": Text("吞吐：优化之前与之后", "Throughput before and after"),
    "lab.compared": Text("对比", "Compared"),
    "lab.speed_before": Text("之前，条/秒", "Before, texts/s"),
    "lab.speed_after": Text("之后，条/秒", "After, texts/s"),
    "lab.ratio": Text("倍数", "Ratio"),
    "lab.throughput_note": Text(
        "本机 CPU（线程数 {threads}）上各配置的一批，数次的中位数；GPU 上会不同。没有半精度单元的 CPU 上，"
        "fp16 只省内存、不加快运算。",
        "One batch of each configuration on this CPU (threads: {threads}), the median of some runs; a GPU's would "
        "differ. On a CPU without units for it fp16 saves memory and makes nothing faster.",
    ),
    "lab.no_throughput": Text(
        "没有吞吐：前后两份配置没有都在本机实测。",
        "None: the configurations before and after were not both measured here.",
    ),
    "lab.accuracy": Text("准确率：优化之前与之后", "Accuracy before and after"),
    "lab.correct": Text("答对", "Right"),
    "lab.accuracy_interval": Text("准确率（95% 区间）", "Accuracy (95% interval)"),
    "lab.changed": Text("答案改变", "Answers changed"),
    "lab.difference": Text("增减，百分点（95% 区间）", "Change, points (95% interval)"),
    "lab.texts_per_s": Text("条/秒", "Texts/s"),
    "lab.baseline": Text("基线", "baseline"),
    "lab.accuracy_note": Text(
        "{model}（{task}），本机 CPU，{rows} 行；准确率的区间宽 {width} 个百分点（Wilson），增减按成对样本（Bonett–"
        "Price）。总答最多的标签可得 {majority}。条/秒为一次运行，含分词。",
        "{model} ({task}) on this CPU, {rows} rows: the interval of accuracy is {width} points wide (Wilson), that of "
        "the change is for pairs (Bonett and Price). Always the most frequent label would reach {majority}. Texts/s "
        "are of one run, with tokenising.",
    ),
    "lab.stored": Text(
        "{precisions} 在本机只用于存放权重，运算为 fp32；GPU 上运算也是半精度，改变的答案可能稍多。",
        "{precisions}: only stored so on this CPU, the arithmetic is fp32. A GPU computes in half, too, and may change "
        "some answers more.",
    ),
    "lab.steps": Text("每一步：预测与实测", "Step by step, predicted and measured"),
    "lab.configuration": Text("配置", "Configuration"),
    "lab.gpu_allocated": Text("GPU 预测", "On a GPU"),
    "lab.gpu_total": Text("含上下文", "with context"),
    "lab.cpu_predicted": Text("本机预测", "Predicted"),
    "lab.cpu_measured": Text("本机实测", "Measured"),
    "lab.error": Text("误差", "Error"),
    "lab.time": Text("用时 ms", "ms"),
    "lab.steps_note": Text(
        "GPU 列为 {shown} 的预测，没有在 GPU 上核对过；“含上下文”加上分配器保留的部分和假定的 500 MiB CUDA 上下文。"
        "本机各列为 {checked} 在 {machine} 上，误差 = 预测 ÷ 实测 − 1。",
        "“On a GPU” is predicted for {shown}, not held against a GPU; “with context” adds what the allocator keeps and "
        "an assumed 500 MiB of CUDA context. “Predicted” and “Measured” are {checked} on {machine}; error = predicted "
        "/ measured - 1.",
    ),
    "lab.largest_error": Text(
        "{count} 项实测中，预测误差最大 {error}。用时为 {runs} 次的中位数。",
        "Largest error of the prediction, of {count} measured: {error}. Times are medians of {runs} runs.",
    ),
    "lab.over_floor": Text(
        "打包前向的峰值最多高出下限 {share}；下限 = 权重 + 前向离不开的最大一组激活。",
        "Packed peaks are at most {share} over their floor: weights, and the largest activations that no forward can "
        "do without.",
    ),
    "lab.dash_int8": Text(
        "int8 一行没有 GPU 数字：int8 只在 CPU 上运行。", "No GPU figure for int8: it runs on CPUs only."
    ),
    "lab.dash_predicted": Text("实测列为“–”：这次只要求预测。", "“–” under measured: only predictions were asked for."),
    "lab.dash_failed": Text("{name} 没有测成：{reason}", "{name} was not measured: {reason}"),
    "lab.truth": Text("关于梯度检查点的实话", "The truth on gradient checkpointing"),
    "lab.off": Text("关", "off"),
    "lab.on": Text("开", "on"),
    "lab.activations": Text("激活", "Activations"),
    "lab.peak": Text("峰值", "Peak"),
    "lab.truth_note": Text(
        "{model}，本机 CPU {how}；激活按其自身最高时计。推理不为反向保留激活，检查点没有可省的，这段代码根本不执行；"
        "训练步里它省内存，代价是把前向再算一遍。",
        "{model}, {how} on this CPU; activations at their own highest moment. Inference keeps none for a backward "
        "pass: there is nothing to save, and the code is never run. In a training step it saves, at the price of "
        "computing the forward twice.",
    ),
    "lab.how.measured": Text("实测", "measured"),
    "lab.how.predicted": Text("预测（未实测，因此没有用时）", "predicted (not measured, so without times)"),
    "lab.truth_result": Text(
        "推理：激活省 {inference}。训练步：激活省 {training}，用时 {time}。",
        "Inference: {inference} of activations saved. Training step: {training} saved, time {time}.",
    ),
    "lab.fits": Text("一块卡放得下多大的批", "How large a batch a card holds"),
    "lab.fits_alt": Text(
        "{precision} 下每块卡在各长度能放下的最大批", "Largest batch of each card and length in {precision}"
    ),
    "lab.fits_note": Text(
        "{configuration}，按 GPU 预测：保留的显存加 CUDA 上下文不超过标称容量；显示器和其他进程不计。"
        "上方为长度（词元），“·”表示一条也放不下。",
        "{configuration}, predicted for a GPU: what is reserved and the CUDA context within the card's nominal "
        "size; displays and other processes are not counted. Lengths (pieces) at the top; “·”: not even one.",
    ),
    "lab.no_fits": Text("int8 只在 CPU 上运行，没有显卡可算。", "int8 runs on CPUs only: no card to fit."),
    "lab.verdict": Text(
        "{side}：{needs} GiB，{gib} GB 的卡{fits}。", "{side}: {needs} GiB, which a {gib} GB card {fits}."
    ),
    "lab.holds.yes": Text("放得下", "holds"),
    "lab.holds.no": Text("放不下", "does not hold"),
    "lab.largest": Text(
        "这块卡上，优化后的配置在长度 {length} 最大可到批 {batch}。",
        "On this card, the optimised configuration goes up to a batch of {batch} at length {length}.",
    ),
    "lab.report": Text("下载报告 HTML", "Download report (HTML)"),
}
