"""The six steps of the story: of each a title, one sentence, one chart, and what its figures were measured on.

Memory is told with the findings and the chart of the memory lab. A step of which nothing was measured has no chart, and
`missing` names the page that measures it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

from wenmo.lab.document import DASH, LANGUAGES, Cell, Chart, Line, Mark, Section, Text, cell_in, size
from wenmo.lab.findings import Checkpointing, checkpointing, measured_cpu_memory, predicted_gpu_memory, waterfall
from wenmo.lab.presets import PADDED
from wenmo.lab.sections import checkpointing_sentence, memory_note, waterfall_chart, weights_of
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
    "workers": Text("每核一个工作线程", "a worker a core"),
    "ours": Text("打包，每核一个工作线程", "packed, a worker a core"),
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
    """A section of one sentence and one chart, or of a sentence and what is `missing`."""

    missing: Page | None = None

    @property
    def sentence(self) -> Text:
        return self.sentences[0]


def story(figures: StoryFigures, price: Price) -> tuple[StoryStep, ...]:
    """All of KEYS, in their order."""
    memory, speed, accuracy = figures.memory, figures.speed, figures.accuracy
    return (
        _before(memory, speed, price),
        _changed(memory, speed),
        _missing("memory", "memory") if memory is None else _memory_saved(memory),
        _missing("time", "throughput") if speed is None else _time_saved(speed),
        _missing("money", "throughput") if speed is None else _money_saved(speed, price),
        _missing("accuracy", None) if accuracy is None else _accuracy_kept(accuracy),
    )


def _step(
    key: Key,
    sentence: Text,
    lines: Sequence[Line],
    notes: Sequence[Text],
    scale: tuple[float, float] | None = None,
) -> StoryStep:
    """A scale is as long as the longest bar or range, unless one is given."""
    if scale is None:
        marks = [mark for line in lines for mark in line.marks]
        scale = (0.0, max(end for mark in marks for end in (*(mark.bar or ()), *(mark.range or ()))))
    chart = Chart(lines=tuple(lines), scale=scale)
    different = tuple(dict.fromkeys(notes))  # two findings may have the same origin
    return StoryStep(key=key, title=TITLES[key], sentences=(sentence,), charts=(chart,), notes=different)


def _missing(key: Key, page: Page | None) -> StoryStep:
    return StoryStep(key=key, title=TITLES[key], sentences=(MISSING[key],), missing=page)


def _before(memory: MemoryFound | None, speed: SpeedFound | None, price: Price) -> StoryStep:
    """Full bars: what everything after is measured against."""
    lines: list[Line] = []
    told: list[Text] = []
    notes: list[Text] = []
    if memory is not None and (found := predicted_gpu_memory(memory.steps, "eight")) is not None:
        taken = size(found.fp32_padded_bytes)
        lines.append(_full(Text("显存 · 八个句对", "GPU memory · eight pairs"), taken))
        told.append(
            Text(
                f"八个句对各填充到 {PADDED}，占 {taken} 显存（预测）",
                f"eight pairs, each padded to {PADDED}, take {taken} of GPU memory (predicted)",
            )
        )
        notes += _memory_notes(memory)
    if speed is not None:
        takes = hours(MILLION, speed.plain.texts_per_s)
        time, costs, rate = _hours(takes), price.shown(takes * price.per_hour), _per_hour(price)
        lines.append(_full(Text("用时 · 一百万条", "time · a million texts"), time))
        lines.append(_full(Text("花费 · 一百万条", "money · a million texts"), costs))
        told.append(
            Text(
                f"一百万条文本要算 {time.zh}，{rate.zh} 即 {costs}",
                f"a million texts take {time.en}, which at {rate.en} is {costs}",
            )
        )
        notes += _speed_notes(speed)
    if not lines:
        return _missing("before", "throughput")
    zh, en = "；".join(each.zh for each in told), "; ".join(each.en for each in told)
    return _step("before", Text(f"照常规做法，{zh}。", f"The plain way, {en}."), lines, notes, (0.0, 1.0))


def _full(name: Text, label: Cell) -> Line:
    return Line(name=name, marks=(Mark(label=label, bar=(0.0, 1.0)),))


def _changed(memory: MemoryFound | None, speed: SpeedFound | None) -> StoryStep:
    """The share that each change saves of what the one before it left; what saves most of each kind is strong."""
    in_memory: dict[Cell, float] = {}
    in_time: dict[Cell, float] = {}
    notes: list[Text] = []
    found = None if memory is None else checkpointing(memory.steps)
    if memory is not None:
        in_memory, notes = _memory_changes(memory)
        notes += ([] if found is None else [_checkpointing_note(found)]) + _memory_notes(memory)
    if speed is not None:
        in_time = {_CHANGES[way.key]: 1 - last.texts_per_s / way.texts_per_s for last, way in pairwise(speed.ways)}
        notes += _speed_notes(speed)
    lines = [*_change_lines(_MEMORY, in_memory), *_change_lines(_TIME, in_time)]
    told = [*_most(_MEMORY, in_memory), *_most(_TIME, in_time)]
    if found is not None:
        lines += _checkpointing_lines(found)
        told.append(checkpointing_sentence(found))
    if not lines:
        return _missing("changed", "throughput")
    sentence = Text("".join(each.zh for each in told), " ".join(each.en for each in told))
    return _step("changed", sentence, lines, notes, (0.0, 1.0))


def _memory_changes(memory: MemoryFound) -> tuple[dict[Cell, float], list[Text]]:
    """The share that each change saves, and how these shares were found."""
    shares: dict[Cell, float] = {}
    notes = [
        Text(
            "FP16 与打包的内存是对 GPU 的预测，逐步相对于上一步。",
            "Memory of FP16 and packing is predicted for a GPU, step on step.",
        )
    ]
    if (predicted := predicted_gpu_memory(memory.steps, "eight")) is not None:
        shares["FP16"] = predicted.saved_by_fp16
        shares[Text("再打包，不填充", "packed, no padding")] = predicted.saved_by_packing
    if (measured := measured_cpu_memory(memory.steps)) is not None:
        int8 = Text("INT8 代替 FP16（CPU）", "INT8 instead of FP16 (CPU)")
        shares[int8] = 1 - measured.int8_packed_bytes / measured.fp16_packed_bytes
        notes.append(
            Text(
                "INT8 的内存在 CPU 上实测，相对于实测的 fp16 打包。",
                "Memory of INT8 is measured on a CPU, against fp16 packed measured there, too.",
            )
        )
    return shares, notes


def _change_lines(kind: Text, shares: Mapping[Cell, float]) -> list[Line]:
    best = _best(shares)
    lines = []
    for name, share in shares.items():
        both = Text(*(f"{cell_in(name, language)} · {kind.in_(language)}" for language in LANGUAGES))
        more = f"×{1 / (1 - share):.1f}" if kind is _TIME else ""
        lines.append(_share(both, share, more, strong=name == best))
    return lines


def _best(shares: Mapping[Cell, float]) -> Cell | None:
    return max(shares, key=shares.__getitem__, default=None)


def _most(kind: Text, shares: Mapping[Cell, float]) -> list[Text]:
    """A sentence on what saves most; none where nothing was measured."""
    best = _best(shares)
    if best is None:
        return []
    zh, en, share = cell_in(best, "zh"), cell_in(best, "en"), f"{shares[best]:.0%}"
    return [Text(f"{kind.zh}上，{zh}省得最多（{share}）。", f"Most {kind.en} is saved by {en} ({share}).")]


def _checkpointing_lines(found: Checkpointing) -> list[Line]:
    time = found.training_time_added
    more = "" if time is None else Text(f"用时 {time:+.0%}", f"time {time:+.0%}")
    inference = Text("检查点，推理 · 激活", "checkpointing, inference · activations")
    training = Text("检查点，训练 · 激活", "checkpointing, training · activations")
    return [_share(inference, found.inference_saved), _share(training, found.training_saved, more)]


def _checkpointing_note(found: Checkpointing) -> Text:
    name = found.training_off.step.configuration.name
    if found.training_time_added is None:
        return Text(
            f"检查点的数字是预测，没有实测（{name}）。",
            f"Figures of checkpointing ({name}) are predicted, not measured.",
        )
    return Text(
        f"检查点的激活与用时在 CPU 上实测（{name}）。",
        f"Activations and time of checkpointing ({name}) are measured on a CPU.",
    )


def _memory_saved(memory: MemoryFound) -> StoryStep:
    found, fall = predicted_gpu_memory(memory.steps, "eight"), waterfall(memory.steps, "eight")
    if found is None or fall is None:
        return _missing("memory", "memory")
    most = found.fp32_padded_bytes
    before, after, share = size(most), size(found.fp16_packed_bytes, of=most), f"{found.saved:.0%}"
    sentence = Text(
        f"按预测，八个句对的显存从 {before} 降到 {after}，省下 {share}。",
        f"By prediction eight pairs go from {before} of GPU memory to {after}: {share} saved.",
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
    return _step("memory", sentence, waterfall_chart(fall).lines, notes)


def _time_saved(speed: SpeedFound) -> StoryStep:
    lines = []
    for way in speed.ways:
        takes = hours(MILLION, way.texts_per_s)
        label = _hours(takes)
        if way != speed.plain:
            factor = f"  ×{way.texts_per_s / speed.plain.texts_per_s:.1f}"
            label = Text(label.zh + factor, label.en + factor)
        spread = None
        if way.lowest is not None and way.highest is not None:
            spread = (hours(MILLION, way.highest), hours(MILLION, way.lowest))
        mark = Mark(label=label, bar=(0.0, takes), range=spread, strong=way is speed.best)
        lines.append(Line(name=WAYS[way.key], marks=(mark,)))
    before, after = (_hours(hours(MILLION, way.texts_per_s)) for way in (speed.plain, speed.best))
    factor = f"{speed.best.texts_per_s / speed.plain.texts_per_s:.1f}"
    sentence = Text(
        f"一百万条文本从 {before.zh}降到 {after.zh}，速度是原来的 {factor} 倍。",
        f"A million texts go from {before.en} to {after.en}: {factor} times as fast.",
    )
    notes = _speed_notes(speed)
    if any(way.lowest is not None for way in speed.ways):
        notes.append(
            Text("细线是各轮中最快与最慢的一轮。", "Thin lines are the fastest and the slowest of the rounds.")
        )
    return _step("time", sentence, lines, notes)


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
    return _step("money", sentence, lines, [rule, *formulas, *_speed_notes(speed), note])


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
    floor = int(10 * min(end for each in sets for end in (*each.before_interval, *each.after_interval))) / 10
    models = ", ".join(dict.fromkeys(each.model for each in sets))
    note = Text(
        f"模型 {models}；线段是 95% 区间（1,000 次自助重采样），横轴从 {floor:.0%} 到 100%。",
        f"Models {models}; lines are 95% intervals (1,000 bootstrap resamples), the axis goes from {floor:.0%} to "
        "100%.",
    )
    return _step("accuracy", sentence, lines, [note, _origin(accuracy.origin)], (floor, 1.0))


def _memory_notes(memory: MemoryFound) -> list[Text]:
    eight = next(each for each in memory.steps if each.step.group == "eight")
    return [memory_note(eight.step.configuration), _origin(memory.origin)]


def _speed_notes(speed: SpeedFound) -> list[Text]:
    weights = weights_of(random=speed.random_weights)
    note = Text(
        f"速度为实测：模型 {speed.model}（{weights.zh}），设备 {speed.device}；“一百万条”由每秒条数推算。",
        f"Speed is measured: model {speed.model} ({weights.en}), device {speed.device}; a million texts are worked out "
        "from texts a second.",
    )
    return [note, _origin(speed.origin)]


def _origin(origin: Origin) -> Text:
    file, machine, day = origin.file, origin.machine, origin.day or DASH
    if file is None:
        return Text(f"来源：这次会话里的运行，{machine}。", f"From a run of this session, {machine}.")
    return Text(
        f"来源：{file}（benchmarks/results），{machine}，{day}。",
        f"From {file} (benchmarks/results), {machine}, {day}.",
    )


def _hours(amount: float) -> Text:
    if amount < 1:
        return Text(f"{60 * amount:,.1f} 分钟", f"{60 * amount:,.1f} min")
    return Text(f"{amount:,.1f} 小时", f"{amount:,.1f} h")


def _per_hour(price: Price) -> Text:
    return Text(f"每小时 {price.shown_per_hour}", f"{price.shown_per_hour} an hour")


def _share(name: Text, share: float, more: Cell = "", *, strong: bool = False) -> Line:
    """A bar as long as what was saved, with the share and what `more` there is to say."""
    saved = "0%" if f"{abs(share):.0%}" == "0%" else f"{'−' if share > 0 else '+'}{abs(share):.0%}"
    label = Text(*(f"{saved}  {cell_in(more, language)}".rstrip() for language in LANGUAGES))
    return Line(name=name, marks=(Mark(label=label, bar=(0.0, max(0.0, share)), strong=strong),))
