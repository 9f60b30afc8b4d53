"""What the saving cost, in the lab of the memory page: throughput before and after, and accuracy on labelled rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from wenmo.ui.shell import components
from wenmo.ui.text import say

if TYPE_CHECKING:
    from wenmo.lab.accuracy import Accuracy, PrecisionAccuracy
    from wenmo.lab.presets import Row


def throughput(rows: Sequence[Row]) -> None:
    """Of the first and the last configuration of each way, where both were measured; else why there is none."""
    from wenmo.lab.findings import throughputs

    st.subheader(say("lab.throughput"), anchor=False)
    found = throughputs(rows)
    if not found:
        st.caption(say("lab.no_throughput"))
        return
    names = ("compared", "ratio", "speed_before", "speed_after")
    lines = [
        (
            say(f"lab.group.{each.group}"),
            f"×{each.ratio:.2f}",
            f"{each.before.sequences_per_s:,.1f} ({each.before.configuration.name})",
            f"{each.after.sequences_per_s:,.1f} ({each.after.configuration.name})",
        )
        for each in found
    ]
    components.table(dict(zip([say(f"lab.{name}") for name in names], zip(*lines, strict=True), strict=True)))
    st.caption(say("lab.throughput_note", threads=found[0].before.threads))


def accuracy(found: Accuracy) -> None:
    """Each precision's, the baseline first."""
    st.subheader(say("lab.accuracy"), anchor=False)
    names = ("precision", "correct", "accuracy_interval", "changed", "difference", "texts_per_s")
    lines = [_line(each) for each in found.precisions]
    components.table(dict(zip([say(f"lab.{name}") for name in names], zip(*lines, strict=True), strict=True)))
    low, high = found.precisions[0].figures.interval
    st.caption(
        say(
            "lab.accuracy_note",
            model=components.literal(found.model),
            task=say(f"lab.task.{found.task}"),
            rows=f"{found.n:,}",
            width=f"{100 * (high - low):.1f}",
            majority=f"{found.majority:.1%}",
        )
    )
    stored = [each.precision for each in found.precisions if not each.native]
    if stored:
        st.caption(say("lab.stored", precisions=", ".join(stored)))


def _line(found: PrecisionAccuracy) -> tuple[str, ...]:
    figures, changed = found.figures, found.changed
    low, high = figures.interval
    told = (say("lab.baseline"), say("lab.baseline"))
    if changed is not None:
        least, most = changed.difference.interval
        told = (
            f"{changed.decisions:,} ({changed.decisions / figures.n:.1%})",
            f"{100 * changed.difference.change:+.1f} ({100 * least:+.1f} – {100 * most:+.1f})",
        )
    return (
        found.precision,
        f"{figures.correct:,} / {figures.n:,}",
        f"{figures.accuracy:.1%} ({low:.1%} – {high:.1%})",
        *told,
        f"{found.texts_per_s:,.1f}",
    )
