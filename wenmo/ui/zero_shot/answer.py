"""The answer of the zero-shot page: the labels of one text, or of many."""

from __future__ import annotations

import numpy as np
import streamlit as st

from wenmo import Engine
from wenmo.engine import OnProgress
from wenmo.serving.cache import CacheTally, cache_tally
from wenmo.tasks.zero_shot import SHORTLIST
from wenmo.types import ZeroShotResult
from wenmo.ui import charts
from wenmo.ui.shell import answers, components, explain, share
from wenmo.ui.shell.inputs import MAX_TEXTS, at_most, check_labels, known_label
from wenmo.ui.text import say
from wenmo.ui.zero_shot.question import Question

_EXAMPLES_EACH = 3  # texts shown for each label
_FEW = 12  # labels that may all have a bar
_SEEN = 0.01  # the least probability whose bar is seen
_LEAST = 3  # bars at least


def show(lines: list[str], asked: Question) -> None:
    """The answer for each line. One of the labels after a tab is the line's known label, not part of its text."""
    pairs = [known_label(line, asked.labels) for line in lines]
    texts, known = [text for text, _ in pairs], [label for _, label in pairs]

    def work(engine: Engine, progress: OnProgress) -> tuple[list[ZeroShotResult], CacheTally]:
        with cache_tally() as tally:
            results = engine.zero_shot(
                at_most(texts, MAX_TEXTS),
                labels=check_labels(asked.labels, texts=len(texts), method=asked.method),
                template=asked.template,
                multi_label=asked.multi_label,
                method=asked.method,
                progress=progress,
            )
        return results, tally

    answered = answers.ask("zero_shot", (texts, asked), work)
    if answered is None:
        return
    results, tally = answered
    threshold = _threshold() if results[0].multi_label else None
    if len(results) == 1:
        _one(results[0], threshold)
        if results[0].method in ("nli", "ensemble"):  # the others do not judge all labels
            explain.zero_shot(texts[0], results[0], asked.template)
    else:
        _many(texts, results, known, threshold)
    if tally.misses or tally.hits:  # neither is cache_tally when the cache is off
        st.caption(say("zero_shot.rows", computed=f"{tally.misses:,}", found=f"{tally.hits:,}"))
    if len(results[0].scores) == 1:
        st.caption(say("zero_shot.one_label"))
    if results[0].method != "nli":
        st.caption(say(f"zero_shot.method_note.{results[0].method}", shortlist=SHORTLIST))
    components.truncation_note([result.truncated for result in results])
    components.unknown_note([result.unknown for result in results])
    share.keep("zero_shot")


def _threshold() -> float:
    """The slider for the lowest probability of a label that holds, if several may be true."""
    return st.slider(
        say("zero_shot.threshold"),
        0.05,
        0.95,
        0.5,
        0.05,
        key="zero_shot_threshold",
        help=say("zero_shot.threshold_help"),
        persist_state="session",
    )


def _taken(result: ZeroShotResult, threshold: float | None) -> list[str]:
    """The labels that the text gets: the best one or, with a threshold, each that reaches it."""
    if threshold is None:
        return [result.label]
    return [name for name, score in result.scores.items() if score >= threshold]


def _one(result: ZeroShotResult, threshold: float | None) -> None:
    """The label or labels of a single text, and the probabilities of all labels as bars."""
    count = len(result.scores)
    label, confidence = say("zero_shot.label"), say("zero_shot.confidence")
    taken = _taken(result, threshold)
    shown = _bars_shown(result, taken)
    with st.container(border=True):
        st.caption(say("zero_shot.best" if threshold is None else "zero_shot.holding"))
        answer = "    ".join(f"{name}  {result.scores[name]:.1%}" for name in taken)
        components.answer(answer or say("zero_shot.none_holds"), key="zero_shot")
        figure = charts.bars(shown, threshold=threshold)
        st.plotly_chart(figure, config=charts.CONFIG, alt=say("zero_shot.chart_alt", count=count), key="zero_shot_bars")
        if len(shown) < count:
            st.caption(say("zero_shot.top_only", shown=len(shown), count=count))
    columns: dict[str, list[object]] = {label: list(result.scores), confidence: list(result.scores.values())}
    if len(shown) < count:
        with st.expander(say("zero_shot.all_labels", count=count)):
            components.table(columns, bars=[confidence])
    components.download("zero-shot", columns)


