"""The results of a job: figures, charts, the rows, comparisons by column, and downloads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import streamlit as st

from wenmo.errors import WenmoError
from wenmo.jobs.results import Period, Results, Scores, reasons
from wenmo.tasks.reviews import stars
from wenmo.tasks.table import TASKS
from wenmo.types import TaskName
from wenmo.ui import charts
from wenmo.ui.batch import reviews
from wenmo.ui.batch.display import COLUMNS_SHOWN, cell, duration
from wenmo.ui.shell import components
from wenmo.ui.text import language, say, say_label

if TYPE_CHECKING:
    from wenmo.jobs.file_job import FileJob, FileJobStatus
    from wenmo.jobs.options import RunOptions
    from wenmo.jobs.summary import JobSummary
    from wenmo.tables.table import Row

ROWS_SHOWN = 500
_EXAMPLES = 5  # rows shown as surest and as least sure
_LOOKED_AT = 200  # rows among which those are sought, so that they are different ones
_MONTHS = "batch_months"  # in the session: the job, and its column of dates with its months
_MIME = {
    ".csv": "text/csv",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".jsonl": "application/jsonl",
    ".parquet": "application/vnd.apache.parquet",
}


def show(job: FileJob, view: FileJobStatus) -> None:
    """All results of a job that is done."""
    summary, options = view.summary, view.options
    if summary is None or options is None or view.task is None:
        return
    try:
        whole = Results(job.target, summary.column_prefix)
        columns, _ = job.open(options.reading)
        names = columns.columns
        _figures(job, summary, view)
        _downloads(job)
        if summary.failed_rows:
            _failures(job, summary)
        if summary.failed_rows == summary.rows:
            return
        texts = (options.text_a, options.text_b) if TASKS[view.task].inputs == "pair" else (options.text,)
        scores = whole.scores()
        _charts(view.task, summary, scores)
        _examples(view.task, whole, scores, texts)
        others = [name for name in names if name not in texts]
        results = Results(job.target, summary.column_prefix, period=_period(whole, job, others))
        _table(view.task, results, summary, texts, names)
        if view.task == "sentiment":
            reviews.show(results, view, texts[0], others)
        if others:
            _agreement(results, view, options, others)
    except (WenmoError, OSError) as error:  # for example, the job expired while it was drawn
        if isinstance(error, WenmoError):
            components.show_error(error)
        else:
            st.info(say("batch.gone"))


def _figures(job: FileJob, summary: JobSummary, view: FileJobStatus) -> None:
    st.subheader(say("batch.done"), anchor=False)
    confidence = summary.mean_confidence
    with st.container(horizontal=True, gap="medium"):
        st.metric(say("batch.rows"), f"{summary.rows:,}", width=130)
        st.metric(say("batch.failed"), f"{summary.failed_rows:,}", width=130)
        st.metric(say("batch.mean"), "–" if confidence is None else f"{confidence:.1%}", width=130)
        speed = "–" if summary.rows_per_s is None else f"{summary.rows_per_s:,.0f}"
        st.metric(say("batch.rows_per_s"), speed, help=say("batch.rows_per_s_help"), width=130)
    note = say(
        "batch.done_note",
        task=say(f"app.{view.task}"),
        model=components.literal(view.model or ""),
        time=duration(summary.seconds),
    )
    if summary.dropped_labels:
        note += say("zero_shot.dropped", count=len(summary.dropped_labels))
    st.caption(note)
    for notice in (notice for file in summary.files for notice in file.notices):
        st.caption(components.literal(job.named(notice)))


def _downloads(job: FileJob) -> None:
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.caption(say("batch.download"), width="content")
        for suffix, mime in _MIME.items():
            st.download_button(
                {".csv": "CSV", ".xlsx": "Excel", ".jsonl": "JSONL", ".parquet": "Parquet"}[suffix],
                _content(job, suffix),
                file_name=f"{_stem(job)}-wenmo{suffix}",
                mime=mime,
                key=f"batch_download_{suffix[1:]}",
                on_click="ignore",
            )


def _content(job: FileJob, suffix: str) -> Callable[[], bytes]:
    """The file, made when the button is pressed. The server calls it on another thread, where nothing can be drawn."""
    words = language()  # read here, where there is a session
    return lambda: job.export(suffix, words).read_bytes()


def _stem(job: FileJob) -> str:
    """The name of the visitor's file, without what a file name may not have on some system."""
    stem = "".join(each if each.isprintable() and each not in '\\/:*?"<>|' else "_" for each in Path(job.name).stem)
    return stem[:80] or "wenmo"


