"""The six steps of the story: of each a title, one sentence, its charts, and what its figures were measured on.

Each chart has one message and one unit, and begins at zero. Figures of different units stand as numbers. Memory is told
with the findings and the chart of the memory lab. A step of which nothing was measured has no chart, and `missing`
names the page that measures it. The visitor's GPU and price are the premise of every step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, get_args

from wenmo.lab.document import DASH, LANGUAGES, Cell, Chart, Line, Mark, Section, Text, cell_in, machine_in_words, size
from wenmo.lab.findings import Checkpointing, checkpointing, measured_cpu_memory, waterfall
from wenmo.lab.presets import StepResult
from wenmo.lab.sections import checkpointing_sentence, configuration_title, memory_note, waterfall_chart, weights_of
from wenmo.story.figures import AccuracyKept, MemoryFound, Origin, SpeedFound, StoryFigures
from wenmo.story.money import DAYS_A_YEAR, MILLION, Price, hours

Key = Literal["before", "changed", "memory", "time", "money", "accuracy"]
KEYS: tuple[Key, ...] = get_args(Key)
Page = Literal["memory", "throughput"]

TITLES: Mapping[Key, Text] = {
    "before": Text("优化之前的代价", "What it cost before"),
    "changed": Text("改了什么", "What was changed"),
    "memory": Text("省下的显存", "Memory saved"),
    "time": Text("省下的时间", "Time saved"),
    "money": Text("省下的钱", "Money saved"),
    "accuracy": Text("准确率保住了", "Accuracy kept"),
}
MISSING: Mapping[Key, Text] = {
    "before": Text(
        "还没有测过之前的代价：先跑一次吞吐赛跑。",
        "What it cost before was not measured yet: run the race of the Throughput page.",
    ),
    "changed": Text(
        "还没有测过每一步的作用：先跑一次吞吐赛跑。",
        "What each step brings was not measured yet: run the race of the Throughput page.",
    ),
    "memory": Text(
        "还没有测过显存：先在显存页跑一次文章的表格。",
        "Memory was not measured yet: run the article's table on the Memory page.",
    ),
    "time": Text(
        "还没有测过速度：先跑一次吞吐赛跑。", "Speed was not measured yet: run the race of the Throughput page."
    ),
    "money": Text(
        "没有速度就算不出花费：先跑一次吞吐赛跑。",
        "Without a speed there is no cost: run the race of the Throughput page.",
    ),
    "accuracy": Text(
        "这里没有准确率的结果文件；python -m wenmo eval 在带标签的数据上测它。",
        "There is no result of accuracy here; python -m wenmo eval measures it on labelled rows.",
    ),
}
# Ways of computing, and what each changes about the one before it.
WAYS: Mapping[str, Text] = {
    "fixed": Text("常规：32 条一批，按到达次序填充", "plain: batches of 32 as they come, padded"),
    "sorted": Text("按长度排序成批", "batches sorted by length"),
    "packed": Text("打包，不再填充", "packed, no padding"),
    "first_only": Text("末层只算 [CLS]", "[CLS] alone in the last layer"),
    "workers": Text("每核一个工作线程", "one worker per core"),
    "ours": Text("打包，每核一个工作线程", "packed, one worker per core"),
    "int8": Text("打包 + INT8", "packed + INT8"),
    "fp16": Text("打包 + FP16", "packed + FP16"),
    "bf16": Text("打包 + BF16", "packed + BF16"),
}
_CHANGES: Mapping[str, Cell] = {
    **WAYS,
    "sorted": Text("按长度成批", "sorting by length"),
    "packed": Text("打包", "packing"),
    "ours": Text("打包与成批", "packing and batching"),
    **{name: name.upper() for name in ("int8", "fp16", "bf16")},
}
_MEMORY, _TIME = Text("内存", "memory"), Text("用时", "time")


@dataclass(frozen=True, kw_only=True)
class StoryStep(Section):
    """A section of one sentence and its charts, or of a sentence and what is `missing`, under a `premise`."""

    missing: Page | None = None
    premise: Text | None = None

    @property
    def sentence(self) -> Text:
        return self.sentences[0]


def story(figures: StoryFigures, price: Price) -> tuple[StoryStep, ...]:
    """All of KEYS, in their order."""
    memory, speed, accuracy = figures.memory, figures.speed, figures.accuracy
    told = (
        _before(memory, speed, price),
        _changed(memory, speed),
        _missing("memory", "memory") if memory is None else _memory_saved(memory, price),
        _missing("time", "throughput") if speed is None else _time_saved(speed, price),
        _missing("money", "throughput") if speed is None else _money_saved(speed, price),
        _missing("accuracy", None) if accuracy is None else _accuracy_kept(accuracy),
    )
    rate, texts = _per_hour(price), f"{price.texts_per_day:,}"
    premise = Text(
        f"{price.card_gib} GB 显卡 · {rate.zh} · 每天 {texts} 条",
        f"GPU with {price.card_gib} GB · {rate.en} · {texts} texts a day",
    )
    return tuple(replace(step, premise=premise) for step in told)


def _step(
    key: Key, sentence: Text, charts: Sequence[Chart], notes: Sequence[Text], figures: Sequence[tuple[Cell, Cell]] = ()
) -> StoryStep:
    different = tuple(dict.fromkeys(notes))  # two findings may have the same origin
    return StoryStep(
        key=key, title=TITLES[key], sentences=(sentence,), figures=tuple(figures), charts=tuple(charts), notes=different
    )


def _chart(lines: Sequence[Line], title: Text) -> Chart:
    """From zero to the end of the longest bar or range."""
    marks = [mark for line in lines for mark in line.marks]
    most = max(end for mark in marks for end in (*(mark.bar or ()), *(mark.range or ())))
    return Chart(lines=tuple(lines), scale=(0.0, most), title=title)


def _missing(key: Key, page: Page | None) -> StoryStep:
    return StoryStep(key=key, title=TITLES[key], sentences=(MISSING[key],), missing=page)


def _before(memory: MemoryFound | None, speed: SpeedFound | None, price: Price) -> StoryStep:
    """What everything after is measured against, in three units: as numbers, not as bars."""
    figures: list[tuple[Cell, Cell]] = []
    told: list[Text] = []
    notes: list[Text] = []
    ends = None if memory is None else _ends(memory)
    if memory is not None and ends is not None:
        first, taken, share = memory.path[0], size(ends[0]), _share_of_card(memory.path[0], price)
        texts = _texts_of(first)
        figures.append((Text(f"显存（预测）· {texts.zh}", f"GPU memory (predicted) · {texts.en}"), taken))
        told.append(
            Text(
                f"{texts.zh}占 {taken} 显存，连同 CUDA 上下文是 {price.card_gib} GB 显卡的 {share}",
                f"{texts.en} take {taken} of GPU memory, with the CUDA context {share} of a GPU with "
                f"{price.card_gib} GB",
            )
        )
        notes += _memory_notes(memory)
    if speed is not None:
        takes = hours(MILLION, speed.plain.texts_per_s)
        time, costs, rate = _hours(takes), price.shown(takes * price.per_hour), _per_hour(price)
        figures.append((Text("用时（实测）· 一百万条", "Time (measured) · a million texts"), time))
        figures.append((Text(f"花费 · 一百万条，{rate.zh}", f"Money · a million texts, {rate.en}"), costs))
        told.append(
            Text(
                f"一百万条文本要算 {time.zh}，{rate.zh} 即 {costs}",
                f"a million texts take {time.en}, which at {rate.en} is {costs}",
            )
        )
        notes += _speed_notes(speed)
    if not figures:
        return _missing("before", "throughput")
    zh, en = "；".join(each.zh for each in told), "; ".join(each.en for each in told)
    return _step("before", Text(f"照常规做法，{zh}。", f"The plain way, {en}."), (), notes, figures)


def _ends(memory: MemoryFound) -> tuple[int, int] | None:
    """Bytes predicted for a GPU, before and after; None where the last step runs on no GPU."""
    path = memory.path
    if len(path) < 2 or path[0].gpu_allocated_bytes is None or path[-1].gpu_allocated_bytes is None:
        return None
    return path[0].gpu_allocated_bytes, path[-1].gpu_allocated_bytes


def _texts_of(result: StepResult) -> Text:
    """The batch, and what it is padded to."""
    configuration = result.step.configuration
    what = Text("八个句对", "eight pairs")
    if result.step.group == "path":
        what = Text(f"{configuration.batch:,} 条一批", f"batches of {configuration.batch:,}")
    if configuration.layout == "padded":
        width = configuration.width
        return Text(f"{what.zh}、填充到 {width} 词元", f"{what.en}, padded to {width} tokens")
    return what


def _share_of_card(result: StepResult, price: Price) -> str:
    """The share that the process takes of the visitor's card, with the context."""
    return f"{(result.gpu_total_bytes or 0) / (price.card_gib * 2**30):.0%}"


