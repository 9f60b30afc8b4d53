"""The engine: order, single and batched inputs, threads, unusual texts, and errors."""

from __future__ import annotations

import json
import math
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes import FailingRuntime, LengthRuntime
from wenmo import CheckpointError, DeviceError, Engine, ForwardError, InputError, ModelNotFoundError
from wenmo.engine import pipeline
from wenmo.inference.runtime import OnBatch, PartialOutputError
from wenmo.models.checkpoint import Checkpoint
from wenmo.tokenizer import Encoding

ODD_TEXTS = [
    "",
    " \n\t　",
    "好",
    "长" * 100_000,
    "😋👨‍👩‍👧",
    "\x00\x07\u200b\ufeff",
    "\ud800孤立代理\udfff",
    "<script>alert('墨')</script>",
    "# 标题 **粗** [链](javascript:0)",
    "[SEP][MASK][CLS]",
]


@pytest.fixture
def fake_engine(golden_models: dict[str, str]) -> Engine:
    return Engine(device="cpu", models=golden_models, make_runtime=LengthRuntime)


def test_similarity_by_hand(fake_engine: Engine) -> None:
    """[CLS] 天 气 [SEP] 好 [SEP]: 6 tokens, 2 of them in the second segment."""
    (result,) = fake_engine.similarity([("天气", "好")])
    assert result.logits == ((6.0, 2.0),)
    assert result.label == "no"  # logit 0 of the golden checkpoint
    assert result.score == pytest.approx(1 / (1 + math.exp(2 - 6)))
    assert result.similarity == pytest.approx(1 - result.score)
    assert list(result.scores) == ["no", "yes"]


def test_sentiment_by_hand(fake_engine: Engine) -> None:
    (result,) = fake_engine.sentiment(["天气好"])
    assert result.logits == ((5.0, 0.0),)
    assert (result.label, result.truncated) == ("负面", False)
    assert result.positive == pytest.approx(1 / (1 + math.exp(5)))


def test_zero_shot_by_hand(fake_engine: Engine) -> None:
    """Entailment is logit 0, the number of tokens, so the longer label has the higher score."""
    (result,) = fake_engine.zero_shot(["天气"], labels="体，体育, ,体", template="{}")
    assert [row[0] for row in result.logits] == [6.0, 7.0]
    assert result.label == "体育"
    assert result.scores["体育"] == pytest.approx(math.e / (1 + math.e))
    assert result.dropped_labels == ("体",)
    assert not result.multi_label


def test_zero_shot_multi_label_by_hand(fake_engine: Engine) -> None:
    """Softmax of (contradiction, entailment) for each label: contradiction is 0 in the fake."""
    (result,) = fake_engine.zero_shot(["天"], labels=["体", "体育"], multi_label=True)
    assert result.scores["体"] == pytest.approx(1 / (1 + math.exp(-5)))
    assert result.scores["体育"] == pytest.approx(1 / (1 + math.exp(-6)))
    (alone,) = fake_engine.zero_shot(["天"], labels=["体"])
    assert alone.multi_label
    assert alone.score == pytest.approx(1 / (1 + math.exp(-5)))


def test_zero_shot_by_vectors_by_hand(fake_engine: Engine) -> None:
    """Vectors are (tokens, 1), so 天气好 (5, 1) has the same direction as the hypothesis with as many tokens."""
    labels = ["体", "体育馆", "体育馆前的广场"]
    (result,) = fake_engine.zero_shot(["天气好"], labels=labels, method="embedding")
    cosines = [(5 * tokens + 1) / math.sqrt(26 * (tokens**2 + 1)) for tokens in (3, 5, 9)]
    assert [row[0] for row in result.logits] == pytest.approx(cosines, abs=1e-6)
    exponents = [math.exp(20 * cosine) for cosine in cosines]
    assert [result.scores[label] for label in labels] == pytest.approx(
        [value / sum(exponents) for value in exponents], abs=1e-5
    )
    assert (result.label, result.method, result.multi_label) == ("体育馆", "embedding", False)


