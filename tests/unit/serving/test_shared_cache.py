"""Engines that share results through a real Redis give the same results as one without, whatever happens to Redis."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
import torch

from tests.conftest import GOLDEN_MODELS
from tests.fakes import FailingRuntime, LengthRuntime
from tests.redis_server import Proxy, RedisServer
from wenmo import Engine, ForwardError, InputError
from wenmo.api.metrics import Metrics
from wenmo.engine.build import build_engine
from wenmo.inference.precision import arithmetic
from wenmo.inference.runtime import OnBatch
from wenmo.inference.torch_runtime import TorchRuntime
from wenmo.models.checkpoint import Checkpoint
from wenmo.serving.redis_store import RedisStore
from wenmo.settings import Settings
from wenmo.tokenizer import Encoding
from wenmo.types import Precision, Resolved

_TEXTS = [f"第{number}条评论：{'很' * (number % 5)}满意" for number in range(120)]
_LABELS = [f"标签{number}号" for number in range(10)]
_TOLERANCE = 1e-5  # other inputs of a batch may change rounding; the logits of the texts differ by 1e-4 or more


class CountingRuntime(TorchRuntime):
    """The real runtime, counting its inputs."""

    def __init__(self, checkpoint: Checkpoint, precision: Precision) -> None:
        super().__init__(checkpoint, device=torch.device("cpu"), precision=precision, native=precision == "fp32")
        self.inputs = 0

    def logits(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
        self.inputs += len(encodings)
        return super().logits(encodings, on_batch=on_batch)

    def vectors(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
        self.inputs += len(encodings)
        return super().vectors(encodings, on_batch=on_batch)


class Instance:
    """An engine of the service with its own memory, and the number of rows that it computed."""

    def __init__(self, url: str, *, models: dict[str, str] = GOLDEN_MODELS, **options: Any) -> None:
        # A long time-out, as the machine may be busy; an open breaker stays open during a test.
        self.store = RedisStore(url, **{"timeout_ms": 5_000, "cool_down_s": 86_400, **options.pop("store", {})})
        self._runtimes: list[CountingRuntime] = []
        precision = options.get("precision", "fp32")

        def make(checkpoint: Checkpoint) -> CountingRuntime:
            self._runtimes.append(CountingRuntime(checkpoint, precision))
            return self._runtimes[-1]

        self.engine = Engine(
            **{"device": "cpu", "precision": precision, "make_runtime": make, "models": models, **options},
            shared_cache=self.store,
        )

    @property
    def rows(self) -> int:
        return sum(runtime.inputs for runtime in self._runtimes)


@pytest.fixture
def instance(server: RedisServer) -> Iterator[Callable[..., Instance]]:
    with ExitStack() as engines:

        def make(url: str | None = None, **options: Any) -> Instance:
            made = Instance(url or server.url, **options)
            engines.enter_context(made.engine)
            return made

        yield make


@pytest.fixture(scope="module")
def expected() -> dict[str, tuple[float, ...]]:
    """The logits of each text from an engine without a cache."""
    with Engine(device="cpu", precision="fp32", models=GOLDEN_MODELS, cache_mib=0) as direct:
        answers = {text: result.logits[0] for text, result in zip(_TEXTS, direct.sentiment(_TEXTS), strict=True)}
    firsts = np.sort([logits[0] for logits in answers.values()])
    assert np.diff(firsts).min() > 2 * _TOLERANCE  # otherwise swapped results would pass
    return answers


def _check(instance: Instance, texts: Sequence[str], expected: dict[str, tuple[float, ...]]) -> None:
    for text, result in zip(texts, instance.engine.sentiment(texts), strict=True):
        assert result.logits[0] == pytest.approx(expected[text], abs=_TOLERANCE)


def test_what_one_computed_the_other_does_not(instance: Callable[..., Instance]) -> None:
    first, second = instance(), instance()
    pairs = [("天气真好", "今天天气不错"), ("我饿了", "你好")]
    for method, argument in (("sentiment", _TEXTS), ("similarity", pairs), ("nli", pairs), ("embed", _TEXTS[:20])):
        ours, theirs = getattr(first.engine, method)(argument), getattr(second.engine, method)(argument)
        # Exactly equal: Redis returns what was computed.
        assert np.array_equal(ours, theirs) if isinstance(ours, np.ndarray) else ours == theirs
    assert (first.rows, second.rows) == (120 + 2 + 2 + 20, 0)
    statistics = second.engine.cache_statistics()
    assert statistics.shared is not None
    assert (statistics.memory_hits, statistics.shared.hits, statistics.hits, statistics.misses) == (0, 144, 144, 0)
    second.engine.sentiment(_TEXTS)  # now from its own memory
    statistics = second.engine.cache_statistics()
    assert statistics.shared is not None
    assert (statistics.memory_hits, statistics.shared.hits) == (120, 144)


def test_a_new_label_of_eleven_is_one_row_also_through_redis(instance: Callable[..., Instance]) -> None:
    first = instance()
    before = first.engine.zero_shot(["世界那么大"], labels=_LABELS)
    assert first.rows == 10
    more = instance()
    added = more.engine.zero_shot(["世界那么大"], labels=[*_LABELS, "新的"])
    assert more.rows == 1
    assert added[0].logits[:10] == before[0].logits
    changed = instance()
    changed.engine.zero_shot(["世界那么大"], labels=[*_LABELS[:9], "别的"])
    assert changed.rows == 1
    again = instance()
    again.engine.zero_shot(["世界那么大"], labels=[*_LABELS, "新的", "别的"])
    assert again.rows == 0


def test_calibration_comes_after_what_is_shared(instance: Callable[..., Instance]) -> None:
    """The rows are logits, so an engine without temperatures can use them."""
    bundled = {"sentiment": "wenmo-sentiment"}
    calibrated, plain = instance(models=bundled), instance(models=bundled, calibrated=False)
    text = ["屏幕很清晰，就是电池不太耐用"]
    ours, theirs = calibrated.engine.sentiment(text)[0], plain.engine.sentiment(text)[0]
    assert (calibrated.rows, plain.rows) == (1, 0)
    assert ours.logits == theirs.logits
    with Engine(device="cpu", precision="fp32", cache_mib=0, calibrated=False) as direct:
        alone = direct.sentiment(text)[0].positive
    assert ours.positive != pytest.approx(alone, abs=1e-4)
    assert theirs.positive == pytest.approx(alone, abs=1e-5)


def test_precisions_models_and_runtimes_do_not_share(instance: Callable[..., Instance]) -> None:
    text = _TEXTS[:5]
    instance().engine.sentiment(text)
    half = instance(precision="bf16")
    half.engine.sentiment(text)
    assert half.rows == 5
    other = instance(models={"sentiment": "wenmo-sentiment"})
    other.engine.sentiment(text)
    assert other.rows == 5
    fake = instance(make_runtime=LengthRuntime)
    assert [result.logits[0][1] for result in fake.engine.sentiment(text)] == [0.0] * 5  # as no real model answers


def test_arithmetic_tells_machines_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """INT8 weights have fewer steps on a CPU without VNNI, and bf16 is only storage on one without AMX: other rows."""

    def here(precision: Precision, *, vnni: bool = False, amx: bool = False) -> str:
        monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: vnni)
        monkeypatch.setattr(
            "wenmo.inference.precision.has_fast_half", lambda _: Resolved(value=amx, reason="", reason_zh="")
        )
        return arithmetic(precision, "cpu")

    assert here("int8", vnni=True) != here("int8", vnni=False)
    assert here("bf16", amx=True) != here("bf16", amx=False)
    assert here("fp32", vnni=True, amx=True) == here("fp32")
    assert here("fp32") != arithmetic("fp32", "cuda")
    assert arithmetic("fp16", "cuda:0") == arithmetic("fp16", "cuda:1") != arithmetic("bf16", "cuda:0")


def test_another_process_finds_the_rows(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys depend on nothing that differs between processes, such as Python's hashes. Settings build the engine."""
    monkeypatch.setenv("WENMO_REDIS_URL", server.url)
    monkeypatch.setenv("WENMO_REDIS_TIMEOUT_MS", "5000")
    monkeypatch.setenv("WENMO_SENTIMENT_MODEL", GOLDEN_MODELS["sentiment"])
    monkeypatch.setenv("WENMO_DEVICE", "cpu")
    monkeypatch.setenv("WENMO_PRECISION", "fp32")
    monkeypatch.setenv("PYTHONHASHSEED", "12345")
    with build_engine(Settings.read()) as engine:
        ours = [result.logits for result in engine.sentiment(_TEXTS[:2])]
    program = (
        "import sys\n"
        "from wenmo.settings import Settings\n"
        "from wenmo.engine.build import build_engine\n"
        "with build_engine(Settings.read()) as engine:\n"
        "    logits = [result.logits for result in engine.sentiment(sys.argv[1:])]\n"
        "    statistics = engine.cache_statistics()\n"
        "print(statistics.shared.hits, statistics.misses, logits)\n"
    )
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", program, *_TEXTS[:2]], capture_output=True, text=True, timeout=120
    )
    assert done.stdout == f"2 0 {ours}\n", done.stderr


