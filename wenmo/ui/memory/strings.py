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
    "memory.reserved": Text("本进程预留", "Reserved by this process"),
    "memory.reserved_help": Text(
        "torch 的分配器为本进程留着的显存，含暂未使用的部分。",
        "What torch's allocator holds for this process, used or not.",
    ),
    "memory.allocated": Text("本进程张量", "Tensors of this process"),
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
        "每点为 {seconds:.1f} 秒内的最高值，每秒采样 {hz:g} 次；赭色三角是事件。",
        "Each point is the highest of {seconds:.1f} s, of {hz:g} samples a second; ochre triangles are events.",
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
    "lab.length": Text("长度（词元）", "Length (tokens)"),
    "lab.length_help": Text(
        "每条文本的真实词元数，含 [CLS] 与 [SEP]。", "Real tokens of each text, with \\[CLS\\] and \\[SEP\\]."
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
    "lab.to_story": Text("用这些数字做汇报 →", "Tell the story with these figures →"),
    "lab.report": Text("下载报告 HTML", "Download report (HTML)"),
}
