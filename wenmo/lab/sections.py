"""The findings in words, charts and tables: the page and the report show the same sections, and the story their charts.

Every figure is named for what it is, predicted for a GPU or measured on this CPU, and of which model. A dash stands for
what was not measured; a note below the table gives the reason.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from importlib.metadata import version

from wenmo.lab.accuracy import AccuracyByPrecision, PrecisionAccuracy
from wenmo.lab.allocations import Breakdown
from wenmo.lab.configuration import Configuration
from wenmo.lab.document import (
    DASH,
    LANGUAGES,
    Cell,
    Chart,
    Grid,
    Line,
    Mark,
    Section,
    Table,
    Text,
    cell_in,
    machine_in_words,
    saving,
    size,
)
from wenmo.lab.findings import (
    WAYS,
    Checkpointing,
    Findings,
    MeasuredThroughput,
    Waterfall,
    checkpointing,
    measured_throughputs,
    predicted_gpu_memory,
    prediction_errors,
    waterfall,
)
from wenmo.lab.fits import Fit
from wenmo.lab.presets import PADDED, StepResult

TITLES: Mapping[str, Text] = {
    "waterfalls": Text("每一步省了多少", "What each step saved"),
    "throughput": Text("吞吐：优化之前与之后", "Throughput before and after"),
    "accuracy": Text("准确率：优化之前与之后", "Accuracy before and after"),
    "article": Text("与文章的表格对照", "Beside the article's table"),
    "steps": Text("每一步：预测与实测", "Step by step, predicted and measured"),
    "checks": Text("同样的步骤，用较小的模型在本机实测", "The same steps, measured here with a smaller model"),
    "checkpointing": Text("梯度检查点：哪里有用", "Gradient checkpointing: where it helps"),
    "fits": Text("一块卡放得下多大的批", "How large a batch a card holds"),
    "peaks": Text("实测峰值由什么组成（MiB）", "What the measured peaks are made of (MiB)"),
    "method": Text("如何测得", "How it was measured"),
}
# What the article says: GPU memory of one pair and of eight in GB, pairs per second, F1; before and after.
ARTICLE = {"one": (1.2, 0.72), "eight": (3.5, 2.1), "speed": (23.0, 28.0), "f1": (0.892, 0.889)}

_GROUPS = {
    "one": Text("一个句对", "One pair"),
    "eight": Text("8 个句对", "8 pairs"),
    "path": Text("从基线到优化", "From the baseline to the optimised"),
}
_WORK = {"inference": Text("推理", "inference"), "training_step": Text("一个训练步", "a training step")}
_TASKS = {
    "similarity": Text("相似度", "similarity"),
    "sentiment": Text("情感", "sentiment"),
    "zero_shot": Text("零样本", "zero-shot"),
}
_PARTS = {
    "weights": Text("权重", "Weights"),
    "optimiser": Text("优化器", "Optimiser"),
    "gradients": Text("梯度", "Gradients"),
    "activations": Text("激活", "Activations"),
    "workspace": Text("算子临时", "Within operators"),
}
_CONFIGURATION = Text("配置", "Configuration")
_NOT_MEASURED = Text("未测", "not measured")
_MODELS = {"bundled": Text("自带情感模型", "bundled sentiment model")}
_PREDICTED, _MEASURED = Text("预测", "predicted"), Text("实测", "measured")
_RANDOM = Text(
    "权重是随机的：内存和用时与权重的取值无关。准确率另用真实的模型来测。",
    "The weights are random: memory and time do not depend on them. Accuracy is that of a real model.",
)


def sections(found: Findings) -> list[Section]:
    """What there is to tell of `found`, for the page and the report alike."""
    told = [
        _waterfalls(found),
        _throughput(found),
        _accuracy(found.accuracy),
        _article(found),
        _steps("steps", found.steps, _columns_note(machine_in_words(found.machine))),
        _steps("checks", found.checks),
        _checkpointing(found.measured),
        _fits(found),
    ]
    return [each for each in told if each is not None]


def appendix(found: Findings) -> list[Section]:
    """What the report has beside `sections`: each measured peak by purpose, and how everything was measured."""
    told = [_peaks(found.measured), _method(found)]
    return [each for each in told if each is not None]


def configuration_title(configuration: Configuration) -> Text:
    """What is computed, in the reader's words; `Configuration.name` is its name in files."""
    same = len(set(configuration.lengths)) == 1
    lengths = str(configuration.lengths[0]) if same else f"{min(configuration.lengths)}–{max(configuration.lengths)}"
    width = configuration.width
    layout = Text("打包", "packed")
    if configuration.layout == "padded":
        layout = Text(f"填充到 {width}", f"padded to {width}")
    parts = [_model(configuration), configuration.precision, layout, f"{configuration.batch} × {lengths}"]
    if configuration.attention == "eager":
        parts.append("eager")
    if configuration.work == "training_step":
        parts.append(Text("训练", "training"))
    if configuration.checkpointing:
        parts.append(Text("检查点", "checkpointing"))
    return Text(*(" · ".join(cell_in(part, language) for part in parts) for language in LANGUAGES))


