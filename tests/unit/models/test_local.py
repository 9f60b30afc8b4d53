"""Local models: valid names, atomic writing, and finding by name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import GOLDEN
from wenmo import Engine
from wenmo.errors import InputError, ModelNotFoundError
from wenmo.models import local, registry


def _put(name: str, models_folder: Path, task: str = "sentiment") -> Path:
    return shutil.copytree(GOLDEN / task, models_folder / name)


@pytest.mark.parametrize("name", ["", "..", "a/b", "../a", "A", "模型", "a b", "a.b", "x" * 65, "a\n", ".a"])
def test_a_name_leads_nowhere_else(name: str, tmp_path: Path) -> None:
    assert not local.is_name(name)
    assert local.find(name, tmp_path) is None
    with pytest.raises(InputError, match="cannot be the name"):
        local.check_free(name, tmp_path)


def test_found_and_listed_by_name(tmp_path: Path) -> None:
    folder = _put("my-reviews", tmp_path)
    _put("my-pairs", tmp_path, "similarity")
    _put(".partial", tmp_path)
    (tmp_path / "empty").mkdir()
    assert local.names(tmp_path) == ["my-pairs", "my-reviews"]
    assert registry.locate("my-reviews", models_folder=tmp_path) == folder
    listed = {entry.name: entry.task for entry in registry.listing(tmp_path) if entry.kind == "local"}
    assert listed == {"my-pairs": "similarity", "my-reviews": "sentiment"}
    with pytest.raises(ModelNotFoundError, match="local model"):
        registry.locate("empty", models_folder=tmp_path)
    assert local.names(tmp_path / "none") == []


def test_an_engine_takes_the_name(tmp_path: Path) -> None:
    folder = _put("my-reviews", tmp_path)
    with Engine(device="cpu", precision="fp32", models={"sentiment": "my-reviews"}, models_folder=tmp_path) as engine:
        assert engine.model_info("sentiment").folder == folder


def test_an_engine_looks_its_folders_up_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A visitor who gives their model the name of the server's folder does not answer in its place."""
    monkeypatch.chdir(tmp_path)
    folder, models_folder = _put("acme-sentiment", tmp_path), tmp_path / "models"
    names = {"sentiment": "acme-sentiment"}
    with Engine(device="cpu", precision="fp32", models=names, models_folder=models_folder) as engine:
        _put("acme-sentiment", models_folder, "similarity")
        assert engine.model_info("sentiment").folder == folder
        engine.close()
        assert engine.model_info("sentiment").folder == folder


def test_what_visitors_make_has_a_place_and_names_of_its_own(tmp_path: Path) -> None:
    with local.new_model("visitor:acme", tmp_path) as folder:
        (folder / "configuration.json").write_text("{}")
    assert local.find("acme", tmp_path) is None and registry.find_folder("acme", models_folder=tmp_path) is None
    local.check_free("acme", tmp_path)
    own = _put("acme", tmp_path)
    assert local.names(tmp_path) == ["acme", "visitor:acme"]
    assert local.find("acme", tmp_path) == own != local.find("visitor:acme", tmp_path)


def test_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), local.new_model("half", tmp_path) as folder:
        (folder / "configuration.json").write_text("{}")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with local.new_model("whole", tmp_path) as folder:
        (folder / "configuration.json").write_text("{}")
        assert local.names(tmp_path) == []  # not visible before it is finished
    assert local.names(tmp_path) == ["whole"]


def test_a_name_is_given_once(tmp_path: Path) -> None:
    _put("taken", tmp_path)
    for name in ("taken", "wenmo-sentiment"):
        with pytest.raises(InputError, match="already"):
            local.check_free(name, tmp_path)
    with pytest.raises(InputError, match="already"), local.new_model("late", tmp_path) as folder:
        (folder / "configuration.json").write_text("{}")
        _put("late", tmp_path)  # another run was faster
    assert local.names(tmp_path) == ["late", "taken"]
    assert {path.name for path in tmp_path.iterdir()} == {"late", "taken"}


def test_there_is_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "MAX_MODELS", 1)
    _put("one", tmp_path)
    with pytest.raises(InputError, match="takes no more"):
        local.check_free("two", tmp_path)


def test_a_folder_that_cannot_be_made_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="WENMO_MODELS_FOLDER"), local.new_model("a", tmp_path / "file" / "models"):
        pass
