"""Two lists: for each text of the left one the best of the right one, judged by the cross-encoder, and corrected."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st

from wenmo import Engine
from wenmo.engine import OnProgress
from wenmo.types import Hit
from wenmo.ui.match import lists
from wenmo.ui.match.examples import TWO
from wenmo.ui.match.lists import Listing
from wenmo.ui.shell import answers, components, examples
from wenmo.ui.text import say

MAX_LEFT, MAX_RIGHT = 20_000, 5_000
MAX_PASTED = 2_000
_RERANK = 5  # of the right list, by their vectors; the judge reads these
_CLOSE = 0.15  # a probability so near to the threshold is doubtful
_MARGIN = 0.1  # and so is a best one that the second best comes so near to
_CORRECTIONS = "match_corrections"  # in the session: the lists, and by left row the right one that was chosen by hand
_WANTED = "match_wanted"
_FILTERS = ("all", "doubtful", "matched", "unmatched")


@dataclass(frozen=True, kw_only=True)
class Matches:
    """By row of the left list: the best (N,) and second best (N,) index of the right one, -1 for none; both scores."""

    best: np.ndarray
    similarity: np.ndarray
    cosine: np.ndarray
    second: np.ndarray
    second_similarity: np.ndarray


def show() -> None:
    """The lists, then the matches with threshold, filter, table to correct, and download."""
    names = {name: say(f"match.source.{name}") for name in ("paste", "files")}
    source = components.choice(say("match.source"), names, key="source")
    both = _pasted() if source == "paste" else _files()
    if both is None:
        return
    left, right = both
    found = answers.ask(
        "match",
        (left.texts, right.texts),
        lambda engine, progress: match(engine, left.texts, right.texts, progress),
    )
    if found is not None:
        _result(left, right, found)


def _pasted() -> tuple[Listing, Listing] | None:
    examples.buttons("match", TWO)
    with st.form("match", border=False):
        first, second = st.columns(2)
        with first:
            left = components.text_lines(say("match.left"), key="match_left", limit=MAX_PASTED, height=220)
        with second:
            right = components.text_lines(say("match.right"), key="match_right", limit=MAX_PASTED, height=220)
        answers.submit("match", say("match.start"))
    if not left or not right:
        st.caption(say("match.empty"))
        return None
    return lists.pasted(left), lists.pasted(right)


def _files() -> tuple[Listing, Listing] | None:
    first, second = st.columns(2)
    with first:
        left = lists.from_file("match_left", say("match.left_file"), limit=MAX_LEFT)
    with second:
        right = lists.from_file("match_right", say("match.right_file"), limit=MAX_RIGHT)
    if left is None or right is None:
        st.caption(say("match.files_empty", left=f"{MAX_LEFT:,}", right=f"{MAX_RIGHT:,}"))
        return None
    label = say("match.start_files", left=f"{len(left.texts):,}", right=f"{len(right.texts):,}")
    if st.button(label, type="primary", key="match_start", on_click=answers.forget_stop, args=("match",)):
        st.session_state[_WANTED] = (left.texts, right.texts)
    return (left, right) if st.session_state.get(_WANTED) == (left.texts, right.texts) else None


def match(engine: Engine, left: tuple[str, ...], right: tuple[str, ...], progress: OnProgress) -> Matches:
    """The two best of `right` for each text of `left`."""
    lists.check_count(len(left), MAX_LEFT)
    lists.check_count(len(right), MAX_RIGHT)
    found = engine.search(left, right, top_k=2, rerank=_RERANK, progress=progress)

    def column(place: int, of: str) -> np.ndarray:
        missing = -1 if of == "index" else np.nan
        return np.array([getattr(_at(hits, place), of, missing) for hits in found])

    return Matches(
        best=column(0, "index").astype(np.int64),
        similarity=column(0, "similarity").astype(np.float64),
        cosine=column(0, "cosine").astype(np.float64),
        second=column(1, "index").astype(np.int64),
        second_similarity=column(1, "similarity").astype(np.float64),
    )


def _at(hits: list[Hit], place: int) -> Hit | None:
    return hits[place] if place < len(hits) else None


@st.fragment
def _result(left: Listing, right: Listing, found: Matches) -> None:
    """Everything that follows the threshold; moving it computes nothing anew, and leaves the rest of the page alone."""
    threshold = st.slider(
        say("match.threshold"),
        0.05,
        0.95,
        0.5,
        0.01,
        key="match_threshold",
        help=say("match.threshold_help"),
        persist_state="session",
    )
    corrected = _corrections(left, right)
    chosen = np.where(found.similarity >= threshold, found.best, -1)
    for row, answer in corrected.items():
        chosen[row] = answer
    close = np.abs(found.similarity - threshold) < _CLOSE
    margin = found.similarity - np.nan_to_num(found.second_similarity) < _MARGIN
    doubtful = close | (margin & (found.similarity >= threshold))
    doubtful[list(corrected)] = False
    kinds = {
        "all": np.ones(len(chosen), dtype=bool),
        "doubtful": doubtful,
        "matched": chosen >= 0,
        "unmatched": chosen < 0,
    }
    _figures(kinds, len(corrected))
    names = {name: say(f"match.filter.{name}", count=f"{int(kinds[name].sum()):,}") for name in _FILTERS}
    wanted = st.segmented_control(
        say("match.filter"),
        list(names),
        format_func=names.__getitem__,
        default="all",
        required=True,
        key="match_filter",
        label_visibility="collapsed",
    )
    # Beside what was chosen stands the best of the rest: for a row without a match what came nearest to one.
    is_best = chosen == found.best
    other = np.where(is_best, found.second, found.best)
    other_similarity = np.where(is_best, found.second_similarity, found.similarity)
    rows = np.flatnonzero(kinds[wanted or "all"])
    if len(rows):
        _table(left, right, found, chosen, other, other_similarity, corrected, rows)
    else:
        st.caption(say("match.none"))
    st.caption(say("match.note", rerank=_RERANK))
    components.download("match", _download(left, right, found, chosen, other, other_similarity, corrected))


def _figures(kinds: dict[str, np.ndarray], corrected: int) -> None:
    share = float(kinds["matched"].mean())
    components.measure(say("match.share"), share, text=f"{share:.1%}")
    with st.container(horizontal=True, gap="medium"):
        doubtful = f"{int(kinds['doubtful'].sum()):,}"
        st.metric(say("match.doubtful"), doubtful, help=say("match.doubtful_help"), width=130)
        st.metric(say("match.corrected"), f"{corrected:,}", width=160)


def _corrections(left: Listing, right: Listing) -> dict[int, int]:
    """What was corrected by hand in these lists: the right row, or -1 for none, by left row."""
    kept = st.session_state.get(_CORRECTIONS)
    if kept is None or kept[0] != (left.texts, right.texts):
        kept = st.session_state[_CORRECTIONS] = ((left.texts, right.texts), {})
    corrections: dict[int, int] = kept[1]
    return corrections


def _table(
    left: Listing,
    right: Listing,
    found: Matches,
    chosen: np.ndarray,
    other: np.ndarray,
    other_similarity: np.ndarray,
    corrected: dict[int, int],
    rows: np.ndarray,
) -> None:
    """The matches in `rows`; the match of a row can be chosen anew."""
    options = [f"{number} {_short(text)}" for number, text in enumerate(right.texts, 1)]
    none = say("match.no_match")

    def option(index: int) -> str:
        return options[index] if index >= 0 else none

    def percent(value: float) -> float | None:
        return None if np.isnan(value) else 100 * value

    names = {name: say(f"match.table.{name}") for name in ("left", "match", "similarity", "cosine", "other", "next")}
    shown = {
        names["left"]: [left.texts[row] for row in rows],
        names["match"]: [option(int(chosen[row])) for row in rows],
        names["similarity"]: [percent(found.similarity[row]) for row in rows],
        names["cosine"]: [None if np.isnan(found.cosine[row]) else found.cosine[row] for row in rows],
        names["other"]: [option(int(other[row])) for row in rows],
        names["next"]: [percent(other_similarity[row]) for row in rows],
    }
    key = f"match_table_{len(corrected)}_{hash(rows.tobytes())}"

    def keep() -> None:
        for place, change in st.session_state[key]["edited_rows"].items():
            if names["match"] in change:
                picked = change[names["match"]]
                corrected[int(rows[place])] = options.index(picked) if picked in options else -1

    bar = st.column_config.ProgressColumn
    st.data_editor(
        shown,
        hide_index=True,
        key=key,
        on_change=keep,
        disabled=[name for which, name in names.items() if which != "match"],
        column_config={
            names["match"]: st.column_config.SelectboxColumn(
                names["match"], options=[none, *options], required=True, width=165, help=say("match.correct_help")
            ),
            names["left"]: st.column_config.TextColumn(names["left"], width=165),
            names["similarity"]: bar(
                names["similarity"],
                min_value=0.0,
                max_value=100.0,
                format="%.1f%%",
                width=110,
                color=components.BAR_COLOR,
            ),
            names["cosine"]: st.column_config.NumberColumn(names["cosine"], format="%.3f", width=60),
            names["other"]: st.column_config.TextColumn(names["other"], width=130),
            names["next"]: st.column_config.NumberColumn(names["next"], format="%.1f%%", width=70),
        },
    )


def _short(text: str) -> str:
    return " ".join(text[:120].split())


def _download(
    left: Listing,
    right: Listing,
    found: Matches,
    chosen: np.ndarray,
    other: np.ndarray,
    other_similarity: np.ndarray,
    corrected: dict[int, int],
) -> dict[str, list[object]]:
    """All rows, with all columns of both files."""

    def number(value: float) -> float | None:
        return None if np.isnan(value) else round(float(value), 6)

    columns: dict[str, list[object]] = {say("match.table.left"): list(left.texts)}
    columns |= {_free(name, columns): list(values) for name, values in left.columns.items()}
    result: dict[str, list[object]] = {
        say("match.table.match"): [right.texts[index] if index >= 0 else None for index in chosen],
        say("match.table.row"): [int(index) + 1 if index >= 0 else None for index in chosen],
        say("match.table.similarity"): [number(value) for value in found.similarity],
        say("match.table.cosine"): [number(value) for value in found.cosine],
        say("match.table.other"): [right.texts[index] if index >= 0 else None for index in other],
        say("match.table.next"): [number(value) for value in other_similarity],
        say("match.table.by_hand"): [row in corrected for row in range(len(chosen))],
    }
    for name, values in result.items():
        columns[_free(name, columns)] = values
    for name, others in right.columns.items():
        columns[_free(name, columns)] = [others[index] if index >= 0 else None for index in chosen]
    return columns


def _free(name: str, taken: dict[str, list[object]]) -> str:
    while name in taken:
        name += "_"
    return name
