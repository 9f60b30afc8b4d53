"""A download in a process of its own, by ModelScope's client from a hub on the loopback interface."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import modelscope_hub
import psutil
import pytest

from tests.fakehub import FakeHub
from wenmo.errors import DownloadError
from wenmo.models import hub
from wenmo.models.pull import free_mib, pull

GOLDEN = Path(__file__).parents[2] / "golden"
MODEL = "iic/nlp_structbert_sentiment-classification_chinese-base"


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with FakeHub(models={MODEL: GOLDEN / "sentiment"}) as server:
        monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("MODELSCOPE_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", server.endpoint)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.delenv("MODELSCOPE_API_TOKEN", raising=False)
        modelscope_hub.set_default_config(None)
        yield server
    modelscope_hub.set_default_config(None)


def _children() -> set[int]:
    return {child.pid for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE}


def test_it_tells_how_far_it_is_and_the_model_is_there(fake: FakeHub) -> None:
    before = _children()
    states = list(pull(MODEL))
    folder = hub.cached(MODEL)
    assert folder is not None
    size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    assert states[0].file is None and states[0].total_bytes is None  # it yields while the client still connects
    assert states[-1].done_bytes == states[-1].total_bytes == size
    assert _children() == before


def test_closing_ends_it_and_the_next_one_completes_it(fake: FakeHub) -> None:
    """The process ends at once, and a partial model does not count as cached."""
    before = _children()
    with closing(pull(MODEL)) as states:
        next(states)
        assert len(_children()) == len(before) + 1
    assert _children() == before
    assert hub.cached(MODEL) is None
    list(pull(MODEL))
    assert hub.cached(MODEL) is not None


def test_errors_come_through_in_both_languages(fake: FakeHub) -> None:
    unknown = "iic/nothing-of-this-name"
    with pytest.raises(DownloadError, match="no public model") as caught:
        list(pull(unknown))
    assert unknown in caught.value.zh and "模型库中没有" in caught.value.zh


def test_the_disk_is_asked_for_before_the_cache_is_there(fake: FakeHub, tmp_path: Path) -> None:
    free = free_mib()
    assert not (tmp_path / "cache").exists()
    assert free == pytest.approx(psutil.disk_usage(str(tmp_path)).free / 2**20, rel=0.05)
