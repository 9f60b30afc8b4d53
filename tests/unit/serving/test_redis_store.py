"""Rows in a real Redis come back exactly or not at all, whatever Redis contains and whatever happens to it."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.redis_server import Proxy, RedisServer, require_redis
from wenmo import InputError
from wenmo.serving.redis_store import RedisStore

_KEYS = [number.to_bytes(16, "big") for number in range(20)]
_ROWS = np.random.default_rng(7).standard_normal((20, 3)).astype(np.float32)
_FOR_EVER_S = 86_400.0  # an open breaker stays open during a test


def _store(url: str, *, timeout_ms: float = 5_000, cool_down_s: float = _FOR_EVER_S) -> RedisStore:
    """With a long time-out by default, as the machine may be busy."""
    return RedisStore(url, timeout_ms=timeout_ms, cool_down_s=cool_down_s)


def _found(store: RedisStore) -> list[bool]:
    """Which of the keys are found; each must have its own row, exactly."""
    rows = store.get(_KEYS)
    for row, expected in zip(rows, _ROWS, strict=True):
        assert row is None or (row.dtype == np.float32 and row.tolist() == expected.tolist())
    return [row is not None for row in rows]


def test_another_instance_finds_the_rows(server: RedisServer) -> None:
    _store(server.url).put(_KEYS[:15], _ROWS[:15])
    store = _store(server.url)
    assert _found(store) == [True] * 15 + [False] * 5
    statistics = store.statistics()
    assert (statistics.hits, statistics.misses, statistics.damaged, statistics.errors) == (15, 5, 0, 0)


def test_special_values_and_wide_rows_come_back_exactly(server: RedisServer) -> None:
    row = np.resize(np.asarray([np.nan, np.inf, -0.0, 1e-45, 3.4e38], dtype=np.float32), 1024)
    store = _store(server.url)
    store.put(_KEYS[:1], row[None])
    (back,) = store.get(_KEYS[:1])
    assert back is not None and back.tobytes() == row.tobytes()


def test_one_round_trip_each_way_and_an_expiry(server: RedisServer) -> None:
    store = RedisStore(server.url, expiry_s=1234, timeout_ms=5_000)
    store.put(_KEYS, _ROWS)
    assert _found(store) == [True] * 20
    assert store.get([_KEYS[3], _KEYS[3]])[1] is not None
    admin = server.admin()
    commands = admin.info("commandstats")
    assert commands["cmdstat_mget"]["calls"] == 2
    assert commands["cmdstat_set"]["calls"] == 20
    names = admin.keys()
    assert all(name.startswith(b"wenmo:1:") for name in names)
    assert {admin.ttl(name) for name in names} <= {1234, 1233, 1232, 1231, 1230}
    before = admin.info("clients")["connected_clients"]
    store.put([], np.empty((0, 3), dtype=np.float32))
    assert before == 2  # the store's only connection, and this one


_GARBAGE = {
    "empty": b"",
    "one byte": b"\x01",
    "a text": "你好，世界".encode(),
    "a long text": b"x" * 100_000,
    "nothing but a header": bytes(13),
}


@pytest.mark.parametrize("content", _GARBAGE.values(), ids=_GARBAGE)
def test_foreign_values_are_misses(server: RedisServer, content: bytes) -> None:
    store = _store(server.url)
    store.put(_KEYS, _ROWS)
    admin = server.admin()
    admin.mset(dict.fromkeys(admin.keys(), content))
    assert not any(_found(store))
    assert (store.statistics().damaged, store.statistics().errors) == (20, 0)


def test_every_flipped_bit_and_every_cut_is_seen(server: RedisServer) -> None:
    store = _store(server.url)
    store.put(_KEYS[:1], _ROWS[:1])
    admin = server.admin()
    (name,) = admin.keys()
    whole = admin.get(name)
    assert whole is not None
    damaged = [whole[:length] for length in range(len(whole))] + [whole + b"\0"]
    for bit in range(8 * len(whole)):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        damaged.append(bytes(changed))
    for value in damaged:
        admin.set(name, value)
        assert store.get(_KEYS[:1]) == [None]
    admin.set(name, whole)
    assert store.get(_KEYS[:1])[0] is not None


def test_a_sound_value_under_another_key_is_a_miss(server: RedisServer) -> None:
    """As from a connection that is one reply behind."""
    store = _store(server.url)
    store.put(_KEYS, _ROWS)
    admin = server.admin()
    names = sorted(admin.keys())
    values = admin.mget(names)
    for name, value in zip(names, values[1:] + values[:1], strict=True):
        assert value is not None
        admin.set(name, value)
    assert not any(_found(store))


def test_keys_of_other_types_are_misses_and_are_overwritten(server: RedisServer) -> None:
    store = _store(server.url)
    store.put(_KEYS, _ROWS)
    admin = server.admin()
    names = admin.keys()
    admin.flushall()
    for name in names:
        admin.rpush(name, "a list")
    assert not any(_found(store))
    store.put(_KEYS, _ROWS)
    assert all(_found(store))
    assert store.statistics().errors == 0


def test_away_is_tried_three_times_each_way_and_then_left_alone(server: RedisServer) -> None:
    server.stop()
    store = _store(server.url)
    for _ in range(50):
        assert not any(_found(store))
        store.put(_KEYS, _ROWS)
    statistics = store.statistics()
    assert statistics.errors == 5  # reads 3, writes 2: what cannot be read is not written
    assert (statistics.reading, statistics.writing) == ("open", "closed")
    assert (statistics.hits, statistics.misses) == (0, 0)


def test_silence_costs_a_bounded_number_of_time_outs(proxy: Proxy) -> None:
    """The connections are counted: no retries, and none after the breaker is open."""
    proxy.mode = "hold"
    store = _store(proxy.url, timeout_ms=20)
    for _ in range(50):
        assert not any(_found(store))
        store.put(_KEYS, _ROWS)
    assert proxy.connections == store.statistics().errors == 5


def test_a_server_that_pauses_costs_no_more(server: RedisServer) -> None:
    store = _store(server.url, timeout_ms=200)
    store.put(_KEYS, _ROWS)
    server.admin().client_pause(600_000)
    for _ in range(20):
        assert not any(_found(store))
    assert (store.statistics().errors, store.statistics().reading) == (3, "open")


def test_a_server_that_trickles_is_left_alone_too(proxy: Proxy) -> None:
    """The time-out is per read: a reply in many reads could otherwise block every caller for minutes."""
    store = _store(proxy.url, timeout_ms=15)
    store.put(_KEYS[:1], _ROWS[:1])
    proxy.mode = "trickle"
    for _ in range(20):
        store.get(_KEYS[:1])
    assert (store.statistics().errors, store.statistics().reading) == (3, "open")


def test_late_answers_are_not_taken_for_the_next_ones(proxy: Proxy) -> None:
    """A reply that arrives after its time-out must not be read as the reply to the next request."""
    store = RedisStore(proxy.url, timeout_ms=30, cool_down_s=0)
    store.put(_KEYS, _ROWS)
    for turn in range(20):
        proxy.mode = "pass" if turn % 3 else "late"
        (row,) = store.get([_KEYS[turn]])
        assert row is None or row.tolist() == _ROWS[turn].tolist()
    assert store.statistics().errors >= 7
    assert store.statistics().damaged == 0


def test_back_again_is_noticed(server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    store = _store(server.url, cool_down_s=0)
    store.put(_KEYS, _ROWS)
    server.stop()
    for _ in range(3):
        assert not any(_found(store))
    assert store.statistics().reading == "open"
    server.start()
    assert not any(_found(store))  # the attempt after the cool-down; Redis is empty
    assert store.statistics().reading == "closed"
    store.put(_KEYS, _ROWS)
    assert all(_found(store))
    assert [message.partition(";")[0] for message in caplog.messages] == [
        "reading results from Redis: ConnectionError",
        "reading results from Redis: tried again",
        "reading results from Redis: works again",
    ]


def test_a_restart_does_not_count_against_idle_connections(server: RedisServer) -> None:
    """Eight connections are dead afterwards; each is detected and replaced without a failure."""
    store = _store(server.url)
    together = threading.Barrier(8)

    def put(index: int) -> None:
        together.wait()
        store.put(_KEYS[index:], _ROWS[index:])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, range(8)))
        server.stop()
        server.start()
        list(pool.map(put, range(8)))
    assert all(_found(store))
    assert store.statistics().errors == 0


def test_full_memory_stops_the_writing_and_not_the_reading(server: RedisServer) -> None:
    store = _store(server.url)
    store.put(_KEYS[:10], _ROWS[:10])
    server.admin().config_set("maxmemory-policy", "noeviction")
    server.admin().config_set("maxmemory", 1)
    for index in range(10, 20):
        store.put([_KEYS[index]], _ROWS[index : index + 1])
        assert _found(store) == [True] * 10 + [False] * 10
    statistics = store.statistics()
    assert (statistics.errors, statistics.reading, statistics.writing) == (3, "closed", "open")
    assert server.admin().info("errorstats")["errorstat_OOM"]["count"] == 3


def test_a_wrong_password_is_a_miss_and_stays_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    require_redis()
    caplog.set_level(logging.DEBUG)
    server = RedisServer(tmp_path, "--requirepass", "right-and-secret")
    try:
        wrong = _store(server.url.replace("//", "//:wrong-and-secret@"))
        right = _store(server.url.replace("//", "//:right-and-secret@"))
        for _ in range(10):
            assert not any(_found(wrong))
            wrong.put(_KEYS, _ROWS)
        right.put(_KEYS, _ROWS)
        assert all(_found(right))
    finally:
        server.stop()
    assert wrong.statistics().errors == 5
    assert caplog.messages == ["reading results from Redis: AuthenticationError; left alone for 86400 s"]
    assert "secret" not in caplog.text + repr(wrong) + repr(wrong.statistics())


@contextmanager
def _answering(reply: bytes) -> Iterator[str]:
    """A server that is no Redis: sends `reply` to any request."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                client.recv(65536)
                client.sendall(reply)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        listener.close()


