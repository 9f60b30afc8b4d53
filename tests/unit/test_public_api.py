"""The public API, pinned: a change here is a change for every user, and goes into the changelog."""

from __future__ import annotations

import dataclasses
import inspect

import wenmo


def test_names() -> None:
    assert set(wenmo.__all__) == {
        "Alignment",
        "BusyError",
        "CheckpointError",
        "ClassifyResult",
        "DeviceError",
        "DownloadError",
        "Duplicates",
        "Engine",
        "Explanation",
        "ForwardError",
        "Hit",
        "Index",
        "InputError",
        "ModelInfo",
        "ModelNotFoundError",
        "Part",
        "Resolved",
        "Result",
        "SchedulerLimits",
        "SentimentResult",
        "SimilarityResult",
        "TextGroup",
        "WenmoError",
        "ZeroShotResult",
        "__version__",
    }
    assert all(hasattr(wenmo, name) for name in wenmo.__all__)


def test_engine_signatures() -> None:
    def parameters(function: object) -> list[str]:
        return [name for name in inspect.signature(function).parameters if name != "self"]  # type: ignore[arg-type]

    engine = wenmo.Engine
    assert parameters(engine) == [
        "device",
        "precision",
        "models",
        "label_names",
        "sequence_length",
        "calibrated",
        "cache_mib",
        "shared_cache",
        "limits",
        "runtime",
        "make_runtime",
        "events",
        "models_folder",
        "repeatable",
    ]
    assert parameters(engine.ask) == ["task", "inputs", "progress", "options"]
    assert parameters(engine.similarity) == ["pairs", "progress"]
    assert parameters(engine.sentiment) == ["texts", "progress"]
    assert parameters(engine.classify) == ["texts", "progress"]
    methods = ["method", "shortlist"]
    assert parameters(engine.zero_shot) == ["texts", "labels", "template", "multi_label", *methods, "progress"]
    assert parameters(engine.embed) == ["texts", "prompt_name", "progress"]
    assert parameters(engine.cosine_similarity) == ["pairs", "progress"]
    assert parameters(engine.build_index) == ["texts", "progress"]
    assert parameters(engine.extend_index) == ["index", "texts", "progress"]
    assert parameters(engine.search) == ["queries", "corpus", "top_k", "rerank", "progress"]
    assert parameters(engine.deduplicate) == ["texts", "threshold", "progress"]
    assert parameters(engine.group) == ["texts", "threshold", "smallest", "progress"]
    assert parameters(engine.nli) == ["pairs", "progress"]
    assert parameters(engine.explain_similarity) == ["pair", "progress"]
    assert parameters(engine.explain_sentiment) == ["text", "progress"]
    assert parameters(engine.explain_classify) == ["text", "label", "progress"]
    zero_shot = ["text", "labels", "label", "template", "multi_label", "progress"]
    assert parameters(engine.explain_zero_shot) == zero_shot
    assert parameters(engine.align) == ["pair"]
    public = {name for name, _ in inspect.getmembers(engine, inspect.isfunction) if not name.startswith("_")}
    assert public == {
        "ask",
        "similarity",
        "sentiment",
        "classify",
        "zero_shot",
        "embed",
        "cosine_similarity",
        "build_index",
        "extend_index",
        "search",
        "deduplicate",
        "group",
        "nli",
        "explain_similarity",
        "explain_sentiment",
        "explain_classify",
        "explain_zero_shot",
        "align",
        "model_info",
        "batch_tokens",
        "count_tokens",
        "cache_statistics",
        "scheduler_statistics",
        "loaded_tasks",
        "with_models",
        "close",
    }


def test_results() -> None:
    common = {"label", "score", "scores", "truncated", "unknown", "logits"}

    def fields(cls: type) -> set[str]:
        return {field.name for field in dataclasses.fields(cls)}

    assert fields(wenmo.SimilarityResult) == common | {"similarity"}
    assert fields(wenmo.SentimentResult) == common | {"positive"}
    assert fields(wenmo.ClassifyResult) == common
    assert fields(wenmo.ZeroShotResult) == common | {"multi_label", "dropped_labels", "method"}
    assert fields(wenmo.Explanation) == {"label", "rival", "score", "log_odds", "parts", "grouped", "truncated"}
    assert fields(wenmo.Part) == {"start", "end", "weight"}
    assert fields(wenmo.Hit) == {"index", "cosine", "similarity", "truncated"}
    assert fields(wenmo.Duplicates) == {"kept", "duplicate_of", "cosines"}
    assert fields(wenmo.TextGroup) == {"representative", "members", "cosines"}
    assert fields(wenmo.Alignment) == {"first", "second", "cosines", "truncated"}


def test_error_tree() -> None:
    for name in (
        "BusyError",
        "CheckpointError",
        "DeviceError",
        "DownloadError",
        "ForwardError",
        "InputError",
        "ModelNotFoundError",
    ):
        assert issubclass(getattr(wenmo, name), wenmo.WenmoError)
    assert issubclass(wenmo.InputError, ValueError)


def test_errors_cross_process_borders_whole() -> None:
    import pickle

    error = pickle.loads(pickle.dumps(wenmo.InputError("wrong", "错了")))
    assert (type(error), error.en, error.zh) == (wenmo.InputError, "wrong", "错了")
    error = pickle.loads(pickle.dumps(wenmo.ForwardError({1: "memory"}, ["first", None])))
    assert (type(error), error.failed, error.results) == (wenmo.ForwardError, {1: "memory"}, ["first", None])
    busy = pickle.loads(pickle.dumps(wenmo.BusyError("full", "满了", retry_after_s=2.0)))
    assert (type(busy), busy.zh, busy.retry_after_s) == (wenmo.BusyError, "满了", 2.0)
    assert "number 2: memory" in error.en and "第 2 条：memory" in error.zh