def test_redis_is_not_imported_without_its_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "wenmo.serving.redis_store")
    monkeypatch.setitem(sys.modules, "redis", None)  # importing it fails
    with build_engine(Settings.read(redis_url="")) as engine:
        assert engine.cache_statistics().shared is None
    with pytest.raises(ImportError):
        build_engine(Settings.read(redis_url="redis://host"))


def test_settings_keep_the_password() -> None:
    settings = Settings.read(redis_url="redis://:very-secret@host:6379")
    assert "very-secret" not in repr(settings) + str(settings) + settings.model_dump_json()
    with pytest.raises(InputError, match="WENMO_REDIS_URL") as caught:
        build_engine(Settings.read(redis_url="redis://:very-sec/ret@host"))
    assert "very-sec" not in caught.value.en + caught.value.zh
    with pytest.raises(InputError, match="WENMO_REDIS_EXPIRY_S"):
        Settings.read(redis_expiry_s=0)


def test_long_lists_pass_redis_by(server: RedisServer) -> None:
    store = RedisStore(server.url, timeout_ms=5_000)
    with Engine(device="cpu", models=GOLDEN_MODELS, make_runtime=LengthRuntime, shared_cache=store) as engine:
        engine.sentiment([str(number) for number in range(4_097)])
        engine.sentiment(["4097"])  # a short list does ask Redis
    assert server.admin().info("commandstats")["cmdstat_mget"]["calls"] == 1
    assert server.admin().dbsize() == 1