def _model(configuration: Configuration) -> Cell:
    return _MODELS.get(configuration.model, configuration.model)


def weights_of(*, random: bool) -> Text:
    """Whose weights a model has, for a parenthesis."""
    if random:
        return Text("随机权重，只有形状", "random weights, its shape alone")
    return Text("检查点自带的权重", "the checkpoint's own weights")


def memory_note(configuration: Configuration, *, of_gpu: bool = True) -> Text:
    """What figures of predicted memory are, and of which model."""
    weights, name = weights_of(random=configuration.random_weights), _model(configuration)
    model, model_en = (cell_in(name, language) for language in LANGUAGES)
    if of_gpu:
        return Text(
            "显存是对 GPU 的预测（PyTorch 分配器的占用，不含 CUDA 上下文），没有在 GPU 上核对过；"
            f"模型 {model}（{weights.zh}）。",
            "GPU memory is predicted (what PyTorch's allocator hands out, without the CUDA context) and was not "
            f"checked on a GPU; model {model_en} ({weights.en}).",
        )
    return Text(
        f"内存是对本机 CPU 的预测：步骤中有 int8，它不在 GPU 上运行；模型 {model}（{weights.zh}）。",
        "Memory is predicted for this CPU: int8, which is among the steps, runs on no GPU; "
        f"model {model_en} ({weights.en}).",
    )


def checkpointing_sentence(found: Checkpointing) -> Text:
    """Where checkpointing helps, what it costs there, and what it saves in inference."""
    added, time = found.training_time_added, Text("", "")
    if added is not None:
        time = Text(f"，用时 {added:+.0%}", f", time {added:+.0%}")
    training, inference = f"{found.training_saved:.1%}", f"{found.inference_saved:.1%}"
    return Text(
        f"检查点只在训练时有用：激活省 {training}{time.zh}；推理时激活省 {inference}，没有可省的。",
        f"Checkpointing helps in training alone: {training} of activations saved{time.en}. In inference it saves "
        f"{inference}, since there is nothing to save.",
    )


def waterfall_chart(found: Waterfall) -> Chart:
    """What each step saved, from the first one's memory down to what is left."""
    most = max(bar.high_bytes for bar in found.bars)
    lines = []
    for bar in found.bars:
        label = size(bar.high_bytes, of=most) if bar.saved_bytes is None else saving(bar.saved_bytes, of=most)
        drawn = (float(bar.low_bytes), float(bar.high_bytes))
        mark = Mark(label=label, bar=drawn, strong=bar.saved_bytes is not None, predicted=True)
        lines.append(Line(name=bar.title, marks=(mark,)))
    kind, name = ("GPU" if found.of_gpu else "CPU"), _GROUPS[found.group]
    title = Text(f"{name.zh} · {kind}，预测", f"{name.en} · {kind}, predicted")
    return Chart(lines=tuple(lines), scale=(0.0, float(most)), title=title)


def _has_ways(found: Findings) -> bool:
    """Whether the steps lead from one configuration to another, so that there is a before and an after."""
    return any(each.step.group in WAYS for each in found.steps)