_REPLIES = {
    "http": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "a number": b":1\r\n",
    "too few": b"*1\r\n$1\r\nx\r\n",
    "numbers": b"*20\r\n" + b":1\r\n" * 20,
    "nested": b"*20\r\n" + b"*1\r\n:1\r\n" * 20,
    "errors": b"*20\r\n" + b"-ERR no\r\n" * 20,
    "no length": b"$many\r\n",
    "not utf-8": b"-\xff\xfe\r\n",
    "endless": b"$999999999999\r\nx",
    "nothing": b"",
    "noise": bytes(range(256)),
}


@pytest.mark.parametrize("reply", _REPLIES.values(), ids=_REPLIES)
def test_whatever_answers_there_it_is_a_miss(reply: bytes) -> None:
    with _answering(reply) as url:
        store = _store(url, timeout_ms=500)
        for _ in range(5):
            assert not any(_found(store))
            store.put(_KEYS, _ROWS)
        assert store.statistics().errors == 5


def test_many_threads_and_a_flush_among_them(server: RedisServer) -> None:
    store = _store(server.url)
    admin = server.admin()

    def work(turn: int) -> int:
        if turn % 40 == 20:
            admin.flushall()
        first = turn % 17
        store.put(_KEYS[first : first + 3], _ROWS[first : first + 3])
        return sum(_found(store))

    with ThreadPoolExecutor(8) as pool:
        assert max(pool.map(work, range(200))) > 3
    statistics = store.statistics()
    assert (statistics.damaged, statistics.errors) == (0, 0)
    assert statistics.hits + statistics.misses == 200 * 20


