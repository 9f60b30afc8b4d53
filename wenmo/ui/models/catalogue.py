"""What the Models page says of single models: where each is, how large, how accurate; and the download of one."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import streamlit as st

from wenmo.errors import WenmoError
from wenmo.models.card import read_accuracy_table, read_sizes
from wenmo.ui.shell import components
from wenmo.ui.shell import model_choice as models
from wenmo.ui.shell.one_at_a_time import alone
from wenmo.ui.text import say

if TYPE_CHECKING:
    from wenmo.models.pull import PullState
    from wenmo.models.registry import ModelEntry

_PULLING, _PULLED, _FAILED = "models_pulling", "models_pulled", "models_failed"
# Of a card's table. What stands in no list is shown as the card has it.
_HEADERS = {
    "test set": "set",
    "n": "n",
    "accuracy (95% interval)": "accuracy",
    "accuracy of the cosine (95% interval)": "cosine",
    "macro F1": "f1",
    "ECE": "ece",
}


@st.cache_data(ttl=10, show_spinner=False)
def entries() -> list[ModelEntry]:
    """All models that are known, as they lie on the disk now."""
    from wenmo.models.registry import listing  # looks into the hub's cache, whose client takes a second to import
    from wenmo.settings import Settings

    return listing(Settings.read().models_folder)


def task_name(task: str | None) -> str:
    """For people; the embedding model has no page of its own."""
    return "–" if task is None else say("models.vectors") if task == "embedding" else say(f"app.{task}")


def table() -> None:
    """Every model, the bundled ones first."""
    known = entries()
    st.dataframe(
        {
            say("models.where"): [say(f"models.kind.{entry.kind}") for entry in known],
            say("models.task"): [task_name(entry.task) for entry in known],
            say("models.size"): [entry.size_mib for entry in known],
            say("models.name"): [entry.name for entry in known],  # long: last, for narrow screens
        },
        hide_index=True,
        column_config={say("models.size"): st.column_config.NumberColumn(format="%.1f")},
        placeholder="–",
    )


def details() -> None:
    """Sizes of a model that is here; of a bundled one also what its card measured."""
    there = {entry.name: entry for entry in entries() if entry.folder is not None}
    if not there:
        return
    name = st.selectbox(say("models.details"), list(there), key="models_details")
    entry = there[name]
    assert entry.folder is not None
    sizes = read_sizes(entry.folder)
    figures = {
        "parameters": None if sizes.parameters is None else f"{sizes.parameters / 1e6:.1f} M",
        "layers": sizes.layers,
        "hidden": sizes.hidden_size,
        "heads": sizes.heads,
        "pieces": None if sizes.vocab_size is None else f"{sizes.vocab_size:,}",
        "file": None if sizes.weights_mib is None else f"{sizes.weights_mib:.1f} MiB",
    }
    with st.container(horizontal=True, gap="small"):
        for figure, value in figures.items():
            st.metric(say(f"models.{figure}"), "–" if value is None else str(value), width=112)
    accuracy = read_accuracy_table(name) if entry.kind == "bundled" else None
    if accuracy is None:
        st.caption(say("models.no_card"))
        return
    names = [say(f"models.card.{_HEADERS[title]}") if title in _HEADERS else title for title in accuracy.header]
    st.dataframe({title: [row[index] for row in accuracy.rows] for index, title in enumerate(names)}, hide_index=True)
    st.caption(say("models.card_note", command=accuracy.measured_by))


def pull() -> None:
    """Fetch one of the hub's models, in this very run of the page: leaving or stopping ends it, and nothing is lost."""
    if (done := st.session_state.pop(_PULLED, None)) is not None:
        st.success(say("models.pulled", name=components.literal(done)))
    if (error := st.session_state.pop(_FAILED, None)) is not None:
        components.show_error(error)
    missing = [entry for entry in entries() if entry.kind == "known"]
    if not missing:
        st.caption(say("models.nothing_to_pull"))
        return
    pulling = st.session_state.get(_PULLING)
    names = {entry.name: f"{entry.name.partition('/')[2]} · {task_name(entry.task)}" for entry in missing}
    chosen = st.selectbox(
        say("models.hub"), list(names), format_func=names.__getitem__, key="models_hub", disabled=pulling is not None
    )
    _disk()
    if pulling is None:
        st.button(say("models.pull"), key="models_pull", type="primary", on_click=_begin, args=(chosen,))
    else:
        _run(pulling)


def _begin(name: str) -> None:
    st.session_state[_PULLING] = name


def _run(name: str) -> None:
    from wenmo.models.pull import pull as pulling

    with st.container(horizontal=True, vertical_alignment="center"):
        bar = st.progress(0.0, text=say("models.connecting", seconds=0))
        st.button(say("app.stop"), key="models_stop", on_click=st.session_state.pop, args=(_PULLING, None))
    try:
        with alone("pull"), closing(pulling(name)) as states:
            for state in states:
                bar.progress(_share(state), text=_progress(state))
        st.session_state[_PULLED] = name
    except WenmoError as error:
        st.session_state[_FAILED] = error
    st.session_state.pop(_PULLING, None)
    entries.clear()
    models.choices.clear()
    st.rerun()


def _share(state: PullState) -> float:
    return min(1.0, state.done_bytes / state.total_bytes) if state.total_bytes else 0.0


def _progress(state: PullState) -> str:
    if state.file is None:
        return say("models.connecting", seconds=f"{state.seconds:.0f}")
    return say(
        "models.pulling",
        file=components.literal(state.file),
        done=f"{state.done_bytes / 2**20:,.1f}",
        of="?" if state.total_bytes is None else f"{state.total_bytes / 2**20:,.1f}",
        seconds=f"{state.seconds:.0f}",
    )


def _disk() -> None:
    from wenmo.models.pull import free_mib

    free = free_mib()
    st.caption(say("models.disk", free="?" if free is None else f"{free / 1024:,.1f}"))
