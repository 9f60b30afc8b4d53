"""The form of the adapt page: the labelled file, the options of the training run, and its start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, count
from typing import TYPE_CHECKING

import streamlit as st

from wenmo.errors import WenmoError
from wenmo.evaluation.labelled import LabelledRows
from wenmo.models.local import VISITOR
from wenmo.paths import ASSETS
from wenmo.tasks.table import TASKS, row_tasks
from wenmo.types import TaskName
from wenmo.ui.adapt import job
from wenmo.ui.shell import components, labelled_file, model_choice
from wenmo.ui.shell.labelled_file import File
from wenmo.ui.shell.runtime import get_adapt_jobs
from wenmo.ui.text import say

if TYPE_CHECKING:
    from wenmo.adapt.types import Adapted, AdaptProgress

SAMPLE = ASSETS / "samples" / "adapt-sentiment.csv"
TIME_LIMIT_S = 900.0  # of a run; other visitors wait for its end
EPOCHS = 12  # default
PRECISIONS = ("auto", "fp32", "bf16", "fp16")
_SAMPLE_CHOSEN = "adapt_sample"  # in the session


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the form asks for."""

    rows: LabelledRows
    name: str
    start_from: str
    precision: str
    checkpointing: bool
    epochs: int
    template: str


def read_file(task: TaskName) -> LabelledRows | None:
    """The rows of an uploaded file or of the sample, with fields to correct its columns; None without a file."""
    file = labelled_file.upload("adapt")
    with st.container(key="adapt_examples", horizontal=True, gap="small", vertical_alignment="center"):
        st.caption(say("app.examples"), width="content")
        st.button(say("adapt.sample"), on_click=_take_sample, key="adapt_sample_button", type="tertiary")
    if file is None and st.session_state.get(_SAMPLE_CHOSEN):
        st.caption(say("adapt.sample_note"))
        file = File(content=SAMPLE.read_bytes(), suffix=SAMPLE.suffix)
    if file is None:
        st.caption(say("adapt.empty"))
        return None
    rows = labelled_file.read(file, task, key="adapt")
    if rows is not None:
        st.caption(say("adapt.distinct", count=f"{len(rows):,}"))
    return rows


def _take_sample() -> None:
    st.session_state[_SAMPLE_CHOSEN] = True
    st.session_state["adapt_task"] = "sentiment"


def options(rows: LabelledRows) -> Wish:
    """The fields below the file: name, model, precision and length of the run."""
    left, right = st.columns(2)
    key = _name_key(rows.task)
    st.session_state.setdefault(key, _free_name(rows.task))
    name = left.text_input(say("adapt.name"), max_chars=64, key=key, help=say("adapt.name_help")).strip()
    start_from = right.selectbox(say("adapt.start_from"), _starts(rows.task), key=f"adapt_start_from_{rows.task}")
    if TASKS[rows.task].any_labels:
        st.caption(say("adapt.new_labels", count=len(rows.names)))
    template = "{}"
    if TASKS[rows.task].takes_labels:
        template = st.text_input(say("zero_shot.template"), "{}", max_chars=500, key="adapt_template")
    precision = st.segmented_control(
        say("adapt.precision"), PRECISIONS, default="auto", required=True, key="adapt_precision"
    )
    st.caption(say("adapt.precision_note"))
    checkpointing = st.toggle(say("adapt.checkpointing"), key="adapt_checkpointing")
    st.caption(say("adapt.checkpointing_note"))
    epochs = st.slider(say("adapt.epochs"), 1, 40, EPOCHS, key="adapt_epochs", help=say("adapt.epochs_help"))
    return Wish(
        rows=rows,
        name=name,
        start_from=start_from,
        precision=precision or "auto",
        checkpointing=checkpointing,
        epochs=epochs,
        template=template,
    )


def _starts(task: TaskName) -> list[str]:
    """The models to begin with; for labels of one's own any model will do, as only its encoder is used."""
    there = model_choice.choices()
    if not TASKS[task].any_labels:
        return list(there[task])
    return list(dict.fromkeys([TASKS[task].adapts, *(name for names in there.values() for name in names)]))


def _name_key(task: TaskName) -> str:
    return f"adapt_name_{task}"


def forget_names() -> None:
    """Give up the names in the form, one of which a model has now."""
    for task in (spec.name for spec in row_tasks()):
        st.session_state.pop(_name_key(task), None)


def _free_name(task: TaskName) -> str:
    """The default name: the first of my-TASK, my-TASK-2, … that no model has."""
    stem = f"my-{task.replace('_', '-')}"
    taken = {name.removeprefix(VISITOR) for name in model_choice.choices()[task]}
    return next(name for name in chain([stem], (f"{stem}-{number}" for number in count(2))) if name not in taken)


def start(wish: Wish) -> None:
    """Begin the run, or show why it cannot begin."""
    from wenmo.models.local import check_free
    from wenmo.settings import Settings

    settings, name = Settings.read(), VISITOR + wish.name

    def work(progress: Callable[[AdaptProgress], None]) -> Adapted:
        from wenmo.adapt.run import adapt  # in the thread of the run: it imports transformers
        from wenmo.adapt.types import AdaptOptions

        return adapt(
            wish.rows,
            name=name,
            start_from=wish.start_from,
            options=AdaptOptions(
                epochs=wish.epochs,
                precision=wish.precision,
                checkpointing=wish.checkpointing,
                device=settings.device,
                time_limit_s=TIME_LIMIT_S,
                template=wish.template,
            ),
            models_folder=settings.models_folder,
            progress=progress,
        )

    try:
        check_free(name, settings.models_folder)
        job.look_at(get_adapt_jobs().start(work))
    except WenmoError as error:
        components.show_error(error)
        return
    st.rerun()
