"""Strings of the adapt page."""

from __future__ import annotations

from collections.abc import Mapping

from wenmo.ui.localized import Text

STRINGS: Mapping[str, Text] = {
    "adapt.intro": Text(
        "用你自己标注的几十到几千行，把模型调得更合用。文件只在本机处理，训练完即丢弃。",
        "Make a model fit your texts with a few dozen to a few thousand labelled rows. The file stays on this machine "
        "and is discarded after training.",
    ),
    "adapt.task": Text("任务", "Task"),
    "adapt.sample": Text("螺蛳粉评论", "Reviews of snail noodles"),
    "adapt.sample_note": Text(
        "60 条虚构的评论：在爱吃螺蛳粉的人看来，臭是夸奖，清淡是抱怨。原来的模型正好读反。",
        "60 invented reviews: to those who love snail noodles, stinking is praise and mild is a complaint. The model "
        "as it is reads them the wrong way round.",
    ),
    "adapt.empty": Text("上传文件，或用示例试试。", "Upload a file, or try the example."),
    "adapt.distinct": Text(
        "共 {count} 行可用：六成学习，一成半决定何时停止，两成半只用于前后对比。",
        "{count} usable rows: 60% to learn from, 15% to decide when to stop, 25% only to compare before and after.",
    ),
    "adapt.name": Text("新模型的名称", "Name of the new model"),
    "adapt.name_help": Text("小写字母、数字、连字符", "Small letters, digits, hyphens"),
    "adapt.start_from": Text("从哪个模型开始", "Start from"),
    "adapt.new_labels": Text(
        "这 {count} 个标签会得到新的分类头；只用所选模型的编码器，不限它原来的用途。",
        "These {count} labels get a new classifier; only the encoder of the model is used, whatever it was made for.",
    ),
    "adapt.baseline": Text("TF-IDF 基线", "TF-IDF baseline"),
    "adapt.baseline.better": Text("比基线好", "Better than the baseline"),
    "adapt.baseline.unclear": Text("看不出比基线好", "No better than the baseline, as far as these rows show"),
    "adapt.baseline.worse": Text("比基线差", "Worse than the baseline"),
    "adapt.baseline_change": Text(
        "{n} 行没有学过的：字与双字 TF-IDF 的线性模型学同样的行，答对 {before}；新模型答对 {after}，"
        "相差 {change} 个百分点（95% 区间 {low} 至 {high}）。",
        "Of {n} rows that were not learnt a linear model on TF-IDF of characters, which learnt the same rows, has "
        "{before} right and the new model {after}: {change} points (95% interval {low} to {high}).",
    ),
    "adapt.f1": Text("F1", "F1"),
    "adapt.f1_baseline": Text("基线 F1", "F1 of the baseline"),
    "adapt.f1_before": Text("训练前 F1", "F1 before"),
    "adapt.precision_of": Text("精确率", "Precision of the label"),
    "adapt.recall": Text("召回率", "Recall"),
    "adapt.confusion_note": Text(
        "行是真实标签，列是模型给出的标签。", "Rows are the true labels, columns those that the model gave."
    ),
    "adapt.confusion": Text("{of} 行中答对 {right}", "{right} of {of} rows right"),
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
    "adapt.stage.before": Text("训练前先回答一遍：{step} / {of}", "Answering before training: {step} / {of}"),
    "adapt.stage.training": Text("训练：第 {step} / {of} 步", "Training: step {step} / {of}"),
    "adapt.stage.after": Text("训练后再回答一遍：{step} / {of}", "Answering after training: {step} / {of}"),
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
}
