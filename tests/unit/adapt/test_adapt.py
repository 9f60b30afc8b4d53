"""Adapting at toy scale, on golden weights: it learns, says what it reached, leaves nothing half done."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.conftest import GOLDEN, GOLDEN_MODELS
from wenmo import DeviceError, Engine, InputError
from wenmo.adapt import fine_tune
from wenmo.adapt.dataset import Examples, TokenStore
from wenmo.adapt.fine_tune import load_for_training
from wenmo.adapt.objectives import TrainableModel
from wenmo.adapt.run import adapt
from wenmo.adapt.training_sets import resampling_rates
from wenmo.adapt.types import Adapted, AdaptOptions, AdaptProgress
from wenmo.evaluation.labelled import LabelledRows, labelled_rows
from wenmo.models.checkpoint import load_checkpoint

FILLER = "这本书的纸张和故事让我觉得今天下雨"
QUICK = AdaptOptions(epochs=4, learning_rate=1e-3, precision="fp32", device="cpu")


def _sentences(count: int, words: tuple[str, ...]) -> list[tuple[str, int]]:
    """Invented ones: filler, and the word that decides."""
    rng = np.random.default_rng(5)
    sentences = []
    for number in range(count):
        filler = "".join(rng.permutation(list(FILLER)))
        which = number % len(words)
        sentences.append((f"{filler[:4]}{3 * words[which]}{filler[4:7]}", which))
    return sentences


@pytest.fixture
def moods() -> LabelledRows:
    """The golden model, whose weights are random, knows nothing of them."""
    return labelled_rows([(text, str(label)) for text, label in _sentences(80, ("坏", "好"))], "sentiment")


def _adapt(rows: LabelledRows, folder: Path, **options: object) -> Adapted:
    return adapt(
        rows,
        name="toy",
        start_from=GOLDEN_MODELS[rows.task],
        options=replace(QUICK, **options),  # type: ignore[arg-type]
        models_folder=folder,
    )


def test_it_learns_and_the_saved_model_gives_the_figures(moods: LabelledRows, tmp_path: Path) -> None:
    seen: list[AdaptProgress] = []
    adapted = adapt(
        moods,
        name="toy",
        start_from=GOLDEN_MODELS["sentiment"],
        options=QUICK,
        models_folder=tmp_path,
        progress=seen.append,
    )
    assert adapted.difference.verdict == "better"
    assert adapted.after.correct == adapted.after.n == 20
    assert adapted.before.interval[1] < adapted.after.accuracy
    losses = [event.loss for event in seen if event.loss is not None]
    assert losses[-1] < 0.5 * losses[0]
    assert [event.stage for event in seen if event.step == event.of] == ["before", "training", "after", "after"]
    assert len([event for event in seen if event.dev_loss is not None]) == 4  # one look an epoch
    assert all(event.memory_mib > 0 for event in seen)

    with Engine(device="cpu", precision="fp32", models={"sentiment": "toy"}, models_folder=tmp_path) as engine:
        results = engine.sentiment(moods.inputs)
        right = sum(result.positive >= 0.5 for result, label in zip(results, moods.label, strict=True) if label)
        assert right == 40
        info = engine.model_info("sentiment")
        assert dict(info.temperatures) == adapted.temperatures
        assert info.labels == load_checkpoint(GOLDEN / "sentiment").labels
    assert {path.name for path in adapted.folder.iterdir()} == {
        "README.md",
        "config.json",
        "configuration.json",
        "model.safetensors",
        "vocab.txt",
    }


def test_the_card_has_counts_and_no_word_of_the_texts(moods: LabelledRows, tmp_path: Path) -> None:
    adapted = _adapt(moods, tmp_path, epochs=1)
    card = (adapted.folder / "README.md").read_text(encoding="utf-8")
    figures = json.dumps(adapted.figures(), ensure_ascii=False)
    assert "Trained on 48 rows; 12 dev rows" in card and "20 test rows" in card
    assert f"{100 * adapted.after.accuracy:.1f}" in card
    assert str(GOLDEN) not in card
    for text in moods.inputs:
        assert text not in card and text not in figures


def test_pairs_and_topics_are_adapted_too(tmp_path: Path) -> None:
    cells = [(text, FILLER[:5], str(label)) for text, label in _sentences(40, ("坏", "好"))]
    pairs = labelled_rows(cells, "similarity")
    assert _adapt(pairs, tmp_path / "a").after.n == 10
    names = ("甲", "乙", "丙")
    topics = labelled_rows([(text, names[label]) for text, label in _sentences(60, ("球", "钱", "饭"))], "zero_shot")
    options = replace(QUICK, template="属于{}", learning_rate=None)
    adapted = adapt(topics, name="toy", options=options, models_folder=tmp_path / "b")
    assert adapted.start_from == "wenmo-zero-shot"
    assert adapted.difference.verdict == "better"
    assert set(adapted.temperatures) == {"single_label", "multi_label", "nli", "ensemble"}
    with Engine(device="cpu", precision="fp32", models={"zero_shot": adapted.folder}) as engine:
        found = engine.zero_shot(topics.inputs, labels=topics.names, template="属于{}")
    right = [each.label == topics.names[label] for each, label in zip(found, topics.label.tolist(), strict=True)]
    assert np.mean(right) > 0.8


@pytest.mark.parametrize("stage", ["before", "training", "after"])
def test_cancelling_leaves_nothing(stage: str, moods: LabelledRows, tmp_path: Path) -> None:
    class EnoughError(Exception):
        pass

    def progress(event: AdaptProgress) -> None:
        if event.stage == stage:
            raise EnoughError

    with pytest.raises(EnoughError):
        adapt(
            moods,
            name="toy",
            start_from=GOLDEN_MODELS["sentiment"],
            options=QUICK,
            models_folder=tmp_path,
            progress=progress,
        )
    assert list(tmp_path.iterdir()) == []
    assert _adapt(moods, tmp_path).folder.is_dir()  # and the name is free


def test_the_same_seed_gives_the_same_model(moods: LabelledRows, tmp_path: Path) -> None:
    first, second = (_adapt(moods, tmp_path / name, epochs=1) for name in ("a", "b"))
    assert (first.folder / "model.safetensors").read_bytes() == (second.folder / "model.safetensors").read_bytes()
    third = _adapt(moods, tmp_path / "c", epochs=1, seed=2)
    assert (first.folder / "model.safetensors").read_bytes() != (third.folder / "model.safetensors").read_bytes()


def test_the_weights_of_the_lowest_dev_loss_are_kept(moods: LabelledRows, tmp_path: Path) -> None:
    """At this rate the loss rises again: what is saved is of the best look, and it ends early."""
    looks: list[tuple[float, int]] = []

    def progress(event: AdaptProgress) -> None:
        if event.dev_loss is not None:
            looks.append((event.dev_loss, event.step))

    adapted = adapt(
        moods,
        name="toy",
        start_from=GOLDEN_MODELS["sentiment"],
        options=replace(QUICK, epochs=30, learning_rate=1e-2),
        models_folder=tmp_path,
        progress=progress,
    )
    assert adapted.best_step == min(looks)[1]
    assert adapted.ended == "dev_loss"
    assert adapted.steps == looks[-1][1] and looks.index(min(looks)) == len(looks) - 6  # five looks without a lower one


def test_the_time_limit_ends_training_and_keeps_what_was_learnt(
    moods: LabelledRows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that stands still but for one step."""
    now = 0.0
    monkeypatch.setattr(fine_tune, "time", SimpleNamespace(monotonic=lambda: now))

    def progress(event: AdaptProgress) -> None:
        nonlocal now
        if event.stage == "training" and event.step == 1:
            now = 1.1

    adapted = adapt(
        moods,
        name="toy",
        start_from=GOLDEN_MODELS["sentiment"],
        options=replace(QUICK, epochs=100, time_limit_s=1),
        models_folder=tmp_path,
        progress=progress,
    )
    assert (adapted.ended, adapted.steps, adapted.best_step) == ("time", 2, 2)
    assert adapted.folder.is_dir()