def _failures(job: FileJob, summary: JobSummary) -> None:
    with st.expander(say("batch.failures", count=f"{summary.failed_rows:,}")):
        counts = {why.replace(job.source.name, job.name): count for why, count in reasons(job.errors).items()}
        components.table({say("batch.reason"): list(counts), say("batch.count"): list(counts.values())})
        st.caption(say("batch.failures_note"))
        st.download_button(
            say("batch.download_failures"),
            lambda: job.errors.read_bytes(),
            file_name="wenmo-errors.jsonl",
            mime="application/jsonl",
            key="batch_download_errors",
            on_click="ignore",
        )


def _charts(task: TaskName, summary: JobSummary, scores: Scores) -> None:
    left, right = st.columns(2, gap="large")
    count = sum(summary.label_counts.values())
    with left:
        _title(say("batch.labels"))
        st.plotly_chart(
            charts.count_bars({say_label(task, label): number for label, number in summary.label_counts.items()}),
            config=charts.CONFIG,
            key="batch_labels_chart",
            alt=say("batch.labels_alt", count=count),
        )
        if len(summary.label_counts) > charts.BARS_SHOWN:
            st.caption(say("batch.top_only", shown=charts.BARS_SHOWN, count=len(summary.label_counts)))
    with right:
        _title(say("batch.confidence"))
        st.plotly_chart(
            charts.confidence_histogram(scores.histogram.tolist()),
            config=charts.CONFIG,
            key="batch_confidence_chart",
            alt=say("batch.confidence_alt", count=count),
        )
    st.caption(say("batch.confidence_note", count=f"{count:,}"))


def _examples(task: TaskName, results: Results, scores: Scores, texts: tuple[str, ...]) -> None:
    surest, least = st.tabs([say("batch.surest"), say("batch.least_sure")])
    columns = (*texts, results.label, results.score)
    with surest:
        _rows(task, results, _different(results.rows(scores.surest(_LOOKED_AT), columns), texts), texts)
    with least:
        _rows(task, results, _different(results.rows(scores.least_sure(_LOOKED_AT), columns), texts), texts)


def _different(rows: list[Row], texts: tuple[str, ...]) -> list[Row]:
    """The first _EXAMPLES rows with different texts: exports hold many a "good" more than once."""
    first: dict[tuple[str | None, ...], Row] = {}
    for row in rows:
        first.setdefault(tuple(cell(row[name]) for name in texts), row)
    return list(first.values())[:_EXAMPLES]


def _rows(task: TaskName, results: Results, rows: list[Row], columns: tuple[str, ...]) -> None:
    """A table with label and score first, because a text alone fills the width of a phone."""
    score = say("batch.score")
    table: dict[str, list[object]] = {
        say("batch.label"): [say_label(task, str(row[results.label])) for row in rows],
        score: [100 * cast("float", row[results.score]) for row in rows],
    }
    for name in columns:
        table[name if name not in table else f"{name} "] = [cell(row[name]) for row in rows]
    bar = st.column_config.ProgressColumn(
        score, min_value=0.0, max_value=100.0, format="%.1f%%", width=140, color=components.BAR_COLOR
    )
    narrow = st.column_config.TextColumn(width="small")
    wide = {name: st.column_config.TextColumn(width="large") for name in columns[:1]}
    st.dataframe(table, hide_index=True, column_config={say("batch.label"): narrow, score: bar, **wide})


def _period(results: Results, job: FileJob, others: list[str]) -> Period | None:
    """The months that everything below is about; None for all, or where no column holds dates."""
    kept = st.session_state.get(_MONTHS)
    if kept is None or kept[0] != job.id:
        found = ((name, months) for name in others[:COLUMNS_SHOWN] if (months := results.months(name)))
        kept = st.session_state[_MONTHS] = (job.id, next(found, None))
    if kept[1] is None or len(kept[1][1]) < 2:
        return None
    column, months = kept[1]
    label = say("batch.period", column=components.literal(column))
    first, last = st.select_slider(label, months, value=(months[0], months[-1]), key=f"batch_period_{job.id}")
    return None if (first, last) == (months[0], months[-1]) else Period(column=column, first=first, last=last)