def test_without_a_cache_there_is_no_redis_either(instance: Callable[..., Instance]) -> None:
    """Speed is measured with `cache_mib=0`, so nothing may come from a store."""
    instance().engine.sentiment(_TEXTS[:3])
    without = instance(cache_mib=0)
    without.engine.sentiment(_TEXTS[:3])
    assert without.rows == 3


def test_failed_inputs_are_not_shared(server: RedisServer) -> None:
    for _ in range(2):
        store = RedisStore(server.url, timeout_ms=5_000)
        with (
            Engine(device="cpu", models=GOLDEN_MODELS, make_runtime=FailingRuntime, shared_cache=store) as engine,
            pytest.raises(ForwardError) as caught,
        ):
            engine.sentiment(["一二三", "一", "一二"])  # the first makes five tokens
        assert set(caught.value.failed) == {0}
    assert server.admin().dbsize() == 2


def _load(instance: Instance, expected: dict[str, tuple[float, ...]], *, middle: Callable[[], object]) -> None:
    """300 calls in eight threads, each checked; `middle` runs concurrently after a third of them."""
    answered = threading.Semaphore(0)
    rng = np.random.default_rng(11)
    lists = [[_TEXTS[index] for index in rng.integers(0, len(_TEXTS), size=3)] for _ in range(300)]

    def call(texts: list[str]) -> None:
        _check(instance, texts, expected)
        answered.release()

    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(call, texts) for texts in lists]
        for _ in range(100):
            assert answered.acquire(timeout=60)
        middle()
        for each in calls:
            each.result(timeout=60)


# Almost no memory, so that every call asks Redis and all threads see its failures.
_FORGETFUL = {"cache_mib": 0.001}
# The three that opened the breaker, and threads that were in an exchange then; for reading and for writing.
_MOST_FAILURES = 2 * (8 + 3)


def test_redis_stopped_in_mid_load(
    instance: Callable[..., Instance], server: RedisServer, expected: dict[str, tuple[float, ...]]
) -> None:
    one = instance(**_FORGETFUL)
    _load(one, expected, middle=server.stop)
    statistics = one.store.statistics()
    assert statistics.hits > 0
    assert 3 <= statistics.errors <= _MOST_FAILURES
    assert statistics.reading == "open"
    _check(one, _TEXTS, expected)
    assert one.store.statistics().errors == statistics.errors


def test_redis_silent_in_mid_load(
    instance: Callable[..., Instance], proxy: Proxy, expected: dict[str, tuple[float, ...]]
) -> None:
    one = instance(proxy.url, store={"timeout_ms": 500}, **_FORGETFUL)
    connections: list[int] = []

    def silence() -> None:
        proxy.mode = "hold"
        connections.append(proxy.connections)

    _load(one, expected, middle=silence)
    statistics = one.store.statistics()
    assert statistics.hits > 0
    assert (3 <= statistics.errors <= _MOST_FAILURES, statistics.reading) == (True, "open")
    assert proxy.connections - connections[0] <= _MOST_FAILURES  # as many attempts as failures: no retries