def _waterfalls(found: Findings) -> Section | None:
    if not _has_ways(found):
        return None
    drawn = [each for group in WAYS if (each := waterfall(found.steps, group)) is not None]
    notes = [memory_note(each.configuration, of_gpu=each.of_gpu) for each in drawn]
    if not drawn:
        notes = [
            Text("两份配置相同，没有可比的步骤。", "Both configurations are the same: there is no step to compare.")
        ]
    if _random(found):
        notes.append(_RANDOM)
    return Section(
        key="waterfalls",
        title=TITLES["waterfalls"],
        headline=_headline(found),
        sentences=() if found.card_gib is None else tuple(_verdict(found, found.card_gib)),
        charts=tuple(map(waterfall_chart, drawn)),
        notes=tuple(dict.fromkeys(notes)),
    )


def _headline(found: Findings) -> Text | None:
    """Memory and largest batch before and after, as predicted; how much faster, as measured."""
    if found.sides is None:
        return None
    before, after = found.sides
    on_gpu = before.gpu_allocated_bytes is not None and after.gpu_allocated_bytes is not None
    had, has = (side.gpu_allocated_bytes or 0 if on_gpu else side.cpu.peak.total for side in found.sides)
    share = f"{abs(1 - has / had):.0%}"
    saved = Text(f"省 {share}", f"{share} saved") if has <= had else Text(f"多占 {share}", f"{share} more")
    card = found.card_gib
    of = Text("8 个句对的显存", "GPU memory of 8 pairs")
    if not on_gpu:
        of = Text("CPU 内存", "CPU memory")
    elif card is not None:
        of = Text(f"在 {card} GB 卡上：显存", f"On a card with {card} GB: GPU memory")
    memory = f"{size(had, of=max(had, has))} → {size(has, of=max(had, has))}"
    zh, en = f"{of.zh} {memory}，{saved.zh}", f"{of.en} {memory}, {saved.en}"
    batches = [found.largest_batch(side) for side in found.sides]
    if on_gpu and None not in batches:
        most = " → ".join(f"{batch:,}" for batch in batches)
        zh, en = f"{zh}，最大批 {most}", f"{en}, largest batch {most}"
    zh, en = f"{zh}（预测）", f"{en} (predicted)"
    for each in measured_throughputs(found.measured):
        if each.group == before.step.group:
            whose = "" if found.steps is found.measured else f"{each.before.configuration.model}，"
            whose_en = "" if found.steps is found.measured else f"{each.before.configuration.model}, "
            zh, en = (
                f"{zh}；吞吐 ×{each.ratio:.1f}（{whose}本机 CPU 实测）",
                f"{en}; throughput ×{each.ratio:.1f} ({whose_en}measured on this CPU)",
            )
    return Text(f"{zh}。", f"{en}.")


def _verdict(found: Findings, card_gib: int) -> list[Text]:
    """Whether the configurations before and after go on the card, and how far each could go there."""
    told = []
    names = (Text("基线", "Baseline"), Text("优化", "Optimised"))
    for side, result in zip(names, found.sides or found.steps[:1], strict=False):
        if result.gpu_total_bytes is None:
            continue
        fits = result.gpu_total_bytes <= card_gib * 2**30
        zh = f"{side.zh}：{card_gib} GB 的卡{'放得下' if fits else '放不下'}（连同 CUDA 上下文）"
        en = f"{side.en}: a card with {card_gib} GB {'holds' if fits else 'does not hold'} it, with the CUDA context"
        if (batch := found.largest_batch(result)) is not None:
            configuration = result.step.configuration
            lengths, width = max(configuration.lengths), configuration.width
            padded, padded_en = "", ""
            if configuration.layout == "padded" and width > lengths:
                padded, padded_en = f"，填充到 {width}", f", padded to {width}"
            zh = f"{zh}；每条 {lengths} 词元{padded}，一批最多 {batch:,} 条"
            en = f"{en}; at most {batch:,} texts of {lengths} tokens{padded_en} go into a batch"
        told.append(Text(f"{zh}。", f"{en}."))
    return told


