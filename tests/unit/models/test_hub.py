"""Real downloads: ModelScope's client, its cache in a temporary folder, and a hub on the loopback interface.

Only the client's pauses between its attempts are shortened.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import modelscope_hub
import pytest

from tests.conftest import GOLDEN
from tests.fakehub import FakeHub
from wenmo.errors import DownloadError, ModelNotFoundError
from wenmo.models import hub, registry

MODEL = "iic/nlp_structbert_sentence-similarity_chinese-base"
FILES = {"config.json", "configuration.json", "label_mapping.json", "pytorch_model.bin", "vocab.txt"}


@pytest.fixture(autouse=True)
def _client_in_a_box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Cache and settings in the test's folder, short pauses, and an address without a hub."""
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MODELSCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("MODELSCOPE_API_TOKEN", raising=False)
    monkeypatch.setattr("modelscope_hub._legacy_api.REPO_TREE_PAGE_RETRY_MAX_DELAY_SECONDS", 0)
    monkeypatch.setattr("modelscope_hub._download.DOWNLOAD_RETRY_MAX_DELAY_SECONDS", 0)
    monkeypatch.setattr("modelscope_hub._download.DOWNLOAD_INTEGRITY_RETRY_BACKOFF", 0)
    _point_at("http://127.0.0.1:9", monkeypatch)
    yield
    modelscope_hub.set_default_config(None)