def _bars_shown(result: ZeroShotResult, taken: list[str]) -> dict[str, float]:
    """The labels that have a bar: all of a few; of many the first whose bars are seen, and those that the text gets."""
    if len(result.scores) <= _FEW:
        return dict(result.scores)
    best = list(result.scores)[:_FEW]
    shown = [name for name in result.scores if name in taken or (name in best and result.scores[name] >= _SEEN)]
    return {name: result.scores[name] for name in [*shown, *best[len(shown) : _LEAST]]}


def _many(texts: list[str], results: list[ZeroShotResult], known: list[str | None], threshold: float | None) -> None:
    """A table of texts and labels; a map of all probabilities if there is room; the surest texts of each label."""
    confidence = say("zero_shot.confidence")
    taken = [_taken(result, threshold) for result in results]
    columns: dict[str, list[object]] = {
        say("zero_shot.label" if threshold is None else "zero_shot.holding"): ["，".join(names) for names in taken],
        confidence: [result.score for result in results],
        say("zero_shot.text"): list(texts),
    }
    if any(known):
        columns[say("zero_shot.known")] = [label or "" for label in known]
    components.table(columns, bars=[confidence])
    components.download("zero-shot", columns)
    names = sorted(results[0].scores)
    alike = all(
        set(result.scores) == set(names) for result in results
    )  # with a shortlist, each text has labels of its own
    if alike and len(names) <= charts.BARS_SHOWN and len(texts) <= charts.BARS_SHOWN:
        values = np.array([[result.scores[name] for name in names] for result in results])
        figure = charts.ink_map(values, rows=texts, columns=names, names=names)
        alt = say("zero_shot.matrix_alt", texts=len(texts), labels=len(names))
        st.plotly_chart(figure, config=charts.CONFIG, alt=alt, key="zero_shot_map")
    if any(known) and threshold is None:
        _confusion(results, known)
    _surest(texts, results, taken)


def _confusion(results: list[ZeroShotResult], known: list[str | None]) -> None:
    """The confusion matrix of known labels and answers."""
    pairs = [(label, result.label) for label, result in zip(known, results, strict=True) if label is not None]
    names = sorted({label for pair in pairs for label in pair})
    counts = np.array([[pairs.count((row, column)) for column in names] for row in names])
    right = say("zero_shot.right", right=int(np.trace(counts)), of=len(pairs))
    st.subheader(right, anchor=False)
    figure = charts.confusion(counts, rows=names, columns=names)
    st.plotly_chart(figure, config=charts.CONFIG, alt=right, key="zero_shot_confusion")
    st.caption(say("zero_shot.confusion_note"))


def _surest(texts: list[str], results: list[ZeroShotResult], taken: list[list[str]]) -> None:
    """For each label, the texts that got it with the highest probability."""
    labels = sorted({name for names in taken for name in names})
    found = [
        (label, results[index].scores[label], texts[index])
        for label in labels
        for index in sorted(
            (index for index, names in enumerate(taken) if label in names),
            key=lambda index: -results[index].scores[label],
        )[:_EXAMPLES_EACH]
    ]
    if not found:
        return
    st.subheader(say("zero_shot.surest"), anchor=False)
    confidence = say("zero_shot.confidence")
    components.table(
        {
            say("zero_shot.label"): [label for label, _, _ in found],
            confidence: [score for _, score, _ in found],
            say("zero_shot.text"): [text for _, _, text in found],
        },
        bars=[confidence],
    )