def _changed(memory: MemoryFound | None, speed: SpeedFound | None) -> StoryStep:
    """The share that each change saves of what the one before it left; a chart a kind, what saves most in it strong."""
    told: list[Text] = []
    charts: list[Chart] = []
    notes: list[Text] = []
    found = None if memory is None else checkpointing(memory.steps)
    if memory is not None:
        lines = _memory_changes(memory)
        if lines:
            charts.append(_shares_chart(lines, Text("显存，逐步相对于上一步", "Memory, step on step")))
            told += _most(_MEMORY, lines)
        notes = _memory_notes(memory)
    if speed is not None:
        changes = {_CHANGES[way.key]: 1 - last.texts_per_s / way.texts_per_s for last, way in pairwise(speed.ways)}
        best = max(changes, key=changes.__getitem__, default=None)
        lines = [_share(name, share, f"×{1 / (1 - share):.1f}", strong=name == best) for name, share in changes.items()]
        if lines:
            charts.append(_shares_chart(lines, Text("用时，逐步相对于上一步（实测）", "Time, step on step (measured)")))
            told += _most(_TIME, lines)
        notes += _speed_notes(speed)
    if found is not None:
        title = Text("激活：打开梯度检查点", "Activations: gradient checkpointing")
        charts.append(_shares_chart(_checkpointing_lines(found), title))
        told.append(checkpointing_sentence(found))
        notes.insert(0, _checkpointing_note(found))
    if not charts:
        return _missing("changed", "throughput")
    sentence = Text("".join(each.zh for each in told), " ".join(each.en for each in told))
    return _step("changed", sentence, charts, notes)


