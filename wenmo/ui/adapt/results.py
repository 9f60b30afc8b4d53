"""The result of a training run: accuracy before and after, and the model that was saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from wenmo.errors import WenmoError
from wenmo.ui import charts
from wenmo.ui.adapt import form, job, progress
from wenmo.ui.shell import components, model_choice
from wenmo.ui.text import language, say, say_label

if TYPE_CHECKING:
    from wenmo.adapt.job import AdaptJobStatus
    from wenmo.adapt.types import Adapted


def show(status: AdaptJobStatus) -> None:
    """The result, or why there is none, and a button to begin again."""
    if status.result is not None:
        _comparison(status.result)
        _by_label(status.result)
        _saved(status.result)
        _how(status.result)
        progress.curves(status)
    elif status.state == "stopped":
        st.info(say("adapt.stopped"))
    elif isinstance(status.error, WenmoError):
        components.show_error(status.error)
    else:
        st.error(say("adapt.broken"))
    st.button(say("adapt.another"), on_click=_begin_again, key="adapt_another")


def _begin_again() -> None:
    model_choice.choices.clear()
    form.forget_names()
    job.forget()


def _comparison(adapted: Adapted) -> None:
    """Accuracy on the test rows before and after, in words and as bars."""
    before, after, change = adapted.before, adapted.after, adapted.difference
    baseline = adapted.before_is == "tfidf"
    low, high = (f"{100 * bound:+.0f}" for bound in change.interval)
    figures = {
        "n": before.n,
        "before": before.correct,
        "after": after.correct,
        "change": f"{100 * change.change:+.0f}",
        "low": low,
        "high": high,
    }
    with st.container(border=True):
        st.subheader(say(f"adapt.{'baseline' if baseline else 'verdict'}.{change.verdict}"), anchor=False)
        st.markdown(say("adapt.baseline_change", **figures) if baseline else say("adapt.change", **figures))
        figure = charts.intervals(
            {
                (say("adapt.baseline") if baseline else say("adapt.before")): (before.accuracy, before.interval),
                say("adapt.after"): (after.accuracy, after.interval),
            },
            better=change.verdict == "better",
        )
        st.plotly_chart(figure, config=charts.CONFIG, key="adapt_bars", alt=say("adapt.bars_alt"))
        st.caption(say("adapt.bars_note", majority=f"{adapted.majority_share:.0%}"))


def _by_label(adapted: Adapted) -> None:
    """F1 of each label, and what was taken for what."""
    if adapted.before_is != "tfidf" and len(adapted.class_scores) < 3:
        return
    scores, before = adapted.class_scores, adapted.class_scores_before
    f1, earlier = say("adapt.f1"), say("adapt.f1_baseline") if adapted.before_is == "tfidf" else say("adapt.f1_before")
    names = [say_label(adapted.task, name) for name in scores]
    columns: dict[str, list[object]] = {
        say("labelled.meaning"): list(names),
        f1: [score.f1 for score in scores.values()],
        earlier: [before[name].f1 for name in scores],
        say("adapt.precision_of"): [score.precision for score in scores.values()],
        say("adapt.recall"): [score.recall for score in scores.values()],
        say("labelled.rows"): [score.n for score in scores.values()],
    }
    components.table(columns, bars=[f1, earlier])
    components.download("f1", columns)
    if len(scores) <= charts.BARS_SHOWN:
        right = say("adapt.confusion", right=adapted.after.correct, of=adapted.after.n)
        st.subheader(right, anchor=False)
        figure = charts.confusion(np.array(adapted.confusion), rows=names, columns=names)
        st.plotly_chart(figure, config=charts.CONFIG, alt=right, key="adapt_confusion")
        st.caption(say("adapt.confusion_note"))


def _saved(adapted: Adapted) -> None:
    """The name of the model, and a button to use it now."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(say("adapt.saved", name=adapted.name), width="content")
        use = st.button(
            say("adapt.use"),
            type="primary",
            on_click=model_choice.use,
            args=(adapted.task, adapted.name),
            key="adapt_use",
        )
        if use:
            st.switch_page(f"pages/{adapted.task}.py")


def _how(adapted: Adapted) -> None:
    """The figures of the run, and why it ended."""
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
