"""The words of the story, in both languages, for the page and for the file alike."""

from __future__ import annotations

from collections.abc import Mapping

from wenmo.errors import Language

WORDS: Mapping[Language, Mapping[str, str]] = {
    "zh": {
        "title": "文墨共鸣 · 省下了什么",
        "and": "；",
        "hours": "{amount} 小时",
        "minutes": "{amount} 分钟",
        "per_hour": "每小时 {price}",
        "random": "随机权重，只有形状",
        "own_weights": "检查点自带的权重",
        "way.fixed": "常规：32 条一批，按到达次序填充",
        "way.sorted": "按长度排序成批",
        "way.packed": "打包，不再填充",
        "way.first_only": "末层只算 [CLS]",
        "way.workers": "每核一个工作线程",
        "way.ours": "打包，每核一个工作线程",
        "way.int8": "打包 + INT8",
        "way.fp16": "打包 + FP16",
        "way.bf16": "打包 + BF16",
        "before.title": "之前要付出什么",
        "before.missing": "还没有测过之前的代价：先跑一次吞吐赛跑。",
        "before.memory": "显存 · 八个句对",
        "before.time": "用时 · 一百万条",
        "before.money": "花费 · 一百万条",
        "before.say": "照常规做法，{parts}。",
        "before.say_memory": "八个句对占 {size} 显存（预测）",
        "before.say_time": "一百万条文本要算 {time}，{price} 即 {costs}",
        "changed.title": "改了什么",
        "changed.missing": "还没有测过每一步的作用：先跑一次吞吐赛跑。",
        "changed.say": "{parts}。",
        "changed.say_memory": "内存上，{name}省得最多（{share}）",
        "changed.say_time": "用时上，{name}省得最多（{share}）",
        "changed.say_checkpointing": "检查点只在训练时有用（激活省 {share}），推理时没有可省的",
        "changed.half_predicted": "FP16 与打包的内存是对 GPU 的预测，逐步相对于上一步。",
        "changed.int8_measured": "INT8 的内存在 CPU 上实测，相对于实测的 fp16 打包。",
        "changed.training_measured": "检查点的激活与用时在 CPU 上实测（{configuration}）。",
        "changed.training_predicted": "检查点的数字是预测，没有实测（{configuration}）。",
        "changed.line": "{name} · {kind}",
        "changed.memory": "内存",
        "changed.time": "用时",
        "changed.half": "FP16",
        "changed.lengths": "再打包，不填充",
        "changed.int8_packed": "INT8 代替 FP16（CPU）",
        "changed.sorted": "按长度成批",
        "changed.packed": "打包",
        "changed.first_only": "末层只算 [CLS]",
        "changed.workers": "每核一个线程",
        "changed.ours": "打包与成批",
        "changed.int8": "INT8",
        "changed.fp16": "FP16",
        "changed.bf16": "BF16",
        "changed.checkpointing_inference": "检查点，推理 · 激活",
        "changed.checkpointing_training": "检查点，训练 · 激活",
        "changed.time_added": "用时 {share}",
        "memory.title": "省下的显存",
        "memory.missing": "还没有测过显存：先在显存页跑一次文章的表格。",
        "memory.say": "按预测，八个句对的显存从 {before} 降到 {after}，省下 {share}。",
        "memory.checkpointing_inference": "推理中打开检查点",
        "memory.left": "优化之后",
        "memory.measured": (
            "同样的配置在 CPU 上实测：fp32 填充 {before} → fp16 打包 {half}；int8 打包 {int8}，省下 {share}。"
        ),
        "memory.note": (
            "显存是对 GPU 的预测（PyTorch 分配器的占用，不含 CUDA 上下文），没有在 GPU 上核对过；模型 {model}"
            "（{weights}），八个句对，填充到 512 或按实际长度打包。"
        ),
        "time.title": "省下的时间",
        "time.missing": "还没有测过速度：先跑一次吞吐赛跑。",
        "time.say": "一百万条文本从 {before}降到 {after}，速度是原来的 {factor} 倍。",
        "time.note": "速度为实测：模型 {model}（{weights}），设备 {device}；“一百万条”由每秒条数推算。",
        "time.spread": "细线是各轮中最快与最慢的一轮。",
        "money.title": "省下的钱",
        "money.missing": "没有速度就算不出花费：先跑一次吞吐赛跑。",
        "money.say": "每天 {texts} 条、{price}：一天从 {before} 降到 {after}，一年省下 {year}。",
        "money.a_day": "{amount} / 天",
        "money.rule": "一天的花费 = 每天条数 ÷ 每秒条数 ÷ 3600 × 每小时价格；一年 365 天。",
        "money.formula": "{way}：{texts} ÷ {speed} ÷ 3600 × {price} = {costs}",
        "money.note": "只计算机器在算的时间。价格应是测速那种机器的；换一种机器（例如 GPU），要先在那里测速。",
        "accuracy.title": "准确率还在",
        "accuracy.missing": "这里没有准确率的结果文件；python -m wenmo eval 在带标签的数据上测它。",
        "accuracy.say": (
            "{sets} 个数据集上，{precision} 与 fp32 相差至多 {most} 个百分点，没有一个数据集有显著的损失（95% 区间）。"
        ),
        "accuracy.say_worse": (
            "{sets} 个数据集上，{precision} 与 fp32 相差至多 {most} 个百分点，其中 {worse} 个有显著的损失（95% 区间）。"
        ),
        "accuracy.note": "模型 {models}；线段是 95% 区间（1,000 次自助重采样），横轴从 {floor} 到 100%。",
        "origin.file": "来源：{files}（benchmarks/results），{machine}，{day}。",
        "origin.own": "来源：这次会话里的运行，{machine}。",
    },
    "en": {
        "title": "Wenmo · what was saved",
        "and": "; ",
        "hours": "{amount} h",
        "minutes": "{amount} min",
        "per_hour": "{price} an hour",
        "random": "random weights, its shape alone",
        "own_weights": "the checkpoint's own weights",
        "way.fixed": "plain: batches of 32 as they come, padded",
        "way.sorted": "batches sorted by length",
        "way.packed": "packed, no padding",
        "way.first_only": "[CLS] alone in the last layer",
        "way.workers": "a worker a core",
        "way.ours": "packed, a worker a core",
        "way.int8": "packed + INT8",
        "way.fp16": "packed + FP16",
        "way.bf16": "packed + BF16",
        "before.title": "What it cost before",
        "before.missing": "What it cost before was not measured yet: run the race of the Throughput page.",
        "before.memory": "GPU memory · eight pairs",
        "before.time": "time · a million texts",
        "before.money": "money · a million texts",
        "before.say": "The plain way, {parts}.",
        "before.say_memory": "eight pairs take {size} of GPU memory (predicted)",
        "before.say_time": "a million texts take {time}, which at {price} is {costs}",
        "changed.title": "What was changed",
        "changed.missing": "What each step brings was not measured yet: run the race of the Throughput page.",
        "changed.say": "{parts}.",
        "changed.say_memory": "{name} saves most memory ({share})",
        "changed.say_time": "{name} saves most time ({share})",
        "changed.say_checkpointing": (
            "checkpointing helps in training alone ({share} of activations): inference keeps none to save"
        ),
        "changed.half_predicted": "Memory of FP16 and packing is predicted for a GPU, step on step.",
        "changed.int8_measured": "Memory of INT8 is measured on a CPU, against fp16 packed measured there, too.",
        "changed.training_measured": "Activations and time of checkpointing ({configuration}) are measured on a CPU.",
        "changed.training_predicted": "Figures of checkpointing ({configuration}) are predicted, not measured.",
        "changed.line": "{name} · {kind}",
        "changed.memory": "memory",
        "changed.time": "time",
        "changed.half": "FP16",
        "changed.lengths": "packed, no padding",
        "changed.int8_packed": "INT8 instead of FP16 (CPU)",
        "changed.sorted": "sorting by length",
        "changed.packed": "packing",
        "changed.first_only": "[CLS] alone in the last layer",
        "changed.workers": "a worker a core",
        "changed.ours": "packing and batching",
        "changed.int8": "INT8",
        "changed.fp16": "FP16",
        "changed.bf16": "BF16",
        "changed.checkpointing_inference": "checkpointing, inference · activations",
        "changed.checkpointing_training": "checkpointing, training · activations",
        "changed.time_added": "time {share}",
        "memory.title": "Memory saved",
        "memory.missing": "Memory was not measured yet: run the article's table on the Memory page.",
        "memory.say": "By prediction eight pairs go from {before} of GPU memory to {after}: {share} saved.",
        "memory.checkpointing_inference": "checkpointing in inference",
        "memory.left": "afterwards",
        "memory.measured": (
            "The same, measured on a CPU: fp32 padded {before} → fp16 packed {half}; int8 packed {int8}, {share} saved."
        ),
        "memory.note": (
            "GPU memory is predicted (what PyTorch's allocator hands out, without the CUDA context) and was not "
            "checked on a GPU; model {model} ({weights}), eight pairs, padded to 512 or packed at their real lengths."
        ),
        "time.title": "Time saved",
        "time.missing": "Speed was not measured yet: run the race of the Throughput page.",
        "time.say": "A million texts go from {before} to {after}: {factor} times as fast.",
        "time.note": (
            "Speed is measured: model {model} ({weights}), device {device}; a million texts are worked out from texts "
            "a second."
        ),
        "time.spread": "Thin lines are the fastest and the slowest of the rounds.",
        "money.title": "Money saved",
        "money.missing": "Without a speed there is no cost: run the race of the Throughput page.",
        "money.say": "{texts} texts a day at {price}: from {before} to {after} a day, {year} saved a year.",
        "money.a_day": "{amount} a day",
        "money.rule": ("Cost of a day = texts a day ÷ texts a second ÷ 3600 × price of an hour; a year has 365 days."),
        "money.formula": "{way}: {texts} ÷ {speed} ÷ 3600 × {price} = {costs}",
        "money.note": (
            "Only the time in which the machine computes. The price must be that of the kind of machine whose speed "
            "was measured; for another, such as a GPU, measure there first."
        ),
        "accuracy.title": "Accuracy kept",
        "accuracy.missing": "There is no result of accuracy here; python -m wenmo eval measures it on labelled rows.",
        "accuracy.say": (
            "On {sets} sets {precision} differs from fp32 by {most} points at most, and none loses significantly "
            "(95% intervals)."
        ),
        "accuracy.say_worse": (
            "On {sets} sets {precision} differs from fp32 by {most} points at most; {worse} lose significantly "
            "(95% intervals)."
        ),
        "accuracy.note": (
            "Models {models}; lines are 95% intervals (1,000 bootstrap resamples), the axis goes from {floor} to 100%."
        ),
        "origin.file": "From {files} (benchmarks/results), {machine}, {day}.",
        "origin.own": "From a run of this session, {machine}.",
    },
}
