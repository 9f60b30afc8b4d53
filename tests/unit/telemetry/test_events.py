"""The events that an engine records, and how many are kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.fakes import LengthRuntime
from wenmo import Engine
from wenmo.inference.runtime import OnBatch
from wenmo.models.checkpoint import load_checkpoint
from wenmo.serving.observed import ObservedRuntime
from wenmo.telemetry.events import JOIN_S, KEPT_EVENTS, EventLog
from wenmo.tokenizer import Encoding
from wenmo.types import Resolved


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_batches_that_follow_one_another_are_one_event_that_grows() -> None:
    clock = Clock()
    log = EventLog(now=clock)
    for _ in range(10_000):
        clock.now += 0.01
        log.batch_computed("sentiment", 8)
        log.batch_computed("similarity", 1)
    events = log.events()
    assert len(events) == 2
    assert "10,000" in events[0].text and "80,000" in events[0].text
    assert (events[0].at_s, events[0].until_s) == pytest.approx((1000.01, 1100.0))
    clock.now += JOIN_S + 0.1
    log.batch_computed("sentiment", 8)
    assert len(log.events()) == 3
    assert len(log.events(since_s=clock.now)) == 1


def test_the_log_is_bounded_and_keeps_the_latest() -> None:
    clock = Clock()
    log = EventLog(now=clock)
    log.batch_computed("sentiment", 1)
    for number in range(3 * KEPT_EVENTS):
        log.model_loaded(f"model {number}", precision="fp32", weights_mib=None, seconds=0.0, on_cpu=False)
    log.batch_computed("sentiment", 1)  # the event that would grow was dropped: it must not come back
    events = log.events()
    assert len(events) == KEPT_EVENTS
    assert events[-1].kind == "batches" and f"model {3 * KEPT_EVENTS - 1}" in events[-2].text


def test_an_engine_tells_what_it_loads_computes_and_lets_go(golden_models: dict[str, str]) -> None:
    log = EventLog()
    with Engine(device="cpu", precision="fp32", models=golden_models, events=log) as engine:
        engine.sentiment(["今天天气真好", "天气不错"])
        engine.sentiment(["今天天气真好"])  # cached, so no batch
        parameters = engine.model_info("sentiment").parameters
        assert log.cpu_weights_mib() == pytest.approx(parameters * 4 / 2**20, rel=0.02)
    events = log.events()
    assert [event.kind for event in events] == ["engine", "load", "batches", "release"]
    assert "fp32" in events[0].text and engine.model_names["sentiment"] in events[1].text_zh
    assert "model inputs 2" in events[2].text and "2 个模型输入" in events[2].text_zh
    assert log.cpu_weights_mib() == 0


def test_weights_that_a_runtime_does_not_tell_are_not_guessed(golden_models: dict[str, str]) -> None:
    with Engine(device="cpu", models=golden_models, make_runtime=LengthRuntime) as engine:
        engine.sentiment(["好"])
        assert engine.events.cpu_weights_mib() is None
        assert "MiB" not in engine.events.events()[1].text
    assert engine.events.cpu_weights_mib() == 0


class Shrinking(LengthRuntime):
    """A runtime whose budget is halved in its second call, after the batch."""

    tokens = Resolved(value=1024, reason="at first", reason_zh="起初")

    def logits(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
        output = super().logits(encodings, on_batch=on_batch)
        if self.calls == 2:
            self.tokens = Resolved(value=512, reason="memory ran out", reason_zh="显存不足")
        return output

    def batch_tokens(self) -> Resolved[int]:
        return self.tokens


def test_a_changed_budget_is_told_with_its_reason(golden_models: dict[str, str]) -> None:
    checkpoint = load_checkpoint(Path(golden_models["sentiment"]))
    log = EventLog()
    runtime = ObservedRuntime(Shrinking(checkpoint), "sentiment", log)
    for _ in range(3):
        runtime.logits([])
    changes = [event for event in log.events() if event.kind == "budget"]
    assert len(changes) == 1
    assert "1,024 -> 512" in changes[0].text and "memory ran out" in changes[0].text
    assert "显存不足" in changes[0].text_zh


def test_whoever_listens_to_batches_still_hears_them_and_may_stop(golden_models: dict[str, str]) -> None:
    log = EventLog()
    runtime = ObservedRuntime(LengthRuntime(load_checkpoint(Path(golden_models["sentiment"]))), "sentiment", log)
    heard: list[int] = []
    runtime.logits([], on_batch=heard.append)
    assert heard == [0]

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runtime.logits([], on_batch=stop)
