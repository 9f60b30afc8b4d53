"""The parts of the page that adapts a model: the file and what is read from it, the run as it goes, what came of it.

The run is a job of the process, not of the session (`wenmo.adapt.job`): nothing here waits for it, and its thread
calls nothing of Streamlit's. Its id stands in the address, so that a reload finds it again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, count
from typing import TYPE_CHECKING

import streamlit as st

from wenmo.errors import WenmoError
from wenmo.evaluation.labelled import LabelledRows
from wenmo.paths import ASSETS
from wenmo.tasks.table import TASKS, row_tasks
from wenmo.types import TaskName
from wenmo.ui import charts
from wenmo.ui.adapt import curves
from wenmo.ui.shell import components, labelled_file
from wenmo.ui.shell import model_choice as models
from wenmo.ui.shell.labelled_file import File
from wenmo.ui.shell.runtime import get_adapt_jobs
from wenmo.ui.text import language, say

if TYPE_CHECKING:
    from wenmo.adapt.job import AdaptJob, AdaptJobStatus
    from wenmo.adapt.types import Adapted, AdaptProgress

SAMPLE = ASSETS / "samples" / "adapt-sentiment.csv"
TIME_LIMIT_S = 900.0  # of a run that was begun from the page: others wait for it
EPOCHS = 12
PRECISIONS = ("auto", "fp32", "bf16", "fp16")

_JOB = "adapt_job"  # in the session: the id of the run that is looked at
_SAMPLE_CHOSEN = "adapt_sample"


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


def current_job() -> AdaptJob | None:
    """The run that this session began, or whose address was opened."""
    job_id = st.session_state.get(_JOB) or st.query_params.get("job")
    job = get_adapt_jobs().get(job_id) if job_id else None
    if job is None:
        forget()
        return None
    st.session_state[_JOB] = st.query_params["job"] = job.id
    return job


def forget() -> None:
    """Look at no run: the form comes back."""
    st.session_state.pop(_JOB, None)
    st.query_params.pop("job", None)


def read_file(task: TaskName) -> LabelledRows | None:
    """The rows of an uploaded file or of the sample, after the columns were shown to be corrected; None without."""
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
    """The fields below the file."""
    left, right = st.columns(2)
    key = _name_key(rows.task)
    st.session_state.setdefault(key, _free_name(rows.task))
    name = left.text_input(say("adapt.name"), max_chars=64, key=key, help=say("adapt.name_help")).strip()
    start_from = right.selectbox(
        say("adapt.start_from"), list(models.choices()[rows.task]), key=f"adapt_start_from_{rows.task}"
    )
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


def _name_key(task: TaskName) -> str:
    return f"adapt_name_{task}"


def _free_name(task: TaskName) -> str:
    """A name to begin with: the first of my-TASK, my-TASK-2, … that no model has."""
    stem = f"my-{task.replace('_', '-')}"
    taken = models.choices()[task]
    return next(name for name in chain([stem], (f"{stem}-{number}" for number in count(2))) if name not in taken)


def start(wish: Wish) -> None:
    """Begin the run, or show why it cannot be."""
    from wenmo.models.local import check_free
    from wenmo.settings import Settings

    settings = Settings.read()

    def work(progress: Callable[[AdaptProgress], None]) -> Adapted:
        from wenmo.adapt.run import adapt  # in the run's own thread: it brings transformers
        from wenmo.adapt.types import AdaptOptions

        return adapt(
            wish.rows,
            name=wish.name,
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
        check_free(wish.name, settings.models_folder)
        job = get_adapt_jobs().start(work)
    except WenmoError as error:
        components.show_error(error)
        return
    st.session_state[_JOB] = job.id
    st.rerun()


def others_run() -> bool:
    """Whether another visitor's run goes on; then it says so, and how far that is."""
    job = get_adapt_jobs().running()
    if job is None:
        return False
    progress = job.status().progress
    done, of = (progress.step, progress.of) if progress else (0, 1)
    st.info(say("adapt.busy", percent=f"{done / of:.0%}"))
    return True