def test_the_ensemble_by_hand(fake_engine: Engine) -> None:
    """Half of the logits of either model: tokens of the pair, and 20 times the cosine of (tokens, 1) of both."""
    labels = ["体", "体育馆", "体育馆前的广场"]
    (result,) = fake_engine.zero_shot(["天气好"], labels=labels, method="ensemble")
    entailment = [7.0, 9.0, 13.0]  # the hypothesis' tokens, the text's 3, and [CLS] and two [SEP]
    cosines = [(5 * tokens + 1) / math.sqrt(26 * (tokens**2 + 1)) for tokens in (3, 5, 9)]
    assert [row[0] for row in result.logits] == entailment
    assert [row[-1] for row in result.logits] == pytest.approx(cosines, abs=1e-6)
    exponents = [math.exp((one + 20 * other) / 2) for one, other in zip(entailment, cosines, strict=True)]
    assert [result.scores[label] for label in labels] == pytest.approx(
        [value / sum(exponents) for value in exponents], abs=1e-5
    )
    assert (result.label, result.method, result.multi_label) == ("体育馆前的广场", "ensemble", False)


def test_auto_asks_both_models_only_where_they_were_calibrated_together(bundled: Engine, golden_engine: Engine) -> None:
    labels = ["体育", "财经", "天气"]
    assert [each.method for each in bundled.zero_shot(["股票又跌了"], labels=labels)] == ["ensemble"]
    assert [each.method for each in bundled.zero_shot(["股票又跌了"], labels=labels, multi_label=True)] == ["nli"]
    assert [each.method for each in bundled.zero_shot(["股票又跌了"], labels=["财经"])] == ["nli"]
    assert [each.method for each in golden_engine.zero_shot(["股票又跌了"], labels=labels)] == ["nli"]


def test_the_ensemble_answers_one_text_as_it_does_many(bundled: Engine) -> None:
    """Bit for bit, in the order of the texts."""
    texts = [f"{text}{number}" for number in range(40) for text in ("股票又跌了", "球队赢了比赛，全场欢呼", "雨")]
    together = bundled.zero_shot(texts, labels=["体育", "财经", "天气"])
    for index in (0, 1, 2, 61, 119):
        (alone,) = bundled.zero_shot([texts[index]], labels=["体育", "财经", "天气"])
        assert alone.scores == pytest.approx(together[index].scores, abs=1e-5)


def test_two_stages_judge_the_nearest_labels_alone(golden_models: dict[str, str]) -> None:
    """Of labels of 1 to 6 characters, those of 3 and 4 are nearest to a text of 3; the model prefers the longer one."""
    runtimes: list[LengthRuntime] = []

    def runtime(checkpoint: Checkpoint) -> LengthRuntime:
        runtimes.append(LengthRuntime(checkpoint))
        return runtimes[-1]

    engine = Engine(device="cpu", models=golden_models, make_runtime=runtime, cache_mib=0)
    labels = ["体" * length for length in (6, 5, 4, 3, 2, 1)]
    first, second = engine.zero_shot(["天气好", "天"], labels=labels, method="two_stage", shortlist=2)
    assert (first.label, set(first.scores), first.method) == ("体体体体", {"体体体", "体体体体"}, "two_stage")
    assert set(second.scores) == {"体", "体体"}
    assert sum(runtime.inputs for runtime in runtimes) == 2 * 2  # logits: two labels for each of two texts


def test_two_stages_are_one_where_labels_are_few(golden_engine: Engine) -> None:
    texts, labels = ["今天天气好", "股票又跌了"], ["天气", "财经", "体育"]
    both = golden_engine.zero_shot(texts, labels=labels, method="two_stage", shortlist=3, multi_label=True)
    one = golden_engine.zero_shot(texts, labels=labels, multi_label=True)
    assert [result.logits for result in both] == [result.logits for result in one]
    assert [result.scores for result in both] == [result.scores for result in one]