@st.fragment
def _table(
    task: TaskName, results: Results, summary: JobSummary, texts: tuple[str, ...], names: tuple[str, ...]
) -> None:
    """The rows of the result, filtered by label, score and text."""
    _title(say("batch.table"))
    left, right = st.columns(2)
    labels = left.multiselect(
        say("batch.filter_labels"),
        list(summary.label_counts),
        format_func=lambda label: say_label(task, label),
        placeholder=say("batch.all"),
        key=components.retold("batch_filter_labels"),
    )
    low, high = right.slider(say("batch.filter_score"), 0, 100, (0, 100), format="%d%%", key="batch_filter_score")
    contains = st.text_input(
        say("batch.filter_text"), max_chars=200, key="batch_filter_text", help=say("batch.literal")
    )
    columns = (*texts, *[name for name in names if name not in texts][:COLUMNS_SHOWN])
    try:
        total, rows = results.find(
            (*columns, results.label, results.score),
            labels=labels,
            low=low / 100,
            high=high / 100,
            contains=contains,
            texts=texts,
            limit=ROWS_SHOWN,
        )
    except OSError:
        st.info(say("batch.gone"))
        return
    st.caption(
        say("batch.matching", total=f"{total:,}")
        + (say("batch.matching_some", shown=f"{ROWS_SHOWN:,}") if total > ROWS_SHOWN else "")
    )
    if rows:
        _rows(task, results, rows, columns)


@st.fragment
def _agreement(results: Results, view: FileJobStatus, options: RunOptions, others: list[str]) -> None:
    """Accuracy and confusion matrix against a column of true labels, which the visitor chooses."""
    from wenmo.tasks.labels import parse_labels

    _title(say("batch.agreement"))
    column = st.selectbox(say("batch.truth"), others, index=None, placeholder=say("batch.choose"), key="batch_truth")
    if column is None:
        return
    try:
        counts = results.compare(column)
    except WenmoError as error:
        components.show_error(error)
        return
    labels = list(parse_labels(options.labels).names) if options.labels else list(view.labels)
    values = sorted({value for value, _ in counts})
    assert view.task is not None
    shown = [say_label(view.task, label) for label in labels]
    if view.task == "sentiment" and stars(values):
        st.caption(say("batch.stars", negative=shown[0], positive=shown[1]))
    meanings = _meanings(column, values, labels, view.task)
    # Ordered by label, so that agreement is on the diagonal.
    known = [value for label in labels for value in values if meanings[value] == label]
    judged = sum(count for (value, _), count in counts.items() if value in known)
    if not judged:
        st.caption(say("batch.agreement_none"))
        return
    right = sum(count for (value, label), count in counts.items() if meanings[value] == label)
    st.metric(
        say("batch.accuracy"),
        f"{right / judged:.1%}",
        help=say("batch.accuracy_help"),
    )
    st.caption(say("batch.accuracy_note", right=f"{right:,}", of=f"{judged:,}"))
    matrix = np.array([[counts[value, label] for label in labels] for value in known])
    st.plotly_chart(
        charts.confusion(matrix, rows=known, columns=shown),
        config=charts.CONFIG,
        key="batch_confusion",
        alt=say("batch.confusion_alt", rows=len(known), columns=len(labels)),
    )
    st.caption(say("batch.confusion_note"))


def _meanings(column: str, values: list[str], labels: list[str], task: TaskName) -> Mapping[str, str | None]:
    """The label that each value stands for: fields filled with a guess."""
    guessed = {value: TASKS[task].label_index(value, labels) for value in values}
    if task == "sentiment" and (counts := stars(values)):
        guessed = {value: None if count == 3 else int(count > 3) for value, count in counts.items()}
    chosen: dict[str, str | None] = {}
    with st.expander(say("batch.meanings"), expanded=None in guessed.values() and not stars(values)):
        for value in values:
            guess = guessed[value]
            chosen[value] = st.selectbox(
                components.literal(charts.one_line(value, width=40)),
                [None, *labels],
                index=0 if guess is None else guess + 1,
                format_func=lambda label: say("batch.left_out") if label is None else say_label(task, label),
                key=components.retold(f"batch_meaning_{column}_{value}"),
            )
    return chosen


def _title(text: str) -> None:
    st.markdown(f"**{text}**")
