from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from recipes.contrastive import ContrastiveTopicBatches, _sharing_a_text, contrastive_loss, mean_pooled
from recipes.data_pack import held_out_rows, label_sets
from wenmo.adapt.dataset import Examples, LabelSet, TokenStore, TopicSampler
from wenmo.adapt.objectives import TrainableModel
from wenmo.adapt.training_loop import Schedule, step_rng
from wenmo.tokenizer import Tokenizer

CHARACTERS = "体育运动财经房产雨书好坏关于正面负"


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(CHARACTERS)]
    (tmp_path / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    return Tokenizer.from_folder(tmp_path)


def test_held_out_rows_are_the_same_every_time() -> None:
    assert np.array_equal(held_out_rows(1000), held_out_rows(1000))
    assert len(set(held_out_rows(1000).tolist())) == 20


def test_label_sets_keep_the_held_out_texts_apart(tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "topics").mkdir()
    (tmp_path / "sentiment").mkdir()
    texts = ["书" * (1 + row % 7) for row in range(100)]
    pq.write_table(
        pa.table({"text": texts, "label": ["体育"] * 100, "task": ["news"] * 100}),
        tmp_path / "topics" / "train.parquet",
    )
    (tmp_path / "topics" / "labels.json").write_text(json.dumps({"news": ["财经", "体育"]}), encoding="utf-8")
    pq.write_table(pa.table({"text": ["好", "坏"], "label": [1, 0]}), tmp_path / "sentiment" / "train.parquet")
    store = TokenStore(tokenizer, max_tokens=16)
    chosen, held = label_sets(tmp_path, store, wordings={"体育": ["运动"]}, moods=[("正面", "负面")])
    assert (len(chosen["news"].texts), len(held["news"].texts)) == (98, 2)
    assert set(chosen["news"].label.tolist()) == {1} and chosen["news"].names == [["财经"], ["体育", "运动"]]
    assert chosen["mood"].names == [["负面"], ["正面"]] and chosen["mood"].label.tolist() == [1, 0]


def test_contrast_by_hand() -> None:
    """Two pairs of unit vectors at right angles: cosines 1 within a pair of the same meaning, 0 across."""
    first = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    none = torch.zeros(2, 2, dtype=torch.bool)
    loss = contrastive_loss(first, first, torch.tensor([1, 1]), none, scale=1.0)
    # -log(e / (e + 1)); no pair of different meaning, so nothing to order.
    assert float(loss) == pytest.approx(np.log(1 + np.exp(-1)))
    # The second pair says "different" at cosine 1, as near as the first: log(1 + e^(1 - 1)) on top.
    loss = contrastive_loss(first, first, torch.tensor([1, 0]), none, scale=1.0)
    assert float(loss) == pytest.approx(np.log(1 + np.exp(-1)) + np.log(2))
    # One text twice among the second sentences is no negative of itself: nothing is left to be told from.
    loss = contrastive_loss(first, first, torch.tensor([1, 1]), ~none, scale=1.0)
    assert float(loss) == pytest.approx(0.0, abs=1e-6)


def test_a_text_comes_near_to_the_name_of_its_topic(tokenizer: Tokenizer) -> None:
    """Two topics of one character each: after some steps each text is nearest to its own, in either wording."""
    model = _small_model(tokenizer)
    store = TokenStore(tokenizer, max_tokens=16)
    texts, label = ["雨雨好", "书书坏", "好雨", "坏书"] * 4, [0, 1, 0, 1] * 4
    labels = LabelSet(texts=store.add(texts), label=np.asarray(label), names=[["财", "体"], ["好", "坏"]])
    groups = TopicSampler({"toy": labels}, store, draw={"toy": 20}, templates=["{}"])
    learner = TrainableModel(model=model, store=store, tokenizer=tokenizer, max_length=16, label_smoothing=0.0)
    schedule = Schedule(tokens=1, batch_tokens=128, learning_rate=0.01)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses: list[float] = []
    for number in range(60):
        (make, *_) = ContrastiveTopicBatches(groups=groups).steps(learner, 1024, np.random.default_rng(number))
        step = make(step_rng(schedule, number))
        optimizer.zero_grad()
        loss = step.loss()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert step.tokens > 20 * 4  # 20 texts of 4 and 5 tokens, and two names
    assert losses[0] > 0.5  # two names, nothing known: log 2 at least for half of the texts
    assert max(losses[-5:]) < 0.05


def test_equal_texts_are_found_wherever_they_stand(tokenizer: Tokenizer) -> None:
    """Each occurrence of a text has an index of its own; told apart by it, a text would be its own negative."""
    store = TokenStore(tokenizer, max_tokens=16)
    pairs = Examples(
        first=store.add(["雨", "书", "雨", "好"]),
        second=store.add(["财", "坏", "坏", "体"]),
        label=np.ones(4, np.int64),
    )
    sharing = {(int(row), int(column)) for row, column in np.argwhere(_sharing_a_text(pairs, store)) if row < column}
    assert sharing == {(0, 2), (1, 2)}


@pytest.mark.parametrize("label", [[1, 1, 1], [0, 0, 0]])
def test_contrast_has_gradients_whatever_the_labels(label: list[int]) -> None:
    """logsumexp over nothing but -inf gave gradients that are no numbers."""
    first = torch.randn(3, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    second = torch.randn(3, 4, generator=torch.Generator().manual_seed(1))
    contrastive_loss(first, second, torch.tensor(label), torch.zeros(3, 3, dtype=torch.bool)).backward()
    assert first.grad is not None and torch.isfinite(first.grad).all()


def _small_model(tokenizer: Tokenizer) -> BertForSequenceClassification:
    torch.manual_seed(0)
    config = BertConfig(  # type: ignore[call-arg]
        vocab_size=tokenizer.vocab_size,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
        num_labels=2,
    )
    return BertForSequenceClassification(config).eval()


def test_pooling_is_what_the_engine_computes(tokenizer: Tokenizer, tmp_path: Path) -> None:
    """Trained on one pooling and served with another, the vectors would be worth little."""
    from wenmo import Engine
    from wenmo.adapt.export import export_checkpoint

    model, store = _small_model(tokenizer), TokenStore(tokenizer, max_tokens=16)
    texts = ["体育好", "财经坏关于雨"]
    export_checkpoint(model, tokenizer, "embedding", tmp_path / "model")
    learner = TrainableModel(model=model, store=store, tokenizer=tokenizer, max_length=16, label_smoothing=0.0)
    examples = Examples(first=store.add(texts), second=np.full(2, -1, np.int32), label=np.zeros(2, np.int64))
    with torch.inference_mode():
        trained = mean_pooled(model, learner.batch(examples)).numpy()
    with Engine(device="cpu", precision="fp32", models={"embedding": tmp_path / "model"}) as engine:
        assert np.abs(engine.embed(texts) - trained).max() < 2e-3  # the checkpoint is in fp16