def _shares_chart(lines: Sequence[Line], title: Text) -> Chart:
    return Chart(lines=tuple(lines), scale=(0.0, 1.0), title=title)


def _memory_changes(memory: MemoryFound) -> list[Line]:
    """The share that each change saves: predicted for a GPU, or measured on this CPU where no GPU runs it."""
    changes: list[tuple[Cell, float, bool]] = []
    for before, after in pairwise(memory.path):
        had, has = before.gpu_allocated_bytes, after.gpu_allocated_bytes
        if had is not None and has is not None:
            changes.append((Text(after.step.title_zh, after.step.title), 1 - has / had, True))
    if (measured := measured_cpu_memory(memory.steps)) is not None:
        int8 = Text("INT8 代替 FP16（CPU）", "INT8 instead of FP16 (CPU)")
        changes.append((int8, 1 - measured.int8_packed_bytes / measured.fp16_packed_bytes, False))
    best = max((share for _, share, _ in changes), default=0.0)
    lines: list[Line] = []
    for name, share, predicted in changes:
        how = Text("预测", "predicted") if predicted else Text("实测", "measured")
        strong = share == best and not any(line.marks[0].strong for line in lines)
        lines.append(_share(name, share, how, strong=strong, predicted=predicted))
    return lines


def _most(kind: Text, lines: Sequence[Line]) -> list[Text]:
    """A sentence on what saves most."""
    best = next(line for line in lines if line.marks[0].strong)
    zh, en, share = cell_in(best.name, "zh"), cell_in(best.name, "en"), f"{(best.marks[0].bar or (0, 0))[1]:.0%}"
    return [Text(f"{kind.zh}上省得最多的是{zh}（{share}）。", f"Most {kind.en} is saved by {en} ({share}).")]