def test_two_stages_lose_no_text_when_the_first_fails(golden_models: dict[str, str]) -> None:
    """Texts without a vector have no result; the results of the others keep their indices."""

    class NoVector(LengthRuntime):
        def vectors(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
            output = super().vectors(encodings, on_batch=on_batch)
            failed: dict[int, Exception] = {
                index: MemoryError("nine") for index, encoding in enumerate(encodings) if len(encoding) == 9
            }
            if failed:
                raise PartialOutputError(failed, output)
            return output

    engine = Engine(device="cpu", models=golden_models, make_runtime=NoVector)
    with pytest.raises(ForwardError) as failure:
        engine.zero_shot(["天气", "七个字长的文本", "好"], labels="体，体育，体育馆", method="two_stage", shortlist=2)
    assert failure.value.failed == {1: "nine"}
    assert failure.value.results[1] is None
    alone = [
        engine.zero_shot([text], labels="体，体育，体育馆", method="two_stage", shortlist=2)[0]
        for text in ("天气", "好")
    ]
    assert [failure.value.results[0], failure.value.results[2]] == alone


def test_zero_shot_methods_refused(golden_engine: Engine) -> None:
    for options in (
        {"method": "guess"},
        {"method": "embedding", "multi_label": True},
        {"method": "ensemble", "multi_label": True},
        {"shortlist": 0},
    ):
        with pytest.raises(InputError):
            golden_engine.zero_shot(["天气"], labels=["体育", "天气"], **options)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="second label"):  # the nearest of a single label says nothing
        golden_engine.zero_shot(["天气"], labels=["体育", " "], method="embedding")


def test_asking_labels_again_by_vectors_computes_the_text_alone(golden_engine: Engine) -> None:
    """The label vectors of an earlier call are cached, so a text costs the same with any number of labels."""
    labels = [f"标签{number}" for number in range(30)]
    golden_engine.zero_shot(["天气好"], labels=labels, method="embedding")
    before = golden_engine.cache_statistics()
    golden_engine.zero_shot(["股票又跌了"], labels=labels, method="embedding")
    after = golden_engine.cache_statistics()
    assert (after.hits - before.hits, after.misses - before.misses) == (30, 1)


def test_cosine_by_hand(fake_engine: Engine) -> None:
    (cosine,) = fake_engine.cosine_similarity([("天", "天气好")])  # vectors (3, 1) and (5, 1)
    assert cosine == pytest.approx(16 / math.sqrt(10 * 26), abs=1e-6)


def test_empty_lists(golden_engine: Engine) -> None:
    assert golden_engine.similarity([]) == []
    assert golden_engine.sentiment([]) == []
    assert golden_engine.zero_shot([], labels=["体育"]) == []
    assert golden_engine.embed([]).shape == (0, 64)
    assert golden_engine.cosine_similarity([]).shape == (0,)


def test_one_and_many_agree_in_order(golden_engine: Engine) -> None:
    """Batching must not reorder results, and may change them by rounding only."""
    rng = random.Random(7)
    alphabet = "天地玄黄宇宙洪荒日月盈昃今天气真好不错abc，。"
    texts = ["".join(rng.choices(alphabet, k=rng.randint(0, 200))) for _ in range(300)]
    together = golden_engine.sentiment(texts)
    assert len(together) == len(texts)
    for text, result in list(zip(texts, together, strict=True))[::7]:
        (alone,) = golden_engine.sentiment([text])
        assert alone.logits[0] == pytest.approx(result.logits[0], abs=1e-5)


def test_ten_thousand_texts_come_back_in_order(golden_engine: Engine) -> None:
    texts = [f"第{number}条：{'好' * (number % 5)}" for number in range(10_000)]
    results = golden_engine.sentiment(texts)
    for index in (0, 1, 4_999, 9_998, 9_999):
        (alone,) = golden_engine.sentiment([texts[index]])
        assert alone.logits[0] == pytest.approx(results[index].logits[0], abs=1e-5)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(max_size=40), max_size=12))
