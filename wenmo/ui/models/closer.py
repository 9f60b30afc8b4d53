"""One model: the memory that it will take, its answer to a sentence, the line that makes it a server's, an export."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from wenmo.errors import WenmoError
from wenmo.export.export import PRECISIONS, TARGETS, Target, export
from wenmo.tasks.spec import TaskSpec
from wenmo.types import PRECISIONS as ALL_PRECISIONS
from wenmo.types import Precision
from wenmo.ui.shell import answers, components
from wenmo.ui.shell.inputs import MAX_CHARACTERS, check_labels
from wenmo.ui.shell.one_at_a_time import alone
from wenmo.ui.shell.runtime import comparison_engine, get_engine
from wenmo.ui.text import say, say_label

if TYPE_CHECKING:
    from wenmo import Engine
    from wenmo.models.registry import ModelEntry

_TEXTS, _TOKENS = 8, 128  # of the batch whose memory is predicted: what a CPU computes at a time
_LABELS_SHOWN = 5
MAX_EXPORT_MIB = 256  # of weights: an export waits in the memory of the session until it is downloaded
_EXPORTED = "models_exported"  # in the session: what was asked for, the file's name and its content


def memory(entry: ModelEntry) -> None:
    """Weights and peak in each precision, predicted for this machine's CPU."""
    assert entry.folder is not None
    try:
        with st.spinner(say("app.working")):
            predicted = _predicted(str(entry.folder), entry.folder.stat().st_mtime_ns)
    except WenmoError as error:
        components.show_error(error)
        return
    st.caption(say("models.memory", texts=_TEXTS, tokens=_TOKENS))
    with st.container(horizontal=True, gap="small"):
        for precision, (weights, peak) in predicted.items():
            st.metric(precision, f"{peak:,.0f} MiB", width=132, help=say("models.of_weights", mib=f"{weights:,.0f}"))


@st.cache_data(max_entries=64, show_spinner=False)
def _predicted(folder: str, written_ns: int) -> dict[Precision, tuple[float, float]]:
    """MiB of the weights, and of all at the peak. `written_ns` tells a model from an older one in the same folder."""
    from wenmo.lab.configuration import Configuration
    from wenmo.lab.predict import predict

    found: dict[Precision, tuple[float, float]] = {}
    for precision in ALL_PRECISIONS:
        configuration = Configuration(model=folder, precision=precision, lengths=(_TOKENS,) * _TEXTS)
        peak = predict(configuration, device="cpu").peak
        found[precision] = (peak.weights / 2**20, peak.total / 2**20)
    return found


def try_it(entry: ModelEntry, specs: tuple[TaskSpec, ...], names: dict[str, str]) -> None:
    """A form for one input, and the model's answer; `names` are those of the tasks on the screen."""
    assert entry.folder is not None
    st.subheader(say("models.try"), anchor=False)
    spec = specs[0]
    if len(specs) > 1:
        chosen = st.segmented_control(
            say("models.task"),
            [each.name for each in specs],
            format_func=names.__getitem__,
            default=spec.name,
            required=True,
            key=f"models_try_task_{entry.name}",
            label_visibility="collapsed",
        )
        spec = next(each for each in specs if each.name == chosen)
    pairs = spec.inputs == "pair" or spec.outputs == "vectors"
    key = f"models_try_{spec.name}"
    with st.form(key, border=False):
        first = st.text_input(
            say("models.try_first" if pairs else "sentiment.text"), key=f"{key}_a", max_chars=MAX_CHARACTERS
        )
        second = labels = ""
        if pairs:
            second = st.text_input(say("models.try_second"), key=f"{key}_b", max_chars=MAX_CHARACTERS)
        if spec.takes_labels:
            labels = st.text_input(say("zero_shot.labels"), key=f"{key}_labels")
        answers.submit(key, say("models.ask"))
    if not (first.strip() and (second.strip() or not pairs) and (labels.strip() or not spec.takes_labels)):
        return

    def work(_: Engine, progress: Callable[[int, int], None]) -> dict[str, float]:
        assert entry.folder is not None
        written = entry.folder.stat().st_mtime_ns
        engine = comparison_engine(spec.name, entry.name, written, get_engine().precision.value)
        if spec.outputs == "vectors":
            return {"": float(engine.cosine_similarity([(first, second)], progress=progress)[0])}
        options: dict[str, Any] = {}
        if spec.takes_labels:
            check_labels(labels, texts=1)
            options["labels"] = labels
        (result,) = engine.ask(spec.name, [(first, second) if pairs else first], progress=progress, **options)
        return dict(result.scores)

    scores = answers.ask(key, (entry.name, spec.name, first, second, labels), work)
    if scores is None:
        return
    if spec.outputs == "vectors":
        st.metric(say("models.cosine"), f"{scores['']:.3f}")
        return
    for label, score in list(scores.items())[:_LABELS_SHOWN]:
        components.measure(components.literal(say_label(spec.name, label)), score, text=f"{score:.2%}")


