"""Rows of a model's output in Redis, shared by the instances of a service: the level behind the memory of each.

One MGET asks for all that memory lacks, one pipeline of SET with an expiry writes what was computed. A value is plain
bytes, and says itself whether it is whole and belongs to its key:

    version (1 byte), width (4), checksum of key and row (8), row (width float32), all little-endian

What is no such value (another program's, cut, damaged, the reply to another question) is a miss, and overwritten. What
goes wrong with Redis is counted and costs time, within the time-out and a circuit breaker; it never reaches the caller.

Not covered: Redis Cluster (a list's keys lie on many nodes), and whoever may write to this Redis and means harm: they
can make a checksum, too. The time-out does not cover the look-up of the host's name.
"""

from __future__ import annotations

import hashlib
import struct
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import numpy as np
from redis import ConnectionPool, Redis
from redis.connection import parse_url
from redis.exceptions import InvalidResponse

from wenmo.errors import InputError
from wenmo.serving.breaker import CircuitBreaker
from wenmo.serving.cache import SharedStatistics

T = TypeVar("T")

_VERSION = 1  # of the value's layout; part of the keys as well, so that versions do not overwrite one another
_PREFIX = f"wenmo:{_VERSION}:"
_HEADER = struct.Struct("<BI8s")
_FAILURES = 3  # in a row, until Redis is left alone: one or two are a restart or a lost packet
_LONGEST = 10  # time-outs that an exchange may take in all: the time-out itself is for each read
_URL_OPTIONS = {"host", "port", "path", "db", "username", "password", "connection_class"}  # and those of TLS, ssl_*


class RedisStore:
    """A `SharedStore` in the Redis at `url`. Any thread may call.

    `url`: redis://[[user]:password@]host[:port][/db], rediss:// for TLS (with ?ssl_ca_certs=FILE and the like), or
    unix://PATH. It is neither logged nor shown. Rows are kept for `expiry_s`. `timeout_ms` is for connecting, for
    writing and for each read. What fails three times in a row is left alone for `cool_down_s`: reading and writing each
    by itself, since a Redis that is full can be read.

    Nothing is connected before the first call. Raises InputError for a URL that cannot be read.
    """

    def __init__(
        self, url: str, *, expiry_s: int = 86_400, timeout_ms: float = 100.0, cool_down_s: float = 10.0
    ) -> None:
        self._expiry_s = expiry_s
        self._timeout_s = timeout_ms / 1000
        self._redis = Redis(connection_pool=_pool(url, self._timeout_s))
        self._reading = CircuitBreaker("reading results from Redis", failures=_FAILURES, cool_down_s=cool_down_s)
        self._writing = CircuitBreaker("writing results to Redis", failures=_FAILURES, cool_down_s=cool_down_s)
        self._lock = threading.Lock()
        self._hits = self._misses = self._damaged = self._errors = 0

    def get(self, keys: Sequence[bytes]) -> list[np.ndarray | None]:
        """For each key its row (width,) float32, or None. One round trip."""
        distinct = list(dict.fromkeys(keys))

        def read() -> dict[bytes, bytes | None]:
            values = cast("list[bytes | None]", self._redis.mget(map(_name, distinct)))
            if not all(value is None or isinstance(value, bytes) for value in values):
                raise InvalidResponse("not what MGET answers")
            return dict(zip(distinct, values, strict=True))

        values = self._exchange(self._reading, read)
        if values is None:
            return [None] * len(keys)
        rows = {key: None if value is None else _row(key, value) for key, value in values.items()}
        hits = sum(rows[key] is not None for key in keys)
        with self._lock:
            self._hits += hits
            self._misses += len(keys) - hits
            self._damaged += sum(values[key] is not None and rows[key] is None for key in distinct)
        return [rows[key] for key in keys]

    def put(self, keys: Sequence[bytes], rows: np.ndarray) -> None:
        """Keep `rows` (N, width) for the expiry. One round trip."""
        if not len(keys) or self._reading.state != "closed":  # what cannot be read need not be written
            return

        def write() -> None:
            pipeline = self._redis.pipeline(transaction=False)
            for key, row in zip(keys, rows, strict=True):
                pipeline.set(_name(key), _value(key, row), ex=self._expiry_s)
            pipeline.execute()

        self._exchange(self._writing, write)

    def statistics(self) -> SharedStatistics:
        with self._lock:
            return SharedStatistics(
                hits=self._hits,
                misses=self._misses,
                damaged=self._damaged,
                errors=self._errors,
                reading=self._reading.state,
                writing=self._writing.state,
            )

    def close(self) -> None:
        """Let go of the connections. A later call connects again."""
        self._redis.connection_pool.disconnect()

    def _exchange(self, breaker: CircuitBreaker, exchange: Callable[[], T]) -> T | None:
        """What `exchange` returns; None where it fails, or is not tried."""
        if not breaker.allows():
            return None
        problem: str | None = "interrupted"
        start = time.monotonic()
        try:
            answer = exchange()
        except Exception as error:
            # Whatever it is: redis-py's errors, and Python's own where something else than Redis answers. The type
            # alone is told, since a server may repeat in its text what it was sent, the password included.
            problem = type(error).__name__
            return None
        else:
            took_s = time.monotonic() - start
            problem = None if took_s <= _LONGEST * self._timeout_s else f"an exchange took {took_s:.1f} s"
            return answer
        finally:  # also where the thread is interrupted: a half-open breaker waits for this report
            if problem is None:
                breaker.succeeded()
            else:
                with self._lock:
                    self._errors += 1
                breaker.failed(problem)