def test_any_texts_in_any_order(golden_engine: Engine, texts: list[str]) -> None:
    forward = golden_engine.sentiment(texts)
    backward = golden_engine.sentiment(texts[::-1])[::-1]
    for one, other in zip(forward, backward, strict=True):
        assert one.logits[0] == pytest.approx(other.logits[0], abs=1e-5)
        assert sum(one.scores.values()) == pytest.approx(1.0)


def test_threads_agree_with_one_thread(golden_engine: Engine) -> None:
    texts = [f"这是第{number}条评论，{'很好' if number % 2 else '不好'}" * (1 + number % 9) for number in range(64)]
    expected = [result.positive for result in golden_engine.sentiment(texts)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda text: golden_engine.sentiment([text])[0].positive, texts * 3))
    assert answers == pytest.approx(expected * 3, abs=1e-6)


def test_a_model_is_loaded_once_by_many_threads(golden_models: dict[str, str]) -> None:
    made: list[LengthRuntime] = []

    def make(checkpoint):  # type: ignore[no-untyped-def]
        made.append(LengthRuntime(checkpoint))
        return made[-1]

    engine = Engine(device="cpu", models=golden_models, make_runtime=make)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: engine.sentiment(["好"]), range(32)))
    assert len(made) == 1


@pytest.mark.parametrize("text", ODD_TEXTS, ids=range(len(ODD_TEXTS)))
def test_odd_texts_have_answers(golden_engine: Engine, text: str) -> None:
    (sentiment,) = golden_engine.sentiment([text])
    (pair,) = golden_engine.similarity([(text, "天气不错")])
    (topic,) = golden_engine.zero_shot([text], labels=[text or "空", "体育"], template="关于{}")
    vector = golden_engine.embed([text])
    for result in (sentiment, pair, topic):
        assert all(0.0 <= score <= 1.0 for score in result.scores.values())
        assert result.truncated == (len(text) > 1000)
    assert np.isfinite(vector).all()
    assert vector.shape == (1, 64)


def test_two_hundred_labels(golden_engine: Engine) -> None:
    labels = [f"标签{number}" for number in range(200)]
    (result,) = golden_engine.zero_shot(["世界那么大"], labels=labels)
    assert set(result.scores) == set(labels)
    assert sum(result.scores.values()) == pytest.approx(1.0)


