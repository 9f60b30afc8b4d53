"""What an epoch samples, and how it is cut into batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from wenmo.adapt.batches import plan_epoch
from wenmo.adapt.dataset import LabelSet, TokenStore, TopicSampler, resample
from wenmo.tokenizer import Tokenizer

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys("体育运动财经房产雨书好关于")]


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    (tmp_path / "vocab.txt").write_text("\n".join(TOKENS) + "\n", encoding="utf-8")
    return Tokenizer.from_folder(tmp_path)


def _words(store: TokenStore, index: int) -> str:
    return "".join(TOKENS[int(number)] for number in store[index])


def test_resampled_rows_follow_the_wanted_rates() -> None:
    rows = np.arange(1000)
    sources = ["twice" if row % 2 else "half" for row in rows]
    sampled = resample(rows, sources, {"twice": 2, "half": 0.5}, np.random.default_rng(0))
    odd = sampled % 2 == 1
    assert odd.sum() == 1000  # exactly two of each
    assert 200 < (~odd).sum() < 300
    assert set(np.bincount(sampled)[0::2]) == {0, 1}


def test_topic_groups_put_the_true_label_first_and_never_among_the_others(tokenizer: Tokenizer) -> None:
    store = TokenStore(tokenizer, max_tokens=16)
    texts = store.add(["书", "雨", "好"])
    label_set = LabelSet(texts=texts, label=np.array([0, 1, 2]), names=[["体育", "运动"], ["财经"], ["房产"]])
    sampler = TopicSampler({"news": label_set}, store, draw={"news": 300}, templates=["{}", "关于{}"], group=3)
    ((examples, size),) = sampler.draw(np.random.default_rng(0))
    assert (size, len(examples)) == (3, 900)
    wordings = {0: {"体育", "运动"}, 1: {"财经"}, 2: {"房产"}}
    seen = set()
    for start in range(0, 900, 3):
        text = int(np.flatnonzero(texts == examples.first[start])[0])
        assert len(set(examples.first[start : start + 3].tolist())) == 1
        hypotheses = [_words(store, int(index)) for index in examples.second[start : start + 3]]
        bare = [hypothesis.removeprefix("关于") for hypothesis in hypotheses]
        assert len({len(whole) - len(part) for whole, part in zip(hypotheses, bare, strict=True)}) == 1  # one template
        assert bare[0] in wordings[text]
        others = set().union(*(words for label, words in wordings.items() if label != text))
        assert set(bare[1:]) <= others and len(set(bare)) == 3
        seen |= set(bare)
    assert seen == {"体育", "运动", "财经", "房产"}


def test_an_epoch_holds_every_example_once() -> None:
    lengths = np.random.default_rng(1).integers(1, 129, size=5_000)
    batches = plan_epoch(lengths, tokens=2048, rng=np.random.default_rng(2))
    assert sorted(np.concatenate(batches).tolist()) == list(range(5_000))
    assert all(len(batch) * -(-lengths[batch].max() // 8) * 8 <= 2048 for batch in batches)
