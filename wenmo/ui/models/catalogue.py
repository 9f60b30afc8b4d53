"""The catalogue: every known model with its place and size; for one of them also its shape and its accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from wenmo.models.card import read_accuracy_table, read_sizes
from wenmo.ui.text import say

if TYPE_CHECKING:
    from wenmo.models.registry import ModelEntry

# Columns of a card's table -> keys of their strings. Other columns are shown under the card's own names.
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
    """All known models, as they are on the disk now."""
    from wenmo.models.registry import listing  # it imports the hub's client, which takes a second
    from wenmo.settings import Settings

    return listing(Settings.read().models_folder)


def task_name(task: str | None) -> str:
    """The name of a task on the screen; embedding has no page whose name it could use."""
    return "–" if task is None else say("models.vectors") if task == "embedding" else say(f"app.{task}")


def show() -> None:
    """The table of all models, and one of them in detail."""
    _table()
    _details()


def _table() -> None:
    """A table of all models, the bundled ones first."""
    known = entries()
    st.dataframe(
        {
            say("models.where"): [say(f"models.kind.{entry.kind}") for entry in known],
            say("models.task"): [task_name(entry.task) for entry in known],
            say("models.size"): [entry.size_mib for entry in known],
            say("models.name"): [entry.name for entry in known],  # last, because it is long and screens may be narrow
        },
        hide_index=True,
        column_config={say("models.size"): st.column_config.NumberColumn(format="%.1f")},
        placeholder="–",
    )


def _details() -> None:
    """The shape of a model on this machine; for a bundled one also the accuracy in its model card."""
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
        "vocabulary": None if sizes.vocab_size is None else f"{sizes.vocab_size:,}",
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