def _throughput(found: Findings) -> Section | None:
    if not _has_ways(found):
        return None
    measured = measured_throughputs(found.measured)
    if not measured:
        none = Text(
            "没有吞吐：前后两份配置没有都在本机实测。",
            "None: the configurations before and after were not both measured here.",
        )
        return Section(key="throughput", title=TITLES["throughput"], notes=(none,))

    def row(each: MeasuredThroughput) -> tuple[Cell, ...]:
        speeds = (f"{side.sequences_per_s:,.2f}" for side in (each.before, each.after))
        sides = [configuration_title(side.configuration) for side in (each.before, each.after)]
        return (Text(*(" → ".join(names) for names in zip(*sides, strict=True))), f"×{each.ratio:.2f}", *speeds)

    head = (
        Text("实测的配置", "Measured"),
        Text("倍数", "Ratio"),
        Text("之前，条/秒", "Before, texts/s"),
        Text("之后，条/秒", "After, texts/s"),
    )
    threads = measured[0].before.threads
    note = Text(
        f"本机 CPU（线程数 {threads}）上各配置的一批，数次的中位数；GPU 上会不同。打包省去填充。没有半精度单元的 CPU "
        "上，fp16 只省内存、不加快运算。",
        f"One batch of each configuration on this CPU (threads: {threads}), the median of some runs; a GPU's would "
        "differ. Packing leaves padding out. On a CPU without units for it fp16 saves memory and makes nothing faster.",
    )
    table = Table(head=head, rows=tuple(map(row, measured)))
    charts = tuple(map(_speed_chart, measured))
    return Section(key="throughput", title=TITLES["throughput"], charts=charts, table=table, notes=(note,))


def _speed_chart(found: MeasuredThroughput) -> Chart:
    sides = (Text("基线", "Baseline"), found.before, False), (Text("优化", "Optimised"), found.after, True)
    lines = [
        Line(
            name=name, marks=(Mark(label=f"{side.sequences_per_s:,.2f}", bar=(0, side.sequences_per_s), strong=strong),)
        )
        for name, side, strong in sides
    ]
    name = _GROUPS[found.group]
    model = cell_in(_model(found.before.configuration), "zh"), cell_in(_model(found.before.configuration), "en")
    title = Text(
        f"{name.zh} · {model[0]}，条/秒，本机 CPU 实测", f"{name.en} · {model[1]}, texts/s, measured on this CPU"
    )
    most = max(found.before.sequences_per_s, found.after.sequences_per_s)
    return Chart(lines=tuple(lines), scale=(0.0, most), title=title)


def _accuracy(found: AccuracyByPrecision | None) -> Section | None:
    if found is None:
        return None
    head = (
        Text("精度", "Precision"),
        Text("答对", "Right"),
        Text("准确率（95% 区间）", "Accuracy (95% interval)"),
        Text("答案改变", "Answers changed"),
        Text("增减，百分点（95% 区间）", "Change, points (95% interval)"),
        Text("条/秒", "Texts/s"),
    )
    low, high = found.precisions[0].figures.interval
    width, majority, task = f"{100 * (high - low):.1f}", f"{found.majority:.1%}", _TASKS[found.task]
    notes = [
        Text(
            f"{found.model}（{task.zh}）在本机 CPU 上用每种精度回答同样的 {found.n:,} 行标注数据。准确率的区间宽 "
            f"{width} 个百分点（Wilson），增减按成对样本（Bonett–Price）：行数少时区间很宽。总答最多的标签可得 "
            f"{majority}。条/秒为一次运行，含分词与打包。",
            f"{found.model} ({task.en}) answers the same {found.n:,} labelled rows on this CPU in each precision. The "
            f"interval of accuracy is {width} points wide (Wilson), that of the change is for pairs (Bonett and "
            f"Price): with few rows they are wide. Always the most frequent label would reach {majority}. Texts/s are "
            "of one run, with tokenising and packing.",
        )
    ]
    if stored := ", ".join(each.precision for each in found.precisions if not each.native):
        notes.append(
            Text(
                f"{stored} 在本机只用于存放权重，运算为 fp32；GPU 上运算也是半精度，改变的答案可能稍多。",
                f"{stored}: only stored so on this CPU, the arithmetic is fp32. A GPU computes in half, too, and may "
                "change some answers more.",
            )
        )
    table = Table(head=head, rows=tuple(map(_accuracy_row, found.precisions)))
    return Section(key="accuracy", title=TITLES["accuracy"], table=table, notes=tuple(notes))


