"""Two models, or one model in two precisions, compared on the same inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from wenmo.errors import InputError, WenmoError
from wenmo.tasks.table import TASKS, row_tasks
from wenmo.types import Precision, Result, TaskName
from wenmo.ui import charts
from wenmo.ui.models.examples import COMPARISONS
from wenmo.ui.shell import answers, components, examples, model_choice
from wenmo.ui.shell.inputs import MAX_TEXTS, at_most, check_labels
from wenmo.ui.shell.runtime import comparison_engine, get_engine
from wenmo.ui.text import say, say_label

if TYPE_CHECKING:
    from wenmo import Engine
    from wenmo.evaluation.compare import Comparison, Side

_ON_CPU: tuple[Precision, ...] = ("fp32", "int8", "fp16", "bf16")
_ON_GPU: tuple[Precision, ...] = ("fp16", "fp32", "bf16")
_FAR_APART = 5  # texts shown if all decisions agree
Choice = tuple[str, int, Precision]  # a model's name, the time it was written (ns), the precision to run it in


def show() -> None:
    """The choice of two models, the form for the inputs, and the comparison."""
    try:
        engine = get_engine()
    except WenmoError as error:
        components.show_error(error)
        return
    task = _task()
    if not model_choice.choices()[task]:
        st.info(say("app.no_model", task=say(f"app.{task}")))
        return
    choices = _choices(task, engine)
    examples.buttons("compare", COMPARISONS[task])
    with st.form("compare", border=False):
        lines = components.text_lines(
            say(f"models.texts.{task}"), key=f"compare_{task}_texts", limit=MAX_TEXTS, height=140
        )
        labels = ""
        if TASKS[task].takes_labels:
            labels = st.text_input(say("zero_shot.labels"), key="compare_labels", persist_state="session") or ""
        answers.submit("compare", say("models.compare"))
    if not lines:
        st.caption(say("models.compare_empty"))
        return

    def work(_: Engine, progress: Callable[[int, int], None]) -> Comparison:
        from wenmo.evaluation.compare import compare

        inputs = [_pair(line) if TASKS[task].inputs == "pair" else line for line in at_most(lines, MAX_TEXTS)]
        if TASKS[task].takes_labels:
            check_labels(labels, texts=len(inputs))
        first, second = (comparison_engine(task, *choice) for choice in choices)
        return compare(first, second, task, inputs, _asking(task, labels), progress=progress)

    compared = answers.ask("compare", (task, choices, lines, labels), work)
    if compared is None:
        return
    _sides(compared)
    if len(lines) == 1:
        for place, side in zip(st.columns(2, gap="large"), (compared.first, compared.second), strict=True):
            with place:
                _single(task, side)
        st.caption(say("models.one_difference", difference=f"{compared.differences[0]:.4f}"))
    else:
        _many(task, compared, lines)


def _task() -> TaskName:
    names = {spec.name: say(f"app.{spec.name}") for spec in row_tasks()}
    return components.choice(say("models.task"), names, key="task")


def _choices(task: TaskName, engine: Engine) -> tuple[Choice, Choice]:
    """Fields for two models of the task, the default one first, each with a precision."""
    here = model_choice.choices()[task]
    precisions = _ON_CPU if engine.device.value == "cpu" else _ON_GPU
    chosen: list[Choice] = []
    for index, place in enumerate(st.columns(2, gap="medium")):
        with place:
            side = say(f"models.side.{('first', 'second')[index]}")
            model = st.selectbox(side, list(here), key=f"compare_{task}_{index}")
            precision = st.segmented_control(
                say("status.precision"),
                precisions,
                default=precisions[index],
                required=True,
                key=f"compare_precision_{index}",
                label_visibility="collapsed",
            )
            chosen.append((model, here[model], precision or precisions[index]))
    return chosen[0], chosen[1]


def _pair(line: str) -> tuple[str, str]:
    """The two sentences of a line. Raises InputError where there are not two."""
    first, mark, second = line.replace("｜", "|").replace("\t", "|").partition("|")
    if not (mark and first.strip() and second.strip()):
        raise InputError(
            f"{line[:40]!r} is not a pair. Write both sentences on one line with a | between them.",
            f"“{line[:40]}”不是句对。请把两句写在同一行，中间用 | 隔开。",
        )
    return first.strip(), second.strip()


def _asking(task: TaskName, labels: str) -> Callable[[Engine, Sequence[Any]], Sequence[Result]]:
    """The call of the engine for the task."""
    options: dict[str, Any] = {"labels": labels} if TASKS[task].takes_labels else {}
    return lambda engine, inputs: engine.ask(task, inputs, **options)


def _title(side: Side) -> str:
    return f"{charts.one_line(side.model, width=44)} · {side.precision.value}"


def _sides(compared: Comparison) -> None:
    """A table of both models: speed, memory, parameters, layers."""
    sides = (compared.first, compared.second)
    ms, mib = say("models.ms"), say("models.weights")
    st.dataframe(
        {
            say("models.name"): [_title(side) for side in sides],
            ms: [side.ms_per_input for side in sides],
            mib: [side.weights_mib for side in sides],
            say("models.parameters"): [f"{side.parameters / 1e6:.1f} M" for side in sides],
            say("models.layers"): [side.layers for side in sides],
        },
        hide_index=True,
        column_config={name: st.column_config.NumberColumn(format="%.2f") for name in (ms, mib)},
        placeholder="–",
    )
    st.caption(say("models.sides_note", rounds=compared.rounds))


def _single(task: TaskName, side: Side) -> None:
    """The answer of one model to a single input."""
    (result,) = side.results
    st.text(_title(side))
    if len(result.scores) > 2:
        st.plotly_chart(
            charts.bars(result.scores),
            config=charts.CONFIG,
            alt=say("zero_shot.chart_alt", count=len(result.scores)),
            key=f"compare_chart_{side.precision.value}_{side.model}",
        )
    else:
        components.measure(components.literal(say_label(task, result.label)), result.score, text=f"{result.score:.2%}")


def _many(task: TaskName, compared: Comparison, lines: list[str]) -> None:
    """How far the answers agree, and the inputs whose answers differ most."""
    count, differing = len(lines), compared.differing
    with st.container(horizontal=True, gap="medium"):
        st.metric(
            say("models.agreement"),
            f"{compared.agreement:.1%}",
            width=150,
            help=say("models.agreement_help", count=count),
        )
        st.metric(say("models.mean_difference"), f"{sum(compared.differences) / count:.4f}", width=150)
        st.metric(say("models.largest_difference"), f"{max(compared.differences):.4f}", width=150)
    sides = {say("models.side.first"): compared.first, say("models.side.second"): compared.second}
    columns: dict[str, list[object]] = {say("sentiment.text"): list(lines)}
    bars = []
    for name, side in sides.items():
        bars.append(say("models.score", side=name))
        columns[name] = [say_label(task, result.label) for result in side.results]
        columns[bars[-1]] = [result.score for result in side.results]
    if differing:
        st.subheader(say("models.differing", count=len(differing)), anchor=False)
    else:
        st.subheader(say("models.none_differing"), anchor=False)
    far_apart = sorted(range(count), key=lambda index: -compared.differences[index])[:_FAR_APART]
    components.table(
        {name: [cells[index] for index in differing or far_apart] for name, cells in columns.items()}, bars=bars
    )
    components.download("compare", {**columns, say("models.difference"): list(compared.differences)})