@pytest.mark.parametrize("task", ["sentiment", "similarity"])
def test_checkpointing_changes_no_gradient(task: str) -> None:
    """With dropout on: what is computed again must draw the same."""
    checkpoint = load_checkpoint(GOLDEN / task)
    store = TokenStore(checkpoint.tokenizer, max_tokens=64)
    first = store.add([text for text, _ in _sentences(6, ("坏", "好"))])
    second = first[::-1].copy() if task == "similarity" else np.full(6, -1, np.int32)
    examples = Examples(first=first, second=second, label=np.array([0, 1] * 3))
    gradients = []
    for checkpointing in (False, True):
        model = load_for_training(checkpoint, device="cpu", checkpointing=checkpointing).train()
        assert model.is_activation_checkpointing == checkpointing
        trainable = TrainableModel(
            model=model, store=store, tokenizer=checkpoint.tokenizer, max_length=64, label_smoothing=0.0
        )
        torch.manual_seed(7)
        batch = trainable.batch(examples)
        trainable.cross_entropy(trainable.logits(batch), batch.label).backward()
        gradients.append({name: parameter.grad for name, parameter in model.named_parameters()})
    for name, gradient in gradients[0].items():
        assert gradient is not None
        assert torch.allclose(gradient, gradients[1][name], rtol=0, atol=1e-6), name