def _accuracy_row(found: PrecisionAccuracy) -> tuple[Cell, ...]:
    figures, changed = found.figures, found.changed
    low, high = figures.interval
    told: tuple[Cell, Cell] = (Text("基线", "baseline"),) * 2
    if changed is not None:
        least, most = changed.difference.interval
        told = (
            f"{changed.decisions:,} ({changed.decisions / figures.n:.2%})",
            f"{100 * changed.difference.change:+.2f} ({100 * least:+.2f} – {100 * most:+.2f})",
        )
    return (
        found.precision,
        f"{figures.correct:,} / {figures.n:,}",
        f"{figures.accuracy:.2%} ({low:.2%} – {high:.2%})",
        *told,
        f"{found.texts_per_s:,.1f}",
    )


def _article(found: Findings) -> Section | None:
    """The article's rows beside ours; None for other presets."""
    rows: list[tuple[Cell, ...]] = []
    for group in ("one", "eight"):
        ours = predicted_gpu_memory(found.steps, group)
        if ours is None:
            return None
        before, after = ARTICLE[group]
        most = ours.fp32_padded_bytes
        rows.append(
            (
                _GROUPS[group],
                f"{before:g} → {after:g} GB (−{1 - after / before:.0%})",
                f"{size(most)} → {size(ours.fp16_packed_bytes, of=most)} (−{ours.saved:.1%})",
                f"{size(ours.fp16_padded_bytes, of=most)} (−{ours.saved_by_fp16:.1%})",
            )
        )
    before, after = ARTICLE["speed"]
    rows.append(
        (
            Text("句对/秒，8 对一批", "pairs/s, 8 a batch"),
            f"{before:g} → {after:g} (+{after / before - 1:.0%})",
            _speed(found.measured),
            DASH,
        )
    )
    before, after = ARTICLE["f1"]
    f1 = Text("F1；本项目为准确率", "F1; ours is accuracy")
    rows.append((f1, f"{before:g} → {after:g}", _half_accuracy(found.accuracy), DASH))
    head = (
        Text("指标", "What"),
        Text("文章所述", "The article says"),
        Text("本项目", "Here"),
        Text("只改用 fp16", "By fp16 alone"),
    )
    model = found.steps[0].step.configuration.model
    note = Text(
        f"显存：文章未说明如何计量，也没有给出长度；本项目为 {model} 的 GPU 预测，计 PyTorch 分配器的占用，不含 CUDA 上"
        "下文。速度：文章为 GPU；本项目为本机 CPU 实测，只看前后之比。F1：文章未给出数据；本项目为 fp32 与 fp16 在上面"
        "的标注数据上的准确率，二者不可直接相比。",
        f"Memory: the article gives neither its method nor its lengths; ours is predicted for a GPU, of {model}: what "
        "PyTorch's allocator hands out, without the CUDA context. Speed: the article's is a GPU's, ours measured on "
        "this CPU; compare the ratios. F1: the article does not give its data; ours is accuracy in fp32 and fp16 on "
        "the labelled rows above, and not to be compared with it.",
    )
    return Section(key="article", title=TITLES["article"], table=Table(head=head, rows=tuple(rows)), notes=(note,))


def _speed(steps: Sequence[StepResult]) -> Cell:
    """Of eight pairs, before and after."""
    for each in measured_throughputs(steps):
        if each.group == "eight":
            before, after = each.before.sequences_per_s, each.after.sequences_per_s
            return f"{before:.2f} → {after:.2f} (×{each.ratio:.1f}, {each.before.configuration.model})"
    return _NOT_MEASURED


def _half_accuracy(found: AccuracyByPrecision | None) -> Cell:
    """In fp32 and in fp16, which are the article's two."""
    before, after = (None, None) if found is None else (found.of("fp32"), found.of("fp16"))
    if before is None or after is None:
        return _NOT_MEASURED
    return f"{before.figures.accuracy:.4f} → {after.figures.accuracy:.4f} (n = {before.figures.n:,})"


