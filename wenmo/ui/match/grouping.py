"""One list: its groups and near-duplicates at a threshold that is moved, drawn as tiles."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from wenmo import Engine
from wenmo.engine import OnProgress
from wenmo.search import Index
from wenmo.types import TextGroup
from wenmo.ui import charts
from wenmo.ui.match import lists
from wenmo.ui.match.examples import ONE
from wenmo.ui.match.lists import Listing
from wenmo.ui.shell import answers, components, examples
from wenmo.ui.text import say

MAX_TEXTS = 20_000
MAX_PASTED = 2_000
_WANTED = "match_list_wanted"
_THRESHOLD = 0.85


def show() -> None:
    """The list, then its groups as tiles and as a table."""
    names = {name: say(f"match.source.{name}") for name in ("paste", "files")}
    source = components.choice(say("match.source"), names, key="source")
    listing = _pasted() if source == "paste" else _file()
    if listing is None:
        return
    index = answers.ask("match_index", listing.texts, lambda engine, progress: _index(engine, listing.texts, progress))
    if index is None:
        return
    threshold = st.slider(
        say("match.group_threshold"),
        0.5,
        1.0,
        _THRESHOLD,
        0.01,
        key="match_group_threshold",
        help=say("match.group_threshold_help"),
        persist_state="session",
    )
    groups = answers.ask(
        "match_groups",
        (listing.texts, threshold),
        lambda engine, progress: engine.group(index, threshold, progress=progress),
    )
    if groups is not None:
        _result(listing, groups)


def _index(engine: Engine, texts: tuple[str, ...], progress: OnProgress) -> Index:
    """The vectors, which another threshold does not change."""
    lists.check_count(len(texts), MAX_TEXTS)
    return engine.build_index(texts, progress=progress)


def _pasted() -> Listing | None:
    examples.buttons("match_list", ONE)
    with st.form("match_groups", border=False):
        texts = components.text_lines(say("match.list"), key="match_list", limit=MAX_PASTED, height=220)
        answers.submit("match_index", say("match.group"))
    if len(texts) < 2:
        st.caption(say("match.list_empty"))
        return None
    return lists.pasted(texts)


def _file() -> Listing | None:
    listing = lists.from_file("match_list", say("match.list_file"), limit=MAX_TEXTS)
    if listing is None:
        st.caption(say("match.file_empty", limit=f"{MAX_TEXTS:,}"))
        return None
    label = say("match.group_file", count=f"{len(listing.texts):,}")
    if st.button(label, type="primary", key="match_list_start", on_click=answers.forget_stop, args=("match_index",)):
        st.session_state[_WANTED] = listing.texts
    return listing if st.session_state.get(_WANTED) == listing.texts else None


def _result(listing: Listing, groups: Sequence[TextGroup]) -> None:
    total = len(listing.texts)
    if not groups:
        st.caption(say("match.no_groups"))
        return
    members = [(number, each, at) for number, each in enumerate(groups, 1) for at in range(len(each.members))]
    st.subheader(
        say("match.groups", groups=f"{len(groups):,}", texts=f"{len(members):,}", total=f"{total:,}"),
        anchor=False,
    )
    figure = charts.tiles(
        [[listing.texts[member] for member in each.members] for each in groups],
        [each.cosines for each in groups],
    )
    st.plotly_chart(figure, config=charts.CONFIG, key="match_tiles", alt=say("match.tiles_alt", groups=len(groups)))
    shown, kept = min(len(groups), charts.TILES_SHOWN), total - len(members) + len(groups)
    st.caption(say("match.tiles_note", shown=shown, kept=f"{kept:,}", total=f"{total:,}"))
    cosine = say("match.table.cosine")
    columns: dict[str, list[object]] = {
        say("match.table.group"): [number for number, _, _ in members],
        say("match.table.text"): [listing.texts[each.members[at]] for _, each, at in members],
        say("match.table.row_here"): [each.members[at] + 1 for _, each, at in members],
        cosine: [each.cosines[at] for _, each, at in members],
    }
    components.table(columns, numbers=[cosine])
    components.download("groups", _download(listing, groups), label=say("match.download_groups"))


def _download(listing: Listing, groups: Sequence[TextGroup]) -> dict[str, list[object]]:
    """All rows in order: the group's number and representative, and the cosine to it; nothing for a text of its own."""
    own: dict[str, list[object]] = {
        say(f"match.table.{name}"): [None] * len(listing.texts) for name in ("group", "representative", "cosine")
    }
    for number, each in enumerate(groups, 1):
        for member, cosine in zip(each.members, each.cosines, strict=True):
            told = (number, listing.texts[each.representative], cosine)
            for column, value in zip(own.values(), told, strict=True):
                column[member] = value
    columns: dict[str, list[object]] = {say("match.table.text"): list(listing.texts)}
    for name, values in {**listing.columns, **own}.items():
        while name in columns:
            name += "_"
        columns[name] = list(values)
    return columns