def test_checkpointing_keeps_less_for_the_way_back() -> None:
    """What it is for: the bytes of activations that autograd holds between the two ways."""
    checkpoint = load_checkpoint(GOLDEN / "sentiment")
    store = TokenStore(checkpoint.tokenizer, max_tokens=64)
    first = store.add([text for text, _ in _sentences(16, ("坏", "好"))])
    examples = Examples(first=first, second=np.full(16, -1, np.int32), label=np.array([0, 1] * 8))
    kept = []
    for checkpointing in (False, True):
        model = load_for_training(checkpoint, device="cpu", checkpointing=checkpointing).train()
        trainable = TrainableModel(
            model=model, store=store, tokenizer=checkpoint.tokenizer, max_length=64, label_smoothing=0.0
        )
        batch = trainable.batch(examples)
        parameters = {parameter.data_ptr() for parameter in model.parameters()}
        sizes: dict[int, int] = {}

        def pack(tensor: torch.Tensor, sizes: dict[int, int] = sizes) -> torch.Tensor:
            sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            trainable.cross_entropy(trainable.logits(batch), batch.label)
        kept.append(sum(size for place, size in sizes.items() if place not in parameters))
    assert kept[1] < 0.4 * kept[0]


def test_what_the_machine_cannot_do_is_told() -> None:
    from wenmo.adapt.precision import resolve_training_precision

    resolved = resolve_training_precision("fp16", "cpu")
    assert resolved.value == "fp32" and "CUDA" in resolved.reason and "CUDA" in resolved.reason_zh
    with pytest.raises(DeviceError, match="int8"):
        resolve_training_precision("int8", "cpu")


def test_bf16_arithmetic_learns_as_well(moods: LabelledRows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a CPU without such units too, where nobody would choose it: the arithmetic is the same."""
    from wenmo.adapt import precision
    from wenmo.types import Resolved

    yes = Resolved(value=True, reason="for the test", reason_zh="测试用")
    monkeypatch.setattr(precision, "has_fast_half", lambda dtype: yes)
    adapted = _adapt(moods, tmp_path, precision="bf16")
    assert adapted.precision.value == "bf16"
    assert adapted.difference.verdict == "better"


def test_rare_labels_are_drawn_more_often() -> None:
    assert resampling_rates(np.array([0] * 30 + [1] * 10)) == {0: 1.0, 1: 3.0}
    assert resampling_rates(np.array([0] * 300 + [1] * 10)) == {0: 1.0, 1: 4.0}  # more would be learnt by heart


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs must be between 1 and 100"),
        ({"learning_rate": 1.0}, "learning_rate"),
        ({"time_limit_s": float("nan")}, "time_limit_s"),
        ({"template": "没有位置"}, "template"),
    ],
)
def test_options_out_of_bounds(options: dict[str, object], message: str, moods: LabelledRows, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        _adapt(moods, tmp_path, **options)
    assert list(tmp_path.iterdir()) == []