def _point_at(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", endpoint)
    modelscope_hub.set_default_config(None)  # the client reads its environment once, at first use


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with FakeHub(models={MODEL: GOLDEN / "similarity"}) as server:
        _point_at(server.endpoint, monkeypatch)
        yield server


def _assert_whole(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == FILES
    for name in FILES:
        assert (folder / name).read_bytes() == (GOLDEN / "similarity" / name).read_bytes(), name


def test_download_brings_the_bytes_that_the_hub_holds_and_nothing_else(fake: FakeHub, tmp_path: Path) -> None:
    assert hub.cached(MODEL) is None
    folder = hub.download(MODEL)
    assert folder.is_relative_to(tmp_path / "cache")
    _assert_whole(folder)  # golden.json, which the model does not need, was not downloaded
    assert hub.cached(MODEL) == folder
    assert hub.list_cached() == [MODEL]


def test_safetensors_are_taken_instead_of_the_pickle(fake: FakeHub, tmp_path: Path) -> None:
    both = tmp_path / "both"
    both.mkdir()
    for name in ("config.json", "configuration.json", "vocab.txt"):
        (both / name).write_bytes((GOLDEN / "similarity" / name).read_bytes())
    (both / "model.safetensors").write_bytes(b"the better weights")
    (both / "pytorch_model.bin").write_bytes(b"the other weights")
    fake.models = {MODEL: both}
    folder = hub.download(MODEL)
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "configuration.json",
        "vocab.txt",
        "model.safetensors",
    }
    assert "pytorch_model.bin" not in fake.files_asked_for()


def test_progress_tells_each_file_up_to_its_last_byte(fake: FakeHub) -> None:
    seen: list[hub.DownloadProgress] = []
    hub.download(MODEL, progress=seen.append)
    last = {progress.file: progress for progress in seen}
    assert set(last) == FILES
    for name, progress in last.items():
        assert progress.done_bytes == progress.total_bytes == (GOLDEN / "similarity" / name).stat().st_size
    weights = [progress.done_bytes for progress in seen if progress.file == "pytorch_model.bin"]
    assert weights == sorted(weights)


def test_an_error_in_the_progress_listener_comes_out_as_itself(fake: FakeHub) -> None:
    calls: list[hub.DownloadProgress] = []

    def listener(progress: hub.DownloadProgress) -> None:
        calls.append(progress)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        hub.download(MODEL, progress=listener)
    assert len(calls) == 1
    assert len(fake.files_asked_for()) == len(FILES)  # the client did not retry as after a network error
    assert hub.cached(MODEL) is not None


def test_with_a_whole_copy_no_request_is_made(fake: FakeHub) -> None:
    folder = registry.locate(MODEL)
    fake.requests.clear()
    assert registry.locate(MODEL) == folder
    assert hub.download(MODEL) == folder
    assert fake.requests == []


def test_several_threads_asking_at_once_all_get_the_whole_model(fake: FakeHub) -> None:
    with ThreadPoolExecutor(4) as threads:
        folders = set(threads.map(registry.locate, [MODEL] * 4))
    (folder,) = folders
    _assert_whole(folder)
    assert sorted(fake.files_asked_for()) == sorted(FILES)  # each file once
    assert hub.cached(MODEL) == folder


def test_offline_a_cached_model_works(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeHub(models={MODEL: GOLDEN / "similarity"}) as server:
        _point_at(server.endpoint, monkeypatch)
        folder = registry.locate(MODEL)
    assert registry.locate(MODEL) == folder  # the server is gone
    _assert_whole(folder)


def test_a_copy_under_the_old_owner_is_the_same_model(fake: FakeHub) -> None:
    old = MODEL.replace("iic/", "damo/")
    fake.models = {old: GOLDEN / "similarity"}
    folder = registry.locate(old)
    fake.requests.clear()
    assert registry.locate(MODEL) == folder
    assert fake.requests == []
    entry = next(entry for entry in registry.listing() if entry.name == MODEL)
    assert (entry.kind, entry.folder) == ("cached", folder)


def test_a_copy_in_the_layout_of_older_clients_is_found(tmp_path: Path) -> None:
    old = tmp_path / "cache" / "hub" / "damo" / MODEL.partition("/")[2]
    old.mkdir(parents=True)
    for name in FILES:
        (old / name).write_bytes((GOLDEN / "similarity" / name).read_bytes())
    assert registry.locate(MODEL) == old


def test_offline_without_a_copy_says_what_to_do() -> None:
    with pytest.raises(DownloadError) as caught:
        registry.locate(MODEL)
    for words in (MODEL, "127.0.0.1:9 ", "Connection refused", "MODELSCOPE_ENDPOINT", "bundled"):
        assert words in caught.value.en
    for words in (MODEL, "127.0.0.1:9", "MODELSCOPE_ENDPOINT", "自带模型"):
        assert words in caught.value.zh
    assert hub.cached(MODEL) is None
    assert hub.list_cached() == []


def test_an_unknown_id_is_named(fake: FakeHub) -> None:
    with pytest.raises(DownloadError, match="iic/no-such-model could not be downloaded: the hub has no public model"):
        hub.download("iic/no-such-model")
    assert hub.cached("iic/no-such-model") is None


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_asks_for_a_token(fake: FakeHub, status: int) -> None:
    fake.status = status
    with pytest.raises(DownloadError, match="MODELSCOPE_API_TOKEN"):
        hub.download(MODEL)


@pytest.mark.parametrize(
    "body", [b"<html>Please log in to this network</html>", b"[1, 2]", b'{"Data": {"Files": [3]}}']
)
def test_an_answer_that_is_not_the_hubs_is_a_download_error(fake: FakeHub, body: bytes) -> None:
    fake.body = body
    with pytest.raises(DownloadError, match="MODELSCOPE_ENDPOINT"):
        hub.download(MODEL)
    assert hub.cached(MODEL) is None


def test_a_failing_hub_is_a_download_error(fake: FakeHub) -> None:
    fake.status = 503
    with pytest.raises(DownloadError, match="could not be used"):
        hub.download(MODEL)


def test_a_repository_that_is_no_checkpoint_is_refused(fake: FakeHub, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "README.md").write_text("a data set, perhaps", encoding="utf-8")
    fake.models = {"me/other": tmp_path / "other"}
    with pytest.raises(
        DownloadError, match=r"config\.json, vocab\.txt / tokenizer\.json, model\.safetensors / pytorch_model\.bin"
    ):
        hub.download("me/other")
    assert hub.cached("me/other") is None


def test_a_download_cut_in_the_weights_is_no_model_and_the_next_one_resumes_it(fake: FakeHub) -> None:
    cut = 400_000
    fake.cut_after_bytes = {"pytorch_model.bin": cut}
    with pytest.raises(DownloadError, match=r"pytorch_model\.bin broke off"):
        hub.download(MODEL)
    assert hub.cached(MODEL) is None
    assert hub.list_cached() == []

    fake.cut_after_bytes = {}
    fake.requests.clear()
    _assert_whole(hub.download(MODEL))
    assert [(request.file, request.first_byte) for request in fake.requests if request.file] == [
        ("pytorch_model.bin", cut)
    ]
    assert hub.cached(MODEL) is not None


def test_a_download_cut_in_a_small_file_is_no_model_though_the_weights_are_there(fake: FakeHub, tmp_path: Path) -> None:
    """Without its label mapping the model would load, and answer with wrong labels."""
    original = tmp_path / "original"
    shutil.copytree(GOLDEN / "sentiment", original)
    (original / "pytorch_model.bin").rename(original / "model.safetensors")  # with any content
    fake.models = {MODEL: original}
    fake.cut_after_bytes = {"label_mapping.json": 0}
    with pytest.raises(DownloadError, match=r"label_mapping\.json"):
        hub.download(MODEL)
    (weights,) = (tmp_path / "cache").rglob("model.safetensors")
    # As if the process had been killed before the small file.
    (weights.parent / "label_mapping.json.incomplete").unlink()
    assert hub.cached(MODEL) is None

    fake.cut_after_bytes = {}
    folder = hub.download(MODEL)
    assert (folder / "label_mapping.json").read_bytes() == (original / "label_mapping.json").read_bytes()
    assert hub.cached(MODEL) == folder


def test_a_file_that_the_clients_own_command_left_unfinished_is_no_model(fake: FakeHub) -> None:
    folder = hub.download(MODEL)
    (folder / "label_mapping.json").rename(folder / "label_mapping.json.incomplete")
    assert hub.cached(MODEL) is None
    _assert_whole(hub.download(MODEL))


def test_weights_that_are_not_used_may_stay_unfinished(fake: FakeHub) -> None:
    folder = hub.download(MODEL)
    (folder / "model.safetensors.incomplete").write_bytes(b"begun elsewhere")
    assert hub.cached(MODEL) == folder


def test_wrong_bytes_are_thrown_away(fake: FakeHub) -> None:
    fake.wrong_bytes = {"pytorch_model.bin"}
    with pytest.raises(DownloadError, match=r"what arrived for pytorch_model\.bin is not what the hub lists"):
        hub.download(MODEL)
    assert hub.cached(MODEL) is None
    fake.wrong_bytes = set()
    _assert_whole(hub.download(MODEL))


def test_a_full_disk_is_called_so(fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
        if "pytorch_model" in str(path) and mode != "rb":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return Path(path).open(mode, *args, **options)

    monkeypatch.setattr("modelscope_hub._download.open", full, raising=False)
    with pytest.raises(DownloadError, match=r"is full.*MODELSCOPE_CACHE"):
        hub.download(MODEL)
    assert hub.cached(MODEL) is None


def test_a_cache_that_cannot_be_written_is_called_so(tmp_path: Path, fake: FakeHub) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(DownloadError, match=r"cannot be written.*MODELSCOPE_CACHE"):
        hub.download(MODEL)


@pytest.mark.parametrize(
    "odd",
    ["", "iic", "iic/", "/name", "../name", "iic/..", "iic/a..b", "a/b/c", "a b/c", "iic/名", "http://a/b", "a/b\n"],
)
def test_what_is_no_hub_id_never_reaches_the_hub_or_the_cache(fake: FakeHub, odd: str) -> None:
    assert not hub.is_model_id(odd)
    assert hub.cached(odd) is None
    with pytest.raises(ModelNotFoundError):
        hub.download(odd)
    assert fake.requests == []
