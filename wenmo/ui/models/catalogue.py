"""The catalogue: every known model with its place and size; for one of them also its shape and its accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from wenmo.errors import InputError, WenmoError
from wenmo.models.card import read_accuracy_table, read_licence, read_sizes
from wenmo.ui.shell import components, model_choice
from wenmo.ui.shell.inputs import MAX_CHARACTERS
from wenmo.ui.text import say

if TYPE_CHECKING:
    from wenmo.models.registry import ModelEntry

_LABELS_SHOWN = 30
_NAMING_FAILED = "models_naming_failed"  # in the session

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


def _purpose(entry: ModelEntry) -> None:
    """What the model is for and its labels; a field for their names where it has none, a button to use it now."""
    from wenmo.models.description import describe
    from wenmo.models.label_names import remembered
    from wenmo.settings import Settings

    assert entry.folder is not None
    models_folder = Settings.read().models_folder
    try:
        described = describe(entry.folder, label_names=remembered(entry.folder, models_folder))
    except WenmoError as error:
        components.show_error(error)
        return
    licence = read_licence(entry.folder)
    if licence:
        st.text(say("models.licence", name=licence))
    if described.labels:
        shown = "，".join(described.labels[:_LABELS_SHOWN])
        st.text(say("models.labels", labels=shown + ("…" if len(described.labels) > _LABELS_SHOWN else "")))
    if described.needs_label_names:
        st.info(say("models.name_labels", count=len(described.labels)))
        with st.form("models_label_names", border=False):
            st.text_input(say("models.label_names"), key="models_label_names_typed", max_chars=MAX_CHARACTERS)
            st.form_submit_button(say("models.remember"), on_click=_name_labels, args=(entry.name,))
        if (failed := st.session_state.pop(_NAMING_FAILED, None)) is not None:
            components.show_error(failed)
        return
    with st.container(horizontal=True):
        for spec in described.tasks:
            if entry.name in model_choice.choices()[spec.name]:
                st.button(
                    say("models.use", task=task_name(spec.name)),
                    key=f"models_use_{spec.name}",
                    on_click=model_choice.use,
                    args=(spec.name, entry.name),
                )


def _name_labels(name: str) -> None:
    """Remember the names that were typed, if the model takes them."""
    from wenmo.models.description import describe
    from wenmo.models.label_names import parse_label_names, remember
    from wenmo.settings import Settings

    folder = next((entry.folder for entry in entries() if entry.name == name), None)
    if folder is None:  # deleted meanwhile
        return
    settings = Settings.read()
    try:
        if name in settings.models.values():
            raise InputError(
                f"{name} is a model of this server. Its operator names its labels, with WENMO_LABEL_NAMES.",
                f"{name} 是此服务使用的模型，其标签由运维者用 WENMO_LABEL_NAMES 命名。",
            )
        names = parse_label_names(st.session_state["models_label_names_typed"])
        describe(folder, label_names=names)
    except WenmoError as error:
        st.session_state[_NAMING_FAILED] = error
        return
    remember(folder, names, settings.models_folder)
    entries.clear()
    model_choice.choices.clear()


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
    _purpose(entry)
    accuracy = read_accuracy_table(name) if entry.kind == "bundled" else None
    if accuracy is None:
        st.caption(say("models.no_card"))
        return
    names = [say(f"models.card.{_HEADERS[title]}") if title in _HEADERS else title for title in accuracy.header]
    st.dataframe({title: [row[index] for row in accuracy.rows] for index, title in enumerate(names)}, hide_index=True)
    st.caption(say("models.card_note", command=accuracy.measured_by))