def _steps(key: str, steps: Sequence[StepResult], *notes: Text) -> Section | None:
    if not steps:
        return None
    head = (
        Text("步骤", "Step"),
        _CONFIGURATION,
        Text("GPU 预测", "GPU, predicted"),
        Text("含上下文", "with context"),
        Text("CPU 预测", "CPU, predicted"),
        Text("CPU 实测", "CPU, measured"),
        Text("误差", "Error"),
        Text("高出下限", "Over the floor"),
        Text("用时 ms", "ms"),
    )

    def row(each: StepResult) -> tuple[Cell, ...]:
        measured = each.measured
        return (
            Text(each.step.title_zh, each.step.title),
            configuration_title(each.step.configuration),
            _size(each.gpu_allocated_bytes),
            _size(each.gpu_total_bytes),
            size(each.cpu.peak.total),
            DASH if measured is None else size(measured.peak.total),
            _percent(each.prediction_error, "+.2%"),
            _percent(each.over_floor, "+.1%"),
            DASH if measured is None else f"{measured.median_ms:,.0f}",
        )

    table = Table(head=head, rows=tuple(map(row, steps)), files_only=frozenset((0, 7)))  # step, over the floor
    charts = tuple(_beside_measured(steps, group) for group in dict.fromkeys(each.step.group for each in steps))
    drawn = tuple(chart for chart in charts if chart is not None)
    return Section(key=key, title=TITLES[key], charts=drawn, table=table, notes=(*_steps_notes(steps), *notes))


def _beside_measured(steps: Sequence[StepResult], group: str) -> Chart | None:
    """What was predicted for this CPU and what was measured on it, for the steps of a path."""
    shown = [each for each in steps if each.step.group == group and each.measured is not None]
    if group not in WAYS or not shown:
        return None
    lines, most = [], max(max(each.cpu.peak.total, each.measured.peak.total) for each in shown if each.measured)
    for each in shown:
        marks = []
        for kind, amount in ((_PREDICTED, each.cpu.peak.total), (_MEASURED, (each.measured or each.cpu).peak.total)):
            label = Text(*(f"{kind.in_(language)} {size(amount, of=most)}" for language in LANGUAGES))
            marks.append(Mark(label=label, bar=(0.0, float(amount)), predicted=kind is _PREDICTED))
        lines.append(Line(name=Text(each.step.title_zh, each.step.title), marks=tuple(marks)))
    name, model = _GROUPS[group], _model(shown[0].step.configuration)
    title = Text(*(f"{name.in_(language)} · {cell_in(model, language)} · CPU" for language in LANGUAGES))
    return Chart(lines=tuple(lines), scale=(0.0, float(most)), title=title)


def _steps_notes(steps: Sequence[StepResult]) -> list[Text]:
    """How good the predictions were, and a reason for each dash."""
    notes = []
    predicted = prediction_errors(steps)
    if predicted.largest is not None:
        count, error = len(predicted.errors), f"{predicted.largest:+.2%}"
        runs = max(len(each.measured.seconds) for each in steps if each.measured is not None)
        notes.append(
            Text(
                f"{count} 项实测中，预测误差最大 {error}。用时为 {runs} 次的中位数。",
                f"Largest error of the prediction, of {count} measured: {error}. Times are medians of {runs} runs.",
            )
        )
    if predicted.packed_over_floor is not None:
        share = f"{predicted.packed_over_floor:.1%}"
        notes.append(
            Text(f"打包前向的峰值最多高出下限 {share}。", f"Packed peaks are at most {share} over their floor.")
        )
    if any(each.gpu is None for each in steps):
        notes.append(
            Text("int8 一行没有 GPU 数字：int8 只在 CPU 上运行。", "No GPU figure for int8: it runs on CPUs only.")
        )
    failed = [each for each in steps if each.failed is not None]
    for each in failed:
        name = configuration_title(each.step.configuration)
        notes.append(Text(f"{name.zh} 没有测成：{each.failed_zh}", f"{name.en} was not measured: {each.failed}"))
    if not predicted.errors and not failed:
        notes.append(Text("实测列为“–”：这次只要求预测。", "“–” under measured: only predictions were asked for."))
    return notes