def test_an_interrupted_try_does_not_hold_the_others_up(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C may stop the one caller that a half-open breaker lets through."""
    server.stop()
    store = _store(server.url, cool_down_s=0)
    for _ in range(3):
        store.get(_KEYS)
    server.start()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(socket.socket, "connect", interrupted)
        store.get(_KEYS)
    assert store.statistics().reading == "open"
    store.get(_KEYS)
    assert store.statistics().reading == "closed"


def test_closed_and_used_again(server: RedisServer) -> None:
    store = _store(server.url)
    store.put(_KEYS, _ROWS)
    store.close()
    assert all(_found(store))
    assert store.statistics().errors == 0


@pytest.mark.parametrize(
    "url",
    [
        "localhost:6379",
        "http://localhost",
        "redis://:half-sec/ret@host:6379",
        "redis://:half-sec#ret@host:6379",
        "redis://:1?half-sec=ret@host:6379",
        "redis://host:99999",
        "redis://host?socket_timeout=600",
        "redis://host?decode_responses=yes",
        "rediss://host?ssl_cert_reqs=perhaps",
        "rediss://host?ssl_no_such_thing=1",
        "",
    ],
)
def test_a_url_that_cannot_be_used_is_said_at_once_and_not_repeated(url: str) -> None:
    with pytest.raises(InputError, match="WENMO_REDIS_URL") as caught:
        RedisStore(url)
    assert "half-sec" not in caught.value.en + caught.value.zh
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_urls_that_can_be_used() -> None:
    for url in (
        "redis://host",
        " rediss://user:p%2Fw@host:6380/2?ssl_cert_reqs=required \n",
        f"unix://{os.sep}run/redis.sock?db=1",
        "redis://:pw@[::1]:6379/0",
    ):
        assert RedisStore(url).statistics().errors == 0
