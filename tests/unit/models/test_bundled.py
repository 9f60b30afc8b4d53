"""What the bundled models make of text as people write it."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean

import pytest

from tests.conftest import ROOT
from wenmo import Engine
from wenmo.tasks.everyday import rows
from wenmo.tasks.table import TASKS

BUNDLED = [name for name, spec in TASKS.items() if spec.bundled]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(device="cpu", precision="fp32") as engine:
        yield engine


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("ＡＰＰ怎么下载", "app怎么下载"),
        ("會議取消了嗎", "会议取消了吗"),
        ("今 天 天 气", "今天天气"),
        ("iPhone１５", "IPHONE15"),
    ],
)
def test_the_same_sentence_in_other_characters(engine: Engine, written: str, plain: str) -> None:
    one, other = engine.sentiment([written, plain])
    assert one.positive == other.positive and one.unknown == other.unknown == 0
    assert engine.cosine_similarity([(written, plain)])[0] == pytest.approx(1.0, abs=1e-6)
    first, second = engine.similarity([(written, "怎么退款"), (plain, "怎么退款")])
    assert first.similarity == second.similarity


def test_emoji_have_a_mood(engine: Engine) -> None:
    up, down = engine.sentiment(["👍", "👎"])
    assert up.positive > 0.5 > down.positive and up.unknown == down.unknown == 0


def test_a_sentence_means_the_same_as_itself(engine: Engine) -> None:
    """Nearly always: a cross-encoder that has learnt how little a change of meaning may show doubts some."""
    sentences = [row["text"] for row in (*rows("reviews"), *rows("zero_shot"))]
    same = [result.similarity > 0.5 for result in engine.similarity([(text, text) for text in sentences])]
    assert fmean(same) > 0.95


def test_all_of_them_are_small() -> None:
    sizes = [(ROOT / "assets" / "models" / name / "model.safetensors").stat().st_size for name in BUNDLED]
    assert sum(sizes) < 64 * 2**20