def _columns_note(machine: Text) -> Text:
    return Text(
        "GPU 列为预测，没有在 GPU 上核对过；“含上下文”加上分配器保留的部分和假定的 500 MiB CUDA 上下文。"
        f"CPU 各列在 {machine.zh} 上，误差 = 预测 ÷ 实测 − 1。下限 = 权重 + 前向离不开的最大一组激活，只计真实词元；"
        "填充的部分因此显示为高出。",
        "The GPU columns are predicted, not held against a GPU; “with context” adds what the allocator keeps and an "
        f"assumed 500 MiB of CUDA context. The CPU columns are on {machine.en}; error = predicted / measured - 1. The "
        "floor is the weights and the largest activations that no forward can do without, for real tokens only: "
        "padding shows as what is over it.",
    )


def _checkpointing(steps: Sequence[StepResult]) -> Section | None:
    found = checkpointing(steps)
    if found is None:
        return None
    head = (
        Text("工作", "Work"),
        Text("梯度检查点", "Gradient checkpointing"),
        Text("激活", "Activations"),
        Text("峰值", "Peak"),
        Text("用时 ms", "ms"),
    )

    def row(each: StepResult) -> tuple[Cell, ...]:
        configuration, measured = each.step.configuration, each.measured
        return (
            _WORK[configuration.work],
            Text("开", "on") if configuration.checkpointing else Text("关", "off"),
            size(each.most_activations_bytes),
            size((measured or each.cpu).peak.total),
            DASH if measured is None else f"{measured.median_ms:,.0f}",
        )

    how = Text("预测（未实测，因此没有用时）", "predicted (not measured, so without times)")
    if all(each.measured is not None for each in found.results):
        how = Text("实测", "measured")
    names = [configuration_title(each.step.configuration) for each in (found.inference_off, found.training_off)]
    names_zh, names_en = ("; ".join(name) for name in zip(*names, strict=True))
    note = Text(
        f"{names_zh}，本机 CPU {how.zh}；激活按其自身最高时计。推理不为反向保留激活，检查点没有可省的，这段代码根本不执"
        "行；训练步里它省内存，代价是把前向再算一遍。",
        f"{names_en}, {how.en} on this CPU; activations at their own highest moment. Inference keeps none for a "
        "backward pass: there is nothing to save, and the code is never run. In a training step it saves, at the price "
        "of computing the forward twice.",
    )
    return Section(
        key="checkpointing",
        title=TITLES["checkpointing"],
        sentences=(checkpointing_sentence(found),),
        table=Table(head=head, rows=tuple(map(row, found.results))),
        notes=(note,),
    )


def _fits(found: Findings) -> Section | None:
    if found.fits is None:
        return None
    if not found.fits:
        none = Text("int8 只在 CPU 上运行，没有显卡可算。", "int8 runs on CPUs only: no card to fit.")
        return Section(key="fits", title=TITLES["fits"], notes=(none,))
    configurations = list(dict.fromkeys(fit.configuration for fit in found.fits))
    note = Text(
        "按 GPU 预测：保留的显存加 CUDA 上下文不超过标称容量；显示器和其他进程不计。上方为每条文本的长度（词元），“·”"
        "表示一条也放不下。填充到固定长度时，短文本与长文本占得一样多。",
        "Predicted for a GPU: what is reserved and the CUDA context within the card's nominal size; displays and other "
        "processes are not counted. Lengths of a text (tokens) at the top; “·”: not even one. Padded to a fixed "
        "length, short texts take as much as long ones.",
    )
    grids = tuple(_grid([fit for fit in found.fits if fit.configuration == each]) for each in configurations)
    return Section(key="fits", title=TITLES["fits"], grids=grids, notes=(note,))


def _grid(fits: Sequence[Fit]) -> Grid:
    """Of one configuration, named without its batch and its lengths, which are what the grid is about."""
    of = fits[0].configuration
    layout = Text("打包", "packed")
    if of.layout == "padded":
        layout = Text("填充到最长", "padded to the longest")
        if of.pad_to is not None:
            layout = Text(f"填充到 {of.pad_to}", f"padded to {of.pad_to}")
    parts = [_model(of), of.precision, layout, _WORK[of.work]]
    parts += [Text("检查点", "checkpointing")] if of.checkpointing else []
    cards = list(dict.fromkeys(fit.card_gib for fit in fits))
    lengths = list(dict.fromkeys(fit.length for fit in fits))
    batches = {(fit.card_gib, fit.length): fit.batch for fit in fits}
    return Grid(
        title=Text(*(" · ".join(cell_in(part, language) for part in parts) for language in LANGUAGES)),
        rows=tuple(f"{card} GB" for card in cards),
        columns=tuple(map(str, lengths)),
        counts=tuple(tuple(batches[card, length] for length in lengths) for card in cards),
    )