def as_default(entry: ModelEntry, specs: tuple[TaskSpec, ...]) -> None:
    """The line that makes the model everybody's: a visitor must not change the server for others."""
    st.caption(say("models.for_all"))
    st.code("\n".join(f"WENMO_{spec.name.upper()}_MODEL={entry.name}" for spec in specs[:1]), language="bash")


def offer_export(entry: ModelEntry) -> None:
    """The choice of a form and a precision, the export, and its download as a zip file."""
    assert entry.folder is not None
    st.subheader(say("models.export"), anchor=False)
    place, other = st.columns(2, gap="medium")
    target: Target = place.selectbox(say("models.export_to"), TARGETS, key="models_export_to")
    precision: Precision = other.selectbox(
        say("status.precision"), PRECISIONS[target], key=f"models_export_precision_{target}"
    )
    st.caption(say("models.export_note"))
    st.code(f"wenmo export {entry.name} OUT --to {target} --precision {precision}", language="bash")
    if entry.size_mib is not None and entry.size_mib > MAX_EXPORT_MIB:
        st.caption(say("models.export_large", mib=MAX_EXPORT_MIB))
        return
    asked = (entry.name, entry.folder.stat().st_mtime_ns, target, precision)
    if st.button(say("models.export"), key="models_export"):
        st.session_state.pop(_EXPORTED, None)
        try:
            with st.spinner(say("models.exporting")), alone("export"):
                content, difference = _zipped(entry, target, precision)
        except WenmoError as error:
            components.show_error(error)
            return
        st.session_state[_EXPORTED] = (asked, content, difference)
    kept = st.session_state.get(_EXPORTED)
    if kept is None or kept[0] != asked:
        return
    _, content, difference = kept
    st.success(say("models.exported", difference=f"{difference:.1g}"))
    st.download_button(
        say("models.download_export", mib=f"{len(content) / 2**20:.1f}"),
        content,
        file_name=f"{_file_name(entry.name)}-{target}-{precision}.zip",
        mime="application/zip",
        key="models_export_download",
        on_click="ignore",
        type="primary",
    )


def _zipped(entry: ModelEntry, target: Target, precision: Precision) -> tuple[bytes, float]:
    """The exported folder as a zip file, and the largest difference to our own answers."""
    from wenmo.settings import Settings

    packed = io.BytesIO()
    with tempfile.TemporaryDirectory(prefix="wenmo-export-") as temporary:
        out = Path(temporary) / _file_name(entry.name)
        done = export(entry.name, out, to=target, precision=precision, models_folder=Settings.read().models_folder)
        with zipfile.ZipFile(packed, "w") as archive:  # not compressed: weights are noise
            for path in sorted(out.rglob("*")):
                archive.write(path, path.relative_to(temporary))
    return packed.getvalue(), done.largest_difference


def _file_name(name: str) -> str:
    return "".join(each if each.isalnum() or each in "-_." else "-" for each in name.rpartition("/")[2]) or "model"