def _checkpointing_lines(found: Checkpointing) -> list[Line]:
    time, predicted = found.training_time_added, found.training_time_added is None
    how = Text("预测", "predicted") if predicted else Text("实测", "measured")
    training = Text("训练", "training")
    if time is not None:  # with the name, because a phone has no room beside the bar
        training = Text(f"训练（用时 {time:+.0%}）", f"training (time {time:+.0%})")
    return [
        _share(Text("推理", "inference"), found.inference_saved, how, predicted=predicted),
        _share(training, found.training_saved, how, strong=True, predicted=predicted),
    ]


def _checkpointing_note(found: Checkpointing) -> Text:
    name = configuration_title(found.training_off.step.configuration)
    if found.training_time_added is None:
        return Text(
            f"检查点的数字是预测，没有实测（{name.zh}）。",
            f"Figures of checkpointing ({name.en}) are predicted, not measured.",
        )
    return Text(
        f"检查点的激活与用时在 CPU 上实测（{name.zh}）。",
        f"Activations and time of checkpointing ({name.en}) are measured on a CPU.",
    )


def _memory_saved(memory: MemoryFound, price: Price) -> StoryStep:
    ends, fall = _ends(memory), waterfall(memory.steps, memory.group)
    if ends is None or fall is None:
        return _missing("memory", "memory")
    most = max(ends)
    before, after, share = size(ends[0], of=most), size(ends[1], of=most), f"{1 - ends[1] / ends[0]:.0%}"
    what = Text("八个句对", "eight pairs")
    if memory.group == "path":
        what = Text("你的一批文本", "the texts of your batch")
    of_card = " → ".join(_share_of_card(result, price) for result in (memory.path[0], memory.path[-1]))
    sentence = Text(
        f"按预测，{what.zh}的显存从 {before} 降到 {after}，省下 {share}；"
        f"连同 CUDA 上下文占 {price.card_gib} GB 显卡的 {of_card}。",
        f"By prediction {what.en} go from {before} of GPU memory to {after}: {share} saved; with the CUDA context, of "
        f"a GPU with {price.card_gib} GB: {of_card}.",
    )
    notes = _memory_notes(memory)
    measured = measured_cpu_memory(memory.steps)
    if measured is not None and measured.fp32_padded_bytes is not None:
        most = measured.fp32_padded_bytes
        before, half = size(most), size(measured.fp16_packed_bytes, of=most)
        int8, share = size(measured.int8_packed_bytes, of=most), f"{1 - measured.int8_packed_bytes / most:.0%}"
        notes.append(
            Text(
                f"同样的配置在 CPU 上实测：fp32 填充 {before} → fp16 打包 {half}；int8 打包 {int8}，省下 {share}。",
                f"The same, measured on a CPU: fp32 padded {before} → fp16 packed {half}; int8 packed {int8}, {share} "
                "saved.",
            )
        )
    return _step("memory", sentence, [waterfall_chart(fall)], notes)


