"""The catalogue: every known model with its place and size; for one of them also its shape and its accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import streamlit as st

from wenmo.errors import InputError, WenmoError
from wenmo.models.card import read_accuracy_table, read_licence, read_sizes
from wenmo.ui.models import closer
from wenmo.ui.shell import components, model_choice
from wenmo.ui.shell.inputs import MAX_CHARACTERS
from wenmo.ui.text import language, say, say_label

if TYPE_CHECKING:
    from wenmo.models.registry import ModelEntry
    from wenmo.tasks.spec import TaskSpec

_LABELS_SHOWN = 30
TYPED = "models_typed"  # the key of the field for an id
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


# Test sets, as the cards of the bundled models name them -> Chinese.
SETS: Mapping[str, str] = {
    "LCQMC test": "LCQMC 测试集",
    "AFQMC (its majority class is 69.0)": "AFQMC（多数类占 69.0）",
    "TNEWS, the nearest of 15 label names": "TNEWS，取 15 个标签名中最近的",
    "TNEWS, its 15 labels typed, template `{}`": "TNEWS，输入其 15 个标签，模板 `{}`",
    "OCNLI (three classes)": "OCNLI（三类）",
    "ChnSentiCorp test": "ChnSentiCorp 测试集",
    "waimai test": "waimai 测试集",
    "everyday reviews of our own": "自编的日常评论",
    "everyday texts that are neither praise nor blame: less than 75% sure of either": (
        "自编的非褒非贬文本：把握低于 75%"
    ),
    "everyday pairs of our own, made to be hard": "自编的日常句对，有意出难",
    "everyday questions of our own": "自编的日常题",
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


def _purpose(entry: ModelEntry) -> tuple[TaskSpec, ...]:
    """What the model is for and its labels; a field for their names where it has none, a button to use it now.

    Returns the tasks that it can serve.
    """
    from wenmo.models.description import describe
    from wenmo.models.label_names import remembered
    from wenmo.settings import Settings

    assert entry.folder is not None
    models_folder = Settings.read().models_folder
    try:
        described = describe(entry.folder, label_names=remembered(entry.folder, models_folder))
    except WenmoError as error:
        components.show_error(error)
        return ()
    licence = read_licence(entry.folder)
    if licence:
        st.text(say("models.licence", name=licence))
    if described.labels:
        shown = [say_label(entry.task, label) for label in described.labels[:_LABELS_SHOWN]]
        more = "…" if len(described.labels) > _LABELS_SHOWN else ""
        st.text(say("models.labels", labels=say("app.comma").join(shown) + more))
    if described.needs_label_names:
        st.info(say("models.name_labels", count=len(described.labels)))
        with st.form("models_label_names", border=False):
            st.text_input(say("models.label_names"), key="models_label_names_typed", max_chars=MAX_CHARACTERS)
            st.form_submit_button(say("models.remember"), on_click=_name_labels, args=(entry.name,))
        if (failed := st.session_state.pop(_NAMING_FAILED, None)) is not None:
            components.show_error(failed)
        return ()
    with st.container(horizontal=True):
        for spec in described.tasks:
            if model_choice.is_choice(spec.name, entry.name):
                st.button(
                    say("models.use", task=task_name(spec.name)),
                    key=f"models_use_{spec.name}",
                    on_click=model_choice.use,
                    args=(spec.name, entry.name),
                )
    return described.tasks


def _name_labels(name: str) -> None:
    """Remember the names that were typed, if the model takes them."""
    from wenmo.models.description import describe
    from wenmo.models.label_names import parse_label_names, remember
    from wenmo.settings import Settings

    folder = next((entry.folder for entry in entries() if entry.name == name), None)
    if folder is None and Settings.read().pages_folders:
        folder = model_choice.typed_folder(name)
    if folder is None:  # deleted meanwhile
        return
    settings = Settings.read()
    try:
        if name in settings.models.values():
            raise InputError(
                f"{name} is a model of this server. Its operator names its labels, with WENMO_LABEL_NAMES.",
                f"{name} 是此服务使用的模型，其标签由管理员用 WENMO_LABEL_NAMES 命名。",
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
    typed = st.text_input(say("models.typed"), key=TYPED, max_chars=300, help=say("models.typed_help")).strip()
    name = st.selectbox(say("models.details"), list(there), key="models_details", disabled=bool(typed))
    entry = _named(typed) if typed else there.get(name)
    if entry is None:
        return
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
    with st.container(horizontal=True, gap="xsmall"):
        for figure, value in figures.items():
            st.metric(say(f"models.{figure}"), "–" if value is None else str(value), width=110)
    specs = _purpose(entry)
    _accuracy(entry)
    if specs:
        closer.memory(entry)
        closer.as_default(entry, specs)
        closer.try_it(entry, specs, {spec.name: task_name(spec.name) for spec in specs})
        closer.offer_export(entry)


def _named(typed: str) -> ModelEntry | None:
    """The model that was typed: one that is here, or a folder where the settings allow it. Else says what to do."""
    from wenmo.models import hubs
    from wenmo.models.registry import entry_of
    from wenmo.settings import Settings

    settings = Settings.read()
    name = hubs.qualified(typed, settings.hub)
    for entry in entries():
        if entry.folder is not None and entry.name in (typed, name):
            return entry
    if settings.pages_folders and (folder := model_choice.typed_folder(typed)) is not None:
        return entry_of(folder, settings.models_folder)
    if hubs.is_hub_id(name):
        if (cached := hubs.cached(name)) is not None:  # under the id of the other owner, or with a prefix
            return next((entry for entry in entries() if entry.folder == cached), None)
        st.info(say("models.not_here", name=components.literal(typed)))
        st.button(say("models.to_download"), key="models_to_download", on_click=_to_download, args=(typed,))
        return None
    components.show_error(
        InputError(
            f"{typed[:80]!r} is no model on this machine and no id of a hub (owner/name). Folders are read here where "
            "the server has WENMO_PAGES_FOLDERS=1; else put the model into its models folder.",
            f"“{typed[:80]}”既不是本机的模型，也不是模型 ID（所有者/名称）。只有服务设置了 WENMO_PAGES_FOLDERS=1，"
            "这里才能读取文件夹；否则请把模型放入服务的模型文件夹。",
        )
    )
    return None


def _to_download(model_id: str) -> None:
    st.session_state["view"] = "pull"
    st.session_state["models_own_id"] = model_id


def _accuracy(entry: ModelEntry) -> None:
    accuracy = read_accuracy_table(entry.name) if entry.kind == "bundled" else None
    if accuracy is None:
        st.caption(say("models.no_card"))
        return
    names = [say(f"models.card.{_HEADERS[title]}") if title in _HEADERS else title for title in accuracy.header]
    columns = {title: [row[index] for row in accuracy.rows] for index, title in enumerate(names)}
    if language() == "zh":
        columns[names[0]] = [SETS.get(name, name) for name in columns[names[0]]]
    st.dataframe(columns, hide_index=True)
    st.caption(say("models.card_note", command=accuracy.measured_by))
