"""Finding models by name. These tests must not contact the hub, which test_hub.py covers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import modelscope_hub
import pytest

from tests.conftest import GOLDEN
from tests.fakehub import FakeHub
from wenmo.errors import ModelNotFoundError
from wenmo.models import hub, registry
from wenmo.tasks.table import TASKS

MODEL = "iic/nlp_structbert_sentiment-classification_chinese-base"


@pytest.fixture(autouse=True)
def unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A hub that has the model but must not be contacted, and an empty cache."""
    with FakeHub(models={MODEL: GOLDEN / "sentiment"}) as server:
        monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("MODELSCOPE_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", server.endpoint)
        modelscope_hub.set_default_config(None)
        yield
        assert server.requests == []
    modelscope_hub.set_default_config(None)


def test_every_task_has_a_bundled_default() -> None:
    bundled = registry.bundled_models()
    assert {spec.bundled for spec in TASKS.values() if spec.bundled} == set(bundled)
    for task, spec in ((task, spec) for task, spec in TASKS.items() if spec.bundled):
        assert bundled[spec.bundled].parts[-3:] == ("assets", "models", task)


def test_a_bundled_name_is_its_folder_and_missing_assets_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        registry,
        "bundled_models",
        lambda: {"wenmo-similarity": tmp_path / "there", "wenmo-sentiment": tmp_path / "not"},
    )
    (tmp_path / "there").mkdir()
    assert registry.locate("wenmo-similarity") == tmp_path / "there"
    assert registry.locate(" wenmo-similarity\n") == tmp_path / "there"
    with pytest.raises(ModelNotFoundError, match="that folder is missing") as caught:
        registry.locate("wenmo-sentiment")
    assert str(tmp_path / "not") in caught.value.en
    assert str(tmp_path / "not") in caught.value.zh


def test_folders_absolute_relative_and_from_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "我的模型"
    (folder / "below").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert registry.locate(str(folder)) == folder
    assert registry.locate("~/我的模型") == folder
    monkeypatch.chdir(tmp_path)
    assert registry.locate("我的模型") == folder
    monkeypatch.chdir(folder / "below")
    located = registry.locate("../../我的模型")
    assert located == folder  # absolute, so that it is still valid after a change of directory
    assert located.is_absolute()


def test_a_folder_wins_over_a_hub_id_of_the_same_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / MODEL).mkdir(parents=True)
    assert registry.locate(MODEL) == tmp_path / MODEL


@pytest.mark.parametrize(
    "odd",
    [
        "", "  \t", ".", "..", "../..", "wenmo-similarty", "iic/../..", "/no/such/folder", "~nobody-at-all/x", "a\0b",
        "\udc80", "x" * 5000, "a/b/c", "nowhere/", "https://example.org/a", "模型",
    ],
)  # fmt: skip
def test_any_other_name_is_refused_and_the_names_that_exist_are_told(
    odd: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelNotFoundError) as caught:
        registry.locate(odd)
    for name in registry.bundled_models():
        assert name in caught.value.en
        assert name in caught.value.zh
    caught.value.en.encode()  # printable and shortened
    assert len(caught.value.en) < 500


def test_every_known_id_has_the_form_of_one_and_a_task() -> None:
    ids = [name for name, _ in registry.known_hub_ids()]
    assert len(set(ids)) == len(ids) == 14
    assert all(hub.is_model_id(name) for name in ids)
    assert {task for _, task in registry.known_hub_ids()} == {"similarity", "sentiment", "classify", "zero_shot"}


def test_listing_tells_what_is_here_and_what_could_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundled = {**registry.bundled_models(), "wenmo-similarity": GOLDEN / "similarity"}
    monkeypatch.setattr(registry, "bundled_models", lambda: bundled)
    mine = _put_in_cache(tmp_path, "me/my-structbert", GOLDEN / "sentiment")
    known = _put_in_cache(tmp_path, MODEL, GOLDEN / "sentiment")
    _put_in_cache(tmp_path, "me/half", GOLDEN / "sentiment", leave_out="vocab.txt")
    entries = {entry.name: entry for entry in registry.listing()}

    assert set(entries) == {
        *registry.bundled_models(),
        *(name for name, _ in registry.known_hub_ids()),
        "me/my-structbert",
    }
    assert (entries["me/my-structbert"].kind, entries["me/my-structbert"].task) == ("cached", "sentiment")
    assert (entries["me/my-structbert"].folder, entries[MODEL].folder) == (mine, known)
    assert (entries[MODEL].kind, entries[MODEL].task) == ("cached", "sentiment")
    similarity = entries["wenmo-similarity"]
    assert (similarity.kind, similarity.task) == ("bundled", "similarity")
    size_bytes = sum(path.stat().st_size for path in (GOLDEN / "similarity").iterdir())
    assert similarity.size_mib == pytest.approx(size_bytes / 1024 / 1024)
    absent = entries["iic/nlp_structbert_zero-shot-classification_chinese-large"]
    assert (absent.kind, absent.task, absent.folder, absent.size_mib) == ("known", "zero_shot", None, None)


def _put_in_cache(tmp_path: Path, model_id: str, original: Path, leave_out: str | None = None) -> Path:
    folder = tmp_path / "cache" / "models" / model_id.replace("/", "--") / "snapshots" / "master"
    folder.mkdir(parents=True)
    for name in {"config.json", "configuration.json", "vocab.txt", "pytorch_model.bin"} - {leave_out}:
        (folder / name).write_bytes((original / name).read_bytes())
    return folder