def test_embed_is_the_mean_of_the_last_layer(golden_engine: Engine) -> None:
    """Against transformers' own model on one unpadded input."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    from wenmo.models.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(golden_engine.model_info("similarity").folder)
    config = BertConfig(**asdict(checkpoint.shape))  # type: ignore[call-arg]
    model = BertForSequenceClassification(config).eval()
    model.load_state_dict(dict(checkpoint.weights))
    tokens = checkpoint.tokenizer.tokenize(["下班以后去哪里吃饭"], limit=512)[0]
    ids = torch.tensor([[checkpoint.tokenizer.cls_id, *tokens, checkpoint.tokenizer.sep_id]])
    with torch.inference_mode():
        expected = model.bert(input_ids=ids).last_hidden_state.mean(1).numpy()
    ours = golden_engine.embed(["下班以后去哪里吃饭", "短"])  # in a batch with a shorter text
    assert ours[:1] == pytest.approx(expected, abs=1e-5)
    assert ours.dtype == np.float32


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_half_precision_stays_close(golden_engine: Engine, golden_models: dict[str, str], precision: str) -> None:
    """Storage or arithmetic in 8 to 11 bits: clear labels do not change, probabilities change by less than 5%."""
    texts = ["照着书里的方法练了两个月", "软件更新以后老是闪退", "好"]
    with Engine(device="cpu", precision=precision, models=golden_models) as engine:
        half = [result.positive for result in engine.sentiment(texts)]
    full = [result.positive for result in golden_engine.sentiment(texts)]
    assert half == pytest.approx(full, abs=0.05)
    assert half != full


@pytest.mark.parametrize(
    "call",
    [
        lambda engine: engine.sentiment("一个字符串"),
        lambda engine: engine.sentiment(None),
        lambda engine: engine.sentiment(["好", 5]),
        lambda engine: engine.similarity(["好"]),
        lambda engine: engine.similarity([("好",)]),
        lambda engine: engine.similarity([("好", None)]),
        lambda engine: engine.similarity("好不"),
        lambda engine: engine.zero_shot(["好"], labels=[]),
        lambda engine: engine.zero_shot(["好"], labels=None),
        lambda engine: engine.model_info("weather"),
        lambda engine: engine.zero_shot(["好"], labels=" ，, "),
        lambda engine: engine.zero_shot(["好"], labels=["好", 5]),
        lambda engine: engine.zero_shot(["好"], labels=["好"], template="没有位置"),
        lambda engine: engine.zero_shot(["好"], labels=["好"], template="{}和{}"),
        lambda engine: engine.zero_shot(["好"], labels=["好"], template="{0.__class__}"),
        lambda engine: engine.zero_shot(["好"], labels=["好"], template="{"),
    ],
)
def test_refusals_are_input_errors_in_two_languages(golden_engine: Engine, call) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError) as caught:
        call(golden_engine)
    assert caught.value.text("en") != caught.value.text("zh")


def test_wrong_devices_precisions_models(golden_models: dict[str, str]) -> None:
    with pytest.raises(DeviceError):
        Engine(precision="int3")
    for device in ("abacus", "cuda:99", "cuda:-1", ""):
        with pytest.raises(DeviceError):
            Engine(device=device)
    with pytest.raises(InputError):
        Engine(models={"weather": "x"})
    with pytest.raises(ModelNotFoundError):
        Engine(models={"sentiment": "no-such-model"}).sentiment(["好"])
    with pytest.raises(CheckpointError, match="similarity"):
        Engine(models={"sentiment": golden_models["similarity"]}).sentiment(["好"])


def test_close_lets_go_and_a_later_call_loads_again(golden_models: dict[str, str]) -> None:
    engine = Engine(device="cpu", precision="fp32", models=golden_models)
    before = engine.sentiment(["好"])[0].positive
    assert engine.loaded_tasks() == ("sentiment",)
    engine.close()
    assert engine.loaded_tasks() == ()
    assert engine.sentiment(["好"])[0].positive == before


def test_calibration_divides_the_logits_and_can_be_left_out(golden_models: dict[str, str], tmp_path: Path) -> None:
    """Temperatures change probabilities, but not logits and ranking; without them, results equal ModelScope's."""
    given = {
        "similarity": {"similarity": 2.0},
        "sentiment": {"sentiment": 0.5},
        "zero_shot": {"single_label": 3.0, "multi_label": 1.5, "nli": 2.0, "ensemble": 1.0},
    }
    folders = {}
    for task, calibration in given.items():
        folders[task] = shutil.copytree(golden_models[task], tmp_path / task)
        path = folders[task] / "configuration.json"
        configuration = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**configuration, "calibration": calibration}), encoding="utf-8")

    def probability(logits: tuple[float, ...], place: int, temperature: float) -> float:
        weights = [math.exp(logit / temperature) for logit in logits]
        return weights[place] / sum(weights)

    labels = ["体育", "科技", "天气"]
    with Engine(device="cpu", precision="fp32", models=folders) as engine:
        pair = engine.similarity([("今天下雨", "今天有雨")])[0]
        assert pair.similarity == pytest.approx(probability(pair.logits[0], 1, 2.0))
        mood = engine.sentiment(["很好"])[0]
        assert mood.positive == pytest.approx(probability(mood.logits[0], 1, 0.5))
        one = engine.zero_shot(["今天下雨"], labels=labels)[0]
        entailment = tuple(row[0] for row in one.logits)
        assert one.scores["天气"] == pytest.approx(probability(entailment, 2, 3.0))
        many = engine.zero_shot(["今天下雨"], labels=labels, multi_label=True)[0]
        assert many.scores["科技"] == pytest.approx(probability((many.logits[1][2], many.logits[1][0]), 1, 1.5))
        assert engine.model_info("zero_shot").temperatures == given["zero_shot"]
    with Engine(device="cpu", precision="fp32", models=folders, calibrated=False) as engine:
        bare = engine.similarity([("今天下雨", "今天有雨")])[0]
        assert bare.logits == pair.logits
        assert bare.similarity == pytest.approx(probability(bare.logits[0], 1, 1.0))
        assert set(engine.model_info("zero_shot").temperatures.values()) == {1.0}


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of seven encodings, so that a short list has many."""
    monkeypatch.setattr(pipeline, "_WINDOW_ENCODINGS", 7)


def test_windows_do_not_show(golden_engine: Engine, small_windows: None) -> None:
    texts = [f"第{number}条，{'很好' if number % 3 else '不好'}" * (1 + number % 5) for number in range(40)]
    alone = [golden_engine.sentiment([text])[0].positive for text in texts]
    assert [result.positive for result in golden_engine.sentiment(texts)] == pytest.approx(alone, abs=1e-6)
    alone_vectors = np.concatenate([golden_engine.embed([text]) for text in texts])
    assert golden_engine.embed(texts) == pytest.approx(alone_vectors, abs=1e-5)


@pytest.mark.parametrize(
    "call",
    [
        lambda engine, progress: engine.sentiment(["好", "坏", "好"] * 10, progress=progress),
        lambda engine, progress: engine.similarity([("好", "坏")] * 30, progress=progress),
        lambda engine, progress: engine.zero_shot(["好"] * 30, labels="体育，财经，书", progress=progress),
        lambda engine, progress: engine.embed(["好", "坏坏"] * 15, progress=progress),
        lambda engine, progress: engine.cosine_similarity([("好", "坏坏")] * 30, progress=progress),
        lambda engine, progress: engine.nli([("好", "坏")] * 30, progress=progress),
    ],
)
def test_progress_counts_up_to_all(golden_engine: Engine, small_windows: None, call: Any) -> None:
    told: list[tuple[int, int]] = []
    threads = set()

    def progress(done: int, of: int) -> None:
        told.append((done, of))
        threads.add(threading.current_thread())

    assert len(call(golden_engine, progress)) == 30
    assert [of for _, of in told] == [30] * len(told) and len(told) > 2
    assert [done for done, _ in told] == sorted(done for done, _ in told) and told[-1] == (30, 30)
    assert threads == {threading.current_thread()}  # a Streamlit page may draw in it


class _StopError(Exception):
    pass


def test_progress_can_stop_the_work(golden_models: dict[str, str], small_windows: None) -> None:
    runtimes: list[LengthRuntime] = []

    def make(checkpoint):  # type: ignore[no-untyped-def]
        runtimes.append(LengthRuntime(checkpoint))
        return runtimes[-1]

    def stop_at_14(done: int, of: int) -> None:
        if done >= 14:
            raise _StopError

    engine = Engine(device="cpu", models=golden_models, make_runtime=make)
    with pytest.raises(_StopError):
        engine.sentiment([f"好{number}" for number in range(700)], progress=stop_at_14)
    assert runtimes[0].inputs == 14
    assert not [thread for thread in threading.enumerate() if "prefetch" in thread.name]
    assert len(engine.sentiment(["好"] * 8)) == 8


def test_what_fails_takes_nothing_else_with_it(golden_models: dict[str, str], small_windows: None) -> None:
    engine = Engine(device="cpu", models=golden_models, make_runtime=FailingRuntime)
    texts = ["天气"] * 20
    texts[3] = texts[17] = "天气好"  # with [CLS] and [SEP] five tokens
    with pytest.raises(ForwardError, match=r"2 of 20 .* number 4: five") as caught:
        engine.sentiment(texts)
    assert caught.value.failed == {3: "five", 17: "five"}
    results = caught.value.results
    assert [index for index, result in enumerate(results) if result is None] == [3, 17]
    assert {result.logits for result in results if result is not None} == {((4.0, 0.0),)}


def test_a_label_that_fails_fails_its_text(golden_models: dict[str, str], small_windows: None) -> None:
    """[CLS] 天 [SEP] 体 [SEP] has five tokens: only the texts of one character have no result."""
    engine = Engine(device="cpu", models=golden_models, make_runtime=FailingRuntime)
    with pytest.raises(ForwardError) as caught:
        engine.zero_shot(["天", "天气", "天", "天气"], labels=["体", "体育"])
    assert set(caught.value.failed) == {0, 2}
    assert [result is None for result in caught.value.results] == [True, False, True, False]


def test_batch_tokens_carry_a_reason(golden_engine: Engine) -> None:
    resolved = golden_engine.batch_tokens("sentiment")
    assert resolved.value >= 256 and resolved.reason and resolved.reason_zh


def test_an_engine_with_other_models_shares_the_rest(golden_models: dict[str, str]) -> None:
    """A visitor's choice of model must not load the other models again, nor mix up cached results."""
    bundled = {"sentiment": "wenmo-sentiment"}
    with Engine(device="cpu", precision="fp32", models=golden_models) as engine:
        other = engine.with_models(bundled)  # type: ignore[arg-type]
        first, chosen, again = (each.sentiment(["很好"])[0].positive for each in (engine, other, engine))
        assert first == again != chosen
        with Engine(device="cpu", precision="fp32", models=bundled) as alone:
            assert chosen == alone.sentiment(["很好"])[0].positive
        other.similarity([("甲", "乙")])
        assert set(engine.loaded_tasks()) == set(other.loaded_tasks()) == {"similarity", "sentiment"}
        other.close()
        assert set(engine.loaded_tasks()) == {"similarity", "sentiment"}
        assert other.loaded_tasks() == ("similarity",)