def _time_saved(speed: SpeedFound, price: Price) -> StoryStep:
    lines, longest = [], hours(MILLION, min(way.texts_per_s for way in speed.ways))
    for way in speed.ways:
        takes = hours(MILLION, way.texts_per_s)
        label = _hours(takes, of=longest)
        if way != speed.plain:
            factor = f"  ×{way.texts_per_s / speed.plain.texts_per_s:.1f}"
            label = Text(label.zh + factor, label.en + factor)
        spread = None
        if way.lowest is not None and way.highest is not None:
            spread = (hours(MILLION, way.highest), hours(MILLION, way.lowest))
        mark = Mark(label=label, bar=(0.0, takes), range=spread, strong=way is speed.best)
        lines.append(Line(name=WAYS[way.key], marks=(mark,)))
    taken = [hours(MILLION, way.texts_per_s) for way in (speed.plain, speed.best)]
    (before, after), rate = (_hours(each, of=longest) for each in taken), _per_hour(price)
    costs = " → ".join(price.shown(each * price.per_hour) for each in taken)
    factor = f"{speed.best.texts_per_s / speed.plain.texts_per_s:.1f}"
    sentence = Text(
        f"一百万条文本从 {before.zh}降到 {after.zh}，速度是原来的 {factor} 倍；{rate.zh} 即 {costs}。",
        f"A million texts go from {before.en} to {after.en}: {factor} times as fast; at {rate.en}, {costs}.",
    )
    notes = _speed_notes(speed)
    if any(way.lowest is not None for way in speed.ways):
        notes.append(
            Text("细线是各轮中最快与最慢的一轮。", "Thin lines are the fastest and the slowest of the rounds.")
        )
    return _step(
        "time", sentence, [_chart(lines, Text("一百万条的用时（实测）", "Time of a million texts (measured)"))], notes
    )


def _money_saved(speed: SpeedFound, price: Price) -> StoryStep:
    a_day = {way.key: price.of(price.texts_per_day, way.texts_per_s) for way in speed.ways}
    lines = []
    for way in speed.ways:
        costs = price.shown(a_day[way.key])
        label = Text(f"{costs} / 天", f"{costs} a day")
        mark = Mark(label=label, bar=(0.0, a_day[way.key]), strong=way is speed.best)
        lines.append(Line(name=WAYS[way.key], marks=(mark,)))
    costs_before, costs_after = a_day[speed.plain.key], a_day[speed.best.key]
    before, after = price.shown(costs_before), price.shown(costs_after)
    year, texts, rate = price.shown((costs_before - costs_after) * DAYS_A_YEAR), price.texts_per_day, _per_hour(price)
    sentence = Text(
        f"每天 {texts:,} 条、{rate.zh}：一天从 {before} 降到 {after}，一年省下 {year}。",
        f"{texts:,} texts a day at {rate.en}: from {before} to {after} a day, {year} saved a year.",
    )
    rule = Text(
        "一天的花费 = 每天条数 ÷ 每秒条数 ÷ 3600 × 每小时价格；一年 365 天。",
        "Cost of a day = texts a day ÷ texts a second ÷ 3600 × price of an hour; a year has 365 days.",
    )
    formulas = []
    for way, costs in ((speed.plain, before), (speed.best, after)):
        formula = f"{texts:,} ÷ {way.texts_per_s:,.3f} ÷ 3600 × {price.shown_per_hour} = {costs}"
        formulas.append(Text(f"{WAYS[way.key].zh}：{formula}", f"{WAYS[way.key].en}: {formula}"))
    note = Text(
        "只计算机器在算的时间。价格应是测速那种机器的；换一种机器（例如 GPU），要先在那里测速。",
        "Only the time in which the machine computes. The price must be that of the kind of machine whose speed was "
        "measured; for another, such as a GPU, measure there first.",
    )
    chart = _chart(lines, Text("一天的花费", "Cost of a day"))
    return _step("money", sentence, [chart], [rule, *formulas, *_speed_notes(speed), note])


