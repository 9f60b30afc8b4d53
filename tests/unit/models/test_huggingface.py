"""Real downloads: Hugging Face's client, its cache in a temporary folder, and a hub on the loopback interface."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from tests.conftest import GOLDEN
from tests.fakehub import FakeHub
from tests.fakehuggingface import FakeHuggingFace
from tests.transformers_models import TEXTS, classifier, edit, encoder, probabilities, save
from wenmo import Engine
from wenmo.errors import DownloadError, ModelNotFoundError
from wenmo.models import hubs, huggingface, registry
from wenmo.models.hub import DownloadProgress
from wenmo.models.pull import pull
from wenmo.settings import Settings

MODEL = "some-lab/chinese-sentiment"


@pytest.fixture(autouse=True)
def _client_in_a_box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cache in the test's folder, short pauses, and an address without a hub."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    _point_at("http://127.0.0.1:9", monkeypatch)
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "modelscope"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _: None)
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)


def _point_at(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As HF_ENDPOINT does, which the client reads when it is imported."""
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A classifier, with files beside it that it does not need."""
    folder = save(classifier(("负面", "正面")), tmp_path / "original")
    (folder / "training_args.bin").write_bytes(b"a pickle")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.onnx").write_bytes(b"another format")
    return folder


@pytest.fixture
def fake(model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHuggingFace]:
    with FakeHuggingFace(models={MODEL: model}) as server:
        _point_at(server.endpoint, monkeypatch)
        yield server


def test_download_brings_what_the_hub_holds_and_nothing_else(fake: FakeHuggingFace, model: Path) -> None:
    assert hubs.cached(f"hf:{MODEL}") is None
    folder = registry.locate(f"hf:{MODEL}")
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert all((folder / path.name).read_bytes() == path.read_bytes() for path in folder.iterdir())
    assert hubs.cached(f"hf:{MODEL}") == folder
    assert huggingface.list_cached() == [MODEL]
    assert f"hf:{MODEL}" in hubs.list_cached()
    entry = next(entry for entry in registry.listing() if entry.name == f"hf:{MODEL}")
    assert (entry.kind, entry.task, entry.folder) == ("cached", "sentiment", folder)


def test_an_engine_takes_it_by_its_id_and_again_offline(
    fake: FakeHuggingFace, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = probabilities(model, TEXTS)
    for _ in range(2):
        with Engine(device="cpu", precision="fp32", models={"sentiment": f"hf:{MODEL}"}) as engine:
            results = engine.sentiment(TEXTS)
        assert [result.positive for result in results] == pytest.approx([each["正面"] for each in expected], abs=1e-5)
        fake.requests.clear()
        _point_at("http://127.0.0.1:9", monkeypatch)
    assert fake.requests == []


def test_a_broken_connection_is_taken_up_where_it_broke(
    fake: FakeHuggingFace, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1_000)  # what it keeps of a cut file: whole chunks
    fake.cut_once = {"model.safetensors": 20_000}
    folder = hubs.download(f"hf:{MODEL}")
    assert (folder / "model.safetensors").read_bytes() == (model / "model.safetensors").read_bytes()
    weights = [request for request in fake.files_asked_for() if request[0] == "model.safetensors"]
    assert weights == [("model.safetensors", None), ("model.safetensors", 20_000)]


def test_a_download_that_failed_is_no_model_and_the_next_one_fetches_the_rest(fake: FakeHuggingFace) -> None:
    fake.cut_after_bytes = {"model.safetensors": 20_000}
    with pytest.raises(DownloadError, match="HF_ENDPOINT"):
        hubs.download(f"hf:{MODEL}")
    assert hubs.cached(f"hf:{MODEL}") is None and huggingface.list_cached() == []
    fake.cut_after_bytes = {}
    fake.requests.clear()
    hubs.download(f"hf:{MODEL}")
    assert {name for name, _ in fake.files_asked_for()} == {"model.safetensors"}


def test_progress_tells_the_bytes_of_all_files(fake: FakeHuggingFace, model: Path) -> None:
    seen: list[DownloadProgress] = []
    folder = hubs.download(f"hf:{MODEL}", progress=seen.append)
    assert seen[-1].done_bytes == seen[-1].total_bytes == (folder / "model.safetensors").stat().st_size
    assert seen[-1].file == "chinese-sentiment"


def test_an_error_in_the_progress_listener_comes_out_as_itself(fake: FakeHuggingFace) -> None:
    def listener(progress: DownloadProgress) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        hubs.download(f"hf:{MODEL}", progress=listener)
    assert hubs.cached(f"hf:{MODEL}") is not None


def test_sharded_bins_and_a_sentence_transformer(fake: FakeHuggingFace, tmp_path: Path) -> None:
    sharded = save(classifier(("负面", "正面")), tmp_path / "sharded", max_shard_size="20KB")
    vectors = save(encoder(), tmp_path / "vectors")
    (vectors / "pytorch_model.bin").write_bytes(b"the same in another format")
    kind = "sentence_transformers.models"
    modules = [{"path": "", "type": f"{kind}.Transformer"}, {"path": "1_Pooling", "type": f"{kind}.Pooling"}]
    (vectors / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    (vectors / "1_Pooling").mkdir()
    (vectors / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}', encoding="utf-8")
    fake.models = {"a/sharded": sharded, "a/vectors": vectors}
    folder = hubs.download("hf:a/sharded")
    assert len(list(folder.glob("model-*.safetensors"))) == len(list(sharded.glob("model-*.safetensors"))) > 1
    with Engine(device="cpu", precision="fp32", models={"embedding": "hf:a/vectors"}) as engine:
        assert engine.embed(TEXTS).shape == (len(TEXTS), 32)
    assert "pytorch_model.bin" not in {name for name, _ in fake.files_asked_for()}
    assert hubs.cached("hf:a/vectors") is not None


def test_offline_without_a_copy_says_what_to_do() -> None:
    with pytest.raises(DownloadError) as caught:
        registry.locate(f"hf:{MODEL}")
    for words in (MODEL, "127.0.0.1:9 ", "HF_ENDPOINT", "mirror", "bundled"):
        assert words in caught.value.en
    assert "HF_ENDPOINT" in caught.value.zh


def test_an_unknown_id_is_named(fake: FakeHuggingFace) -> None:
    with pytest.raises(DownloadError, match="no public model of this id"):
        hubs.download("hf:some-lab/no-such-model")


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_asks_for_a_token(fake: FakeHuggingFace, status: int) -> None:
    fake.status = status
    with pytest.raises(DownloadError, match="HF_TOKEN"):
        hubs.download(f"hf:{MODEL}")


def test_a_repository_that_is_no_checkpoint_is_refused(fake: FakeHuggingFace, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "README.md").write_text("a data set, perhaps", encoding="utf-8")
    fake.models = {"me/other": tmp_path / "other"}
    with pytest.raises(DownloadError, match=r"config\.json, vocab\.txt / tokenizer\.json, model\.safetensors"):
        hubs.download("hf:me/other")


def test_what_is_not_bert_is_not_listed(fake: FakeHuggingFace, model: Path) -> None:
    edit(model, "config.json", model_type="xlm-roberta")
    hubs.download(f"hf:{MODEL}")
    assert huggingface.list_cached() == []


@pytest.mark.parametrize("odd", ["hf:", "hf:a", "hf:../a", "hf:a/b/c", "xx:a/b", "ms:hf:a/b", "hf:ms:a/b"])
def test_what_is_no_id_reaches_no_hub(fake: FakeHuggingFace, odd: str) -> None:
    assert not hubs.is_hub_id(odd)
    with pytest.raises(ModelNotFoundError):
        registry.locate(odd)
    assert fake.requests == []


def test_a_bare_id_asks_the_configured_hub(fake: FakeHuggingFace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WENMO_SENTIMENT_MODEL", MODEL)
    assert Settings.read().models["sentiment"] == MODEL
    monkeypatch.setenv("WENMO_HUB", "huggingface")
    settings = Settings.read(embedding_model="ms:some/vectors")
    assert settings.models["sentiment"] == f"hf:{MODEL}"
    assert (settings.models["embedding"], settings.models["similarity"]) == ("ms:some/vectors", "wenmo-similarity")


def test_the_prefix_of_modelscope(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import modelscope_hub

    with FakeHub(models={MODEL: GOLDEN / "similarity"}) as server:
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", server.endpoint)
        modelscope_hub.set_default_config(None)
        folder = registry.locate(f"ms:{MODEL}")
    assert folder == registry.locate(f"ms:{MODEL}") == registry.locate(MODEL)  # the server is gone
    assert folder.is_relative_to(tmp_path / "modelscope")
    modelscope_hub.set_default_config(None)


def test_a_download_in_a_process_of_its_own(
    fake: FakeHuggingFace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", fake.endpoint)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    states = list(pull(f"hf:{MODEL}"))
    assert states[-1].done_bytes == states[-1].total_bytes
    assert hubs.cached(f"hf:{MODEL}") is not None