def _pool(url: str, timeout_s: float) -> ConnectionPool:
    try:
        options = parse_url(url.strip())  # a file with a secret ends in a newline
        if not all(name in _URL_OPTIONS or name.startswith("ssl_") for name in options):
            raise ValueError("an option that would change what is set below")
        pool = ConnectionPool(
            **options,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            protocol=2,  # any Redis speaks it; and no HELLO or CLIENT SETINFO, round trips that each could time out
            driver_info=None,
            max_connections=2**16,  # one for each thread that asks at the moment: whoever limits those limits these
        )
        pool.connection_class(**pool.connection_kwargs)  # does not connect, and finds what is wrong with the options
    except Exception:  # not told, nor an option's name: parts of a password that was not quoted may stand in it
        raise InputError(
            "The URL of Redis (WENMO_REDIS_URL) cannot be read. Write redis://[[user]:password@]host[:port][/db], "
            "rediss:// for TLS, or unix://PATH; in a password, write / as %2F, @ as %40, # as %23, ? as %3F. Of "
            "options (?name=value) db and ssl_... are taken.",
            "Redis 的 URL（WENMO_REDIS_URL）无法读取。格式为 redis://[[用户]:密码@]主机[:端口][/库号]，TLS 用 rediss://，"
            "本地套接字用 unix://路径；密码中的 / 写作 %2F，@ 写作 %40，# 写作 %23，? 写作 %3F。"
            "选项（?名=值）只支持 db 和 ssl_…。",
        ) from None
    return pool


def _name(key: bytes) -> str:
    return _PREFIX + key.hex()


def _value(key: bytes, row: np.ndarray) -> bytes:
    content = row.astype("<f4").tobytes()
    return _HEADER.pack(_VERSION, len(row), _checksum(key, content)) + content


def _row(key: bytes, value: bytes) -> np.ndarray | None:
    """None where `value` is not one that `_value` made for this key."""
    if len(value) < _HEADER.size:
        return None
    version, width, checksum = _HEADER.unpack_from(value)
    content = value[_HEADER.size :]
    if version != _VERSION or len(content) != 4 * width or checksum != _checksum(key, content):
        return None
    return np.frombuffer(content, dtype="<f4").astype(np.float32)


def _checksum(key: bytes, content: bytes) -> bytes:
    return hashlib.blake2b(content, key=key, digest_size=8).digest()