def _accuracy_kept(accuracy: AccuracyKept) -> StoryStep:
    lines, name, sets = [], accuracy.precision, accuracy.sets
    for each in sets:
        marks = (
            Mark(label=f"fp32 {each.before:.2%}", range=each.before_interval, dot=each.before),
            Mark(label=f"{name} {each.after:.2%}", range=each.after_interval, dot=each.after, strong=True),
        )
        lines.append(Line(name=f"{each.name} · n = {each.n:,}", marks=marks))
    worse, most = sum(each.lost_interval[0] > 0 for each in sets), f"{max(abs(each.lost) for each in sets):.2f}"
    surely = Text("没有一个数据集有显著的损失", "and none loses significantly")
    if worse:
        surely = Text(f"其中 {worse} 个有显著的损失", f"{worse} lose significantly")
    sentence = Text(
        f"{len(sets)} 个数据集上，{name} 与 fp32 相差至多 {most} 个百分点，{surely.zh}（95% 区间）。",
        f"On {len(sets)} sets {name} differs from fp32 by {most} points at most, {surely.en} (95% intervals).",
    )
    models = ", ".join(dict.fromkeys(each.model for each in sets))
    note = Text(
        f"模型 {models}；线段是 95% 区间（1,000 次自助重采样）。",
        f"Models {models}; lines are 95% intervals (1,000 bootstrap resamples).",
    )
    chart = Chart(
        lines=tuple(lines),
        scale=(0.0, 1.0),
        title=Text("准确率（实测）", "Accuracy (measured)"),
        ticks=tuple((quarter / 4, f"{quarter / 4:.0%}") for quarter in range(5)),
    )
    return _step("accuracy", sentence, [chart], [note, _origin(accuracy.origin)])


def _memory_notes(memory: MemoryFound) -> list[Text]:
    return [memory_note(memory.path[0].step.configuration), _origin(memory.origin)]


def _speed_notes(speed: SpeedFound) -> list[Text]:
    weights = weights_of(random=speed.random_weights)
    note = Text(
        f"速度为实测：模型 {speed.model}（{weights.zh}），设备 {speed.device}；“一百万条”由每秒条数推算。",
        f"Speed is measured: model {speed.model} ({weights.en}), device {speed.device}; a million texts are worked out "
        "from texts a second.",
    )
    return [note, _origin(speed.origin)]


def _origin(origin: Origin) -> Text:
    machine, day = machine_in_words(origin.machine), origin.day or DASH
    if origin.file is None:
        return Text(f"来源：你这次访问中的运行，{machine.zh}。", f"From a run of this visit, {machine.en}.")
    return Text(
        f"来源：随项目发布的结果，{machine.zh}，{day}。",
        f"From the project's own results, {machine.en}, {day}.",
    )


def _hours(amount: float, *, of: float | None = None) -> Text:
    """In minutes below an hour; `of` chooses the unit instead: the largest of figures shown together."""
    if (of or amount) < 1:
        return Text(f"{60 * amount:,.1f} 分钟", f"{60 * amount:,.1f} min")
    return Text(f"{amount:,.1f} 小时", f"{amount:,.1f} h")


def _per_hour(price: Price) -> Text:
    return Text(f"每小时 {price.shown_per_hour}", f"{price.shown_per_hour} an hour")


def _share(name: Cell, share: float, more: Cell = "", *, strong: bool = False, predicted: bool = False) -> Line:
    """A bar as long as what was saved, with the share and what `more` there is to say."""
    saved = "0%" if f"{abs(share):.0%}" == "0%" else f"{'−' if share > 0 else '+'}{abs(share):.0%}"
    label = Text(*(f"{saved}  {cell_in(more, language)}".rstrip() for language in LANGUAGES))
    bar = (0.0, max(0.0, share))
    return Line(name=name, marks=(Mark(label=label, bar=bar, strong=strong, predicted=predicted),))