def test_redis_flushed_in_mid_load(
    instance: Callable[..., Instance], server: RedisServer, expected: dict[str, tuple[float, ...]]
) -> None:
    one = instance(**_FORGETFUL)
    _load(one, expected, middle=server.admin().flushall)
    statistics = one.store.statistics()
    assert (statistics.errors, statistics.damaged, statistics.reading) == (0, 0, "closed")
    assert statistics.hits > 0


def test_redis_filled_with_garbage_in_mid_load(
    instance: Callable[..., Instance], server: RedisServer, expected: dict[str, tuple[float, ...]]
) -> None:
    filler = instance()
    filler.engine.sentiment(_TEXTS)  # so that all keys are there
    one = instance(**_FORGETFUL)

    def spoil() -> None:
        admin = server.admin()
        names = sorted(admin.keys())
        values = admin.mget(names)
        for index, (name, value) in enumerate(zip(names, values, strict=True)):
            assert value is not None
            if index % 4 == 0:
                # In one transaction: otherwise the load could write the row again, as a string, before HSET.
                admin.pipeline(transaction=True).delete(name).hset(name, "of", "another type").execute()
            elif index % 4 == 1:
                admin.set(name, value[:-2])
            elif index % 4 == 2:
                admin.set(name, value[:-1] + bytes([value[-1] ^ 0x40]))  # the same length, another exponent
            else:
                admin.set(name, values[index - 1] or b"")  # another text's row

    _load(one, expected, middle=spoil)
    statistics = one.store.statistics()
    assert statistics.damaged > 0
    assert (statistics.errors, statistics.reading) == (0, "closed")
    instance().engine.sentiment(_TEXTS)  # overwrites what the load did not
    healed = instance()
    _check(healed, _TEXTS, expected)
    assert healed.rows == 0


def test_redis_full_in_mid_load(
    instance: Callable[..., Instance], server: RedisServer, expected: dict[str, tuple[float, ...]]
) -> None:
    one = instance(**_FORGETFUL)

    def fill() -> None:
        server.admin().config_set("maxmemory-policy", "noeviction")
        server.admin().config_set("maxmemory", 1)

    one.engine.sentiment(_TEXTS[:60])
    fill()
    _load(one, expected, middle=lambda: None)
    statistics = one.store.statistics()
    assert (statistics.reading, statistics.writing) == ("closed", "open")
    assert 3 <= statistics.errors <= 8 + 3
    assert statistics.hits > 0  # what was there before


def test_wrong_password(instance: Callable[..., Instance], server: RedisServer, expected: Any) -> None:
    server.admin().config_set("requirepass", "right")
    one = instance(server.url.replace("//", "//:wrong@"), **_FORGETFUL)
    _load(one, expected, middle=lambda: None)
    assert 3 <= one.store.statistics().errors <= _MOST_FAILURES
    assert one.store.statistics().hits == 0


def test_metrics_show_both_places(instance: Callable[..., Instance], server: RedisServer) -> None:
    instance().engine.sentiment(_TEXTS[:4])
    one = instance()
    one.engine.sentiment(_TEXTS[:5])
    one.engine.sentiment(_TEXTS[:2])

    def figures() -> dict[str, str]:
        lines = Metrics(lambda: one.engine).text().decode().splitlines()
        return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))

    names = ("cache_hits", "cache_memory_hits", "cache_misses", "shared_cache_hits", "shared_cache_misses")
    assert [figures()[f"wenmo_{name}_total"] for name in names] == ["6.0", "2.0", "1.0", "4.0", "1.0"]
    assert figures()['wenmo_shared_cache_breaker{operation="read",state="closed"}'] == "1.0"
    server.stop()
    for text in _TEXTS[5:8]:
        one.engine.sentiment([text])
    after = figures()
    assert after["wenmo_shared_cache_errors_total"] == "5.0"
    assert after['wenmo_shared_cache_breaker{operation="read",state="closed"}'] == "0.0"
    assert after['wenmo_shared_cache_breaker{operation="read",state="open"}'] == "1.0"


def test_metrics_without_redis_do_not_mention_it(golden_engine: Engine) -> None:
    assert b"shared" not in Metrics(lambda: golden_engine).text()
