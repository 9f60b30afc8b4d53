from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from recipes.teach import character_probabilities, network_probabilities, targets
from wenmo.adapt.dataset import NO_LABEL, Examples, TokenStore
from wenmo.adapt.objectives import ClassificationObjective, TrainableModel
from wenmo.tokenizer import Tokenizer

CHARACTERS = "书雨好坏风花雪月山水天地人和春秋"


def _learner(folder: Path) -> TrainableModel:
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *CHARACTERS]
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    tokenizer = Tokenizer.from_folder(folder)
    torch.manual_seed(0)
    config = BertConfig(  # type: ignore[call-arg]
        vocab_size=len(tokens), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    return TrainableModel(
        model=BertForSequenceClassification(config).eval(),
        store=TokenStore(tokenizer, max_tokens=16),
        tokenizer=tokenizer,
        max_length=16,
        label_smoothing=0.0,
    )


def test_targets_are_of_label_and_teachers_and_of_teachers_alone_where_no_label_is() -> None:
    first, second = np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([[0.5, 0.5], [0.8, 0.2]])
    found = targets(np.array([1, NO_LABEL]), [first, second], [1, 1], share=0.5)
    # Geometric means, by hand: odds 9:1 and 1:1 give 3:1; 1:4 and 4:1 give 1:1.
    assert found == pytest.approx(np.array([[0.375, 0.625], [0.5, 0.5]]), abs=1e-6)
    weighted = targets(np.array([NO_LABEL, NO_LABEL]), [first, second], [3, 0], share=0.1)
    assert weighted == pytest.approx(first, abs=1e-6)


def test_no_text_is_answered_by_a_model_that_saw_its_label() -> None:
    """Labels without a reason cannot be foretold; a model that had seen them would know them by heart."""
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list(CHARACTERS), 12)) for _ in range(400)]
    chance = rng.integers(2, size=400)
    answers = character_probabilities(texts, chance)
    assert 0.4 < (answers.argmax(1) == chance).mean() < 0.6
    reason = np.array([int("好" in text) for text in texts])
    reason[::4] = NO_LABEL
    found = character_probabilities(texts, reason)[::4].argmax(1)
    assert (found == ["好" in text for text in texts[::4]]).mean() > 0.9
    assert np.allclose(answers.sum(1), 1)


def test_networks_answer_in_the_order_of_the_examples(tmp_path: Path) -> None:
    learner = _learner(tmp_path)
    texts = learner.store.add(["书雨好坏风花雪月", "书", "山水天地人和"])
    examples = Examples(first=texts, second=np.full(3, -1, np.int32), label=np.zeros(3, np.int64))
    answers = network_probabilities(learner, examples, batch_tokens=16)
    for row in range(3):
        with torch.inference_mode():
            alone = learner.logits(learner.batch(examples.take(np.array([row])))).softmax(-1)
        assert answers[row] == pytest.approx(alone.numpy()[0], abs=5e-3)  # bf16 where the processor has it


def test_a_target_stands_in_for_the_label(tmp_path: Path) -> None:
    learner = _learner(tmp_path)
    texts = learner.store.add(["书雨", "好坏"])
    target = np.array([[0.3, 0.7], [0.6, 0.4]], dtype=np.float32)
    losses = []
    for label in ([0, 1], [1, NO_LABEL]):
        examples = Examples(first=texts, second=np.full(2, -1, np.int32), label=np.array(label), target=target)
        part = ClassificationObjective(draw=lambda rng, examples=examples: examples)
        (make,) = part.steps(learner, 100, np.random.default_rng(0))
        step = make(np.random.default_rng(0))
        losses.append(step.loss().item())
    with torch.inference_mode():
        logs = learner.logits(learner.batch(examples)).log_softmax(-1).numpy()
    assert losses == pytest.approx([-(target * logs).sum(1).mean()] * 2, abs=1e-6)