def _peaks(steps: Sequence[StepResult]) -> Section | None:
    parts = [field.name for field in fields(Breakdown)]
    rows: list[tuple[Cell, ...]] = []
    for measured in (each.measured for each in steps):
        if measured is not None:
            sizes = (*(getattr(measured.peak, part) for part in parts), measured.most_activations)
            rest = DASH if measured.overhead is None else _mib(measured.overhead)
            rows.append((configuration_title(measured.configuration), *map(_mib, sizes), rest))
    if not rows:
        return None
    most = Text("激活（自身最高时）", "Activations at their highest")
    head = (_CONFIGURATION, *(_PARTS[part] for part in parts), most, Text("其余", "The rest"))
    note = Text(
        "“其余”为进程常驻内存的峰值减去张量：库的缓冲与分配器的留存；为负表示从未写过的页没有真正占用内存。",
        "The rest is the process's highest resident set less the tensors: buffers of libraries, and what allocators "
        "keep. Below zero: pages that were never written take no memory.",
    )
    return Section(key="peaks", title=TITLES["peaks"], table=Table(head=head, rows=tuple(rows)), notes=(note,))


def _method(found: Findings) -> Section:
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "numpy"))
    system = f"{platform.system()} {platform.release()}, Python {sys.version.split()[0]}, {versions}"
    rows: tuple[tuple[Cell, ...], ...] = (
        (Text("机器", "Machine"), machine_in_words(found.machine)),
        (Text("系统与版本", "System and versions"), system),
        (Text("日期", "Day"), found.day.isoformat()),
        (Text("权重", "Weights"), _RANDOM if _random(found) else weights_of(random=False)),
    )
    notes = (
        Text(
            "每个配置在各自的新进程中运行；先热身一次，再计时，最后在跟踪器下运行一次。",
            "Each configuration runs in a fresh process of its own: once to warm up, then for time, then under the "
            "tracker.",
        ),
        Text(
            "跟踪器记录 PyTorch CPU 分配器的每一次分配与释放，线程数相同时逐字节可重复；MKL 等库自行申请的内存不在其"
            "中，见“其余”。",
            "The tracker sees every block that PyTorch's CPU allocator hands out and takes back, and repeats to the "
            "byte with the same number of threads. What libraries such as MKL take for themselves is not in it; see "
            "“the rest”.",
        ),
        Text(
            "预测用同一份代码在不占内存的伪张量上运行；GPU 另按其注意力内核、PyTorch 缓存分配器的取整规则和 cuBLAS 工作"
            "区（8.1 MiB）计算。GPU 的数字没有在 GPU 上核对过。",
            "Predictions run the same code on fake tensors, which take no memory; for a GPU with its attention "
            "kernels, the rounding of PyTorch's caching allocator and cuBLAS's workspace (8.1 MiB). Figures for GPUs "
            "have not been held against a GPU.",
        ),
        Text(
            f"基线把每对填充到 {PADDED} 个词元，即 ModelScope 流水线的做法；打包则只算真实词元。",
            f"The baseline pads every pair to {PADDED} tokens, as ModelScope's pipeline does; packing computes real "
            "tokens alone.",
        ),
    )
    return Section(key="method", title=TITLES["method"], table=Table(head=None, rows=rows), notes=notes)


def _random(found: Findings) -> bool:
    return any(each.step.configuration.random_weights for each in (*found.steps, *found.checks))


def _size(amount: int | None) -> str:
    return DASH if amount is None else size(amount)


def _mib(amount: int) -> str:
    return f"{amount / 2**20:,.1f}"


def _percent(share: float | None, format: str) -> str:
    return DASH if share is None else f"{share:{format}}"