def test_a_repeatable_engine_answers_alike_to_the_last_bit_on_any_number_of_cores() -> None:
    """As jobs promise: batches depend neither on cores, nor on other calls, nor on cached results."""
    draw = random.Random(0)
    calls = [
        ["".join(draw.choices("天地玄黄宇宙洪荒日月", k=draw.randint(1, 60))) for _ in range(n)] for n in (200, 3, 40)
    ]

    def logits(cores: int, **more: Any) -> list[Any]:
        before = torch.get_num_threads()
        torch.set_num_threads(cores)
        try:
            with Engine(device="cpu", precision="fp32", **more) as engine, ThreadPoolExecutor(len(calls)) as pool:
                return [[result.logits for result in results] for results in pool.map(engine.sentiment, calls)]
        finally:
            torch.set_num_threads(before)

    one = logits(1, repeatable=True)
    assert logits(2, repeatable=True) == one
    assert logits(3, repeatable=True) == one


@pytest.mark.skipif(not hasattr(psutil, "heap_trim"), reason="this C library cannot return memory")
def test_what_loading_took_besides_the_weights_is_returned() -> None:
    """Four models leave 50 to 60 MiB otherwise, and where auto has measured twice that. In a process of its own."""
    program = """
import psutil
from wenmo import Engine
with Engine(device="cpu", precision="fp32") as engine:
    engine.sentiment(["好"])
    engine.zero_shot(["好"], labels=["甲", "乙"])
    engine.similarity([("好", "不错")])
    resident = psutil.Process().memory_info().rss
    psutil.heap_trim()
    print((resident - psutil.Process().memory_info().rss) / 2**20)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=Path(__file__).parents[2], timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 20
