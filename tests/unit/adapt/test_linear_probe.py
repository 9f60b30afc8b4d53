"""A new classifier begins as a linear one on the encoder as it is."""

import math

import numpy as np
import pytest
import torch

from tests.conftest import GOLDEN
from wenmo.adapt.dataset import Examples, TokenStore
from wenmo.adapt.fine_tune import load_for_training
from wenmo.adapt.linear_probe import fit_classifier
from wenmo.adapt.new_head import with_new_head
from wenmo.adapt.objectives import TrainableModel
from wenmo.models.local import DEFAULT_MODELS_FOLDER
from wenmo.models.registry import locate
from wenmo.tasks.table import TASKS

WORDS = ("天气好", "股票跌", "球赛赢")


@pytest.mark.parametrize("labels", [("甲", "乙"), ("甲", "乙", "丙"), ("甲", "乙", "丙", "无人用")])
def test_a_new_classifier_knows_its_rows_before_the_first_step(labels: tuple[str, ...]) -> None:
    """Each label has a word of its own. Two labels are one row of a regression; a label may have no row at all."""
    checkpoint = with_new_head(GOLDEN / "zero_shot", TASKS["classify"], labels, seed=1)
    model = load_for_training(checkpoint, device="cpu", checkpointing=False)
    store = TokenStore(checkpoint.tokenizer, max_tokens=32)
    trainable = TrainableModel(
        model=model, store=store, tokenizer=checkpoint.tokenizer, max_length=32, label_smoothing=0.0
    )
    used = min(len(labels), len(WORDS))
    label = np.arange(60) % used
    examples = Examples.single(store.add([f"{WORDS[one]}{number}" for number, one in enumerate(label)]), label)
    told: list[tuple[int, int]] = []
    fit_classifier(
        trainable, examples.take(np.arange(42)), examples.take(np.arange(42, 60)), lambda *at: told.append(at)
    )
    with torch.inference_mode():
        logits = trainable.logits(trainable.batch(examples.take(np.arange(42, 60))))
    assert (logits.argmax(1).numpy() == label[42:]).all()
    assert told[-1] == (60, 60)


def test_an_encoder_without_a_pooler_passes_its_first_state_through() -> None:
    folder = locate("wenmo-embedding", models_folder=DEFAULT_MODELS_FOLDER)
    checkpoint = with_new_head(folder, TASKS["classify"], ("甲", "乙"), seed=1)
    assert torch.equal(checkpoint.weights["bert.pooler.dense.weight"], torch.eye(checkpoint.shape.hidden_size))
    assert not checkpoint.weights["bert.pooler.dense.bias"].any()
    assert math.isclose(float(checkpoint.weights["classifier.weight"].std()), 0.02, rel_tol=0.2)