def watch(job: AdaptJob) -> None:
    """The run while it goes, then what came of it."""
    status = job.status()
    if status.state == "running":
        _live(job)
        return
    if status.result is not None:
        _result(status, status.result)
    elif status.state == "stopped":
        st.info(say("adapt.stopped"))
    elif isinstance(status.error, WenmoError):
        components.show_error(status.error)
    else:
        st.error(say("adapt.broken"))
    st.button(say("adapt.another"), on_click=_begin_again, key="adapt_another")


def _begin_again() -> None:
    models.choices.clear()
    for spec in row_tasks():
        st.session_state.pop(_name_key(spec.name), None)  # the name is taken now
    forget()


@st.fragment(run_every=1.5)
def _live(job: AdaptJob) -> None:
    status = job.status()
    if status.state != "running":
        st.rerun()
    progress = status.progress
    if progress is None:
        st.progress(0.0, text=say("adapt.stage.loading"))
    else:
        text = say(f"adapt.stage.{progress.stage}", step=f"{progress.step:,}", of=f"{progress.of:,}")
        st.progress(min(1.0, progress.step / max(1, progress.of)), text=text)
    st.button(say("app.stop"), on_click=job.stop, key="adapt_stop")
    _curves(status)


def _curves(status: AdaptJobStatus) -> None:
    """Loss and memory so far."""
    progress = status.progress
    if progress is None or not status.memory_mib:
        return
    left, right = st.columns(2, gap="medium")
    with left:
        st.caption(say("adapt.loss_title"))
        series = {say("adapt.loss"): status.loss, say("adapt.dev_loss"): status.dev_loss}
        figure = curves.lines(series)
        st.plotly_chart(figure, config=charts.CONFIG, key="adapt_loss", alt=say("adapt.loss_alt"))
    with right:
        st.caption(say(f"adapt.memory.{progress.memory_of}"))
        figure = curves.lines({"MiB": status.memory_mib})
        st.plotly_chart(figure, config=charts.CONFIG, key="adapt_memory", alt=say("adapt.memory_alt"))


def _result(status: AdaptJobStatus, adapted: Adapted) -> None:
    """Before and after, what that means, and where the model is."""
    before, after, change = adapted.before, adapted.after, adapted.difference
    low, high = (f"{100 * bound:+.0f}" for bound in change.interval)
    with st.container(border=True):
        st.subheader(say(f"adapt.verdict.{change.verdict}"), anchor=False)
        st.markdown(
            say(
                "adapt.change",
                n=before.n,
                before=before.correct,
                after=after.correct,
                change=f"{100 * change.change:+.0f}",
                low=low,
                high=high,
            )
        )
        figure = curves.intervals(
            {
                say("adapt.before"): (before.accuracy, before.interval),
                say("adapt.after"): (after.accuracy, after.interval),
            }
        )
        st.plotly_chart(figure, config=charts.CONFIG, key="adapt_bars", alt=say("adapt.bars_alt"))
        st.caption(say("adapt.bars_note", majority=f"{adapted.majority_share:.0%}"))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(say("adapt.saved", name=adapted.name), width="content")
        task = adapted.task
        if st.button(say("adapt.use"), type="primary", on_click=models.use, args=(task, adapted.name), key="adapt_use"):
            st.switch_page(f"pages/{task}.py")
    precision = adapted.precision
    st.caption(
        say(
            "adapt.how",
            train=sum(adapted.train_labels.values()),
            dev=sum(adapted.dev_labels.values()),
            test=sum(adapted.test_labels.values()),
            steps=adapted.steps,
            best=adapted.best_step,
            seconds=f"{adapted.seconds:.0f}",
            mib=f"{adapted.peak_memory_mib:,.0f}",
            precision=precision.value,
        )
    )
    st.caption(components.literal(precision.reason_zh if language() == "zh" else precision.reason))
    st.caption(say(f"adapt.ended.{adapted.ended}"))
    _curves(status)
