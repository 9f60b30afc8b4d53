"""The words of the report, in both languages."""

from __future__ import annotations

from collections.abc import Mapping

from wenmo.errors import Language

TEXT: Mapping[Language, Mapping[str, str]] = {
    "zh": {
        "title": "文墨共鸣 · 显存报告",
        "lead": (
            "同一份配置，先预测，再实测，再解释省下的每一步。显存数字是对一块未必在场的 GPU 的预测；同样的预测也对本"
            "机 CPU 做一遍，与实测对照，误差列在旁边。"
        ),
        "article": "与文章的表格对照",
        "article_says": "文章所述",
        "ours": "本项目（GPU 预测）",
        "half_alone": "只改用 fp16",
        "what": "指标",
        "one": "单句对",
        "eight": "8 个句对",
        "speed": "句对/秒（8 对一批）",
        "unknown": "未测",
        "accuracy": "准确率",
        "article_note": (
            "文章没有说明它如何计量，也没有给出长度。这里计的是 PyTorch 分配器的占用（max_memory_allocated），不"
            "含 CUDA 上下文。速度为本机 CPU 实测，与文章的 GPU 不可直接相比，只看前后之比。"
        ),
        "waterfall": "{what}：每一步省了多少（GPU 预测）",
        "waterfall_cpu": "{what}：每一步省了多少（本机 CPU 预测，因为 int8 不在 GPU 上运行）",
        "path": "从基线到优化",
        "checkpointing_inference": "推理中打开检查点",
        "left": "优化之后",
        "steps": "每一步：预测与实测",
        "checks": "同样的步骤，用较小的模型在本机实测",
        "step": "步骤",
        "configuration": "配置",
        "gpu_allocated": "GPU 预测：分配 GiB",
        "gpu_total": "GPU 预测：总计 GiB",
        "cpu_predicted": "本机预测 GiB",
        "cpu_measured": "本机实测 GiB",
        "error": "预测误差",
        "over_floor": "高出下限",
        "time": "用时（中位数）",
        "steps_note": (
            "总计含分配器保留的部分和 CUDA 上下文（假定 500 MiB）。误差 = 本机预测 ÷ 本机实测 − 1，两者为同一配置。"
            "下限 = 权重 + 前向离不开的最大一组激活，只计真实词元；填充的部分因此显示为高出。"
        ),
        "split": "实测峰值由什么组成（MiB）",
        "weights": "权重",
        "optimiser": "优化器",
        "gradients": "梯度",
        "activations": "激活",
        "workspace": "算子临时",
        "most_activations": "激活（自身最高时）",
        "overhead": "其余",
        "split_note": (
            "“其余”为进程常驻内存的峰值减去张量：库的缓冲与分配器的留存；为负表示从未写过的页没有真正占用内存。"
        ),
        "checkpointing": "关于梯度检查点的实话",
        "work": "工作",
        "inference": "推理",
        "training_step": "训练步",
        "activations_saved": "激活省下",
        "time_added": "用时增加",
        "checkpointing_note": (
            "推理时不保留任何激活供反向使用，检查点没有可省的东西，这段代码也根本不会执行。它在训练步（{configuration}）里有用，代价"
            "是把前向再算一遍。"
        ),
        "fits": "一块卡放得下多大的批",
        "precision": "精度",
        "length": "长度（词元）",
        "fits_note": (
            "打包前向，按预测：分配器保留的显存加 CUDA 上下文不超过卡的标称容量。显示器和其他进程的占用不在内。"
        ),
        "throughput": "吞吐：优化之前与之后",
        "speed_before": "之前（条/秒）",
        "speed_after": "之后（条/秒）",
        "ratio": "倍数",
        "throughput_note": (
            "本机 CPU 上各配置的一批，多次运行的中位数。打包省去填充；半精度在没有半精度单元的 CPU 上只是存放格式，并"
            "不加快运算。"
        ),
        "accuracy_title": "准确率：优化之前与之后",
        "correct": "答对",
        "accuracy_interval": "准确率（95% 区间）",
        "changed": "答案改变",
        "difference": "增减（百分点，95% 区间）",
        "texts_per_s": "条/秒",
        "baseline": "基线",
        "similarity": "相似度",
        "sentiment": "情感",
        "zero_shot": "零样本",
        "accuracy_note": (
            "{model}（{task}）在本机 CPU 上用每种精度回答同样的 {rows} 行标注数据。准确率的区间为 Wilson，增减的区间"
            "为成对样本的 Bonett–Price：行数少时区间很宽。条/秒含分词与打包，为一次运行。"
        ),
        "majority": "总答最多的那个标签可得 {share}。",
        "stored": "{precisions} 在本机只用于存放权重，运算为 fp32；在 GPU 上运算也是半精度，改变的答案可能稍多。",
        "method": "如何测得",
        "machine": "机器",
        "system": "系统与版本",
        "day": "日期",
        "weights_from": "权重",
        "random": "随机权重（内存和用时与权重的取值无关，因此不能用来看答案）",
        "own": "检查点自带的权重",
        "method_notes": (
            "每个配置在各自的新进程中运行；先热身一次，再计时，最后在跟踪器下运行一次。\n"
            "跟踪器记录 PyTorch CPU 分配器的每一次分配与释放，线程数相同时逐字节可重复；MKL 等库自行申请的内存不"
            "在其中，见“其余”。\n"
            "预测用同一份代码在不占内存的伪张量上运行；GPU 另按其注意力内核、PyTorch 缓存分配器的取整规则和 "
            "cuBLAS 工作区（8.1 MiB）计算。GPU 的数字没有在 GPU 上核对过。\n"
            "基线把每对填充到 {padded} 个词元，即 ModelScope 流水线的做法；打包则只算真实词元。"
        ),
    },
    "en": {
        "title": "wenmo · memory report",
        "lead": (
            "Each configuration predicted, measured, and each step of the saving explained. Figures of GPU memory are "
            "predictions for a GPU that need not be there; the same prediction is made for this machine's CPU, and "
            "its error against what was measured stands beside it."
        ),
        "article": "Beside the article's table",
        "article_says": "the article says",
        "ours": "here (predicted for a GPU)",
        "half_alone": "by fp16 alone",
        "what": "what",
        "one": "one pair",
        "eight": "8 pairs",
        "speed": "pairs a second (8 a batch)",
        "unknown": "not measured",
        "accuracy": "accuracy",
        "article_note": (
            "The article does not say how it measured, nor at which lengths. Here it is what PyTorch's allocator "
            "hands out (max_memory_allocated), without the CUDA context. Speed was measured on this machine's "
            "CPU: compare its ratio with the article's, not its figures."
        ),
        "waterfall": "What each step saves: {what} (predicted for a GPU)",
        "waterfall_cpu": "What each step saves: {what} (predicted for this CPU, as int8 runs on none but CPUs)",
        "path": "from the baseline to the optimised",
        "checkpointing_inference": "checkpointing, in inference",
        "left": "what is left",
        "steps": "Step by step, predicted and measured",
        "checks": "The same steps, measured here with a smaller model",
        "step": "step",
        "configuration": "configuration",
        "gpu_allocated": "GPU, predicted: allocated GiB",
        "gpu_total": "GPU, predicted: in all GiB",
        "cpu_predicted": "here, predicted GiB",
        "cpu_measured": "here, measured GiB",
        "error": "error of the prediction",
        "over_floor": "over the floor",
        "time": "time (median)",
        "steps_note": (
            "“In all” adds what the allocator keeps and the CUDA context (assumed: 500 MiB). Error = predicted "
            "here / measured here - 1, for the same configuration. Floor = weights and the largest set of "
            "activations that a forward cannot do without, for real pieces; padding shows as what is over it."
        ),
        "split": "What the measured peaks are made of (MiB)",
        "weights": "weights",
        "optimiser": "optimiser",
        "gradients": "gradients",
        "activations": "activations",
        "workspace": "within operators",
        "most_activations": "activations at their highest",
        "overhead": "the rest",
        "split_note": (
            "The rest is the process's highest resident set less the tensors: buffers of libraries, and what "
            "allocators keep. Below zero: pages that were never written take no memory."
        ),
        "checkpointing": "The truth on gradient checkpointing",
        "work": "work",
        "inference": "inference",
        "training_step": "training step",
        "activations_saved": "activations saved",
        "time_added": "time added",
        "checkpointing_note": (
            "Inference keeps no activations for a backward pass, so there is nothing to save, and the code is "
            "never run. In a training step ({configuration}) it serves, at the price of computing the forward twice."
        ),
        "fits": "How large a batch a card holds",
        "precision": "precision",
        "length": "length (pieces)",
        "fits_note": (
            "Packed forward, by prediction: what the allocator reserves and the CUDA context within the card's "
            "nominal size. A display or other processes are not counted."
        ),
        "throughput": "Throughput before and after",
        "speed_before": "before, texts a second",
        "speed_after": "after, texts a second",
        "ratio": "ratio",
        "throughput_note": (
            "One batch of each configuration on this CPU, the median of some runs. Packing leaves padding out; half "
            "precision is a way to store weights on a CPU without units for it, and makes nothing faster there."
        ),
        "accuracy_title": "Accuracy before and after",
        "correct": "right",
        "accuracy_interval": "accuracy (95% interval)",
        "changed": "answers changed",
        "difference": "change, in points (95% interval)",
        "texts_per_s": "texts a second",
        "baseline": "baseline",
        "similarity": "similarity",
        "sentiment": "sentiment",
        "zero_shot": "zero-shot",
        "accuracy_note": (
            "{model} ({task}) answers the same {rows} labelled rows on this CPU in each precision. Intervals of "
            "accuracy are Wilson's, those of the change Bonett and Price's for pairs: with few rows they are wide. "
            "Texts a second include tokenising and packing, of one run."
        ),
        "majority": " Always the most frequent label would reach {share}.",
        "stored": (
            " {precisions}: only stored so on this CPU, the arithmetic is fp32; a GPU computes in half, too, and may "
            "change some answers more."
        ),
        "method": "How it was measured",
        "machine": "machine",
        "system": "system and versions",
        "day": "day",
        "weights_from": "weights",
        "random": "random (memory and time do not depend on them; answers would)",
        "own": "the checkpoint's own",
        "method_notes": (
            "Each configuration runs in a fresh process of its own: once to warm up, then for time, then under "
            "the tracker.\n"
            "The tracker sees every block that PyTorch's CPU allocator hands out and takes back, and repeats to "
            "the byte with the same number of threads. What libraries such as MKL take for themselves is not in "
            "it; see “the rest”.\n"
            "Predictions run the same code on fake tensors, which take no memory; for a GPU with its attention "
            "kernels, the rounding of PyTorch's caching allocator and cuBLAS's workspace (8.1 MiB). Figures for "
            "GPUs have not been held against a GPU.\n"
            "The baseline pads every pair to {padded} pieces, as ModelScope's pipeline does; packing computes "
            "real pieces alone."
        ),
    },
}
